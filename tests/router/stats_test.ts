import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type BaseChannel,
  type Channel,
  ChannelError,
  createChannelPair,
  type DropEvent,
  Packet,
  PacketError,
  Router,
  StreamChannel,
} from "../../mod.ts";
import { ManualClock, seededRandom } from "../../src/testing/mod.ts";
import { encodeRouteAdvert, encodeServiceAdvert } from "../../src/wire/mod.ts";
import { FakeDuplex } from "../support/channels.ts";
import { chain, ForeignChannel, join, SteppingClock, turn } from "../support/routers.ts";

const noDrops = {
  parse: 0,
  field: 0,
  queue: 0,
  closed: 0,
  rate: 0,
  table: 0,
  protocol: 0,
  peer: 0,
  "no-route": 0,
  "no-service": 0,
  "no-context": 0,
  hops: 0,
  loop: 0,
  hold: 0,
  stub: 0,
  refused: 0,
  handler: 0,
};

/** A router and every drop that it tells. */
function watched(options = {}): { router: Router; clock: ManualClock; drops: DropEvent[] } {
  const clock = new ManualClock();
  const router = new Router("a", { clock, random: seededRandom(1), ...options });
  const drops: DropEvent[] = [];
  router.addEventListener("drop", (event) => drops.push(event));
  return { router, clock, drops };
}

/** An old neighbour of that name at the far end of a channel. */
function oldNeighbour(router: Router, name: string, options = {}): ForeignChannel {
  const channel = new ForeignChannel();
  router.addChannel(channel, options);
  const data = encodeRouteAdvert({ address: name, cost: 1 });
  channel.onPacket!(new Packet({ net: 1, src: name, data }));
  return channel;
}

test("Router.stats() is a snapshot in plain JSON", { timeout: 10_000 }, async () => {
  const { routers: [a, b], clock, links: [[here]] } = await chain(["a", "b"]);
  b.registerService("ping", (_packet, reply) => void reply("pong"));
  await clock.rest();
  await clock.until(a.request("ping"));
  a.registerContextHandler(() => {});
  const before = clock.now();
  await clock.pass(15_000); // Whoever is silent is pinged.
  const stats = a.stats();
  assert.deepEqual(JSON.parse(JSON.stringify(stats)), stats);
  const { channels: [channel], ...rest } = stats;
  assert.deepEqual(rest, {
    address: "a",
    uptime: Math.round(before + 15_000),
    routes: 1,
    services: 1,
    contexts: 1,
    drops: noDrops,
  });
  const { packetsIn, packetsOut, bytesIn, bytesOut } = here.counters;
  assert(packetsIn >= 4 && packetsOut >= 4 && bytesIn > 0 && bytesOut > 0);
  assert.deepEqual(channel, {
    id: 1,
    address: "b",
    kind: "modern",
    transport: "memory",
    cost: 1,
    uptime: Math.round(before + 15_000),
    roundTrip: channel!.roundTrip,
    packetsIn,
    packetsOut,
    bytesIn,
    bytesOut,
    queuedBytes: 0,
    repeats: 0,
    drops: noDrops,
    errors: {},
  });
  assert(channel!.roundTrip! > 0 && channel!.roundTrip! < 10, `${channel!.roundTrip} ms`);
  stats.drops.parse = stats.channels[0]!.drops.parse = 9; // It is the caller's.
  assert.deepEqual([a.stats().drops, a.stats().channels[0]!.drops], [noDrops, noDrops]);
  await Promise.all([a.close(), b.close()]);
  const { routes, services, contexts, channels } = a.stats();
  assert.deepEqual({ routes, services, contexts, channels }, {
    routes: 0,
    services: 0,
    contexts: 0,
    channels: [],
  });
});

