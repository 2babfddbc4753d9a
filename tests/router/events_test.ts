import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Channel,
  ChannelError,
  ChannelEvent,
  ConflictEvent,
  createChannelPair,
  DropEvent,
  Packet,
  RouteEvent,
  Router,
  ServiceEvent,
} from "../../mod.ts";
import { ManualClock, seededRandom } from "../../src/testing/mod.ts";
import { chain, ForeignChannel, join, next, record } from "../support/routers.ts";

test("A service event carries the service, its address and its capacity", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b], clock } = await chain(["a", "b"]);
  const told = next(a, "service");
  b.registerService("ping", () => {}, { capacity: 9 });
  const event = await clock.until(told);
  assert(event instanceof ServiceEvent);
  const { type, service, address, capacity } = event;
  assert.deepEqual(
    { type, service, address, capacity },
    { type: "service", service: "ping", address: "b", capacity: 9 },
  );
});

test("A route event carries the address, its distance and the neighbour that leads there", {
  timeout: 10_000,
}, async () => {
  const { routers: [, b], clock } = await chain(["a", "b"]);
  const c = new Router("c", { clock });
  const events: RouteEvent[] = [];
  c.addEventListener("route", (event) => events.push(event));
  const [, there] = join(b, c);
  await clock.rest();
  c.removeChannel(there);
  assert(events.every((event) => event instanceof RouteEvent && event.type === "route"));
  assert.deepEqual(events.map(({ address, cost, via }) => ({ address, cost, via })), [
    { address: "b", cost: 1, via: "b" },
    { address: "a", cost: 2, via: "b" },
    { address: "b", cost: 0, via: "" },
    { address: "a", cost: 0, via: "" },
  ]);
});

test("A channel event carries the channel, whether it is open, and why not", {
  timeout: 10_000,
}, async () => {
  const router = new Router("a", { clock: new ManualClock() });
  const events: ChannelEvent[] = [];
  router.addEventListener("channel", (event) => events.push(event));
  const [orderly, its] = createChannelPair();
  const [cut] = createChannelPair();
  router.addChannel(orderly);
  router.addChannel(cut);
  its.close();
  await orderly.closed;
  const reason = new Error("cut");
  cut.close(reason);
  assert(events.every((event) => event instanceof ChannelEvent && event.type === "channel"));
  assert.deepEqual(events.map(({ channel, open, reason }) => [channel, open, reason]), [
    [orderly, true, undefined],
    [cut, true, undefined],
    [orderly, false, undefined],
    [cut, false, reason],
  ]);
});

test("A drop event carries the error, and the packet if it was one", () => {
  const router = new Router("a", { clock: new ManualClock() });
  const events: DropEvent[] = [];
  router.addEventListener("drop", (event) => events.push(event));
  const channel: Channel = new ForeignChannel();
  router.addChannel(channel);
  const error = new ChannelError("ERR_CHANNEL_PROTOCOL", "Cannot read: it is noise");
  channel.onDrop!(error, null);
  const packet = new Packet({ dst: "nowhere", data: "x" });
  channel.onPacket!(packet);
  assert(events.every((event) => event instanceof DropEvent && event.type === "drop"));
  assert.deepEqual(events.map(({ error, packet }) => [error.message, packet]), [
    ["Cannot read: it is noise", null],
    ['Cannot send packet: no route leads to "nowhere"', packet],
  ]);
});

test("A conflict event carries the address that two routers use", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b], clock } = await chain(["a", "b"], { incarnation: 100 });
  const other = new Router("a", { clock, random: seededRandom(2), incarnation: 107 });
  const events: ConflictEvent[] = [];
  for (const router of [a, other]) {
    router.addEventListener("conflict", (event) => events.push(event));
  }
  join(b, other);
  await clock.pass(10_000);
  assert(events.length > 0, "neither of them is told");
  for (const event of events) {
    assert(event instanceof ConflictEvent);
    assert.deepEqual([event.type, event.address], ["conflict", "a"]);
  }
});

