import assert from "node:assert/strict";
import { test } from "node:test";
import { createChannelPair, Packet, Router } from "../../mod.ts";
import { ManualClock } from "../../src/testing/mod.ts";
import { encodeHello, type Hello } from "../../src/wire/hello.ts";
import { encodeRouteAdvert } from "../../src/wire/mod.ts";
import {
  chain,
  CountingController,
  ForeignChannel,
  joinDirectly,
  record,
  rejection,
  SteppingClock,
  turn,
} from "../support/routers.ts";

/** What a neighbour of our kind says first. */
const HELLO: Hello = {
  caps: 3,
  address: "b",
  instance: 1,
  session: "0123456789abcdef",
  keepalive: 0,
  dead: 0,
  role: 0,
  maxFrame: 0,
  maxRoutes: 0,
  seen: "",
  also: "",
};

test("Router.signal aborts once the router begins to close", { timeout: 10_000 }, async () => {
  const { routers: [a], links } = await chain(["a", "b"]);
  let told = 0;
  a.signal.addEventListener("abort", () => {
    told++;
    assert.equal(links[0][0].isOpen, true);
  });
  assert.equal(a.signal.aborted, false);
  await Promise.all([a.close(), a.close()]);
  assert.deepEqual([told, a.signal.aborted], [1, true]);
  assert.equal(a.signal.reason.code, "ERR_CHANNEL_CLOSED");
});

test("Router.close() closes every channel, and resolves when they have closed", {
  timeout: 10_000,
}, async () => {
  const { routers: [, b], links } = await chain(["a", "b", "c"]);
  const told = record(b);
  await b.close();
  assert.deepEqual(
    [links[0][1].isOpen, links[1][0].isOpen, told],
    [false, false, ["channel closed", "channel closed"]],
  );
});

test("Router.close() makes the neighbours notice", { timeout: 10_000 }, async () => {
  const { routers: [a, b, c], clock } = await chain(["a", "b", "c"]);
  b.registerService("ping", () => {});
  await clock.rest();
  await b.close();
  await clock.rest();
  assert.deepEqual([a.routes(), a.services(), c.routes(), c.services()], [[], [], [], []]);
});

test("Router.close() tells the neighbours at once, who need not see a channel close", {
  timeout: 10_000,
}, async () => {
  const clock = new SteppingClock();
  const [a, b] = [new Router("a", { clock }), new Router("b", { clock })];
  const [, there] = joinDirectly(a, b);
  a.registerService("ping", () => {});
  await clock.until(b.waitForService("ping"));
  const told = record(b);
  const lost = rejection(b.request("ping"));
  const before = clock.now();
  const closed = a.close();
  await turn();
  assert.deepEqual([b.routes(), b.services(), clock.now() - before], [[], [], 0]);
  assert.deepEqual([told, there.closes], [["route a: 0", "service ping at a: 0"], []]);
  assert.equal((await lost as { code: string }).code, "ERR_NO_ROUTE");
  await closed;
});

test("Router.close() says goodbye when what is queued has gone out, or after a second", {
  timeout: 10_000,
}, async () => {
  for (const jammed of [false, true]) {
    const clock = new SteppingClock();
    const router = new Router("a", { clock });
    const gate = Promise.withResolvers<void>();
    const channel = Object.assign(new ForeignChannel(), { drained: () => gate.promise });
    router.addChannel(channel);
    const data = encodeHello(HELLO);
    channel.onPacket!(new Packet({ net: 3, data }));
    await clock.rest();
    const before = channel.sent.length;
    const closed = router.close();
    await clock.pass(999);
    assert.deepEqual([channel.sent.length - before, channel.closes], [0, []]);
    if (jammed) await clock.pass(1);
    else gate.resolve();
    await closed;
    const [goodbye, ...more] = channel.sent.slice(before);
    assert.deepEqual([goodbye!.net, more, channel.closes], [4, [], [undefined]]);
    assert.equal(clock.pending, 0);
  }
});

test("Router.close() sends first what is queued", { timeout: 10_000 }, async () => {
  const { routers: [a, b], clock } = await chain(["a", "b"]);
  let heard = 0;
  b.registerService("note", () => void heard++);
  await clock.rest();
  for (let i = 0; i < 100; i++) a.send({ dst: "b", srv: "note" });
  await a.close();
  await clock.rest();
  assert.equal(heard, 100);
});