test("Router.stats() counts packets of channels that do not count themselves", () => {
  const { router, clock } = watched();
  const silent = new ForeignChannel();
  router.addChannel(silent);
  clock.advance(500);
  const old = oldNeighbour(router, "x", { cost: 3 });
  old.answer = (packet) => packet.net !== 0;
  old.onPacket!(new Packet({ net: 3 }));
  const service = encodeServiceAdvert({ address: "x", service: "s", capacity: 1 });
  for (let i = 0; i < 3; i++) old.onPacket!(new Packet({ net: 2, data: service }));
  const sent = old.sent.length;
  router.send({ dst: "x" }); // The caller is told: no drop.
  const [first, second] = router.stats().channels;
  assert.deepEqual([first!.kind, first!.address, first!.packetsIn], ["unknown", "", 0]);
  assert.deepEqual(second, {
    id: 2,
    address: "x",
    kind: "legacy",
    transport: null,
    cost: 3,
    uptime: 0,
    roundTrip: null,
    packetsIn: 5,
    packetsOut: sent,
    bytesIn: null,
    bytesOut: null,
    queuedBytes: null,
    repeats: 2,
    drops: noDrops,
    errors: {},
  });
});

/** How to bring about each reason that one router and old neighbours are enough for. */
const CAUSES: [reason: string, code: string, cause: (scene: Scene) => unknown][] = [
  ["parse", "ERR_PACKET_FIELD", ({ old }) => old.onPacket!(new Packet({ net: 77 }))],
  [
    "parse",
    "ERR_PACKET_CRC",
    ({ old }) => (old as Channel).onDrop!(new PacketError("ERR_PACKET_CRC", ""), null),
  ],
  ["field", "ERR_PACKET_FIELD", ({ here }) => {
    const packet = new Packet();
    packet.ctx = -1;
    here.send(packet);
  }],
  ["queue", "ERR_CHANNEL_FULL", ({ here }) => {
    for (let i = 0; i < 2; i++) here.send(new Packet({ data: new Uint8Array(700) }));
  }],
  ["closed", "ERR_CHANNEL_CLOSED", ({ here }) => {
    here.send(new Packet({ srv: "late" }));
    here.close(new Error("cut"));
  }],
  ["rate", "ERR_CHANNEL_PROTOCOL", ({ old }) => {
    for (let i = 0; i < 3; i++) old.onPacket!(new Packet({ dst: "a", ctx: 1, data: `${i}` }));
  }],
  ["table", "ERR_CHANNEL_PROTOCOL", ({ old }) => {
    for (const address of ["y", "z"]) {
      old.onPacket!(new Packet({ net: 1, data: encodeRouteAdvert({ address, cost: 2 }) }));
    }
  }],
  ["protocol", "ERR_CHANNEL_PROTOCOL", ({ old }) => {
    (old as Channel).onDrop!(
      new ChannelError("ERR_CHANNEL_PROTOCOL", "Cannot go on: nonsense"),
      null,
    );
  }],
  ["peer", "ERR_CHANNEL_PEER", ({ old }) => old.onPacket!(new Packet({ net: 255, data: "ouch" }))],
  ["no-route", "ERR_NO_ROUTE", ({ old }) => old.onPacket!(new Packet({ dst: "nowhere" }))],
  ["no-service", "ERR_NO_SERVICE", ({ old }) => old.onPacket!(new Packet({ srv: "nothing" }))],
  ["no-service", "ERR_NO_SERVICE", ({ old }) => old.onPacket!(new Packet({ dst: "a", srv: "s" }))],
  ["no-context", "ERR_NO_SERVICE", ({ old }) => old.onPacket!(new Packet({ dst: "a", ctx: 9 }))],
  ["loop", "ERR_NO_ROUTE", ({ old }) => old.onPacket!(new Packet({ dst: "x" }))],
  ["handler", "ERR_HANDLER", ({ router, old }) => {
    router.registerService("bad", () => {
      throw new Error("oops");
    });
    old.onPacket!(new Packet({ dst: "a", srv: "bad" }));
  }],
];

