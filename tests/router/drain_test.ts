import assert from "node:assert/strict";
import { test } from "node:test";
import { PacketError, Router, type ServiceHandler } from "../../mod.ts";
import { ManualClock } from "../../src/testing/mod.ts";
import { pair, texts, turns } from "../support/calls.ts";
import { chain, CountingController, failureCode, rejection } from "../support/routers.ts";

/** A handler whose calls the test ends. */
function held() {
  const ends: (() => void)[] = [];
  const handler: ServiceHandler = (packet) =>
    new Promise<string>((resolve) => ends.push(() => resolve(`to ${packet.text()}`)));
  return { handler, ends };
}

/** What one router hears of another's service. */
function loads(router: Router): number[] {
  const told: number[] = [];
  router.addEventListener("service", ({ capacity }) => told.push(capacity));
  return told;
}

// ── drain ───────────────────────────────────────────────────────────────────

test(
  "Registration.drain() lets calls finish, sends others elsewhere, and then withdraws the service",
  {
    timeout: 10_000,
  },
  async () => {
    const { routers: [a, b, c], clock } = await chain(["a", "b", "c"]);
    const { handler, ends } = held();
    const leaving = b.registerService("s", handler);
    c.registerService("s", () => "from c", { capacity: 9 });
    await clock.rest();
    const inFlight = [
      a.request("s", "one"),
      a.request("s", "two", { reliable: true }),
      a.request(
        "s",
        (async function* () {
          yield "x";
        })(),
      ),
    ];
    const stream = texts(a.stream("s", "four"));
    await turns();
    assert.deepEqual([leaving.calls, ends.length], [4, 4]);
    const told = loads(a);
    let drained = false;
    const draining = leaving.drain().then(() => drained = true);
    assert.equal((await a.request("s")).text(), "from c"); // Also before the advert has arrived.
    await clock.rest();
    assert.deepEqual(told, [65_535]);
    assert.equal(await failureCode(a.request("s", "", { dst: "b" })), "ERR_CALL_REFUSED");
    assert.equal(await failureCode(texts(a.stream("s", "", { dst: "b" }))), "ERR_CALL_REFUSED");
    for (const end of ends.slice(0, 3)) end();
    await turns();
    assert.deepEqual([drained, leaving.calls], [false, 1]);
    ends[3]!();
    await draining;
    assert.deepEqual(await stream, ["to four"]);
    assert.deepEqual((await Promise.all(inFlight)).map((reply) => reply.text()), [
      "to one",
      "to two",
      "to ",
    ]);
    await clock.rest();
    assert.deepEqual([told, a.serviceAddresses("s")], [[65_535, 0], ["c"]]);
    assert.equal(await failureCode(a.request("s", "", { dst: "b" })), "ERR_NO_SERVICE");
  },
);

test("Registration.drain() is done at once when nothing is being served", {
  timeout: 10_000,
}, async () => {
  const { a, b, rest } = await pair();
  const there = b.registerService("s", () => "fine");
  await rest();
  await a.request("s");
  await there.drain();
  await rest();
  assert.deepEqual(a.serviceAddresses("s"), []);
  await there.drain(); // More than once is fine.
});

test("Registration.drain() is ended by its signal, and the service with it; calls go on", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock, rest, nothingLeft } = await pair();
  const { handler, ends } = held();
  const there = b.registerService("s", handler);
  await rest();
  const call = a.request("s", "x", { timeout: 60_000 });
  await turns();
  const controller = new CountingController();
  const reason = new Error("no time");
  const drained = rejection(there.drain({ signal: controller.signal }));
  const other = there.drain();
  await turns();
  assert.equal(controller.listening, 1);
  controller.abort(reason);
  assert.equal(await drained, reason);
  await rest();
  assert.deepEqual([a.serviceAddresses("s"), there.calls], [[], 1]);
  ends[0]!();
  assert.equal((await clock.until(call)).text(), "to x");
  await other;
  await nothingLeft();
});

