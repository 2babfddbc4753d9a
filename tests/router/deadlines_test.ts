import assert from "node:assert/strict";
import { test } from "node:test";
import { Router } from "../../mod.ts";
import { type Deadline, Deadlines, newDeadline } from "../../src/router/deadlines.ts";
import { ManualClock, seededRandom } from "../../src/testing/mod.ts";
import { chain, failureCode } from "../support/routers.ts";

/** Takes all that is due by now, and says what it was. */
function taken(deadlines: Deadlines, now: number): Deadline[] {
  const found: Deadline[] = [];
  for (let due; (due = deadlines.take(now)) !== undefined;) found.push(due);
  return found;
}

test("Deadlines.take() gives what is due, soonest first, and of equals the one added first", () => {
  const deadlines = new Deadlines(() => {});
  const [a, b, c, d] = [1, 2, 3, 4].map(() => newDeadline(() => {}));
  deadlines.add(a!, 20);
  deadlines.add(b!, 10);
  deadlines.add(c!, 20);
  deadlines.add(d!, 30);
  assert.equal(deadlines.next, 10);
  assert.deepEqual(taken(deadlines, 9), []);
  assert.deepEqual(taken(deadlines, 20), [b, a, c]);
  assert.deepEqual([deadlines.next, deadlines.size, a!.place], [30, 1, -1]);
  deadlines.add(a!, 25); // As often as one likes.
  assert.deepEqual(taken(deadlines, Infinity), [a, d]);
  assert.deepEqual([deadlines.next, deadlines.size], [Infinity, 0]);
});

test("Deadlines keeps its order whatever is taken back in between", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seededRandom(seed);
    const deadlines = new Deadlines(() => {});
    const waiting = new Set<Deadline>();
    for (let i = 0; i < 500; i++) {
      if (random() < 0.6) {
        const one = newDeadline(() => {});
        deadlines.add(one, Math.floor(100 * random()));
        waiting.add(one);
      } else {
        const [one] = [...waiting].slice(Math.floor(waiting.size * random()));
        if (one === undefined) continue;
        deadlines.remove(one);
        deadlines.remove(one); // Once more is fine.
        waiting.delete(one);
      }
      assert.equal(deadlines.size, waiting.size, `seed ${seed}`);
      const next = Math.min(...[...waiting].map(({ at }) => at));
      assert.equal(deadlines.next, next, `seed ${seed}`);
    }
    const order = [...waiting].sort((a, b) => a.at - b.at || a.order - b.order);
    assert.deepEqual(taken(deadlines, 100), order, `seed ${seed}`);
  }
});

test("Deadlines tells when the next one is sooner than before, and when none is left", () => {
  const told: number[] = [];
  const deadlines: Deadlines = new Deadlines(() => told.push(deadlines.next));
  const [a, b] = [newDeadline(() => {}), newDeadline(() => {})];
  deadlines.add(a!, 20);
  deadlines.add(b!, 30);
  deadlines.remove(b!);
  deadlines.add(b!, 10);
  deadlines.remove(b!);
  deadlines.remove(a!);
  deadlines.add(a!, Infinity); // That is never.
  assert.deepEqual([told, deadlines.size, a!.place], [[20, 10, Infinity], 0, -1]);
});

test(
  "Router.request() needs no timer of its own, however many are in flight, and times out at its time",
  {
    timeout: 10_000,
  },
  async () => {
    const { routers: [a, b], clock } = await chain(["a", "b"]);
    b.registerService("silent", () => {});
    b.registerService("echo", (packet) => packet.data);
    await clock.until(Promise.all([a.waitForService("silent"), a.waitForService("echo")]));
    const idle = clock.pending;
    const start = clock.now();
    const ends: [unknown, number][] = [];
    const calls = [300, 100, 200].map((timeout) =>
      failureCode(a.request("silent", "", { timeout })).then((code) => {
        ends.push([code, Math.round(clock.now() - start)]);
      })
    );
    for (let i = 0; i < 100; i++) assert.equal((await a.request("echo", `${i}`)).text(), `${i}`);
    assert.equal(clock.pending, idle);
    await clock.pass(400);
    await Promise.all(calls);
    assert.deepEqual(ends, [["TimeoutError", 100], ["TimeoutError", 200], ["TimeoutError", 300]]);
    await Promise.all([a.close(), b.close()]);
    assert.equal(clock.pending, 0);
  },
);

test("Router.request() to a service of its own leaves no timer behind: programs may end", {
  timeout: 10_000,
}, async () => {
  const clock = new ManualClock();
  const router = new Router("a", { clock });
  router.registerService("echo", (packet) => packet.data);
  const reply = router.request("echo", "hello");
  assert.equal((await reply).text(), "hello");
  assert.equal(clock.pending, 0);
  await router.close();
});
