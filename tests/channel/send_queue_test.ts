import assert from "node:assert/strict";
import { test } from "node:test";
import { SendQueue } from "../../src/channel/send_queue.ts";

/** Everything that is in the queue, in the order in which it leaves. */
function drain(queue: SendQueue<string>): string[] {
  const units: string[] = [];
  for (let entry; (entry = queue.shift()) !== undefined;) {
    units.push(entry.unit);
    queue.release(entry.size);
  }
  return units;
}

test("SendQueue.push() admits data up to highWater, and control traffic up to twice as much", () => {
  const queue = new SendQueue<string>(10);
  const results = [
    queue.push("d1", 6, false),
    queue.push("d2", 4, false),
    queue.push("d3", 1, false),
    queue.push("c1", 9, true),
    queue.push("c2", 1, true),
    queue.push("c3", 1, true),
  ];
  assert.deepEqual(results, ["queued", "queued", "full", "queued", "queued", "overrun"]);
  assert.deepEqual([queue.bytes, drain(queue), queue.bytes], [20, ["c1", "c2", "d1", "d2"], 0]);
});

test("SendQueue.push() admits a single unit of any size when nothing waits", () => {
  for (const control of [false, true]) {
    const queue = new SendQueue<string>(10);
    assert.equal(queue.push("huge", 1_000_000, control), "queued");
    assert.equal(queue.push("one more", 1, control), control ? "overrun" : "full");
    assert.deepEqual(drain(queue), ["huge"]);
    assert.equal(queue.push("again", 1_000_000, control), "queued");
  }
});

test("SendQueue.shift() gives control first, and each lane in order", () => {
  const queue = new SendQueue<string>(1_000);
  for (let i = 0; i < 5; i++) {
    queue.push(`d${i}`, 1, false);
    queue.push(`c${i}`, 1, true);
  }
  assert.deepEqual([queue.shift(), queue.shift()], [
    { unit: "c0", size: 1 },
    { unit: "c1", size: 1 },
  ]);
  assert.deepEqual(drain(queue), ["c2", "c3", "c4", "d0", "d1", "d2", "d3", "d4"]);
  assert.deepEqual([queue.shift(), queue.empty], [undefined, true]);
});

test("SendQueue.bytes counts what was taken until it is released", () => {
  const queue = new SendQueue<string>(10);
  queue.push("a", 10, false);
  queue.shift();
  assert.deepEqual([queue.bytes, queue.empty, queue.push("b", 1, false)], [10, true, "full"]);
  queue.release(4);
  assert.deepEqual([queue.bytes, queue.push("b", 4, false), queue.bytes], [6, "queued", 10]);
  queue.release(6);
  assert.deepEqual([queue.bytes, queue.empty], [4, false]);
});

test("SendQueue.clear() forgets what waits, not what is on its way", () => {
  const queue = new SendQueue<string>(100);
  queue.push("away", 5, false);
  queue.shift();
  queue.push("d", 7, false);
  queue.push("c", 9, true);
  queue.clear();
  assert.deepEqual([queue.bytes, queue.empty, queue.shift()], [5, true, undefined]);
  queue.release(5);
  assert.equal(queue.bytes, 0);
});

test("SendQueue keeps 100,000 units in order while they come and go", () => {
  const queue = new SendQueue<number>(1_000_000);
  const taken: number[] = [];
  let pushed = 0;
  while (taken.length < 100_000) {
    for (let i = 0; i < 700 && pushed < 100_000; i++) queue.push(pushed++, 1, false);
    for (let i = 0; i < 500; i++) {
      const entry = queue.shift();
      if (entry === undefined) break;
      taken.push(entry.unit);
      queue.release(entry.size);
    }
  }
  assert(taken.every((unit, i) => unit === i));
  assert.deepEqual([queue.bytes, queue.empty], [0, true]);
});

test("SendQueue.evict() takes out the oldest data, as much as is needed, and no control traffic", () => {
  const queue = new SendQueue<string>(10);
  queue.push("on its way", 2, false);
  queue.shift();
  queue.push("d1", 3, false);
  queue.push("c1", 1, true);
  queue.push("d2", 3, false);
  assert.deepEqual([queue.evict(1), queue.evict(2), queue.bytes], [[], ["d1"], 6]);
  assert.deepEqual([queue.push("d3", 4, false), queue.bytes], ["queued", 10]);
  assert.deepEqual([queue.evict(7), queue.bytes], [["d2", "d3"], 3]);
  assert.deepEqual([queue.push("d4", 7, false), drain(queue)], ["queued", ["c1", "d4"]]);
});

test("SendQueue.evict() takes out nothing if all of it would not do", () => {
  const queue = new SendQueue<string>(10);
  queue.push("on its way", 4, false);
  queue.shift();
  queue.push("d1", 3, false);
  queue.push("c1", 1, true);
  assert.deepEqual([queue.evict(6), queue.evict(5)], [[], ["d1"]]);
});

test("SendQueue.evict() empties the queue for a unit of any size if nothing is on its way", () => {
  const queue = new SendQueue<string>(10);
  queue.push("d1", 3, false);
  queue.push("d2", 3, false);
  assert.deepEqual([queue.evict(1_000), queue.bytes], [["d1", "d2"], 0]);
  assert.equal(queue.push("huge", 1_000, false), "queued");
});

test("SendQueue.clear() says how much data it forgets", () => {
  const queue = new SendQueue<string>(100);
  queue.push("c", 1, true);
  queue.push("d1", 1, false);
  queue.push("d2", 1, false);
  queue.shift();
  queue.shift();
  assert.deepEqual([queue.clear(), queue.clear()], [1, 0]);
});
