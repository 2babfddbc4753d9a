import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeUtf8 } from "../../src/wire/bytes.ts";
import { crc32 } from "../../src/wire/crc32.ts";

test("crc32() gives the check value of CRC-32", () => {
  assert.equal(crc32(encodeUtf8("123456789")), 0xcbf4_3926);
});

test("crc32() of no bytes is 0", () => {
  assert.equal(crc32(new Uint8Array(0)), 0);
});

test("crc32() is unsigned and covers bytes of every value", () => {
  assert.equal(crc32(Uint8Array.of(0xff, 0xff, 0xff, 0xff)), 0xffff_ffff);
  assert.equal(crc32(Uint8Array.from({ length: 256 }, (_, byte) => byte)), 0x2905_8c73);
});

test("crc32() reads a view and not the buffer below it", () => {
  const whole = encodeUtf8("..123456789..");
  assert.equal(crc32(whole.subarray(2, 11)), 0xcbf4_3926);
});
