import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteQueue, IN_PLACE } from "../../src/channel/byte_queue.ts";
import type { Bytes } from "../../src/wire/bytes.ts";
import { Chance } from "../support/fuzz.ts";
import { concat, sameBytes, toHex } from "../wire/hex.ts";

const of = (...bytes: number[]): Bytes => Uint8Array.from(bytes);

/** Bytes of one value, as many as it says. */
const frame = (value: number, size: number): Bytes => new Uint8Array(size).fill(value);

/** Writes a frame in place, and queues it. */
function put(queue: ByteQueue, bytes: Bytes, control: boolean, bound: number = bytes.length) {
  const room = queue.reserve(bound, control);
  room.bytes.set(bytes, room.at);
  queue.written = bytes.length;
  return queue.push(IN_PLACE, bytes.length, control);
}

/** All that is in the queue, as it goes out: hex, and how many frames that is. */
function drain(queue: ByteQueue): [string, number | undefined][] {
  const chunks: [string, number | undefined][] = [];
  for (let entry; (entry = queue.shift()) !== undefined;) {
    chunks.push([toHex(entry.unit), entry.count]);
    queue.release(entry.size);
  }
  return chunks;
}

test("ByteQueue gives frames out in one piece, control first, written in place or not", () => {
  const queue = new ByteQueue(1_000, false);
  assert.equal(queue.empty, true);
  put(queue, of(1, 2), false);
  queue.push(of(3), 1, false);
  put(queue, of(9), true, 100);
  put(queue, of(4, 5), false, 500);
  assert.deepEqual([queue.bytes, queue.empty], [6, false]);
  assert.deepEqual(drain(queue), [["09", 1], ["0102030405", 3]]);
  assert.deepEqual([queue.bytes, queue.empty, queue.shift()], [0, true, undefined]);
});

test("ByteQueue.push() admits data up to highWater, and control traffic up to twice as much", () => {
  for (
    const write of [put, (queue: ByteQueue, bytes: Bytes, control: boolean) => {
      return queue.push(bytes, bytes.length, control);
    }]
  ) {
    const queue = new ByteQueue(10, false);
    const sizes: [number, boolean][] = [
      [6, false],
      [4, false],
      [1, false],
      [9, true],
      [1, true],
      [1, true],
    ];
    const results = sizes.map(([size, control], i) => write(queue, frame(i, size), control));
    assert.deepEqual(results, ["queued", "queued", "full", "queued", "queued", "overrun"]);
    assert.equal(queue.bytes, 20);
    assert.deepEqual(drain(queue), [
      ["03".repeat(9) + "04", 2],
      ["00".repeat(6) + "01".repeat(4), 2],
    ]);
  }
});

test("ByteQueue admits a single frame of any size when nothing waits, in a piece of its own", () => {
  for (const control of [false, true]) {
    const queue = new ByteQueue(10, false);
    const huge = frame(7, 200_000);
    assert.equal(put(queue, huge, control), "queued");
    assert.equal(put(queue, of(1), control), control ? "overrun" : "full");
    assert.deepEqual([queue.fits(1), drain(queue)], [false, [[toHex(huge), 1]]]);
    assert.equal(queue.fits(1_000_000), true);
  }
});

test("ByteQueue puts together at most 64 KiB, and cuts no frame", () => {
  const queue = new ByteQueue(1 << 20, false);
  for (let i = 0; i < 300; i++) put(queue, frame(i & 0xff, 1_000), false, 2_000);
  const chunks: Bytes[] = [];
  for (let entry; (entry = queue.shift()) !== undefined;) chunks.push(entry.unit);
  assert.equal(chunks.reduce((sum, { length }) => sum + length, 0), 300_000);
  for (const { length } of chunks) assert.ok(length <= 1 << 16 && length % 1_000 === 0);
  assert.ok(chunks.length <= 6, `${chunks.length} pieces`);
});

