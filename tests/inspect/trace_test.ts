import assert from "node:assert/strict";
import { test } from "node:test";
import { Router } from "../../mod.ts";
import { inspect, inspectable, type TraceReport } from "../../src/inspect/mod.ts";
import { turns } from "../support/calls.ts";
import { OldPeer } from "../support/old_peer.ts";
import { chain, join, rejection, SteppingClock } from "../support/routers.ts";

/** Five routers in a line, of which all but some can be asked. */
async function line(...silent: string[]) {
  const { routers, clock, links } = await chain(["a", "b", "c", "d", "e"]);
  for (const router of routers) if (!silent.includes(router.address)) inspectable(router);
  const close = () => Promise.all(routers.map((router) => router.close()));
  return { routers, clock, links, ask: inspect(routers[0]), close };
}

/** The way in words, and how it ends. */
function words({ hops, reached, reason }: TraceReport) {
  const way = hops.map(({ address, cost, at }) =>
    at === null ? `${address}?` : `${address} ${cost}`
  );
  return [way.join(", "), reached, reason];
}

test("Inspector.trace() names every router on the way, each by its own word", async () => {
  const { clock, ask, close } = await line();
  const report = await clock.until(ask.trace("e"));
  assert.deepEqual(words(report), ["a 4, b 3, c 2, d 1, e 0", true, undefined]);
  const { hops } = report;
  assert.deepEqual(hops.map(({ transport }) => transport), [
    ...["memory", "memory", "memory", "memory"],
    null,
  ]);
  const times = hops.map(({ at }) => at!);
  assert.deepEqual(times, [...times].sort((x, y) => y - x)); // Each waits for those after it.
  await close();
});

test("Inspector.trace() tells round trips of the links, where they are known", async () => {
  const { clock, ask, close } = await line();
  await clock.pass(60_000); // Whoever is silent is pinged.
  const { hops } = await clock.until(ask.trace("c"));
  assert.deepEqual(hops.map(({ roundTrip }) => roundTrip !== null && roundTrip > 0), [
    ...[true, true],
    false,
  ]);
  await close();
});

test("Inspector.trace() reaches its own router at once", async () => {
  const { ask, close } = await line();
  assert.deepEqual(words(await ask.trace("a")), ["a 0", true, undefined]);
  await close();
});

test("Inspector.trace() names the router that does not answer, and says why", async () => {
  const { clock, ask, close } = await line("c");
  const [way, reached, reason] = words(await clock.until(ask.trace("e")));
  assert.deepEqual([way, reached], ["a 4, b 3, c?", false]);
  assert.match(`${reason}`, /^"c" does not answer: .*does not offer "aln.trace"/);
  await close();
});

test("Inspector.trace() gets what is known before it has to end, if a router is silent", async () => {
  const { clock, links, ask, close } = await line();
  const [link] = links[2]; // From c to d.
  const send = link.send.bind(link);
  link.send = (packet) => packet.net === 0 || send(packet);
  const start = clock.now();
  const [way, reached, reason] = words(await clock.until(ask.trace("e", { timeout: 1_000 })));
  assert.deepEqual([way, reached], ["a 4, b 3, c 2, d?", false]);
  assert.match(`${reason}`, /^"d" does not answer: .*within \d+ ms$/);
  assert(clock.now() - start < 1_000, `${clock.now() - start} ms`);
  await close();
});

test("Inspector.trace() says where no route leads on", async () => {
  const { clock, ask, close } = await line();
  assert.deepEqual(words(await clock.until(ask.trace("x"))), [
    ...["a null", false],
    '"a" knows no route to "x"',
  ]);
  await close();
});

test("Inspector.trace() asks no more routers than it may", async () => {
  const { clock, ask, close } = await line();
  const why = "that was as many hops as may be asked";
  assert.deepEqual(words(await clock.until(ask.trace("e", { ttl: 1 }))), ["a 4", false, why]);
  assert.deepEqual(words(await clock.until(ask.trace("e", { ttl: 3 }))), [
    ...["a 4, b 3, c 2", false],
    why,
  ]);
  assert.deepEqual(words(await clock.until(ask.trace("e", { ttl: 5 })))[1], true);
  for (const ttl of [0, -1, NaN, "3" as unknown as number]) {
    assert((await rejection(ask.trace("e", { ttl }))) instanceof TypeError, `${ttl}`);
  }
  await close();
});

