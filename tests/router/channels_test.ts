import assert from "node:assert/strict";
import { test } from "node:test";
import { type Channel, ChannelError, createChannelPair, Packet, Router } from "../../mod.ts";
import { ManualClock } from "../../src/testing/mod.ts";
import { decodeRouteAdvert, encodeRouteAdvert } from "../../src/wire/mod.ts";
import {
  chain,
  ForeignChannel,
  join,
  joinDirectly,
  record,
  SteppingClock,
  turn,
} from "../support/routers.ts";

/** What a neighbour of that name says of the way to an address. */
function advert(from: string, address: string, cost: number): Packet {
  return new Packet({ net: 1, src: from, data: encodeRouteAdvert({ address, cost }) });
}

/** A router, and a neighbour "x" of which the test plays the part. */
function withForeign(): { router: Router; channel: ForeignChannel; clock: ManualClock } {
  const clock = new ManualClock();
  const router = new Router("a", { clock });
  const channel = new ForeignChannel();
  router.addChannel(channel);
  channel.onPacket!(advert("x", "x", 1));
  return { router, channel, clock };
}

test("Router.addChannel() finds whoever is at the far end, and beyond", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b, c] } = await chain(["a", "b", "c"]);
  const routes = [a, b, c].map((router) =>
    router.routes().sort((one, other) => one.address < other.address ? -1 : 1)
  );
  assert.deepEqual(routes, [
    [{ address: "b", cost: 1, via: "b" }, { address: "c", cost: 2, via: "b" }],
    [{ address: "a", cost: 1, via: "a" }, { address: "c", cost: 1, via: "c" }],
    [{ address: "a", cost: 2, via: "b" }, { address: "b", cost: 1, via: "b" }],
  ]);
});

test("Router.addChannel() refuses a channel that is attached already", () => {
  const { router, channel } = withForeign();
  const told = record(router);
  assert.throws(
    () => router.addChannel(channel),
    new TypeError("Cannot add channel: it is attached already"),
  );
  assert.deepEqual([told, router.routes()], [[], [{ address: "x", cost: 1, via: "x" }]]);
});

test("Router.removeChannel() closes the channel and forgets what it led to", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b], links: [[here, there]] } = await chain(["a", "b"]);
  a.removeChannel(here);
  assert.deepEqual([a.routes(), here.isOpen, here.onPacket, here.onClose, here.onDrop], [
    [],
    false,
    null,
    null,
    null,
  ]);
  await there.closed;
  assert.deepEqual(b.routes(), []);
  a.removeChannel(here);
});

test("Router.removeChannel() does not mind a channel that is not attached", () => {
  const router = new Router("a", { clock: new ManualClock() });
  const channel = new ForeignChannel();
  router.removeChannel(channel);
  assert.deepEqual(channel.closes, []);
});

test("Router hears nothing more from a channel that was removed", () => {
  const { router, channel } = withForeign();
  const { onPacket, onClose } = channel;
  router.removeChannel(channel);
  const told = record(router);
  onPacket!(advert("x", "x", 1));
  onClose!(new Error("late"));
  assert.deepEqual([told, router.routes()], [[], []]);
});

test("Router.addChannel() may be given a removed channel of one's own again", () => {
  const { router, channel } = withForeign();
  router.removeChannel(channel);
  router.addChannel(channel);
  channel.onPacket!(advert("x", "x", 1));
  assert.deepEqual(router.routes(), [{ address: "x", cost: 1, via: "x" }]);
});

test("Router.addChannel() with a channel that has closed already lets go of it", {
  timeout: 10_000,
}, async () => {
  const clock = new ManualClock();
  const router = new Router("a", { clock });
  const told = record(router);
  const [here, there] = createChannelPair();
  there.close();
  await here.closed;
  router.addChannel(here);
  await turn();
  assert.deepEqual(
    told.filter((line) => line.startsWith("channel")).map((line) => line.slice(0, 14)),
    [
      "channel open",
      "channel closed",
    ],
  );
  await router.close();
  assert.equal(clock.pending, 0);
});

test("Router.addChannel() with a foreign channel that refuses everything lets go of it", () => {
  const router = new Router("a", { clock: new ManualClock() });
  const told = record(router);
  const channel = new ForeignChannel();
  channel.answer = () => false;
  channel.tells = false; // It has closed long ago, and told whoever listened then.
  router.addChannel(channel);
  assert.deepEqual(told, [
    "channel open",
    "channel closed: Cannot send packet: the channel's queue is full",
    `drop ERR_CHANNEL_FULL: ${channel.sent[0]!.text()}`,
  ]);
  router.addChannel(channel); // It is not attached any more.
});

