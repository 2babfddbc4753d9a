import assert from "node:assert/strict";
import { test } from "node:test";
import { type ChannelError, Packet, Router } from "../../mod.ts";
import {
  BroadcastSegment,
  type BroadcastSegmentOptions,
  type MessagePortChannel,
} from "../../src/channel/mod.ts";
import { channelConformance, type OpenChannels } from "../../src/testing/mod.ts";
import { turn } from "../support/channels.ts";
import { FakeBroadcast, type FakeBroadcastChannel } from "../support/ports.ts";

const KEEPALIVE = 5_000;

/** A segment, and in words what becomes of its channels. */
function join(
  bus: FakeBroadcast,
  address: string,
  options: BroadcastSegmentOptions = {},
  port: FakeBroadcastChannel = bus.join(),
) {
  const told: string[] = [];
  const channels: Record<string, MessagePortChannel> = {};
  const segment = new BroadcastSegment(port, address, (channel, peer) => {
    channels[peer] = channel;
    told.push(`meet ${peer}`);
    channel.onPacket = ({ srv }) => void told.push(`${peer} says ${srv}`);
    channel.onClose = (reason) => {
      const why = reason === undefined ? "" : `: ${(reason as Error).message}`;
      told.push(`part from ${peer}${why}`);
    };
  }, { onError: ({ code, message }) => void told.push(`${code}: ${message}`), ...options });
  return { segment, told, channels, port };
}

/** The only intervals there are while a test runs. */
interface Intervals {
  /** Lets so many of them pass. */
  pass: (count: number) => Promise<void>;
  /** Those started within never pass: the timers of a page that is hidden. */
  rest: <T>(start: () => T) => T;
}

/** Runs a test whose keepalives come when it says so, and that has to stop them all. */
function withIntervals(run: (intervals: Intervals) => Promise<void>): () => Promise<void> {
  return async () => {
    const { setInterval, clearInterval } = globalThis;
    const timers = new Map<unknown, () => void>();
    let resting = false;
    const fakes = {
      setInterval(run: () => void, interval: number) {
        assert.equal(interval, KEEPALIVE);
        const id = {};
        timers.set(id, resting ? () => {} : run);
        return id;
      },
      clearInterval: (id: unknown) => void timers.delete(id),
    };
    Object.assign(globalThis, fakes);
    try {
      await run({
        async pass(count) {
          for (let i = 0; i < count; i++) {
            for (const tick of [...timers.values()]) tick();
            await turn();
          }
        },
        rest(start) {
          resting = true;
          const started = start();
          resting = false;
          return started;
        },
      });
      assert.equal(timers.size, 0, "intervals left behind");
    } finally {
      Object.assign(globalThis, { setInterval, clearInterval });
    }
  };
}

const say = (srv: string) => new Packet({ srv });
const cut = new Error("the test is over");

let names = 0;
async function open(
  options: BroadcastSegmentOptions,
  broadcast: () => ConstructorParameters<typeof BroadcastSegment>[0],
): Promise<OpenChannels> {
  const met = [
    Promise.withResolvers<MessagePortChannel>(),
    Promise.withResolvers<MessagePortChannel>(),
  ];
  const a = new BroadcastSegment(broadcast(), "a", met[0]!.resolve, options);
  const b = new BroadcastSegment(broadcast(), "b", met[1]!.resolve);
  const [near, far] = await Promise.all(met.map(({ promise }) => promise));
  const cleanup = async () => void await Promise.all([a.close(cut), b.close(cut)]);
  return { near: near!, far: far!, cleanup };
}

const kinds = {
  BroadcastSegment: () => {
    const name = `aln test ${names++}`;
    return () => new BroadcastChannel(name);
  },
  "BroadcastSegment on a fake": () => {
    const bus = new FakeBroadcast();
    return () => bus.join();
  },
};
for (const [kind, makeBus] of Object.entries(kinds)) {
  for (const { name, run } of channelConformance((options) => open(options, makeBus()))) {
    test(`${kind} ${name}`, { timeout: 10_000 }, run);
  }
}

