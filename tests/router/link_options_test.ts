/** What a router is told about a channel: its cost, policy, gate and keepalive. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Channel,
  ChannelError,
  createChannelPair,
  type LinkOptions,
  Packet,
  Router,
} from "../../mod.ts";
import { Dialer } from "../../src/runtime/net.ts";
import { ManualClock } from "../../src/testing/mod.ts";
import { encodeRouteAdvert } from "../../src/wire/mod.ts";
import {
  chain,
  failureCode,
  ForeignChannel,
  join,
  record,
  SteppingClock,
  turn,
} from "../support/routers.ts";

const timeout = 10_000;

/** A router, and the old peer "x" behind a channel with these options. */
function withPeer(options: LinkOptions): {
  router: Router;
  channel: ForeignChannel;
  clock: ManualClock;
  told: string[];
} {
  const clock = new ManualClock();
  const router = new Router("a", { clock });
  const told = record(router);
  const channel = new ForeignChannel();
  router.addChannel(channel, options);
  channel.onPacket!(
    new Packet({ net: 1, src: "x", data: encodeRouteAdvert({ address: "x", cost: 1 }) }),
  );
  told.length = 0;
  return { router, channel, clock, told };
}

test("Router.addChannel() refuses options that are none, and does not take the channel", () => {
  const router = new Router("a", { clock: new ManualClock() });
  const told = record(router);
  const channel = new ForeignChannel();
  const none: [options: unknown, error: Error][] = [
    [
      { policy: { hears: "b" } },
      new TypeError("Cannot use policy: hears is neither a function nor a list of names"),
    ],
    [{ gate: true }, new TypeError("Cannot add channel: its gate is not a function")],
    [{ cost: 0 }, new RangeError("Cannot add channel: its cost, 0, is not an integer in 1-65534")],
    [
      { cost: 1.5 },
      new RangeError("Cannot add channel: its cost, 1.5, is not an integer in 1-65534"),
    ],
    [
      { cost: 65_535 },
      new RangeError("Cannot add channel: its cost, 65535, is not an integer in 1-65534"),
    ],
    [{ keepalive: -1 }, new RangeError("Cannot add channel: its keepalive, -1, is below 0")],
    [{ keepalive: NaN }, new RangeError("Cannot add channel: its keepalive, NaN, is below 0")],
    [
      { limits: { packets: 0 } },
      new RangeError("Cannot add channel: its limit of packets, 0, is not above 0"),
    ],
    [
      { limits: { adverts: NaN } },
      new RangeError("Cannot add channel: its limit of adverts, NaN, is not above 0"),
    ],
  ];
  for (const [options, error] of none) {
    assert.throws(() => router.addChannel(channel, options as LinkOptions), error);
    assert.throws(() => new Dialer(router, () => channel, { link: options as LinkOptions }), error);
  }
  assert.deepEqual([told, channel.sent, channel.closes], [[], [], []]);
  router.addChannel(channel, { keepalive: 0, cost: 3, policy: {}, gate: () => true });
});

test("LinkOptions.cost is what a hop over the channel costs", () => {
  assert.deepEqual(withPeer({ cost: 7 }).router.routes(), [{ address: "x", cost: 7, via: "x" }]);
});

test("LinkOptions.cost sends packets the cheaper way round", { timeout: 10_000 }, async () => {
  const clock = new SteppingClock();
  const [a, b, c] = ["a", "b", "c"].map((address) => new Router(address, { clock }));
  const link = (from: Router, to: Router, options?: LinkOptions) => {
    const [here, there] = createChannelPair();
    from.addChannel(here, options);
    to.addChannel(there, options);
  };
  link(a!, b!, { cost: 5 });
  link(b!, c!);
  link(c!, a!, { cost: 2 });
  await clock.rest();
  const routes = a!.routes().map(({ address, cost, via }) => `${address} ${cost} via ${via}`);
  assert.deepEqual(routes.sort(), ["b 3 via c", "c 2 via c"]);
  await Promise.all([a!.close(), b!.close(), c!.close()]);
});

// ── policy ──────────────────────────────────────────────────────────────────

