import assert from "node:assert/strict";
import { test } from "node:test";
import {
  hexDump,
  parsePayload,
  previewPayload,
  readableText,
  showPayload,
} from "../../src/dashboard/page/payload.ts";
import { encodeUtf8 } from "../../src/wire/bytes.ts";

test("parsePayload() reads text, JSON and hex", () => {
  assert.deepEqual([...parsePayload("ü", "text")], [0xc3, 0xbc]);
  assert.deepEqual(parsePayload('{ "a": [1,  2] }', "json"), encodeUtf8('{"a":[1,2]}'));
  assert.deepEqual([...parsePayload("0x00 ff, 1A:2b", "hex")], [0, 255, 0x1a, 0x2b]);
  for (const format of ["text", "json", "hex"] as const) {
    assert.equal(parsePayload("", format).length, 0);
  }
});

test("parsePayload() says what is wrong", () => {
  assert.throws(() => parsePayload("{", "json"), SyntaxError);
  assert.throws(() => parsePayload("0g", "hex"), /^SyntaxError: "g" is no hexadecimal digit$/);
  assert.throws(() => parsePayload("123", "hex"), /^SyntaxError: A byte has two/);
});

test("showPayload() shows JSON with indents, text as it is, all else in hex", () => {
  assert.equal(showPayload(encodeUtf8('{"a":1}')), '{\n  "a": 1\n}');
  assert.equal(showPayload(encodeUtf8("{no json")), "{no json");
  assert.equal(showPayload(encodeUtf8("two\nlines")), "two\nlines");
  assert.equal(showPayload(Uint8Array.of(0, 65)), `0000 00 41${" ".repeat(42)} ·A`);
  assert.equal(readableText(Uint8Array.of(0xff)), null);
  assert.equal(readableText(encodeUtf8("\u001b[31m")), null);
});

test("hexDump() has a line for each sixteen bytes", () => {
  const lines = hexDump(Uint8Array.from({ length: 20 }, (_, i) => i + 60)).split("\n");
  assert.deepEqual(lines, [
    "0000 3c 3d 3e 3f 40 41 42 43 44 45 46 47 48 49 4a 4b <=>?@ABCDEFGHIJK",
    `0010 4c 4d 4e 4f${" ".repeat(36)} LMNO`,
  ]);
});

test("previewPayload() is one line of a bounded length, also where a letter is cut in two", () => {
  assert.equal(previewPayload(encodeUtf8("a\n b"), 10), "a b");
  assert.equal(previewPayload(encodeUtf8("ü".repeat(100)), 10), "üüüüüüüüüü…");
  assert.equal(previewPayload(encodeUtf8(`x${"ü".repeat(100)}`), 10), "xüüüüüüüüü…");
  assert.equal(previewPayload(Uint8Array.of(0, 1, 2), 10), "00 01 02");
});