test("BroadcastSegment joins the routers of a real BroadcastChannel", {
  timeout: 10_000,
}, async () => {
  const nodes = ["a", "b", "c"].map((address) => {
    const router = new Router(address);
    router.registerService(`greet ${address}`, (_packet, reply) => void reply(`I am ${address}`));
    const port = new BroadcastChannel("aln test of routers");
    const segment = new BroadcastSegment(port, address, (channel) => router.addChannel(channel));
    return { router, segment };
  });
  for (const { router } of nodes) {
    for (const address of ["a", "b", "c"]) {
      assert.equal(await router.waitForService(`greet ${address}`), address);
      assert.equal((await router.request(`greet ${address}`)).text(), `I am ${address}`);
    }
    assert.deepEqual(router.routes().map(({ cost }) => cost), [1, 1]);
  }
  await Promise.all(nodes.map(({ segment }) => segment.close()));
  assert.deepEqual(nodes.map(({ router }) => router.routes()), [[], [], []]);
  await Promise.all(nodes.map(({ router }) => router.close()));
});

test("BroadcastSegment hands a packet only to the neighbour it is for", {
  timeout: 10_000,
}, async () => {
  const bus = new FakeBroadcast();
  const [a, b, c] = [join(bus, "a"), join(bus, "b"), join(bus, "c")];
  await turn();
  a.channels["b"]!.send(say("for b"));
  a.channels["c"]!.send(say("for c"));
  b.channels["a"]!.send(say("for a"));
  await turn();
  assert.deepEqual([a.told, b.told, c.told].map((told) => told.slice(2)), [
    ["b says for a"],
    ["a says for b"],
    ["a says for c"],
  ]);
  const packet = bus.posted.find(({ data }) => data instanceof Uint8Array)!;
  assert.deepEqual([packet.src, packet.nxt, packet.data], ["a", "b", say("for b").toBinary()]);
  for (const { segment } of [a, b, c]) await segment.close(cut);
});

test("BroadcastSegment leaves in order, and nothing of it is left", {
  timeout: 10_000,
}, async () => {
  const bus = new FakeBroadcast();
  const [a, b] = [join(bus, "a"), join(bus, "b")];
  await turn();
  a.channels["b"]!.send(say("farewell"));
  await a.segment.close();
  await a.segment.close();
  assert.deepEqual([a.told, b.told], [
    ["meet b", "part from b"],
    ["meet a", "a says farewell", "part from a"],
  ]);
  assert.deepEqual([bus.size, a.port.listening], [1, 0]);
  await b.segment[Symbol.asyncDispose]();
  assert.deepEqual([bus.size, b.port.listening], [0, 0]);
});

test("BroadcastSegment tells its neighbours at once that it leaves for a reason", {
  timeout: 10_000,
}, async () => {
  const bus = new FakeBroadcast();
  const controller = new AbortController();
  const [a, b] = [join(bus, "a", { signal: controller.signal }), join(bus, "b")];
  await turn();
  controller.abort(new Error("pagehide"));
  await turn();
  assert.deepEqual([a.told, b.told], [
    ["meet b", "part from b: pagehide"],
    ["meet a", "part from a: Cannot keep channel: the peer cut it"],
  ]);
  assert.deepEqual([bus.size, a.port.listening], [1, 0]);
  await b.segment.close();
});

test("BroadcastSegment whose signal has aborted says no more than hello and bye", {
  timeout: 10_000,
}, async () => {
  const bus = new FakeBroadcast();
  const b = join(bus, "b");
  const a = join(bus, "a", { signal: AbortSignal.abort(new Error("too late")) });
  await turn();
  assert.deepEqual([a.told, b.told, bus.size], [
    [],
    ["meet a", "part from a: Cannot keep channel: the peer has left"],
    1,
  ]);
  await b.segment.close();
});

test("BroadcastSegment tells both of two that have one address, and serves the others", {
  timeout: 10_000,
}, async () => {
  const bus = new FakeBroadcast();
  const [first, c] = [join(bus, "same"), join(bus, "c")];
  await turn();
  const second = join(bus, "same");
  await turn();
  const conflict = 'ERR_CHANNEL_PROTOCOL: Cannot share segment: somebody else is "same"';
  assert.deepEqual([first.told, second.told, c.told], [
    ["meet c", conflict],
    [conflict, "meet c"],
    ["meet same", "meet same"],
  ]);
  first.channels["c"]!.send(say("1"));
  second.channels["c"]!.send(say("2"));
  c.channels["same"]!.send(say("for the second")); // The last that it has met.
  await turn();
  assert.deepEqual(c.told.slice(2), ["same says 1", "same says 2"]);
  assert.deepEqual([first.told.at(-1), second.told.at(-1)], [conflict, "c says for the second"]);
  for (const { segment } of [first, second, c]) await segment.close(cut);
});