interface Scene {
  router: Router;
  /** To an old neighbour "x". */
  old: ForeignChannel;
  /** To nobody, who reads nothing yet. */
  here: BaseChannel<Packet>;
}

for (const [reason, code, cause] of CAUSES) {
  test(`Router.stats() counts what is dropped for the reason "${reason}", by ${code}, and tells it`, () => {
    const { router, drops } = watched({ maxRoutes: 2 });
    const old = oldNeighbour(router, "x", { limits: { packets: reason === "rate" ? 1 : 99 } });
    const [here] = createChannelPair({ highWater: 1_000, overflow: "drop-newest" });
    router.addChannel(here);
    cause({ router, old, here });
    const told = drops.filter((drop) => reason === "rate" || drop.reason === reason);
    const last = told.at(-1)!;
    assert.deepEqual([last.reason, last.error.code, last.count], [reason, code, 1]);
    const { drops: counts, channels } = router.stats();
    const sum = drops.reduce((all, { count }) => all + count, 0);
    assert.equal(Object.values(counts).reduce((all, count) => all + count), sum);
    assert.equal(counts[last.reason] > 0, true);
    if (reason === "handler" || reason === "closed") return; // No channel's, or gone with it.
    if (last.channel === null) return; // What was for us had left its channel.
    const id = last.channel === old ? 1 : 2;
    const channel = channels.find((one) => one.id === id)!;
    assert.equal(channel.drops[last.reason], counts[last.reason]);
    assert.equal(channel.errors[last.error.code]! >= 1, true);
  });
}

test('Router.stats() counts what a stub does not carry as "stub"', () => {
  const { router, drops } = watched({ stub: true });
  const old = oldNeighbour(router, "x");
  oldNeighbour(router, "y");
  old.onPacket!(new Packet({ dst: "y" }));
  assert.deepEqual(drops.map(({ reason, channel }) => [reason, channel]), [["stub", old]]);
  assert.equal(router.stats().drops.stub, 1);
});

test("DropEvent.count sums up a flood, and Router.stats() agrees", () => {
  const { router, clock, drops } = watched();
  const old = oldNeighbour(router, "x", { limits: { packets: 10 } });
  router.registerService("s", () => {});
  for (let i = 0; i < 1_000; i++) old.onPacket!(new Packet({ dst: "a", srv: "s", data: `${i}` }));
  clock.advance(1_000);
  assert.deepEqual(drops.map(({ reason, count }) => [reason, count]), [["rate", 1], ["rate", 989]]);
  assert.equal(drops[0]!.packet!.text(), "10");
  assert.equal(drops[1]!.packet, null);
  const { drops: counts, channels: [channel] } = router.stats();
  assert.deepEqual([counts.rate, channel!.drops.rate], [990, 990]);
  assert.deepEqual(channel!.errors, { ERR_CHANNEL_PROTOCOL: 990 });
});

test("Router tells what a channel had not sent when it was closed for good", () => {
  const { router, drops } = watched();
  const [here] = createChannelPair();
  router.addChannel(here);
  for (let i = 0; i < 5; i++) here.send(new Packet({ srv: "s" }));
  here.close(new Error("cut"));
  assert.deepEqual(
    drops.map(({ reason, count, channel, packet }) => [reason, count, channel, packet]),
    [
      ["closed", 5, here, null],
    ],
  );
  assert.equal(router.stats().drops.closed, 5);
  assert.equal(here.onDrop, null);
});

test("Router tells what a channel that it lets go of could not send any more", {
  timeout: 10_000,
}, async () => {
  const { router, drops } = watched();
  const duplex = new FakeDuplex();
  duplex.gate = new Promise(() => {}); // Nobody reads.
  const channel = new StreamChannel(duplex);
  router.addChannel(channel);
  await turn(); // What goes out first is on its way.
  for (let i = 0; i < 5; i++) channel.send(new Packet({ srv: "s" }));
  router.removeChannel(channel);
  await channel.closed; // In order, and then, after a second, not.
  assert.deepEqual(drops.map(({ reason, count }) => [reason, count]), [["closed", 5]]);
  assert.deepEqual([router.stats().drops.closed, channel.onDrop, channel.onClose], [5, null, null]);
});

