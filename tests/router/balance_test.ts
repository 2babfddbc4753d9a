import assert from "node:assert/strict";
import { test } from "node:test";
import type { BalancePolicy, Router, RouterOptions, ServiceHandler } from "../../mod.ts";
import { seededRandom } from "../../src/testing/mod.ts";
import { texts, turns } from "../support/calls.ts";
import { chain, rejection, type SteppingClock } from "../support/routers.ts";

/** A caller, "a", and instances of "who" that say their names. */
async function scene(
  names: string[],
  options: RouterOptions = {},
  slow: (name: string, clock: SteppingClock) => Promise<void> | void = () => {},
) {
  const made = await chain(["a", ...names] as ["a", ...string[]], {
    random: seededRandom(11),
    ...options,
  });
  const [a, ...others] = made.routers as [Router, ...Router[]];
  const { clock } = made;
  for (const router of others) {
    const handler: ServiceHandler = async () => {
      await slow(router.address, clock);
      return router.address;
    };
    router.registerService("who", handler);
  }
  await clock.rest();
  return { a, others, clock };
}

/** How often each answered. */
function counts(answers: string[]): Record<string, number> {
  const all: Record<string, number> = {};
  for (const answer of [...answers].sort()) all[answer] = (all[answer] ?? 0) + 1;
  return all;
}

async function askMany(a: Router, count: number, balance?: BalancePolicy): Promise<string[]> {
  const answers: string[] = [];
  for (let i = 0; i < count; i++) {
    answers.push((await a.request("who", "", { balance })).text());
  }
  return answers;
}

test('Balance "round-robin" gives every instance the same number of calls, one by one or at once', {
  timeout: 10_000,
}, async () => {
  const { a } = await scene(["b", "c", "d"]);
  assert.deepEqual(counts(await askMany(a, 30, "round-robin")), { b: 10, c: 10, d: 10 });
  const options = { balance: "round-robin" } as const;
  const replies = await Promise.all(
    Array.from({ length: 30 }, () => a.request("who", "", options)),
  );
  assert.deepEqual(counts(replies.map((reply) => reply.text())), { b: 10, c: 10, d: 10 });
});

test('Balance "sticky" sends a key to one instance, and moves no more keys than it must', {
  timeout: 10_000,
}, async () => {
  const { a, others, clock } = await scene(["b", "c", "d"]);
  const ask = async (key: string) => {
    return (await a.request("who", "", { balance: "sticky", key })).text();
  };
  const keys = Array.from({ length: 60 }, (_, i) => `user ${i}`);
  const before = new Map<string, string>();
  for (const key of keys) before.set(key, await ask(key));
  for (const key of keys) assert.equal(await ask(key), before.get(key));
  for (const count of Object.values(counts([...before.values()]))) assert(count > 8, `${count}`);
  const leaving = others[0]!;
  leaving.unregisterService("who");
  await clock.rest();
  for (const key of keys) {
    const now = await ask(key);
    if (before.get(key) === "b") assert.notEqual(now, "b");
    else assert.equal(now, before.get(key));
  }
  const error = await rejection(a.request("who", "", { balance: "sticky" }));
  assert(error instanceof TypeError);
});

test('Balance "two-choices" keeps calls away from who has many of ours', {
  timeout: 10_000,
}, async () => {
  const { a, clock } = await scene(["b", "c", "d", "e"], {}, (name, clock) => {
    const time = name === "b" ? 4_000 : 10;
    return new Promise((resolve) => void clock.schedule(clock.now() + time, resolve));
  });
  const answers: Promise<string>[] = [];
  for (let i = 0; i < 100; i++) {
    const call = a.request("who", "", { balance: "two-choices" });
    answers.push(call.then((reply) => reply.text()));
    await clock.pass(20);
  }
  const spread = counts(await clock.until(Promise.all(answers)));
  assert(spread.b! < 5, JSON.stringify(spread));
});

test('Balance "latency" prefers who answers faster', { timeout: 10_000 }, async () => {
  const { a, clock } = await scene(["b", "c"], {}, (name, clock) => {
    const time = name === "b" ? 300 : 20;
    return new Promise((resolve) => void clock.schedule(clock.now() + time, resolve));
  });
  const answers = await clock.until(askMany(a, 50, "latency"));
  const spread = counts(answers);
  assert(spread.b! >= 1 && spread.c! > 40, JSON.stringify(spread));
});

test('Balance "latency" holds nothing against who was given up', { timeout: 10_000 }, async () => {
  const { a, clock } = await scene(["b", "c"], {}, (name, clock) => {
    const time = name === "b" ? 20 : 200;
    return new Promise((resolve) => void clock.schedule(clock.now() + time, resolve));
  });
  await clock.until(askMany(a, 10, "latency"));
  for (let i = 0; i < 10; i++) {
    const controller = new AbortController();
    const failed = rejection(a.request("who", "", { dst: "b", signal: controller.signal }));
    await turns(2);
    controller.abort();
    await failed;
  }
  const spread = counts(await clock.until(askMany(a, 10, "latency")));
  assert(spread.b! >= 8, JSON.stringify(spread));
});

test("Balance of the router counts for every call that names none of its own", {
  timeout: 10_000,
}, async () => {
  const { a } = await scene(["b", "c", "d"], { balance: "round-robin" });
  const inTurn = (answers: string[]) => {
    assert.deepEqual(answers.slice(3), answers.slice(0, -3));
    assert.equal(new Set(answers).size, 3);
  };
  inTurn(await askMany(a, 12));
  const streamed: string[] = [];
  for (let i = 0; i < 12; i++) streamed.push(...await texts(a.stream("who")));
  inTurn(streamed);
  const same = await Promise.all(
    Array.from({ length: 9 }, () => a.request("who", "", { balance: "sticky", key: "k" })),
  );
  assert.equal(new Set(same.map((reply) => reply.src)).size, 1);
});

test("Balance that there is not is refused", { timeout: 10_000 }, async () => {
  const { a } = await scene(["b", "c"]);
  const balance = "best" as BalancePolicy;
  assert((await rejection(a.request("who", "", { balance }))) instanceof TypeError);
  assert((await rejection(texts(a.stream("who", "", { balance })))) instanceof TypeError);
});

test("Balance counts no call that could not begin", { timeout: 10_000 }, async () => {
  const { a } = await scene(["b", "c"]);
  const signal = AbortSignal.abort();
  const open: number[] = [];
  for (let i = 0; i < 20; i++) await rejection(a.request("who", "", { dst: "b", signal }));
  while (open.length < 16_384) open.push(a.registerContextHandler(() => {}));
  for (let i = 0; i < 20; i++) await rejection(a.request("who", "", { dst: "b" }));
  for (const ctx of open) a.releaseContext(ctx);
  await turns();
  const spread = counts(await askMany(a, 40, "two-choices"));
  assert(spread.b! > 5 && spread.c! > 5, JSON.stringify(spread));
});
