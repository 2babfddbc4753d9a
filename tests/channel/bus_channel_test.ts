/**
 * Routers on one segment, over an engine in memory.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createChannelPair, Packet, Router, type RouterOptions } from "../../mod.ts";
import { broadcastBus } from "../../src/bus/mod.ts";
import { topicOf } from "../../src/channel/bus.ts";
import { BusChannel, type BusChannelOptions, lastWill } from "../../src/channel/bus_channel.ts";
import { seededRandom } from "../../src/testing/mod.ts";
import { encodePacket } from "../../src/wire/packet_codec.ts";
import {
  decodeSegmentHead,
  encodeSegmentHead,
  encodeSegmentMessage,
  EVERYBODY,
} from "../../src/wire/segment_message.ts";
import { type MemoryBus, MemoryEngine } from "../support/memory_bus.ts";

/** A router on a segment, and what it has dropped. */
interface Joined {
  router: Router;
  bus: MemoryBus;
  channel: BusChannel;
  drops: string[];
}

/** A router on a segment, closed with the test. */
function join(
  t: { after(run: () => Promise<void>): void },
  engine: MemoryEngine,
  address: string,
  options: BusChannelOptions & { router?: RouterOptions; bus?: MemoryBus } = {},
): Joined {
  const router = new Router(address, options.router);
  const bus = options.bus ?? engine.bus();
  const channel = new BusChannel(bus, options);
  const drops: string[] = [];
  router.addEventListener("drop", ({ error }) => drops.push(error.message));
  router.addChannel(channel);
  t.after(() => router.close());
  return { router, bus, channel, drops };
}

/** Two routers on a segment, "a" and "b", where the first can call "echo" at the second. */
async function echoing(
  t: { after(run: () => Promise<void>): void },
): Promise<{ engine: MemoryEngine; a: Joined; b: Joined }> {
  const engine = new MemoryEngine();
  const [a, b] = [join(t, engine, "a"), join(t, engine, "b")];
  b.router.registerService("echo", (packet) => packet.data);
  await a.router.waitForService("echo");
  return { engine, a, b };
}