test("A way of more than 32 routers ends there, whatever is asked for", async () => {
  const addresses = Array.from({ length: 40 }, (_, i) => `r${i}`);
  const { routers, clock } = await chain(addresses);
  for (const router of routers) inspectable(router);
  await clock.pass(10_000); // News of the last router take their time.
  const report = await clock.until(inspect(routers[0]!).trace("r39", { ttl: 1_000 }));
  assert.deepEqual([report.hops.length, report.reached], [32, false]);
  await Promise.all(routers.map((router) => router.close()));
});

test("Inspector.trace() asks no old router", async () => {
  const clock = new SteppingClock();
  const a = new Router("a", { clock });
  const old = new OldPeer("o", clock);
  old.join(a);
  old.offer("echo");
  await clock.pass(60_000);
  const before = old.received.length;
  assert.deepEqual(words(await inspect(a).trace("o")), [
    ...["a 1, o?", false],
    '"o" is an old router, which cannot be asked',
  ]);
  assert.equal(old.received.length, before);
  await a.close();
});

test("Inspector.trace() ends when its signal aborts", async () => {
  const { links, ask, close } = await line();
  const [link] = links[0];
  const send = link.send.bind(link);
  link.send = (packet) => packet.net === 0 || send(packet);
  const controller = new AbortController();
  const ended = rejection(ask.trace("e", { signal: controller.signal }));
  await turns(2);
  controller.abort(new Error("enough"));
  assert.equal((await ended as Error).message, "enough");
  await close();
});

const QUESTIONS: [what: string, data: string][] = [
  ["nothing", ""],
  ["no JSON", "x"],
  ["null", "null"],
  ["no destination", "{}"],
  ["an empty destination", '{"dst":""}'],
  ["a destination that is too long", JSON.stringify({ dst: "x".repeat(256) })],
  ["a ttl of 0", '{"dst":"e","ttl":0}'],
  ["a ttl that is a text", '{"dst":"e","ttl":"9"}'],
  ["a timeout below 0", '{"dst":"e","timeout":-1}'],
  ["more than fits", JSON.stringify({ dst: "e", more: "x".repeat(2_000) })],
];

test("aln.trace answers that a bad question is none, and nothing else happens", async () => {
  const { routers: [a, b], clock, close } = await line();
  const drops: unknown[] = [];
  b.addEventListener("drop", (event) => drops.push(event));
  for (const [what, data] of QUESTIONS) {
    const answer = await clock.until(a.request("aln.trace", data, { dst: "b" }));
    const expected = { hops: [], reached: false, reason: "that is no question" };
    assert.deepEqual(JSON.parse(answer.text()), expected, what);
  }
  assert.deepEqual(drops, []);
  await close();
});

test("aln.trace helps with 64 traces at once, and says so to the rest", async () => {
  const { routers: [a], clock, links, close } = await line();
  const [link] = links[1]; // From b to c: nobody answers b.
  const send = link.send.bind(link);
  link.send = (packet) => packet.net === 0 || send(packet);
  const question = JSON.stringify({ dst: "e", timeout: 500 });
  const answers = Array.from(
    { length: 70 },
    () => a.request("aln.trace", question, { dst: "b" }),
  );
  const reports = await clock.until(Promise.all(answers));
  const busy = reports.filter((answer) => answer.text().includes('"b\\" is asked too much'));
  assert.equal(busy.length, 6);
  link.send = send;
  const report = await clock.until(a.request("aln.trace", question, { dst: "b" }));
  assert.equal(JSON.parse(report.text()).reached, true);
  await close();
});

const LIES: [what: string, report: unknown][] = [
  ["no report", []],
  ["hops without an address", { hops: [{ cost: 1 }], reached: true }],
  ["a reason that is none", { hops: [], reached: false, reason: 1 }],
  ["hops without end", {
    hops: Array.from({ length: 40 }, () => ({
      ...{ address: "x", cost: 1, transport: null, roundTrip: null, at: 0 },
    })),
    reached: true,
  }],
];

for (const [what, report] of LIES) {
  test(`Inspector.trace() takes no answer of ${what}`, async () => {
    const { routers: [, b], clock, ask, close } = await line("b");
    b.registerReserved("aln.trace", () => JSON.stringify(report));
    const [way, reached, reason] = words(await clock.until(ask.trace("e")));
    assert.deepEqual([way, reached], ["a 4, b?", false]);
    assert.match(`${reason}`, /no answer of "aln.trace"/);
    await close();
  });
}

test("A trace through routers that send it in circles ends", async () => {
  const { routers: [a, b], clock, ask, close } = await line("b");
  join(a, b);
  b.registerReserved("aln.trace", async (packet) => {
    return (await b.request("aln.trace", packet.data, { dst: "a" })).data;
  });
  await clock.rest();
  const { reached } = await clock.until(ask.trace("e"));
  assert.equal(reached, false);
  await close();
});
