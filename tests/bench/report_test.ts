import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { cpuTime } from "./host/cpu.ts";
import { readOptions } from "./options.ts";
import { median, ratio, spread } from "./report/statistics.ts";

test("the bench takes the median of an odd and of an even number of figures", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.equal(median([NaN, 5]), 5); // What could not be measured does not count.
  assert(Number.isNaN(median([])));
});

test("the bench compares repetition by repetition, so that a slow one counts for both", () => {
  assert.equal(ratio([10, 1, 10], [5, 0.5, 5]), 2);
  assert.equal(spread([9, 10, 11]), 0.1);
  assert(Number.isNaN(spread([1])));
});

test(
  "the bench counts CPU time while a process works",
  { skip: process.platform !== "linux" },
  () => {
    const before = cpuTime(process.pid);
    const end = performance.now() + 50;
    while (performance.now() < end);
    const used = cpuTime(process.pid) - before;
    assert(used > 1_000, `${used} µs`);
  },
);

test("the bench refuses what it does not know, and writes its report after a whole run alone", () => {
  const cases = ["relay", "ws-relay"];
  assert.throws(() => readOptions(["--only", "relays"], cases), TypeError);
  assert.throws(() => readOptions(["--reps", "0"], cases), TypeError);
  assert.deepEqual(readOptions(["--only", "ws,relay"], cases).only, ["ws", "relay"]);
  assert.equal(readOptions([], cases).write, true);
  assert.equal(readOptions(["--quick"], cases).write, false);
});