test(
  "LinkOptions.policy: a call that it does not allow is dropped, counted and told, and the rest works",
  {
    timeout,
  },
  async () => {
    const clock = new SteppingClock();
    const [hub, guest] = [new Router("hub", { clock }), new Router("guest", { clock })];
    const [here, there] = createChannelPair();
    hub.addChannel(here, { policy: { stub: true, sees: ["time"] } });
    guest.addChannel(there);
    for (const service of ["time", "admin"]) {
      hub.registerService(service, (_packet, reply) => void reply(service));
    }
    guest.registerService("door", (_packet, reply) => void reply("shut"));
    await clock.rest();
    const told = record(hub);
    assert.deepEqual(guest.services().map(({ service }) => service).sort(), ["door", "time"]);
    assert.equal((await clock.until(guest.request("time"))).text(), "time");
    assert.equal((await clock.until(hub.request("door"))).text(), "shut"); // Replies pass.
    assert.equal(hub.stats().drops.refused, 0);
    const call = guest.request("admin", "let me in", { dst: "hub", timeout: 1_000 });
    assert.equal(await clock.until(failureCode(call)), "TimeoutError");
    assert.deepEqual(told, ["drop ERR_CHANNEL_REFUSED: let me in"]);
    assert.equal(hub.stats().channels[0]!.drops.refused, 1);
    assert.equal(guest.stats().drops.refused, 0);
    await Promise.all([clock.until(hub.close()), guest.close()]);
  },
);

// ── gate ────────────────────────────────────────────────────────────────────

test("LinkOptions.gate is asked before each packet that goes out, those between routers included", () => {
  const asked: number[] = [];
  const { router, channel } = withPeer({
    gate: ({ net }) => {
      asked.push(net);
      return true;
    },
  });
  channel.onPacket!(new Packet({ net: 3 }));
  router.registerService("ping", () => {});
  router.send({ dst: "x", data: "1" });
  assert.deepEqual(asked, channel.sent.map(({ net }) => net));
  assert.deepEqual([...new Set(asked)].sort(), [0, 1, 2, 3]);
  channel.onPacket!(new Packet({ dst: "a", src: "x", ctx: 5 })); // What comes in is not.
  assert.equal(asked.length, channel.sent.length);
});

test("LinkOptions.gate: a packet of an application that it refuses is not sent, which send() says, and the channel stays", () => {
  let left = 3;
  const { router, channel, told } = withPeer({ gate: ({ net }) => net !== 0 || left-- > 0 });
  const outcomes = Array.from({ length: 5 }, (_, i) => router.send({ dst: "x", data: `${i}` }));
  const refusal = "ERR_CHANNEL_REFUSED: Cannot send packet: the channel's gate refuses it";
  assert.deepEqual(outcomes, [null, null, null, refusal, refusal]);
  assert.deepEqual([told, channel.closes, router.routes().length], [[], [], 1]);
});

test("LinkOptions.gate: a packet of somebody else that it refuses is told as a drop event", {
  timeout,
}, async () => {
  const { router, clock, told } = withPeer({ gate: ({ net }) => net !== 0 });
  const other = new Router("b", { clock });
  join(router, other);
  await turn();
  told.length = 0;
  assert.equal(other.send({ dst: "x", data: "through a" }), null);
  await turn();
  assert.deepEqual(told, ["drop ERR_CHANNEL_REFUSED: through a"]);
  assert.equal(router.stats().channels[0]!.drops.refused, 1);
});

test("LinkOptions.gate: a channel whose gate refuses what routers tell each other is closed, and routes move on", () => {
  let open = true;
  const { router, channel, clock, told } = withPeer({ gate: () => open });
  const second = new ForeignChannel();
  router.addChannel(second, { cost: 5 });
  second.onPacket!(
    new Packet({ net: 1, src: "y", data: encodeRouteAdvert({ address: "y", cost: 1 }) }),
  );
  second.onPacket!(
    new Packet({ net: 1, src: "y", data: encodeRouteAdvert({ address: "x", cost: 2 }) }),
  );
  clock.advance(10_000);
  channel.onPacket!(new Packet({ net: 3 }));
  told.length = 0;
  open = false; // All that was paid for has been used.
  router.registerService("ping", () => {});
  assert.deepEqual(told.slice(0, 4), [
    "service ping at a: 1",
    "channel closed: Cannot send packet: the channel's gate refuses it",
    "drop ERR_CHANNEL_REFUSED: " + told[2]!.split(": ")[1],
    "route x: 6 via y",
  ]);
  assert.equal(channel.closes.length, 1);
});

