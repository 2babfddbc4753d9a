import assert from "node:assert/strict";
import { test } from "node:test";
import { type DropEvent, Packet, Router } from "../../mod.ts";
import { inspect, inspectable, type InspectService } from "../../src/inspect/mod.ts";
import { freeContexts, turns } from "../support/calls.ts";
import { OldPeer } from "../support/old_peer.ts";
import {
  chain,
  CountingController,
  failureCode,
  rejection,
  SteppingClock,
} from "../support/routers.ts";

const QUESTIONS: InspectService[] = ["ping", "info", "stats", "links", "trace"];

/** Three routers in a line, the last of which can be asked. */
async function line(options = {}) {
  const { routers, clock, links } = await chain(["a", "b", "c"]);
  const registration = inspectable(routers[2], options);
  const drops: DropEvent[] = [];
  for (const router of routers) router.addEventListener("drop", (event) => drops.push(event));
  const close = () => Promise.all(routers.map((router) => router.close()));
  return { routers, clock, links, registration, drops, ask: inspect(routers[0]), close };
}

test("aln.ping answers what it is asked, byte for byte, however much that is", async () => {
  const { routers: [a], clock, close } = await line();
  for (const size of [0, 1, 256, 100_000]) {
    const data = Uint8Array.from({ length: size }, (_, i) => i * 7);
    const reply = await clock.until(a.request("aln.ping", data, { dst: "c" }));
    assert.deepEqual([...reply.data], [...data], `${size} bytes`);
  }
  await close();
});

test("Inspector.ping() tells how long it took, in ms", async () => {
  const { clock, ask, close } = await line();
  const time = await clock.until(ask.ping("c"));
  assert(time > 0 && time < 5_000, `${time} ms`);
  assert.equal(await ask.ping("a"), 0);
  await close();
});

test("Inspector.info() tells what a router is, and only its own services", async () => {
  const { routers: [a, , c], clock, ask, close } = await line({ runtime: "a test" });
  a.registerService("mine", () => "");
  c.registerService("time", () => "now", { capacity: 7 });
  await clock.rest();
  const { version, uptime, ...rest } = await clock.until(ask.info("c"));
  assert.deepEqual(rest, {
    address: "c",
    runtime: "a test",
    services: [{ service: "time", capacity: 7 }],
  });
  assert.match(version, /^\d+\.\d+\.\d+$/);
  assert(uptime > 0);
  await close();
});

test("Inspector.info() names the runtime and its version, if nothing else is said", async () => {
  const router = new Router("a");
  const { runtime } = await inspect(router).info("a");
  assert.match(runtime, /^(Deno|Bun|Node|Firefox|Chrome|Edge|Safari) \d+/);
  await router.close();
});

test("Inspector.stats() tells what Router.stats() tells there", async () => {
  const { routers: [, , c], clock, ask, close } = await line();
  const stats = await clock.until(ask.stats("c"));
  const now = c.stats();
  assert.deepEqual(Object.keys(stats).sort(), Object.keys(now).sort());
  assert.deepEqual(stats.drops, now.drops);
  const [there, here] = [stats.channels[0]!, now.channels[0]!];
  assert.deepEqual(Object.keys(there).sort(), Object.keys(here).sort());
  assert.deepEqual([there.transport, there.address, there.kind], ["memory", "b", "modern"]);
  assert(there.packetsIn > 0 && there.packetsIn <= here.packetsIn);
  await close();
});

test("Inspector.links() tells whom a router is linked to", async () => {
  const { routers: [, b], clock, ask, close } = await line();
  inspectable(b);
  const { address, links } = await clock.until(ask.links("b"));
  assert.equal(address, "b");
  const expected = b.stats().channels.map(({ id, address, kind, transport, cost }) => {
    return { id, address, kind, transport, cost };
  });
  assert.deepEqual(
    links.map(({ id, address, kind, transport, cost }) => ({ id, address, kind, transport, cost })),
    expected,
  );
  assert.deepEqual(Object.keys(links[0]!).sort(), [
    ...["address", "cost", "id", "kind", "packetsIn", "packetsOut", "queuedBytes", "roundTrip"],
    ...["transport", "uptime"],
  ]);
  await close();
});

test("Inspector answers for its own router without asking, inspectable or not", async () => {
  const router = new Router("a");
  const own = inspect(router);
  assert.equal((await own.info("a")).address, "a");
  assert.deepEqual((await own.stats("a")).drops, router.stats().drops);
  assert.deepEqual(await own.links("a"), { address: "a", links: [] });
  await router.close();
  for (const question of QUESTIONS) {
    assert.equal(await failureCode(own[question]("a")), "ERR_CHANNEL_CLOSED", question);
  }
});

test("inspectable() advertises nothing", async () => {
  const { routers: [a, b, c], clock, close } = await line();
  await clock.rest();
  assert.deepEqual([a.services(), b.services(), c.services()], [[], [], []]);
  assert.equal(await failureCode(a.request("aln.ping")), "ERR_NO_SERVICE");
  await close();
});