test("Registration.drain() with a signal that has aborted unregisters the service at once", {
  timeout: 10_000,
}, async () => {
  const { a, b, rest } = await pair();
  const { handler, ends } = held();
  const there = b.registerService("s", handler);
  await rest();
  const call = a.request("s", "x");
  await turns();
  const signal = AbortSignal.abort(new Error("before"));
  assert.equal(await rejection(there.drain({ signal })), signal.reason);
  await rest();
  assert.deepEqual(a.serviceAddresses("s"), []);
  ends[0]!();
  assert.equal((await call).text(), "to x");
});

test("Registration.drain() twice waits twice, and leaves nothing on a signal", {
  timeout: 10_000,
}, async () => {
  const { a, b, rest } = await pair();
  const { handler, ends } = held();
  const there = b.registerService("s", handler);
  await rest();
  const call = a.request("s", "x");
  await turns();
  const controller = new CountingController();
  const { signal } = controller;
  const all = Promise.all([there.drain(), there.drain({ signal }), there.drain({ signal })]);
  ends[0]!();
  await all;
  assert.equal((await call).text(), "to x");
  assert.equal(controller.listening, 0);
});

test("Registration.drain() of a service that was replaced leaves the new one alone", {
  timeout: 10_000,
}, async () => {
  for (const early of [true, false]) {
    const { a, b, rest } = await pair();
    const { handler, ends } = held();
    const old = b.registerService("s", handler);
    await rest();
    const call = a.request("s", "x");
    await turns();
    let drained = early ? old.drain() : null;
    b.registerService("s", () => "new", { capacity: 7 });
    const told = loads(a);
    drained ??= old.drain();
    old.capacity = 3;
    await rest();
    assert.equal((await a.request("s")).text(), "new");
    ends[0]!();
    await drained;
    assert.equal((await call).text(), "to x");
    await rest();
    assert.deepEqual(told, [7]);
    assert.equal((await a.request("s")).text(), "new");
  }
});

test("Registration.drain() ends when the router closes", { timeout: 10_000 }, async () => {
  const { a, b, clock, rest } = await pair();
  const there = b.registerService("s", () => {});
  await rest();
  const failed = rejection(a.request("s"));
  await turns();
  const drained = there.drain();
  await clock.until(b.close());
  await drained;
  assert.equal(there.calls, 0);
  await failed;
  await clock.until(a.close());
  assert.equal(clock.pending, 0);
});

test("A service that is drained stays so, whatever is assigned to its capacity", {
  timeout: 10_000,
}, async () => {
  for (const followCalls of [false, true]) {
    const { a, b, clock, rest } = await pair();
    const { handler, ends } = held();
    const there = b.registerService("s", handler, { followCalls });
    await rest();
    const call = a.request("s", "x");
    await clock.pass(2_000);
    const told = loads(a);
    const drained = there.drain();
    there.capacity = 5;
    await rest();
    assert.deepEqual([told, there.capacity], [[65_535], 5]);
    ends[0]!();
    await drained;
    await call;
    there.capacity = 6;
    await clock.pass(5_000);
    assert.deepEqual(told, [65_535, 0]);
  }
});

// ── calls ───────────────────────────────────────────────────────────────────

const ENDS: Record<string, (a: Router, b: Router) => Promise<unknown>> = {
  "a reply": (a) => a.request("s", "reply"),
  "a reliable reply": (a) => a.request("s", "reply", { reliable: true }),
  "a large reply": (a) => a.request("s", "large"),
  "a stream": (a) => texts(a.stream("s", "reply")),
  "an error": (a) => rejection(a.request("s", "throw")),
  "an error of a stream": (a) => rejection(texts(a.stream("s", "throw"))),
  "a timeout": (a) => rejection(a.request("s", "hang", { timeout: 100 })),
  "a stream's timeout": (a) => rejection(texts(a.stream("s", "hang", { idle: 100 }))),
  "an abort": (a) => {
    const controller = new AbortController();
    const failed = rejection(a.request("s", "hang", { signal: controller.signal }));
    return turns().then(() => (controller.abort(), failed));
  },
  "a packet sent by hand": async (a) => {
    a.send({ dst: "b", srv: "s", data: "hang" });
    await turns();
  },
  "a packet sent by hand to an async function": async (a) => {
    a.send({ dst: "b", srv: "s", data: "reply" });
    await turns();
  },
};