test("Router works with the least that is a channel: send() may return nothing", {
  timeout: 10_000,
}, async () => {
  const clock = new ManualClock();
  const [a, b] = [new Router("a", { clock }), new Router("b", { clock })];
  joinDirectly(a, b);
  clock.advance(60_000);
  b.registerService("echo", (packet, reply) => void reply(packet.data));
  clock.advance(1_000);
  assert.equal((await a.request("echo", "hello")).text(), "hello");
  await Promise.all([a.close(), b.close()]);
  assert.equal(clock.pending, 0);
});

test("Router drops an application's packet that a channel refuses, and keeps the channel", () => {
  const { router, channel } = withForeign();
  const told = record(router);
  channel.answer = () => false;
  assert.equal(
    router.send({ dst: "x", data: "1" }),
    "ERR_CHANNEL_FULL: Cannot send packet: the channel's queue is full",
  );
  assert.deepEqual([told, channel.closes], [[], []]);
  assert.deepEqual(router.routes(), [{ address: "x", cost: 1, via: "x" }]);
});

test("Router tells a packet of somebody else's that a channel refuses as a drop event", {
  timeout: 10_000,
}, async () => {
  const { router, channel, clock } = withForeign();
  const b = new Router("b", { clock });
  join(router, b);
  await turn();
  const told = record(router);
  channel.answer = (packet) => packet.net !== 0;
  assert.equal(b.send({ dst: "x", data: "through a" }), null);
  await turn();
  assert.deepEqual(told, ["drop ERR_CHANNEL_FULL: through a"]);
});

test("Router closes a channel that refuses what routers tell each other", () => {
  const { router, channel } = withForeign();
  channel.onPacket!(new Packet({ net: 3 })); // From now on it is told what changes.
  channel.answer = () => false;
  const told = record(router);
  router.registerService("ping", () => {});
  assert.deepEqual(told, [
    "service ping at a: 1",
    "channel closed: Cannot send packet: the channel's queue is full",
    "drop ERR_CHANNEL_FULL: " + channel.sent.at(-1)!.text(),
    "route x: 0",
  ]);
  assert.deepEqual([channel.closes.length, router.routes()], [1, []]);
});

test("Router tells the application of a channel that fails only when all the others are served", () => {
  const { router, channel: failing, clock } = withForeign();
  failing.onPacket!(new Packet({ net: 3 })); // From now on it knows what we know.
  const others = ["y", "z"].map((name) => {
    const channel = new ForeignChannel();
    router.addChannel(channel);
    channel.onPacket!(advert(name, name, 1));
    channel.onPacket!(new Packet({ net: 3 }));
    return channel;
  });
  for (const { sent } of others) sent.length = 0;
  failing.answer = () => false;
  const served: string[] = [];
  for (const type of ["service", "channel", "drop", "route"] as const) {
    router.addEventListener(type, () => {
      served.push(`${type}: ${others.map(({ sent }) => sent.map(({ net }) => net))}`);
    });
  }
  router.registerService("ping", () => {});
  // Each has heard of the service (2) before anybody here is told anything, and hears in due time
  // that x is lost (1).
  assert.deepEqual(served, ["service: 2,2", "channel: 2,2", "drop: 2,2", "route: 2,2"]);
  clock.advance(1_000);
  assert.deepEqual(others.map(({ sent }) => sent.map(({ net }) => net)), [[2, 1], [2, 1]]);
});

test("Router closes a channel at whose far end nothing was heard for 30 seconds, and says why", {
  timeout: 10_000,
}, async () => {
  const clock = new SteppingClock();
  const random = () => 0.5;
  const options = { clock, random, throttled: false }; // In a page they would be patient.
  const [a, b] = [new Router("a", options), new Router("b", options)];
  const [here, there] = joinDirectly(a, b);
  await clock.pass(120_000); // Both have nothing to say, and are there.
  assert.deepEqual([a.routes(), here.closes], [[{ address: "b", cost: 1, via: "b" }], []]);
  there.answer = () => {}; // What b says is lost from now on, and nobody tells a.
  const told = record(a);
  await clock.pass(19_999); // It has been heard within the last ten seconds.
  assert.deepEqual([told, here.closes], [[], []]);
  await clock.pass(10_002);
  const why = "Cannot keep channel: nothing was heard for 30 s";
  assert.deepEqual(told.sort(), [`channel closed: ${why}`, "route b: 0"]);
  assert.deepEqual([here.closes, a.routes()], [[new ChannelError("ERR_CHANNEL_CLOSED", why)], []]);
});

test("Router lets a channel end in order that is closing when routes change", {
  timeout: 10_000,
}, async () => {
  const { routers: [a], clock } = await chain(["a", "b"]);
  const [here, there] = createChannelPair();
  a.addChannel(here);
  const arrived: string[] = [];
  there.onPacket = (packet) => void arrived.push(`${packet.net}: ${packet.text()}`);
  there.send(advert("x", "x", 1));
  await clock.rest();
  arrived.length = 0;
  assert.equal(a.send({ dst: "x", data: "last words" }), null);
  here.close(); // As when the peer has said its last: what is queued still goes out.
  a.registerService("ping", () => {}); // Has to be told to x, which cannot hear it any more.
  assert.equal(await there.closed, undefined);
  assert.deepEqual(arrived, ["0: last words"]);
  assert.equal(await here.closed, undefined);
  await a.close();
  clock.advance(1);
});