test("A router that is not inspectable refuses as for any service that is not there", async () => {
  const { clock, ask, close } = await line();
  assert.equal(await failureCode(clock.until(ask.ping("b"))), "ERR_NO_SERVICE");
  assert.equal(await failureCode(clock.until(ask.ping("nobody"))), "ERR_NO_ROUTE");
  await close();
});

test("inspectable() answers only what it is told to", async () => {
  const { clock, ask, close } = await line({ services: ["ping"] });
  await clock.until(ask.ping("c"));
  assert.equal(await failureCode(clock.until(ask.stats("c"))), "ERR_NO_SERVICE");
  await close();
  const router = new Router("a");
  assert.throws(() => inspectable(router, { services: ["ping", "x" as "ping"] }), TypeError);
  await router.close();
  assert.throws(() => inspectable(router), { code: "ERR_CHANNEL_CLOSED" });
});

test("What inspectable() returns ends its answers, and not those of a later one", async () => {
  const { routers: [, , c], clock, ask, registration, close } = await line();
  const later = inspectable(c);
  registration[Symbol.dispose]();
  await clock.until(ask.ping("c"));
  later[Symbol.dispose]();
  assert.equal(await failureCode(clock.until(ask.ping("c"))), "ERR_NO_SERVICE");
  await close();
});

test("No application can have a service whose name begins with aln.", async () => {
  const router = new Router("a");
  for (const name of ["aln.", "aln.x", "aln.ping", "aln.mine"]) {
    assert.throws(() => router.registerService(name, () => ""), TypeError, name);
  }
  router.registerService("alnico", () => "");
  router.registerService("ALN.ping", () => "");
  await router.close();
});

test("A question ends at its timeout, and when its signal aborts, and leaves nothing", async () => {
  const { routers: [a, b], clock, links: [, [link]], ask, close } = await line();
  const send = link.send.bind(link);
  link.send = (packet) => packet.net === 0 || send(packet); // Nobody hears of the question.
  const free = freeContexts(a);
  for (const question of ["ping", "info", "stats", "links"] as const) {
    const promise: Promise<unknown> = ask[question]("c", { timeout: 300 });
    assert.equal(await failureCode(clock.until(promise)), "TimeoutError", question);
    const controller = new CountingController();
    const aborted = rejection(ask[question]("c", { signal: controller.signal }));
    await turns(2);
    controller.abort(new Error("enough"));
    assert.equal((await aborted as Error).message, "enough");
    assert.equal(controller.listening, 0);
    const { signal } = controller;
    assert.equal(await rejection(ask[question]("a", { signal })), signal.reason, question);
  }
  assert.equal(freeContexts(a), free);
  assert.equal(b.address, "b");
  await close();
});

const LIES: [what: string, data: string | Uint8Array][] = [
  ["nothing", ""],
  ["no JSON", "{"],
  ["null", "null"],
  ["a list", "[]"],
  ["a text", '"stats"'],
  ["an object without members", "{}"],
  ["members of the wrong type", '{"address":1,"links":{},"hops":{},"channels":1,"services":"x"}'],
  ["links that are none", '{"address":"c","links":[1],"hops":[null],"reached":true}'],
  ["a prototype's members", '{"__proto__":{"address":"c","links":[],"hops":[],"reached":true}}'],
  ["no UTF-8", Uint8Array.of(0xff, 0xfe)],
];

for (const [what, data] of LIES) {
  test(`An answer that is ${what} is refused`, async () => {
    const { routers: [, , c], clock, ask, close } = await line();
    for (const question of ["info", "stats", "links"] as const) {
      c.registerReserved(`aln.${question}`, () => data);
      const promise = clock.until<unknown>(ask[question]("c"));
      assert.equal(await failureCode(promise), "ERR_PACKET_JSON", question);
    }
    c.registerReserved("aln.ping", () => data);
    assert.equal(await failureCode(clock.until(ask.ping("c"))), "ERR_PACKET_FIELD");
    await close();
  });
}

test("An old peer is asked, and does not answer: that ends at the timeout", async () => {
  const clock = new SteppingClock();
  const a = new Router("a", { clock });
  const old = new OldPeer("o", clock);
  old.join(a);
  old.offer("echo");
  await clock.pass(60_000);
  const promise = inspect(a).info("o", { timeout: 500 });
  assert.equal(await failureCode(clock.until(promise)), "TimeoutError");
  await a.close();
});

test("An old peer can ask, with one packet", async () => {
  const clock = new SteppingClock();
  const a = new Router("a", { clock });
  inspectable(a, { runtime: "a test" });
  const old = new OldPeer("o", clock);
  old.join(a);
  old.offer("echo");
  await clock.pass(60_000);
  old.send({ dst: "a", srv: "aln.info", ctx: 7 });
  await turns();
  const [answer] = old.delivered.filter(({ ctx }) => ctx === 7);
  assert(answer instanceof Packet);
  assert.equal(JSON.parse(answer.text()).runtime, "a test");
  await a.close();
});