test("Router tells everything in the order in which it happened", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b], clock, links: [[here]] } = await chain(["a", "b"]);
  b.registerService("ping", () => {});
  const c = new Router("c", { clock });
  const told = record(c);
  const [, there] = join(b, c);
  await clock.rest();
  a.removeChannel(here);
  await clock.rest();
  c.removeChannel(there);
  assert.deepEqual(told, [
    "channel open",
    "route b: 1 via b",
    "route a: 2 via b",
    "service ping at b: 1",
    "route a: 0",
    "channel closed",
    "route b: 0",
    "service ping at b: 0",
  ]);
});

test("Router tells nothing before its tables are done: routes() and services() agree with events", {
  timeout: 10_000,
}, async () => {
  const { routers: [, b], clock, links } = await chain(["a", "b", "c"]);
  b.registerService("ping", () => {});
  const d = new Router("d", { clock });
  const wrong: string[] = [];
  const check = (what: string) => {
    const routes = d.routes().map(({ address, via }) => `${address} via ${via}`);
    const reachable = new Set(d.routes().map(({ address }) => address));
    for (const { address, service } of d.services()) {
      if (!reachable.has(address)) wrong.push(`${what}: ${service} of unreachable ${address}`);
    }
    return routes;
  };
  d.addEventListener("service", ({ address, capacity }) => {
    const routes = check("service");
    const known = d.services().some((info) => info.address === address);
    if (known !== capacity > 0) wrong.push(`service ${address}: ${capacity}, but ${known}`);
    if (capacity > 0 && !routes.some((route) => route.startsWith(address))) wrong.push("no route");
  });
  d.addEventListener("route", ({ address, cost }) => {
    const known = check("route").some((route) => route.startsWith(address));
    if (known !== cost > 0) wrong.push(`route ${address}: ${cost}, but ${known}`);
  });
  d.addEventListener("channel", ({ open }) => {
    if (!open && check("channel").length > 0) {
      wrong.push("the closed channel still leads somewhere");
    }
  });
  const [, there] = join(b, d);
  await clock.rest();
  links[1][0].close();
  await clock.rest();
  there.close();
  await clock.rest();
  assert.deepEqual([wrong, d.routes(), d.services()], [[], [], []]);
});

test("Router may be used from within its own events", { timeout: 10_000 }, async () => {
  const { routers: [a, b], clock } = await chain(["a", "b"]);
  const log: string[] = [];
  b.registerService("ping", (packet, reply) => void reply(packet.data));
  a.addEventListener("service", ({ service, capacity }) => {
    log.push(`begin ${service} ${capacity}`);
    if (service === "ping") {
      a.registerService("mine", () => {}); // Its event waits until this listener is done.
      a.request("ping", "from a listener").then((reply) => log.push(reply.text()));
    }
    log.push(`end ${service} ${capacity}`);
  });
  await clock.rest();
  assert.deepEqual(log, [
    "begin ping 1",
    "end ping 1",
    "begin mine 1",
    "end mine 1",
    "from a listener",
  ]);
});

test("Router.addEventListener() obeys once, signal and handleEvent", () => {
  const router = new Router("a", { clock: new ManualClock() });
  const told: string[] = [];
  const controller = new AbortController();
  const { signal } = controller;
  router.addEventListener("service", ({ service }) => told.push(`once ${service}`), {
    once: true,
  });
  router.addEventListener("service", ({ service }) => told.push(`signal ${service}`), { signal });
  router.addEventListener("service", {
    handleEvent: (event: Event) => told.push(`object ${(event as ServiceEvent).service}`),
  });
  router.registerService("1", () => {});
  controller.abort();
  router.registerService("2", () => {});
  assert.deepEqual(told, ["once 1", "signal 1", "object 1", "object 2"]);
});

test("A deep conversation between two services of one router does not overflow the stack", {
  timeout: 10_000,
}, async () => {
  const router = new Router("a", { clock: new ManualClock() });
  const done = new Promise<number>((resolve) => {
    router.registerService("count", (packet) => {
      const count = Number(packet.text());
      if (count === 100_000) resolve(count);
      else router.send({ dst: "a", srv: "count", data: `${count + 1}` });
    });
  });
  router.send({ dst: "a", srv: "count", data: "0" });
  assert.equal(await done, 100_000);
});