test("LinkOptions.gate: one that refuses everything ends the channel before it has begun", () => {
  const router = new Router("a", { clock: new ManualClock() });
  const told = record(router);
  const channel = new ForeignChannel();
  router.addChannel(channel, { gate: () => false });
  assert.deepEqual(told.slice(0, 2), [
    "channel open",
    "channel closed: Cannot send packet: the channel's gate refuses it",
  ]);
  assert.deepEqual(channel.sent, []);
});

test("LinkOptions.gate: one that throws, or gives no answer, has refused, and nothing breaks", () => {
  const gates = [
    () => {
      throw new Error("no money");
    },
    () => undefined,
    () => "yes",
  ];
  for (const answer of gates) {
    const gate = ({ net }: Packet) => net !== 0 || answer() as unknown as boolean;
    const { router, channel } = withPeer({ gate });
    assert.match(router.send({ dst: "x", data: "1" })!, /^ERR_CHANNEL_REFUSED/);
    assert.deepEqual([channel.closes, router.routes().length], [[], 1]);
  }
});

test("LinkOptions.gate: one that uses the router in turn does it no harm", () => {
  const { router, channel, told } = withPeer({
    gate(packet) {
      if (packet.text() === "1") router.send({ dst: "x", data: "2" });
      if (packet.text() === "3") router.removeChannel(channel);
      return true;
    },
  });
  assert.equal(router.send({ dst: "x", data: "1" }), null);
  const texts = () => channel.sent.filter(({ net }) => net === 0).map((packet) => packet.text());
  assert.deepEqual(texts(), ["1", "2"]);
  router.send({ dst: "x", data: "3" });
  assert.deepEqual(router.routes(), []);
  assert.deepEqual(told.filter((line) => line.startsWith("channel")), ["channel closed"]);
});

test("LinkOptions.gate is asked for goodbyes, too, and a refused one does not keep the router", {
  timeout,
}, async () => {
  const { routers: [a, b], clock } = await chain(["a", "b"]);
  const [here, there] = createChannelPair();
  const c = new Router("c", { clock });
  let open = true;
  b.addChannel(here, { gate: () => open });
  c.addChannel(there);
  await clock.rest();
  open = false;
  await clock.until(b.close());
  await Promise.all([clock.until(a.close()), clock.until(c.close())]);
  assert.equal(clock.pending, 0);
});

// ── keepalive ───────────────────────────────────────────────────────────────

test("LinkOptions.keepalive: a channel whose old peer has gone silent is closed with an error, and its routes go", () => {
  const { router, channel, clock, told } = withPeer({ keepalive: 10_000 });
  clock.advance(39_900);
  assert.deepEqual(told, []);
  clock.advance(200);
  const why = "Cannot keep channel: nothing was heard for 40 s, in spite of 3 queries";
  assert.deepEqual(told, [`channel closed: ${why}`, "route x: 0"]);
  const [reason] = channel.closes;
  assert(reason instanceof ChannelError);
  assert.deepEqual([reason.code, reason.message], ["ERR_CHANNEL_CLOSED", why]);
  assert.deepEqual([router.routes(), clock.pending], [[], 0]);
});

test(
  "DialerOptions.link: what is dialled is attached with it, each time",
  { timeout },
  async () => {
    const clock = new SteppingClock();
    const router = new Router("a", { clock });
    const server = new Router("b", { clock });
    let asked = 0;
    const open = (): Channel => {
      const [near, far] = createChannelPair();
      server.addChannel(far);
      return near;
    };
    const dialer = new Dialer(router, open, {
      clock,
      link: { cost: 4, gate: () => asked++ >= 0 },
    });
    for (let i = 0; i < 2; i++) {
      const channel = await clock.until(dialer.connected());
      await clock.rest();
      assert.deepEqual(router.routes(), [{ address: "b", cost: 4, via: "b" }]);
      assert(asked > 0);
      asked = 0;
      channel.close();
      await clock.rest();
    }
    await Promise.all([clock.until(router.close()), clock.until(server.close())]);
  },
);