test(
  "BroadcastSegment loses who is silent for 20 seconds, having asked",
  { timeout: 10_000 },
  withIntervals(async ({ pass }) => {
    const bus = new FakeBroadcast();
    const [a, b] = [join(bus, "a"), join(bus, "b")];
    await turn();
    b.port.close(); // The page is gone, and has said nothing.
    await pass(3);
    assert.deepEqual(a.told, ["meet b"]);
    assert.equal(bus.posted.filter(({ src, data }) => src === "a" && data === "ask").length, 1);
    await pass(1);
    assert.deepEqual(a.told, ["meet b", "part from b: Cannot keep channel: the peer is silent"]);
    const { length } = bus.posted;
    await pass(10);
    assert.deepEqual(
      bus.posted.slice(length).filter(({ src }) => src === "a").map(({ nxt, data }) => [nxt, data]),
      Array.from({ length: 10 }, () => ["", "hello"]),
    );
    await Promise.all([a.segment.close(cut), b.segment.close(cut)]);
  }),
);

test(
  "BroadcastSegment keeps who only answers: a hidden page, whose timers rest",
  { timeout: 10_000 },
  withIntervals(async ({ pass, rest }) => {
    const bus = new FakeBroadcast();
    const a = join(bus, "a");
    const b = rest(() => join(bus, "b"));
    const c = join(bus, "c");
    await turn();
    await pass(20);
    assert.deepEqual([b.told.toSorted(), c.told.toSorted()], [
      ["meet a", "meet c"],
      ["meet a", "meet b"],
    ]);
    for (const { segment } of [a, b, c]) await segment.close(cut);
  }),
);

test(
  "BroadcastSegment meets again whom it had lost: a page that was frozen",
  { timeout: 10_000 },
  withIntervals(async ({ pass, rest }) => {
    const bus = new FakeBroadcast();
    const a = join(bus, "a");
    const b = rest(() => join(bus, "b"));
    const c = join(bus, "c");
    await turn();
    b.port.freeze();
    c.channels["b"]!.send(say("lost"));
    await pass(4);
    assert.deepEqual(c.told.at(-1), "part from b: Cannot keep channel: the peer is silent");
    b.channels["c"]!.send(say("stale")); // It does not know yet.
    await turn();
    b.port.thaw();
    await pass(2);
    b.channels["c"]!.send(say("from b"));
    c.channels["b"]!.send(say("from c"));
    await turn();
    assert.deepEqual(b.told.filter((line) => /\bc\b/.test(line)).slice(-4), [
      "c says lost",
      "part from c: Cannot keep channel: the peer cut it",
      "meet c",
      "c says from c",
    ]);
    assert.deepEqual(c.told.slice(-2), ["meet b", "b says from b"]);
    for (const { segment } of [a, b, c]) await segment.close(cut);
  }),
);

test("BroadcastSegment begins anew with a neighbour that has forgotten it", {
  timeout: 10_000,
}, async () => {
  const bus = new FakeBroadcast();
  const a = join(bus, "a");
  const peer = bus.join();
  let of = 0;
  let number = 0;
  peer.addEventListener("message", ({ data }) => {
    ({ id: of, mine: number } = data as { id: number; mine: number });
  });
  const post = (mine: number, data: unknown) =>
    peer.postMessage({ src: "p", id: 7, nxt: "a", to: of, mine, yours: 0, data });
  peer.postMessage({ src: "p", id: 7, nxt: "", to: 0, mine: 0, yours: 0, data: "hello" });
  await turn();
  const first = number;
  post(1, say("too early").toBinary()); // It has not said the number of its link.
  post(1, "hello");
  post(1, say("1").toBinary());
  post(1, "ask");
  post(2, "hello");
  post(1, say("stale").toBinary());
  post(2, say("2").toBinary());
  await turn();
  assert.notEqual(number, first);
  assert.deepEqual(a.told, [
    "meet p",
    "p says 1",
    "part from p: Cannot keep channel: the peer began anew",
    "meet p",
    "p says 2",
  ]);
  await a.segment.close(cut);
});