test("ByteQueue.shift() takes what is being filled; what comes then goes out later", () => {
  const queue = new ByteQueue(1_000, false);
  put(queue, of(1), false);
  const first = queue.shift()!;
  put(queue, of(2), false);
  assert.deepEqual([toHex(first.unit), queue.bytes, queue.empty], ["01", 2, false]);
  queue.release(1);
  assert.deepEqual(drain(queue), [["02", 1]]);
});

test("ByteQueue gives pieces away, unless its transport is done with them once it has taken them", () => {
  for (const reuses of [false, true]) {
    const queue = new ByteQueue(1 << 20, false);
    queue.reuses = reuses;
    const buffers = new Set<ArrayBuffer>();
    for (let i = 0; i < 10; i++) {
      put(queue, of(i), false);
      const { unit, size } = queue.shift()!;
      buffers.add(unit.buffer);
      put(queue, of(99), false); // While the other is on its way.
      assert.deepEqual(unit, of(i));
      queue.release(size);
      const next = queue.shift()!;
      buffers.add(next.unit.buffer);
      queue.release(next.size);
    }
    assert.equal(buffers.size, reuses ? 2 : 20);
  }
});

test("ByteQueue uses nothing again when it is not clear what has left", () => {
  const queue = new ByteQueue(1_000, false);
  queue.reuses = true;
  put(queue, of(1, 2), false);
  const first = queue.shift()!;
  put(queue, of(3), false);
  const second = queue.shift()!;
  queue.release(1); // Some of the first, or all of the second?
  put(queue, of(4, 5), false);
  const third = queue.shift()!;
  assert.equal(new Set([first, second, third].map(({ unit }) => unit.buffer)).size, 3);
  assert.deepEqual([first.unit, second.unit, third.unit], [of(1, 2), of(3), of(4, 5)]);
});

test("ByteQueue.shrink() lets go of what a burst has needed", () => {
  const queue = new ByteQueue(1 << 20, false);
  queue.reuses = true;
  const largest = () => {
    put(queue, of(1), false);
    const { unit, size } = queue.shift()!;
    queue.release(size);
    return unit.buffer.byteLength;
  };
  assert.equal(largest(), 1_024);
  for (let i = 0; i < 60; i++) put(queue, frame(i, 1_000), false);
  drain(queue);
  assert.equal(largest(), 1 << 16);
  queue.shrink();
  assert.equal(largest(), 1_024);
});

test("ByteQueue.evict() takes out the oldest data, as much as is needed, and no control traffic", () => {
  const queue = new ByteQueue(10, true);
  put(queue, frame(1, 2), false);
  queue.shift(); // On its way.
  put(queue, frame(2, 3), false);
  put(queue, frame(3, 1), true);
  put(queue, frame(4, 3), false);
  const evict = (size: number) => queue.evict(size).map(toHex);
  assert.deepEqual([evict(1), evict(2), queue.bytes], [[], ["020202"], 6]);
  assert.deepEqual([put(queue, frame(5, 4), false), queue.bytes], ["queued", 10]);
  assert.deepEqual([evict(8), evict(7), queue.bytes], [[], ["040404", "05050505"], 3]);
  assert.deepEqual([put(queue, frame(6, 7), false), drain(queue)], [
    "queued",
    [["03", 1], ["06".repeat(7), 1]],
  ]);
});

test("ByteQueue.evict() leaves a frame alone that has been written and not queued", () => {
  const queue = new ByteQueue(4, true);
  for (let i = 1; i < 100; i++) {
    const { bytes, at } = queue.reserve(50, false);
    bytes.set(frame(i, 3), at);
    queue.written = 3;
    if (queue.push(IN_PLACE, 3, false) === "full") {
      assert.deepEqual(queue.evict(3).map(toHex), [toHex(frame(i - 1, 3))]);
      assert.equal(queue.push(IN_PLACE, 3, false), "queued");
    }
  }
  assert.deepEqual(drain(queue), [["636363", 1]]);
});

