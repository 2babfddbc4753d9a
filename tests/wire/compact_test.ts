import assert from "node:assert/strict";
import { test } from "node:test";
import { compact } from "../../src/wire/bytes.ts";

test("A few bytes that are kept do not keep a large buffer with them", () => {
  const buffer = new Uint8Array(65_536).fill(7);
  const kept = compact(buffer.subarray(100, 164));
  assert.equal(kept.buffer.byteLength, 64);
  assert.deepEqual(kept, new Uint8Array(64).fill(7));
});

test("Bytes that are most of their buffer are not copied", () => {
  const bytes = new Uint8Array(1_000).subarray(0, 400);
  assert.equal(compact(bytes), bytes);
});