test("Registration.calls is back where it was after every kind of end", {
  timeout: 20_000,
}, async () => {
  const { a, b, clock, rest, nothingLeft } = await pair();
  const seen = new Map<string, number>();
  const there = b.registerService("s", (packet) => {
    const text = packet.text();
    seen.set(text, Math.max(seen.get(text) ?? 0, there.calls));
    if (text === "throw") throw new Error("no");
    if (text === "large") return new Uint8Array(100_000);
    if (text === "reply") return Promise.resolve("fine");
  });
  await rest();
  for (const [what, end] of Object.entries(ENDS)) {
    await clock.until(end(a, b));
    await turns();
    assert.equal(there.calls, 0, what);
    await nothingLeft(what);
  }
  assert.deepEqual([...seen.values()], [1, 1, 1, 1]);
});

// ── load ────────────────────────────────────────────────────────────────────

test("A service that follows its calls advertises one more for each, once a second at most", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock, rest } = await pair();
  const { handler, ends } = held();
  const there = b.registerService("s", handler, { capacity: 2, followCalls: true });
  await rest();
  const told = loads(a);
  const calls = [a.request("s", "1", { timeout: 60_000 })];
  await clock.pass(500);
  assert.deepEqual(told, [3]); // The first change at once.
  for (let i = 2; i <= 5; i++) calls.push(a.request("s", `${i}`, { timeout: 60_000 }));
  await clock.pass(400);
  assert.deepEqual(told, [3]);
  await clock.pass(600);
  assert.deepEqual([told, there.calls], [[3, 7], 5]);
  there.capacity = 10;
  await clock.pass(2_000);
  assert.deepEqual([told, there.capacity], [[3, 7, 15], 10]);
  for (const end of ends.splice(0)) end();
  await Promise.all(calls);
  await clock.pass(2_000);
  assert.deepEqual([told.at(-1), there.calls], [10, 0]);
  await clock.pass(10_000);
  assert.equal(told.at(-1), 10);
});

test("A service that follows its calls leaves no timer behind, however it ends", {
  timeout: 10_000,
}, async () => {
  for (const how of ["unregistered", "replaced", "drained", "closed"]) {
    const clock = new ManualClock();
    const router = new Router("a", { clock });
    const { handler, ends } = held();
    const registration = router.registerService("s", handler, { followCalls: true });
    const calls = ["1", "2", "3"].map((text) => router.request("s", text).catch(() => null));
    if (how === "unregistered") registration[Symbol.dispose]();
    else if (how === "replaced") router.registerService("s", () => "");
    else if (how === "drained") registration.drain();
    else await router.close();
    for (const end of ends) end();
    await Promise.all(calls);
    await turns();
    assert.deepEqual([how, clock.pending, registration.calls], [how, 0, 0]);
    await router.close();
  }
});

test("Every capacity from 1 to 65,535 may be given to a service that follows its calls", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock, rest } = await pair();
  const there = b.registerService("s", () => {}, { capacity: 65_535, followCalls: true });
  await rest();
  const told = loads(a);
  const failed = rejection(a.request("s"));
  await clock.pass(2_000);
  for (const capacity of [1, 65_535]) {
    there.capacity = capacity;
    await clock.pass(2_000);
  }
  assert.deepEqual([told, there.capacity], [[2, 65_535], 65_535]);
  for (const capacity of [0, 65_536, 1.5, NaN]) {
    assert.throws(() => there.capacity = capacity, PacketError);
    assert.equal(there.capacity, 65_535);
  }
  await clock.until(failed);
});

test(
  "Registration.calls counts a call while its handler runs, and drain() waits for it, though it answers at once",
  {
    timeout: 10_000,
  },
  async () => {
    const router = new Router("a", { clock: new ManualClock() });
    const counts: number[] = [];
    let drained: Promise<void> | null = null;
    const service = router.registerService("s", (packet, reply) => {
      counts.push(service.calls);
      drained ??= service.drain().then(() => void counts.push(service.calls));
      reply(packet.data);
      counts.push(service.calls);
    });
    assert.equal((await router.request("s", "one")).text(), "one");
    await drained;
    assert.deepEqual(counts, [1, 0, 0]); // Once it is answered, it is over.
    assert.equal(await failureCode(router.request("s")), "ERR_NO_SERVICE");
    await router.close();
  },
);