test("Router.close() may be called more than once, and from a handler", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b], clock } = await chain(["a", "b"]);
  let again: Promise<void> | undefined;
  a.registerService("stop", (_packet, reply) => {
    reply("bye");
    again = a.close();
  });
  await clock.rest();
  assert.equal((await b.request("stop")).text(), "bye");
  assert.equal(a.close(), again);
  await again;
  await a.close();
  await a[Symbol.asyncDispose]();
});

test("Router[Symbol.asyncDispose]() closes the router", { timeout: 10_000 }, async () => {
  const clock = new ManualClock();
  const [here, there] = createChannelPair();
  const router = new Router("a", { clock });
  router.addChannel(here);
  await router[Symbol.asyncDispose]();
  await there.closed;
  assert.deepEqual([here.isOpen, clock.pending], [false, 0]);
});

test("Router.close() leaves nothing known: no routes, no services", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b], clock } = await chain(["a", "b"]);
  a.registerService("mine", () => {});
  b.registerService("yours", () => {});
  await clock.rest();
  assert.equal(a.services().length, 2);
  await a.close();
  assert.deepEqual(
    [a.routes(), a.services(), a.serviceAddresses("mine"), a.selectService("yours")],
    [[], [], [], null],
  );
});

test("Router.close() leaves no timer, no listener and no call behind", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b], clock } = await chain(["a", "b"]);
  b.registerService("silent", () => {});
  await clock.rest();
  const controller = new CountingController();
  const { signal } = controller;
  a.registerService("one", () => {}, { signal });
  a.registerService("two", () => {}, { signal });
  const ends = [
    rejection(a.request("silent", "", { signal })),
    rejection(a.waitForService("nothing", { signal })),
  ];
  assert.equal(controller.listening, 4);
  await Promise.all([a.close(), b.close()]);
  assert.deepEqual(
    (await Promise.all(ends)).map((error) => (error as { code: string }).code),
    ["ERR_CHANNEL_CLOSED", "ERR_CHANNEL_CLOSED"],
  );
  assert.deepEqual({ timers: clock.pending, listening: controller.listening }, {
    timers: 0,
    listening: 0,
  });
  controller.abort(); // Nobody is there to hear it.
});

test("Router.close() says nothing more to anybody", { timeout: 10_000 }, async () => {
  const clock = new ManualClock();
  const router = new Router("a", { clock });
  const channels = ["x", "y"].map((name) => {
    const channel = new ForeignChannel();
    router.addChannel(channel);
    const data = encodeRouteAdvert({ address: name, cost: 1 });
    channel.onPacket!(new Packet({ net: 1, src: name, data }));
    return channel;
  });
  const registration = router.registerService("ping", () => {});
  const sent = channels.map((channel) => channel.sent.length);
  await router.close();
  registration.capacity = 7;
  registration[Symbol.dispose]();
  router.unregisterService("ping");
  clock.advance(60_000);
  assert.deepEqual(channels.map((channel) => channel.sent.length), sent);
  assert.deepEqual(channels.map((channel) => channel.closes), [[undefined], [undefined]]);
});

test("Router.close() waits two seconds at most for a channel that never says that it closed", {
  timeout: 10_000,
}, async () => {
  const clock = new ManualClock();
  const router = new Router("a", { clock });
  const channel = new ForeignChannel();
  channel.tells = false;
  router.addChannel(channel);
  const told = record(router);
  let closed = false;
  const closing = router.close().then(() => closed = true);
  await turn();
  clock.advance(1_999);
  await turn();
  assert.deepEqual([closed, channel.closes], [false, [undefined]]);
  clock.advance(1);
  await closing;
  assert.deepEqual([told, clock.pending], [["channel closed"], 0]);
});

test("Router.close() is over at once when there is nothing to close", {
  timeout: 10_000,
}, async () => {
  const clock = new ManualClock();
  await new Router("a", { clock }).close();
  assert.equal(clock.pending, 0);
});

test("Router does not hear packets of channels that are still closing", {
  timeout: 10_000,
}, async () => {
  const clock = new ManualClock();
  const router = new Router("a", { clock });
  let heard = 0;
  router.registerService("note", () => void heard++);
  const channel = new ForeignChannel();
  channel.tells = false;
  router.addChannel(channel);
  const { onPacket } = channel;
  const closed = router.close();
  await turn();
  const sent = channel.sent.length;
  onPacket!(new Packet({ dst: "a", srv: "note" }));
  onPacket!(new Packet({ net: 3 }));
  clock.advance(2_000);
  await closed;
  onPacket!(new Packet({ dst: "a", srv: "note" }));
  assert.deepEqual([heard, channel.sent.length], [0, sent]);
});