test("BroadcastSegment answers a question of somebody it does not know, and begins anew", {
  timeout: 10_000,
}, async () => {
  const bus = new FakeBroadcast();
  const [a, b] = [join(bus, "a"), join(bus, "b")];
  await turn();
  const { nxt: _, ...from } = bus.posted.find(({ src, nxt }) => src === "b" && nxt === "a")! as
    & (typeof bus.posted)[0]
    & { to: number };
  a.port.freeze();
  a.channels["b"]!.close(new Error("forgotten"));
  await turn();
  bus.posted.length = 0;
  b.channels["a"]!.close(); // Already cut.
  a.port.thaw();
  bus.join().postMessage({ ...from, nxt: "a", data: "ask" }); // As b would, had it not heard.
  await turn();
  assert.deepEqual(a.told, ["meet b", "part from b: forgotten", "meet b"]);
  a.channels["b"]!.send(say("hello again"));
  b.channels["a"]!.send(say("welcome"));
  await turn();
  assert.deepEqual([a.told.at(-1), b.told.at(-1)], ["b says welcome", "a says hello again"]);
  await turn();
  const hellos = bus.posted.filter(({ data }) => data === "hello").length;
  assert(hellos <= 3, `${hellos} hellos: they answer each other`);
  await Promise.all([a.segment.close(cut), b.segment.close(cut)]);
});

test(
  "BroadcastSegment makes a new channel at the next keepalive for one that has closed",
  { timeout: 10_000 },
  withIntervals(async ({ pass }) => {
    const bus = new FakeBroadcast();
    const [a, b] = [join(bus, "a"), join(bus, "b")];
    await turn();
    a.channels["b"]!.close();
    await turn();
    await pass(1);
    a.channels["b"]!.send(say("again"));
    await turn();
    assert.deepEqual(b.told, ["meet a", "part from a", "meet a", "a says again"]);
    await Promise.all([a.segment.close(cut), b.segment.close(cut)]);
  }),
);

test("BroadcastSegment reports what is no message of a segment, and lives on", {
  timeout: 10_000,
}, async () => {
  const bus = new FakeBroadcast();
  const a = join(bus, "a");
  const stranger = bus.join();
  const hostile = [undefined, null, 7, "hello", [], {}, { src: 1, id: 1, nxt: "" }, {
    src: "s",
    id: "1",
    nxt: "",
  }];
  for (const message of hostile) stranger.postMessage(message);
  await turn();
  const report = "ERR_CHANNEL_PROTOCOL: Cannot accept message: it is no segment's";
  assert.deepEqual(a.told, hostile.map(() => report));
  // Well formed, and yet of no use to anybody: passed over.
  for (const data of [undefined, "bye", "end", -1, say("x").toBinary()]) {
    stranger.postMessage({ src: "s", id: 1, nxt: "", data });
    stranger.postMessage({ src: "s", id: 1, nxt: "a", to: 1, mine: 1, yours: 0, data });
  }
  await turn();
  assert.equal(a.told.length, hostile.length);
  const b = join(bus, "b");
  await turn();
  assert.equal(a.told.at(-1), "meet b");
  await Promise.all([a.segment.close(cut), b.segment.close(cut)]);
});

test("BroadcastSegment has at most 256 neighbours", { timeout: 10_000 }, async () => {
  const bus = new FakeBroadcast();
  const a = join(bus, "a");
  const crowd = bus.join();
  const hello = (id: number) =>
    crowd.postMessage({ src: `peer ${id}`, id, nxt: "", to: 0, mine: 0, yours: 0, data: "hello" });
  for (let id = 1; id <= 300; id++) hello(id);
  await turn();
  assert.deepEqual(a.told.slice(255, 257), [
    "meet peer 256",
    'ERR_CHANNEL_PROTOCOL: Cannot add "peer 257": 256 are there already',
  ]);
  assert.equal(a.told.length, 300);
  const reason: ChannelError | Error = cut;
  await a.segment.close(reason);
  assert.equal(a.told.length, 300 + 256);
});

test("BroadcastSegment leaves nothing behind: 300 come and go", { timeout: 60_000 }, async () => {
  const bus = new FakeBroadcast();
  const hub = join(bus, "hub");
  for (let i = 0; i < 300; i++) {
    const guest = join(bus, `guest ${i}`);
    await turn();
    guest.channels["hub"]!.send(say("ping"));
    i % 2 ? await guest.segment.close() : await guest.segment.close(cut);
    assert.equal(guest.port.listening, 0);
  }
  await turn();
  assert.equal(hub.told.filter((line) => line.startsWith("part")).length, 300);
  await hub.segment.close();
  assert.deepEqual([bus.size, hub.port.listening], [0, 0]);
});