test("Router survives a channel whose send() throws, and lets go of it", () => {
  const { router, channel } = withForeign();
  const told = record(router);
  channel.answer = () => {
    throw new Error("InvalidState");
  };
  assert.equal(
    router.send({ dst: "x", data: "1" }),
    "ERR_CHANNEL_CLOSED: Cannot send packet: the channel threw",
  );
  assert.deepEqual(told, [
    "channel closed: Cannot send packet: the channel threw",
    "route x: 0",
  ]);
  router.registerService("ping", () => {});
  assert.equal(told.at(-1), "service ping at a: 1");
});

test("Router tells neighbours no old news after new when a channel closes inside send()", () => {
  // x and the mesh behind b both lead to "far"; x goes away in the middle of what is told to b.
  const clock = new ManualClock();
  const a = new Router("a", { clock });
  const x = new ForeignChannel();
  const b = new ForeignChannel();
  for (const channel of [b, x]) a.addChannel(channel);
  b.onPacket!(advert("b", "b", 1));
  x.onPacket!(advert("x", "x", 1));
  b.sent.length = 0;
  let told = 0;
  b.answer = (packet) => {
    if (packet.net !== 1 || ++told !== 2) return;
    x.onClose!(new Error("gone")); // While a is still telling b of what x offers.
  };
  for (const [i, address] of ["far", "farther", "farthest"].entries()) {
    x.onPacket?.(advert("x", address, 2 + i)); // Nobody listens to it once it is gone.
  }
  clock.advance(3_000); // What somebody has heard from others is believed, and withdrawn, slowly.
  const last = new Map<string, number>();
  for (const packet of b.sent) {
    if (packet.net !== 1) continue;
    const { address, cost } = decodeRouteAdvert(packet.data);
    last.set(address, cost);
  }
  last.delete("a");
  assert.deepEqual(a.routes(), [{ address: "b", cost: 1, via: "b" }]);
  assert.deepEqual([...last].filter(([, cost]) => cost !== 0), [], "what b still believes");
});

test("Router.addChannel() hears a channel that answers, or closes, before its send() returns", () => {
  const router = new Router("a", { clock: new ManualClock() });
  const told = record(router);
  const eager = new ForeignChannel();
  eager.answer = () => {
    eager.answer = () => {};
    eager.onPacket!(advert("x", "x", 1));
  };
  router.addChannel(eager);
  const dead = new ForeignChannel();
  dead.answer = () => dead.onClose?.(new Error("dead"));
  router.addChannel(dead);
  assert.deepEqual(told, [
    "channel open",
    "route x: 1 via x",
    "channel open",
    "channel closed: dead",
  ]);
});

test("Router.removeChannel() may be called when the channel event says that it was added", () => {
  const clock = new ManualClock();
  const router = new Router("a", { clock });
  router.addEventListener("channel", ({ channel, open }) => {
    if (open) router.removeChannel(channel);
  });
  const channel = new ForeignChannel();
  router.addChannel(channel);
  const told = record(router);
  channel.onPacket?.(advert("x", "x", 1));
  assert.deepEqual([told, router.routes(), channel.closes.length], [[], [], 1]);
  const sent = channel.sent.length;
  router.registerService("ping", () => {});
  clock.advance(60_000);
  assert.equal(channel.sent.length, sent, "nothing more is sent to it");
});

test("Router.addChannel() closes what it is given after close()", { timeout: 10_000 }, async () => {
  const router = new Router("a", { clock: new ManualClock() });
  const told = record(router);
  const early = new ForeignChannel();
  const closed = router.close();
  router.addChannel(early);
  await closed;
  const [late] = createChannelPair();
  router.addChannel(late);
  assert.deepEqual(
    [(await late.closed as Error).message, early.closes.map((reason) => (reason as Error).message)],
    ["Cannot go on: the router is closed", ["Cannot go on: the router is closed"]],
  );
  assert.deepEqual([told, early.sent], [[], []]);
});

test("Router tells what a channel could not read as drop events", { timeout: 10_000 }, async () => {
  const router = new Router("a", { clock: new ManualClock() });
  const told = record(router);
  const channel: Channel = new ForeignChannel();
  router.addChannel(channel);
  channel.onPacket!(new Packet({ net: 1, data: Uint8Array.of(9) }));
  channel.onPacket!(new Packet({ net: 7 }));
  channel.onPacket!(new Packet({ net: 255, data: "trouble" }));
  await turn();
  assert.deepEqual(told.map((line) => line.split(":")[0]), [
    "channel open",
    "drop ERR_PACKET_TRUNCATED",
    "drop ERR_PACKET_FIELD",
    "drop ERR_CHANNEL_PEER",
  ]);
});
