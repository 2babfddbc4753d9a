import assert from "node:assert/strict";
import { test } from "node:test";
import { type CallFrame, CHUNK_SIZE } from "../../src/call/frame.ts";
import { callFrame, ItemCutter, ItemJoiner } from "../../src/call/items.ts";
import { below, seededRandom } from "../../src/testing/seeded_random.ts";
import { CALL, DATA_MORE } from "../../src/wire/call_mark.ts";
import { sameBytes } from "../wire/hex.ts";

/** Bytes of which no two that are near each other are alike. */
function bytes(size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => (i * 31 + (i >> 8)) & 0xff);
}

/** All frames of an item. */
function cut(data: Uint8Array, typ: number = 0): CallFrame[] {
  const cutter = new ItemCutter(data, typ);
  const frames = [cutter.next()];
  while (cutter.left > 0) frames.push(cutter.next());
  return frames;
}

/** A part of an item. */
function part(data: Uint8Array, more: boolean): CallFrame {
  return callFrame(CALL.data, { data, flags: more ? DATA_MORE : 0 });
}

test("callFrame() fills in what is left out", () => {
  const data = new Uint8Array(0);
  const end = { kind: CALL.end, flags: 0, argument: 0, data, typ: 0 };
  assert.deepEqual(callFrame(CALL.end), end);
  const open = { flags: 3, argument: 5, data: bytes(2), typ: 7 };
  assert.deepEqual(callFrame(CALL.open, open), { kind: CALL.open, ...open });
});

test("ItemCutter cuts an item into frames of 8 KiB, all but the last of which go on", () => {
  assert.equal(CHUNK_SIZE, 8_192);
  for (const size of [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE, 100_000]) {
    const data = bytes(size);
    const frames = cut(data, 9);
    const count = Math.max(1, Math.ceil(size / CHUNK_SIZE));
    assert.equal(frames.length, count, `${size} bytes`);
    for (const [i, { data: piece, ...rest }] of frames.entries()) {
      const flags = i === count - 1 ? 0 : DATA_MORE;
      assert.deepEqual(rest, { kind: CALL.data, flags, argument: 0, typ: 9 });
      const expected = data.subarray(i * CHUNK_SIZE, (i + 1) * CHUNK_SIZE);
      assert.ok(sameBytes(piece, expected), `frame ${i} of ${size} bytes`);
    }
  }
});

test("ItemCutter.left is what has not been cut", () => {
  const cutter = new ItemCutter(bytes(CHUNK_SIZE + 5), 0);
  const left = [cutter.left];
  for (let i = 0; i < 2; i++) {
    cutter.next();
    left.push(cutter.left);
  }
  assert.deepEqual(left, [CHUNK_SIZE + 5, 5, 0]);
});

test("ItemCutter makes frames with data of their own: who gave the item may use it again", () => {
  const data = bytes(CHUNK_SIZE + 1);
  const frames = cut(data);
  data.fill(0);
  assert.ok(sameBytes(frames[0]!.data, bytes(CHUNK_SIZE)));
  assert.equal(frames[0]!.data.buffer.byteLength, CHUNK_SIZE);
});

test("ItemJoiner gives back every item that was cut, whatever its size", () => {
  const joiner = new ItemJoiner(200_000);
  for (const size of [0, 1, CHUNK_SIZE, CHUNK_SIZE + 1, 2 * CHUNK_SIZE, 0, 200_000, 5]) {
    const frames = cut(bytes(size));
    const last = frames.pop()!;
    for (const frame of frames) assert.equal(joiner.push(frame), null);
    const item = joiner.push(last);
    assert.ok(item !== null && sameBytes(item, bytes(size)), `${size} bytes`);
  }
  assert.equal(joiner.overflown, false);
});

test("ItemJoiner puts parts of any sizes together", () => {
  for (let seed = 0; seed < 300; seed++) {
    const random = seededRandom(seed);
    const data = bytes(below(random, 40_000));
    const joiner = new ItemJoiner(40_000);
    for (let at = 0;;) {
      const size = below(random, random() < 0.5 ? 4 : 12_000);
      const more = at + size < data.length;
      const item = joiner.push(part(data.subarray(at, at + size), more));
      at += size;
      if (more) {
        assert.equal(item, null, `seed ${seed}`);
        continue;
      }
      assert.ok(item !== null && sameBytes(item, data), `seed ${seed}`);
      break;
    }
  }
});

test("ItemJoiner takes an item as large as its limit, and none that is larger", () => {
  const joiner = new ItemJoiner(10);
  assert.equal(joiner.push(part(bytes(10), false))?.length, 10);
  assert.equal(joiner.push(part(bytes(6), true)), null);
  assert.equal(joiner.push(part(bytes(4), false))?.length, 10);
  assert.equal(joiner.overflown, false);
  assert.equal(joiner.push(part(bytes(6), true)), null);
  assert.equal(joiner.push(part(bytes(5), false)), null);
  assert.equal(joiner.overflown, true);
  const whole = new ItemJoiner(10);
  assert.equal(whole.push(part(bytes(11), false)), null);
  assert.equal(whole.overflown, true);
});

test("ItemJoiner puts nothing together any more after an item that was too large", () => {
  const joiner = new ItemJoiner(10);
  joiner.push(part(bytes(11), true));
  for (const more of [true, false, false]) assert.equal(joiner.push(part(bytes(1), more)), null);
  assert.equal(joiner.overflown, true);
});

test("ItemJoiner does not keep a frame for each crumb of an item", () => {
  const joiner = new ItemJoiner(1_000);
  const crumb = Uint8Array.of(1);
  joiner.push(part(Uint8Array.of(0), true));
  for (let i = 0; i < 999; i++) {
    assert.equal(joiner.push(part(crumb, true)), null);
    crumb[0] = 1 + i % 5; // It is ours again.
  }
  for (let i = 0; i < 10_000; i++) joiner.push(part(new Uint8Array(0), true));
  const item = joiner.push(part(new Uint8Array(0), false));
  assert.deepEqual(item, Uint8Array.from({ length: 1_000 }, (_, i) => i < 2 ? i : 1 + (i - 2) % 5));
});