test("ByteQueue.clear() says how many frames of data it forgets, and leaves what is on its way", () => {
  const queue = new ByteQueue(1 << 20, true);
  put(queue, frame(1, 5), false);
  queue.shift();
  for (let i = 0; i < 100; i++) put(queue, frame(i, 1_500), false);
  put(queue, frame(2, 9), true);
  assert.deepEqual([queue.clear(), queue.clear(), queue.bytes, queue.empty], [100, 0, 5, true]);
  put(queue, frame(3, 1), false);
  assert.deepEqual(queue.evict(1 << 20).map(toHex), []);
  queue.release(5);
  assert.deepEqual([drain(queue), queue.bytes], [[["03", 1]], 0]);
});

test("ByteQueue does what a plain list of frames does, whatever is asked of it", () => {
  for (let seed = 0; seed < 100; seed++) {
    const chance = new Chance(seed);
    const highWater = chance.pick([10, 3_000, 200_000]);
    const queue = new ByteQueue(highWater, true);
    queue.reuses = chance.oneIn(2);
    const lanes: Record<"control" | "data", Bytes[]> = { control: [], data: [] };
    const away: { unit: Bytes; size: number; copy: Bytes }[] = [];
    const total = () => {
      const waiting = [...lanes.control, ...lanes.data].reduce(
        (sum, { length }) => sum + length,
        0,
      );
      return away.reduce((sum, { size }) => sum + size, waiting);
    };
    for (let step = 0; step < 200; step++) {
      const size = 1 + chance.upTo(chance.pick([3, 100, 2_000, 70_000]));
      const control = chance.oneIn(4);
      const why = `seed ${seed}, step ${step}`;
      switch (chance.upTo(7)) {
        default: {
          const bytes = frame(chance.upTo(255), size);
          const limit = control ? 2 * highWater : highWater;
          const full = total() > 0 && total() + size > limit;
          const admission = chance.oneIn(3)
            ? queue.push(bytes, size, control)
            : put(queue, bytes, control, size + chance.upTo(2 * size));
          assert.equal(admission, full ? control ? "overrun" : "full" : "queued", why);
          if (!full) lanes[control ? "control" : "data"].push(bytes);
          break;
        }
        case 4: {
          const evicted = queue.evict(size);
          const rest = total() - lanes.data.reduce((sum, { length }) => sum + length, 0);
          const expected: Bytes[] = [];
          while (
            (rest === 0 || rest + size <= highWater) && lanes.data.length > 0 &&
            total() + size > highWater
          ) expected.push(lanes.data.shift()!);
          assert.ok(sameBytes(concat(...evicted), concat(...expected)), why);
          assert.equal(evicted.length, expected.length, why);
          break;
        }
        case 5: {
          const entry = queue.shift();
          const lane = lanes.control.length > 0 ? lanes.control : lanes.data;
          assert.equal(entry === undefined, lane.length === 0, why);
          if (entry === undefined) break;
          assert.ok(sameBytes(entry.unit, concat(...lane.splice(0, entry.count))), why);
          away.push({ ...entry, copy: entry.unit.slice() });
          break;
        }
        case 6: {
          const first = away.shift();
          if (first === undefined) break;
          assert.ok(sameBytes(first.unit, first.copy), `${why}: written over on its way`);
          queue.release(first.size);
          break;
        }
        case 7:
          if (chance.oneIn(2)) queue.shrink();
          if (!chance.oneIn(10)) break;
          assert.equal(queue.clear(), lanes.data.length, why);
          lanes.control = [];
          lanes.data = [];
      }
      assert.equal(queue.bytes, total(), why);
      assert.equal(queue.empty, lanes.control.length + lanes.data.length === 0, why);
    }
  }
});

test("ByteQueue.shrink() lets go of all memory for frames, unless some wait", () => {
  const queue = new ByteQueue(1_000, false);
  queue.reuses = true;
  for (const control of [false, true]) {
    put(queue, of(1, 2), control);
    drain(queue);
  }
  assert(queue.room.bytes.length > 0);
  queue.shrink();
  assert.equal(queue.room.bytes.length, 0);
  put(queue, of(3), false);
  queue.shrink();
  assert.deepEqual(drain(queue), [["03", 1]]);
});
