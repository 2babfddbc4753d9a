import assert from "node:assert/strict";
import { test } from "node:test";
import { ManualClock } from "../../src/testing/mod.ts";

test("ManualClock.advance() runs what falls due, in the order of time", () => {
  const clock = new ManualClock();
  const ran: string[] = [];
  for (const at of [30, 10, 20, 10.5, 31]) {
    clock.schedule(at, () => ran.push(`${at} at ${clock.now()}`));
  }
  clock.advance(30);
  assert.deepEqual(
    [ran, clock.now(), clock.pending],
    [["10 at 10", "10.5 at 10.5", "20 at 20", "30 at 30"], 30, 1],
  );
});

test("ManualClock.advance() runs what is scheduled meanwhile, if it falls due", () => {
  const clock = new ManualClock();
  const ran: number[] = [];
  const again = () => {
    ran.push(clock.now());
    clock.schedule(clock.now() + 10, again);
  };
  again();
  clock.advance(35);
  assert.deepEqual([ran, clock.now(), clock.pending], [[0, 10, 20, 30], 35, 1]);
});

test("ManualClock.schedule() returns what cancels it, once", () => {
  const clock = new ManualClock();
  let ran = 0;
  const cancel = clock.schedule(10, () => ran++);
  const done = clock.schedule(5, () => ran++);
  clock.advance(5);
  done();
  cancel();
  cancel();
  clock.advance(100);
  assert.deepEqual([ran, clock.pending], [1, 0]);
});

test("ManualClock.schedule() runs the past as soon as time passes, and does not go back", () => {
  const clock = new ManualClock();
  clock.advance(100);
  const ran: number[] = [];
  clock.schedule(50, () => ran.push(clock.now()));
  clock.schedule(-Infinity, () => ran.push(clock.now()));
  assert.deepEqual(ran, []);
  clock.advance(0);
  assert.deepEqual([ran, clock.now()], [[100, 100], 100]);
});

test("ManualClock.schedule() never runs what is due at no time", () => {
  const clock = new ManualClock();
  clock.schedule(Infinity, () => assert.fail("it ran"));
  clock.advance(Number.MAX_SAFE_INTEGER);
  assert.equal(clock.pending, 1);
});