test("One stuck link delays nothing on the others", { timeout: 20_000 }, async () => {
  const clock = new SteppingClock();
  const router = new Router("hub", { clock, random: seededRandom(1) });
  const friend = new Router("friend", { clock, random: seededRandom(2) });
  friend.registerService("echo", (packet, reply) => void reply(packet.data));
  join(router, friend);
  const duplex = new FakeDuplex();
  const stuck = new StreamChannel(duplex, { highWater: 100_000, overflow: "drop-oldest" });
  router.addChannel(stuck);
  const data = encodeRouteAdvert({ address: "stuck", cost: 1 });
  stuck.onPacket!(new Packet({ net: 1, src: "stuck", data }));
  await clock.rest();
  duplex.gate = new Promise(() => {});
  const packet = { dst: "stuck", data: new Uint8Array(10_000) };
  const began = clock.now();
  for (let i = 0; i < 200; i++) {
    assert.equal(router.send(packet), null);
    const answer = router.request("echo", `${i}`);
    assert.equal((await answer).text(), `${i}`); // Not a moment passes.
  }
  assert.equal(clock.now(), began);
  const { drops, channels } = router.stats();
  assert.equal(drops.queue > 150, true);
  assert(channels[1]!.queuedBytes! <= 100_000 && channels[1]!.queuedBytes! > 80_000);
  assert.deepEqual([channels[0]!.queuedBytes, channels[0]!.drops.queue], [0, 0]);
  stuck.close(new Error("over"));
  await Promise.all([router.close(), friend.close()]);
});

test("Router is as it was after 10,000 channels have come and gone", {
  timeout: 60_000,
}, async () => {
  const { router, clock } = watched();
  router.registerService("mine", () => {});
  const before = router.stats();
  const guests: Channel[] = [];
  for (let i = 0; i < 10_000; i++) {
    const [here, there] = createChannelPair();
    router.addChannel(here, { limits: { packets: 1 } });
    const name = `guest ${i % 100}`;
    there.send(
      new Packet({ net: 1, src: name, data: encodeRouteAdvert({ address: name, cost: 1 }) }),
    );
    for (let k = 0; k < 3; k++) {
      there.send(new Packet({ dst: "a", srv: "mine", data: `${i} ${k}` }));
    }
    await there.drained();
    guests.push(here);
    if (guests.length < 50) continue; // Many at a time.
    for (const [k, channel] of guests.splice(0).entries()) {
      if (k % 3 === 0) router.removeChannel(channel);
      else channel.close(k % 3 === 1 ? undefined : new Error("cut"));
    }
    await turn();
  }
  assert.deepEqual([router.stats().drops.rate, router.stats().channels], [20_000, []]);
  clock.advance(300_000);
  assert.equal(clock.pending, 0);
  const after = router.stats();
  assert.deepEqual({ ...after, uptime: 0, drops: before.drops }, before);
  await router.close();
});

test("A flood of what is no packet is no flood of events, and every bit of it is counted", () => {
  const { router, clock, drops } = watched();
  const channel: Channel = oldNeighbour(router, "x");
  const error = new PacketError("ERR_PACKET_CRC", "Cannot accept packet: noise");
  for (let i = 0; i < 10_000; i++) channel.onDrop!(error, null);
  clock.advance(1_000);
  assert.deepEqual(drops.map(({ count }) => count), [...Array(20).fill(1), 9_980]);
  assert(drops.every((drop) => drop.error === error && drop.channel === channel));
  const { drops: counts, channels: [stats] } = router.stats();
  assert.deepEqual([counts.parse, stats!.errors], [10_000, { ERR_PACKET_CRC: 10_000 }]);
});
