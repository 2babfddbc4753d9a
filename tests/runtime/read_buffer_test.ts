import assert from "node:assert/strict";
import { test } from "node:test";
import { ReadBuffer } from "../../src/runtime/read_buffer.ts";
import { seededRandom } from "../../src/testing/mod.ts";

test("ReadBuffer never writes again what it has given out, whatever sizes are read", () => {
  const random = seededRandom(1);
  const buffer = new ReadBuffer();
  const given: { chunk: Uint8Array; value: number; size: number }[] = [];
  for (let i = 0; i < 2_000; i++) {
    const { room } = buffer;
    assert(room.length >= 512, `a read has room for ${room.length} bytes`);
    const size = Math.min(room.length, 1 + Math.floor(2 ** (17 * random())));
    room.subarray(0, size).fill(i % 251);
    given.push({ chunk: buffer.take(size), value: i % 251, size });
  }
  for (const { chunk, value, size } of given) {
    assert.equal(chunk.length, size);
    assert(chunk.every((byte) => byte === value));
  }
});

test("ReadBuffer holds 1 KiB while little comes, 64 KiB while much comes", () => {
  const buffer = new ReadBuffer();
  const held = () => buffer.room.buffer.byteLength;
  assert.equal(held(), 1_024);
  for (let i = 0; i < 100; i++) {
    const chunk = buffer.take(64);
    assert(chunk.buffer.byteLength <= 1_024, "a small chunk keeps a large buffer alive");
    assert.equal(held(), 1_024);
  }
  buffer.take(buffer.room.length);
  assert.equal(held(), 65_536);
  assert.equal(buffer.take(65_536).buffer.byteLength, 65_536);
  assert.equal(held(), 65_536);
  assert.equal(buffer.take(4_000).buffer.byteLength, 4_000);
  assert.equal(held(), 65_536);
  buffer.take(64);
  assert.equal(held(), 1_024);
});