/** Waits until nobody says anything any more: whoever has come has been answered. */
async function quiet({ published }: MemoryEngine): Promise<void> {
  for (let before = -1; before !== published.length;) {
    before = published.length;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Looks again, turn by turn, until something is so. The test's own limit ends it. */
async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  while (!await check()) await new Promise((resolve) => setTimeout(resolve, 1));
}

function reaches(router: Router, ...addresses: string[]): Promise<void> {
  return until(() => addresses.every((one) => router.routes().some((it) => it.address === one)));
}

describe("A topic", () => {
  test("may be made of any words, which no engine misunderstands", () => {
    assert.equal(topicOf(["aln", "home", "all"], "."), "aln.home.all");
    assert.equal(topicOf(["a.b", "*", ">"], "."), "a%2Eb.%2A.%3E");
    assert.equal(topicOf(["a/b", "+", "#"], "/"), "a%2Fb/%2B/%23");
    assert.equal(topicOf(["$SYS", "ä b", "(!~')"], "."), "%24SYS.%C3%A4%20b.%28%21%7E%27%29");
  });
});

describe("BusChannel", () => {
  test(
    "makes neighbours of all who have joined, and services can be called",
    { timeout: 20_000 },
    async (t) => {
      const engine = new MemoryEngine();
      const [a, b, c] = ["a", "b", "c"].map((address) => join(t, engine, address));
      b!.router.registerService("ping", () => "pong");
      await a!.router.waitForService("ping");
      assert.equal((await a!.router.request("ping")).text(), "pong");
      await reaches(c!.router, "a", "b");
      assert.deepEqual(c!.router.routes().map(({ cost }) => cost), [1, 1]);
    },
  );

  test("joins routers over a real BroadcastChannel", { timeout: 20_000 }, async (t) => {
    const [a, b] = ["a", "b"].map((address) => {
      const router = new Router(address);
      t.after(() => router.close());
      router.addChannel(new BusChannel(broadcastBus(new BroadcastChannel("bus-channel-test"))));
      return router;
    }) as [Router, Router];
    b.registerService("echo", (packet) => packet.data);
    await a.waitForService("echo");
    const data = Uint8Array.from({ length: 100_000 }, (_, i) => i & 0xff);
    assert.deepEqual((await a.request("echo", data)).data, data);
  });

  test(
    "publishes news once for all, and a packet for one to that one alone",
    { timeout: 20_000 },
    async (t) => {
      const engine = new MemoryEngine();
      const [a, b, c] = ["a", "b", "c"].map((address) => join(t, engine, address));
      await Promise.all([reaches(a!.router, "b", "c"), reaches(b!.router, "a", "c")]);
      await reaches(c!.router, "a", "b");
      await quiet(engine);
      engine.published.length = 0;
      b!.router.registerService("ping", () => "pong");
      await Promise.all([a, c].map((it) => it!.router.waitForService("ping")));
      assert.deepEqual(engine.published.map(({ topic }) => topic), ["aln/mesh/all"]);
      engine.published.length = 0;
      await a!.router.request("ping");
      assert.deepEqual(engine.published.map(({ topic, heard }) => [topic, heard]), [
        ["aln/mesh/to/b", 1],
        ["aln/mesh/to/a", 1],
      ]);
    },
  );

  test("puts what waits for one listener into one message", { timeout: 20_000 }, async (t) => {
    const { engine, a } = await echoing(t);
    engine.published.length = 0;
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, i) => a.router.request("echo", `${i}`)),
    );
    assert.deepEqual(
      replies.map((reply) => reply.text()),
      Array.from({ length: 20 }, (_, i) => `${i}`),
    );
    assert(engine.published.length <= 4, `${engine.published.length} messages`);
  });

  test("keeps the order of what is for one and what is for all", { timeout: 20_000 }, async (t) => {
    const engine = new MemoryEngine();
    const a = join(t, engine, "a");
    const heard: string[] = [];
    const b = new BusChannel(engine.bus());
    t.after(() => b.close());
    b.segment.onPacket = ({ data }) => heard.push(new TextDecoder().decode(data));
    b.segment.open("b");
    const c = join(t, engine, "c");
    const { segment } = a.channel;
    const { onPacket } = segment;
    const peer = new Promise<number>((resolve) => {
      segment.onPacket = (packet, from) => (resolve(from), onPacket?.(packet, from));
    });
    b.send(new Packet({ net: 3 }));
    const toB = await peer;
    await reaches(a.router, "c");
    await reaches(c.router, "a");
    await quiet(engine);
    heard.length = 0;
    const news = (data: string) => new Packet({ net: 4, data });
    for (const data of ["1", "2"]) segment.send(news(data), toB);
    for (const data of ["3", "4"]) a.channel.send(news(data)); // A route, say.
    const call = (data: string) => new Packet({ src: "a", srv: "x", data });
    for (const data of ["5", "6"]) segment.send(call(data), toB); // And a call from there.
    await until(() => heard.length === 6);
    assert.deepEqual(heard, ["1", "2", "3", "4", "5", "6"]);
  });

  test("with a single topic needs no other, and still hands a packet to one alone", {
    timeout: 20_000,
  }, async (t) => {
    const engine = new MemoryEngine();
    const options = { singleTopic: true, network: "n" };
    const a = join(t, engine, "a", options);
    const b = join(t, engine, "b", options);
    const c = join(t, engine, "c", options);
    b.router.registerService("ping", () => "pong");
    await a.router.waitForService("ping");
    await quiet(engine);
    const before = c.channel.counters.packetsIn;
    assert.equal((await a.router.request("ping")).text(), "pong");
    assert.equal(c.channel.counters.packetsIn, before);
    assert.deepEqual([...new Set(engine.published.map(({ topic }) => topic))], ["aln/n"]);
  });

  test("keeps networks on one engine apart", { timeout: 20_000 }, async (t) => {
    const engine = new MemoryEngine();
    const a = join(t, engine, "a", { network: "one" });
    const b = join(t, engine, "b", { network: "two" });
    const c = join(t, engine, "c", { network: "one" });
    await reaches(a.router, "c");
    await reaches(c.router, "a");
    assert.deepEqual(b.router.routes(), []);
  });

  test(
    "does not join an engine whose messages hold no link frame",
    { timeout: 20_000 },
    async (t) => {
      const engine = new MemoryEngine();
      const a = join(t, engine, "a", { bus: engine.bus({ maxMessage: 4_000 }) });
      const reason = await a.channel.closed as Error;
      assert.match(reason.message, /the engine's messages hold 4000 bytes, fewer than 16384/);
      assert.equal(engine.buses.size, 0);
    },
  );

  test("takes nothing of an application that is said to all", { timeout: 20_000 }, async (t) => {
    const engine = new MemoryEngine();
    const a = join(t, engine, "a");
    const b = join(t, engine, "b");
    let calls = 0;
    b.router.registerService("x", () => void calls++);
    await a.router.waitForService("x");
    a.channel.send(new Packet({ dst: "b", srv: "x" })); // As nobody does who means well.
    await until(() => b.drops.some((why) => /to all/.test(why)));
    assert.equal(calls, 0);
  });

  test("carries payloads larger than a message", { timeout: 20_000 }, async (t) => {
    const engine = new MemoryEngine();
    const a = join(t, engine, "a", { bus: engine.bus({ maxMessage: 40_000 }) });
    const b = join(t, engine, "b", { bus: engine.bus({ maxMessage: 40_000 }) });
    b.router.registerService("length", (packet) => `${packet.data.length}`);
    await a.router.waitForService("length");
    assert.equal((await a.router.request("length", new Uint8Array(1 << 20))).text(), `${1 << 20}`);
    assert(engine.published.every(({ message }) => message.length <= 40_000));
  });

  test("says what is wrong with a packet that no message holds", { timeout: 20_000 }, async (t) => {
    const engine = new MemoryEngine();
    const a = join(t, engine, "a", { bus: engine.bus({ maxMessage: 20_000 }) });
    join(t, engine, "b");
    await reaches(a.router, "b");
    a.router.send({ dst: "b", srv: "x", data: new Uint8Array(30_000) });
    await until(() =>
      a.drops.some((why) => /takes 30\d\d\d bytes, and a message holds 19\d\d\d/.test(why))
    );
  });

  test("says goodbye: who closes is gone at once", { timeout: 20_000 }, async (t) => {
    const engine = new MemoryEngine();
    const a = join(t, engine, "a");
    const b = join(t, engine, "b");
    b.router.registerService("ping", () => "pong");
    await a.router.waitForService("ping");
    await b.router.close();
    assert.deepEqual(engine.buses.size, 1);
    await until(() => a.router.routes().length === 0);
    await assert.rejects(a.router.request("ping"), { code: "ERR_NO_SERVICE" });
    const c = join(t, engine, "c");
    await reaches(a.router, "c");
    c.router.removeChannel(c.channel);
    await until(() => a.router.routes().length === 0);
    const d = join(t, engine, "d");
    await reaches(a.router, "d");
    d.channel.close(new Error("something is wrong"));
    await until(() => a.router.routes().length === 0);
  });

  test("lets who has just come answer whoever calls at once, here or beyond", {
    timeout: 20_000,
  }, async (t) => {
    const engine = new MemoryEngine();
    const hub = join(t, engine, "hub");
    const guest = new Router("guest");
    t.after(() => guest.close());
    const [near, far] = createChannelPair();
    hub.router.addChannel(near);
    guest.addChannel(far);
    await reaches(guest, "hub");
    await quiet(engine);
    const replies = Promise.all([guest, hub.router].map(async (router) => {
      await router.waitForService("ping");
      return (await router.request("ping", "", { timeout: 1_000 })).text();
    }));
    const b = join(t, engine, "b");
    b.router.registerService("ping", () => "pong");
    assert.deepEqual(await replies, ["pong", "pong"]);
  });

  test("lets go of a neighbour that nobody hears any more, and calls to it fail", {
    timeout: 20_000,
  }, async (t) => {
    const engine = new MemoryEngine();
    const a = join(t, engine, "a");
    const b = join(t, engine, "b");
    b.router.registerService("hang", () => new Promise<string>(() => {}));
    await a.router.waitForService("hang");
    const call = a.router.request("hang", "", { timeout: 30_000 });
    await until(() => b.channel.counters.packetsIn > 0);
    engine.attach(b.bus, false); // As when its process is killed.
    a.router.send({ dst: "b", srv: "hang" });
    await assert.rejects(call, { code: "ERR_NO_ROUTE" });
    assert.deepEqual(a.router.routes(), []);
  });

  test(
    "notices that a neighbour is gone though its engine has noticed too late to say so at once",
    {
      timeout: 20_000,
    },
    async (t) => {
      const engine = new MemoryEngine();
      const a = join(t, engine, "a");
      const b = join(t, engine, "b");
      b.router.registerService("hang", () => new Promise<string>(() => {}));
      await a.router.waitForService("hang");
      b.bus.events = null; // It is dead, and its subscriptions still stand.
      const call = a.router.request("hang", "", { timeout: 30_000 });
      await until(() => engine.published.at(-1)!.topic === "aln/mesh/to/b");
      engine.attach(b.bus, false);
      await assert.rejects(call, { code: "ERR_NO_ROUTE" });
    },
  );

  test("does not let go of a neighbour that is heard after all", { timeout: 20_000 }, async (t) => {
    const engine = new MemoryEngine();
    const a = join(t, engine, "a");
    const b = join(t, engine, "b");
    await Promise.all([reaches(a.router, "b"), reaches(b.router, "a")]);
    a.bus.events!.unheard("aln/mesh/to/b"); // A server that did not know yet.
    a.bus.events!.unheard("aln/mesh/to/b");
    await quiet(engine);
    assert.deepEqual(a.router.routes().map(({ address }) => address), ["b"]);
    engine.attach(b.bus, false);
    a.router.send({ dst: "b", srv: "x" });
    await until(() => a.router.routes().length === 0);
  });

  test("believes a router that comes back at once, whatever was said of its last life", {
    timeout: 20_000,
  }, async (t) => {
    const engine = new MemoryEngine();
    const a = join(t, engine, "a");
    const b = join(t, engine, "b");
    b.router.registerService("ping", () => "old");
    await a.router.waitForService("ping");
    engine.attach(b.bus, false);
    const again = join(t, engine, "b", { router: { incarnation: 200_000_000 } });
    again.router.registerService("ping", () => "new");
    await until(async () => {
      return await a.router.request("ping", "", { timeout: 200 }).then(
        (reply) => reply.text() === "new",
        () => false,
      );
    });
  });

  test(
    "takes a last will for a goodbye of that life, and of no other",
    { timeout: 20_000 },
    async (t) => {
      const engine = new MemoryEngine();
      const a = join(t, engine, "a");
      const first = lastWill("/", "b");
      const b = join(t, engine, "b", { will: first });
      await reaches(a.router, "b");
      engine.attach(b.bus, false);
      engine.publish(first.topic, first.payload);
      await until(() => a.router.routes().length === 0);
      join(t, engine, "b", {
        will: lastWill("/", "b"),
        router: { incarnation: 200_000_000 },
      });
      await reaches(a.router, "b");
      engine.publish(first.topic, first.payload); // The broker is late.
      const c = join(t, engine, "c");
      await reaches(c.router, "a", "b");
      await reaches(a.router, "c");
      assert(a.router.routes().some(({ address }) => address === "b"));
    },
  );

  test("waits for an engine that is away for a moment, and loses nothing meanwhile", {
    timeout: 20_000,
  }, async (t) => {
    const { a } = await echoing(t);
    a.bus.connect(false);
    const call = a.router.request("echo", "x", { timeout: 5_000 });
    a.bus.connect(true);
    assert.equal((await call).text(), "x");
  });

  test("takes everybody for gone when the engine stays away, and finds them again", {
    timeout: 20_000,
  }, async (t) => {
    const { a } = await echoing(t);
    a.bus.connect(false);
    await until(() => a.router.routes().length === 0);
    await assert.rejects(a.router.request("echo"), { code: "ERR_NO_SERVICE" });
    a.bus.connect(true);
    await a.router.waitForService("echo");
    assert.equal((await a.router.request("echo", "y")).text(), "y");
  });

  test("greets each of the others once when all are back, though some are heard before", {
    timeout: 20_000,
  }, async (t) => {
    const engine = new MemoryEngine();
    const those = ["a", "b", "c"].map((address) => join(t, engine, address));
    for (const { router } of those) await until(() => router.routes().length === 2);
    for (const { bus } of those) bus.connect(false);
    for (const { router } of those) await until(() => router.routes().length === 0);
    const news: string[] = [];
    for (const { router, bus } of those) {
      router.addEventListener("route", ({ address, cost }) => {
        news.push(`${router.address}: ${address} ${cost}`);
      });
      engine.attach(bus, true); // It hears again, but is told so later.
    }
    for (const { bus } of those) {
      const others = those.filter((it) => it.bus !== bus).map(({ channel }) => channel);
      const before = others.map(({ counters }) => counters.packetsIn);
      bus.events!.back();
      await until(() => others.every(({ counters }, i) => counters.packetsIn > before[i]!));
    }
    await quiet(engine);
    assert.deepEqual(news.sort(), ["a: b 1", "a: c 1", "b: a 1", "b: c 1", "c: a 1", "c: b 1"]);
  });

  test("closes with the reason if the engine lets nobody subscribe, or is gone for good", {
    timeout: 20_000,
  }, async (t) => {
    const engine = new MemoryEngine();
    const bus = engine.bus();
    bus.refusal = new Error("no permission");
    const a = join(t, engine, "a", { bus });
    const reason = await a.channel.closed as Error;
    assert.match(reason.message, /the engine does not let us subscribe/);
    assert.equal(reason.cause, bus.refusal);
    const b = join(t, engine, "b");
    const c = join(t, engine, "c");
    await reaches(c.router, "b");
    c.bus.events!.closed(new Error("gone"));
    assert.equal((await c.channel.closed as Error).message, "gone");
    assert.deepEqual(c.router.routes(), []);
    assert.equal(b.channel.isOpen, true);
  });

  test("tells what is no message of a segment, and lives on", { timeout: 20_000 }, async (t) => {
    const engine = new MemoryEngine();
    const a = join(t, engine, "a");
    join(t, engine, "b");
    await reaches(a.router, "b");
    for (
      const bytes of [[], [1, 2, 3], [0x41, 0x53, 1, 0], [0x41, 0x53, 1, 0, 0, 0, 7, 0, 0, 0, 0, 0]]
    ) {
      engine.publish("aln/mesh/all", Uint8Array.from(bytes));
    }
    await until(() => a.drops.length >= 4);
    assert(a.router.routes().some(({ address }) => address === "b"));
  });

  test("bears whatever is said on its topics, and goes on", { timeout: 60_000 }, async (t) => {
    const { engine, a } = await echoing(t);
    await a.router.request("echo", "x");
    const real = engine.published.map(({ message }) => message);
    const random = seededRandom(8);
    const below = (limit: number) => Math.floor(limit * random());
    for (let i = 0; i < 3_000; i++) {
      const bytes = Uint8Array.from(real[below(real.length)]!);
      for (let j = below(6); j >= 0; j--) bytes[below(bytes.length)] = below(256);
      const cut = random() < 0.2 ? bytes.subarray(0, below(bytes.length)) : bytes;
      a.bus.events!.message(cut);
    }
    await until(async () => {
      const answer = await a.router.request("echo", "y", { timeout: 500 }).catch(() => null);
      return answer?.text() === "y";
    });
    assert(a.channel.isOpen);
  });

  test("has room for who comes after any number of senders who said nothing of use", {
    timeout: 60_000,
  }, async (t) => {
    const engine = new MemoryEngine();
    const a = join(t, engine, "a");
    await until(() => a.bus.events !== null);
    const packet = encodePacket(new Packet({ net: 3 }));
    let from = 0;
    for (const packets of [[], [Uint8Array.of(255)], [packet]]) { // Each more than a router keeps.
      for (let i = 0; i < 20_000; i++) {
        const head = encodeSegmentHead({ from: ++from, to: EVERYBODY, address: "x" });
        a.bus.events!.message(encodeSegmentMessage(head, EVERYBODY, packets));
      }
    }
    await until(() => a.router.stats().drops.table > 0);
    const b = join(t, engine, "b");
    await reaches(b.router, "a");
    await reaches(a.router, "b");
  });

  test("hears nobody while the engine says that it is away, though it still brings messages", {
    timeout: 20_000,
  }, async (t) => {
    const engine = new MemoryEngine();
    const a = join(t, engine, "a");
    const b = join(t, engine, "b");
    await reaches(a.router, "b");
    const lost = new Promise<void>((resolve) => {
      a.router.addEventListener("route", ({ cost }) => cost === 0 && resolve());
    });
    a.bus.events!.away();
    await lost;
    const before = engine.published.length;
    b.router.registerService("ping", () => "pong");
    await until(() => engine.published.length > before);
    await quiet(engine);
    assert.deepEqual([a.router.routes(), a.channel.bufferedBytes], [[], 0]);
    a.bus.events!.back();
    await a.router.waitForService("ping");
    assert.equal((await a.router.request("ping")).text(), "pong");
  });

  test("tells nobody else what waits for a neighbour that is gone, but says that it is lost", {
    timeout: 20_000,
  }, async (t) => {
    const engine = new MemoryEngine();
    const a = join(t, engine, "a");
    const b = join(t, engine, "b");
    b.router.registerService("sink", () => {});
    await a.router.waitForService("sink");
    await quiet(engine);
    const heads = engine.published.map(({ message }) => decodeSegmentHead(message)!);
    const { from } = heads.find(({ address }) => address === "b")!;
    engine.published.length = 0;
    assert.equal(a.router.send({ dst: "b", srv: "sink", data: "secret" }), null);
    a.channel.segment.onGone!(from); // Before it is published.
    await until(() => a.drops.length > 0);
    assert.deepEqual(a.drops, ["Cannot send: who it is for has gone"]);
    const told = engine.published.map(({ message }) => new TextDecoder().decode(message));
    assert(!told.some((text) => text.includes("secret")));
  });

  test("ignores messages of a version to come", { timeout: 20_000 }, async (t) => {
    const engine = new MemoryEngine();
    const a = join(t, engine, "a");
    join(t, engine, "b");
    await reaches(a.router, "b");
    engine.publish("aln/mesh/all", Uint8Array.of(0x41, 0x53, 2, 9, 9));
    engine.publish("aln/mesh/all", Uint8Array.of(0));
    await until(() => a.drops.length > 0);
    assert.equal(a.drops.length, 1);
  });

  test("tells of two that have one address", { timeout: 20_000 }, async (t) => {
    const engine = new MemoryEngine();
    const a = join(t, engine, "a");
    const conflicts: string[] = [];
    for (const { router } of [a, join(t, engine, "same"), join(t, engine, "same")]) {
      router.addEventListener("conflict", ({ address }) => conflicts.push(address));
    }
    await until(() => conflicts.includes("same"));
    assert(a.channel.isOpen);
  });

  test("is not attached where a key or a certificate is asked for, unless the engine is trusted", {
    timeout: 20_000,
  }, async (t) => {
    const engine = new MemoryEngine();
    const router = new Router("a", { networkKey: "secret" });
    t.after(() => router.close());
    const refused = /neighbours on a segment cannot prove that they know a key/;
    assert.throws(() => router.addChannel(new BusChannel(engine.bus())), refused);
    const keyless = new Router("b");
    t.after(() => keyless.close());
    assert.throws(() => keyless.addChannel(new BusChannel(engine.bus()), { key: "x" }), refused);
    assert.throws(
      () => keyless.addChannel(new BusChannel(engine.bus()), { identity: true }),
      /show no certificates/,
    );
    router.addChannel(new BusChannel(engine.bus()), { key: null });
    keyless.addChannel(new BusChannel(engine.bus()));
    await reaches(router, "b");
  });

  test(
    "holds what its engine does not take, within its bound, and says so",
    { timeout: 20_000 },
    async (t) => {
      const engine = new MemoryEngine();
      let release = () => {};
      const flush = () => new Promise<void>((resolve) => release = resolve);
      const a = join(t, engine, "a", { bus: engine.bus({ flush }), highWater: 100_000 });
      const b = join(t, engine, "b");
      let heard = 0;
      b.router.registerService("sink", () => void heard++);
      await a.router.waitForService("sink");
      const data = new Uint8Array(10_000);
      let sent = 0;
      while (a.router.send({ dst: "b", srv: "sink", data }) === null && sent < 200) {
        sent++;
        if (sent % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
      }
      assert(sent >= 26 && sent < 60, `${sent} sent`);
      assert(a.channel.bufferedBytes <= 100_000);
      const drained = a.channel.drained();
      release();
      await drained;
      await until(() => heard === sent);
    },
  );

  test("shows who is there", { timeout: 20_000 }, async (t) => {
    const engine = new MemoryEngine();
    const [a] = ["a", "b", "c"].map((address) => join(t, engine, address));
    await reaches(a!.router, "b", "c");
    const [link] = a!.router.stats().channels;
    assert.equal(link!.kind, "segment");
    assert.equal(link!.transport, "memory-bus");
    assert.deepEqual(link!.neighbours!.map(({ address }) => address).sort(), ["b", "c"]);
  });

  test("obeys the policy of its link, neighbour by neighbour", { timeout: 20_000 }, async (t) => {
    const engine = new MemoryEngine();
    const router = new Router("a");
    t.after(() => router.close());
    router.addChannel(new BusChannel(engine.bus()), { policy: { advertises: ["b"] } });
    join(t, engine, "b");
    const c = join(t, engine, "c");
    await reaches(router, "b");
    await reaches(c.router, "a", "b");
    assert.deepEqual(router.routes().map(({ address }) => address), ["b"]);
  });

  test("leaves nothing behind: fifty come and go", { timeout: 20_000 }, async (t) => {
    const engine = new MemoryEngine();
    const a = join(t, engine, "a");
    for (let i = 0; i < 50; i++) {
      const router = new Router(`guest-${i}`);
      router.addChannel(new BusChannel(engine.bus()));
      await reaches(a.router, `guest-${i}`);
      await router.close();
    }
    await until(() => a.router.routes().length === 0);
    assert.equal(engine.buses.size, 1);
    assert.equal(a.router.stats().channels[0]!.neighbours!.length, 0);
  });

  test("closed while it joins, leaves nothing behind", { timeout: 20_000 }, async () => {
    const engine = new MemoryEngine();
    const bus = engine.bus();
    const slow = Promise.withResolvers<void>();
    const open = bus.open.bind(bus);
    bus.open = async (...how) => {
      await slow.promise;
      await open(...how);
    };
    const router = new Router("a");
    router.addChannel(new BusChannel(bus));
    await router.close();
    slow.resolve();
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert.deepEqual([engine.buses.size, engine.published.length], [0, 0]);
  });

  test("wants a name for its network: engines have no empty words", () => {
    const wrong = { name: "TypeError", message: "Cannot join segment: its network has no name" };
    assert.throws(() => new BusChannel(new MemoryEngine().bus(), { network: "" }), wrong);
    assert.throws(() => lastWill("/", "a", { network: "" }), wrong);
  });

  test("does not take a will that is for another network", () => {
    const bus = new MemoryEngine().bus();
    const will = lastWill("/", "a", { network: "elsewhere" });
    assert.throws(
      () => new BusChannel(bus, { will }),
      /it is for "aln\/elsewhere\/all", and this is "aln\/mesh\/all"/,
    );
  });

  test("can be closed before anybody has attached it", { timeout: 20_000 }, async () => {
    const bus = new MemoryEngine().bus();
    const channel = new BusChannel(bus);
    channel.close();
    assert.equal(await channel.closed, undefined);
    assert.equal(channel.send(new Packet({ dst: "x" })), false);
  });
});
