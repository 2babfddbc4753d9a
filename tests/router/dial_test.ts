/** `Dialer` over channels in memory: what it does when, by a clock that only the test moves. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Channel, createChannelPair, Packet, Router } from "../../mod.ts";
import { Dialer, DialerEvent, type DialerOptions } from "../../src/router/dialer.ts";
import { ManualClock, seededRandom } from "../../src/testing/mod.ts";
import { CountingController, ForeignChannel, rejection, turn } from "../support/routers.ts";

const timeout = 10_000;
const down = new Error("nobody listens");

/** A dialer, and all there is around it. */
class Bench {
  readonly clock: ManualClock = new ManualClock();
  readonly server: Router;
  readonly client: Router;
  readonly dialer: Dialer;
  readonly controller: CountingController = new CountingController();
  /** Every event. */
  readonly events: DialerEvent[] = [];
  /** Every state that was told. */
  get states(): string[] {
    return this.events.map(({ state }) => state);
  }
  /** The far end of the last channel, and all near ones. */
  far: Channel | null = null;
  readonly near: Channel[] = [];
  /** The signal of every attempt. */
  readonly signals: AbortSignal[] = [];
  /** Listeners that the dialer keeps at its router. */
  readonly listening: Set<unknown> = new Set();
  /** What an attempt does. */
  open: (signal: AbortSignal) => Channel | Promise<Channel> = () => this.pair();

  constructor(options: DialerOptions = {}) {
    const { clock } = this;
    this.server = new Router("server", { clock, random: seededRandom(1) });
    this.client = new Router("client", { clock, random: seededRandom(2) });
    const { client, listening } = this;
    for (const target of [client, client.signal] as EventTarget[]) {
      const { addEventListener: add, removeEventListener: remove } = target;
      target.addEventListener = (...args) => (listening.add(args[1]), add.apply(target, args));
      target.removeEventListener = (...args) => {
        listening.delete(args[1]);
        remove.apply(target, args);
      };
    }
    const { signal } = this.controller;
    const random = () => 0.5;
    this.dialer = new Dialer(client, (signal) => {
      this.signals.push(signal);
      return this.open(signal);
    }, { clock, signal, random, ...options });
    this.dialer.addEventListener("status", (event) => this.events.push(event));
  }

  /** A channel to the server. */
  pair(): Channel {
    const [near, far] = createChannelPair();
    this.server.addChannel(far);
    this.far = far;
    this.near.push(near);
    return near;
  }

  /** Lets the next pause pass; how long it was, in ms. */
  async retry(): Promise<number> {
    const { state, delay } = this.events.at(-1)!;
    assert.equal(state, "waiting");
    this.clock.advance(delay);
    await turn();
    return delay;
  }

  /** Says that nothing is left of the dialer. */
  async over(reason: unknown): Promise<void> {
    assert.equal(await this.dialer.closed, reason);
    assert.equal(this.dialer.state, "closed");
    assert.deepEqual([this.states.at(-1), this.events.at(-1)!.error], ["closed", reason]);
    assert.deepEqual([this.listening.size, this.controller.listening], [0, 0]);
    const attempts = this.signals.length;
    await Promise.all([this.client.close(), this.server.close()]);
    assert.equal(this.clock.pending, 0);
    this.clock.advance(3_600_000);
    await turn();
    assert.equal(this.signals.length, attempts);
    assert.equal(this.states.filter((state) => state === "closed").length, 1);
  }

  /** Ends all of it. */
  async end(): Promise<void> {
    await Promise.all([this.client.close(), this.server.close()]);
    await this.dialer.closed;
  }
}

const fails = () => Promise.reject(down);
const hangs = () => new Promise<Channel>(() => {});

test("Dialer opens a channel again when it has closed, for whatever reason", {
  timeout,
}, async () => {
  const bench = new Bench();
  const { dialer, server, client, clock } = bench;
  client.registerService("ping", (_packet, reply) => void reply("pong"));
  const cut = new Error("cut");
  const ends: ((channel: Channel) => void)[] = [
    (channel) => channel.close(),
    (channel) => channel.close(cut),
    (channel) => client.removeChannel(channel),
    () => bench.far!.close(),
    () => bench.far!.close(cut),
  ];
  assert.equal(dialer.state, "connecting");
  for (const end of ends) {
    const channel = await dialer.connected();
    assert.equal(dialer.state, "connected");
    assert.equal(channel, bench.near.at(-1));
    const found = server.waitForService("ping");
    clock.advance(1_000);
    assert.equal(await found, "client");
    const answer = server.request("ping");
    assert.equal((await answer).text(), "pong");
    end(channel);
    await turn();
    assert.equal(dialer.state, "waiting");
    await bench.retry();
  }
  assert.equal(bench.near.length, ends.length + 1);
  await bench.end();
});

test("Dialer tells every change, with the attempt, the pause and the error", {
  timeout,
}, async () => {
  const bench = new Bench();
  const { dialer } = bench;
  bench.open = fails;
  await turn();
  bench.open = () => bench.pair();
  await bench.retry();
  const cut = new Error("cut");
  bench.near[0]!.close(cut);
  await turn();
  await dialer.close();
  assert(bench.events.every((event) => event instanceof DialerEvent && event.type === "status"));
  assert.deepEqual(
    bench.events.map(({ state, attempt, delay, error }) => [state, attempt, delay, error]),
    [
      ["connecting", 1, 0, undefined],
      ["waiting", 1, 50, down],
      ["connecting", 2, 0, undefined],
      ["connected", 2, 0, undefined],
      ["waiting", 2, 100, cut],
      ["closed", 2, 0, undefined],
    ],
  );
  await bench.end();
});

test("Dialer waits at random, up to a bound that doubles up to the cap", { timeout }, async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seededRandom(seed);
    const bench = new Bench({ random });
    bench.open = fails;
    await turn();
    const again = seededRandom(seed);
    for (let bound = 100, i = 0; i < (seed === 1 ? 70 : 12); bound *= 2, i++) {
      const delay = await bench.retry();
      assert.equal(delay, again() * Math.min(bound, 30_000), `seed ${seed}, pause ${i}`);
    }
    await bench.end();
  }
});

test("Dialer takes its bounds from minDelay and maxDelay", { timeout }, async () => {
  const bench = new Bench({ minDelay: 8, maxDelay: 20, random: () => 0.75 });
  bench.open = fails;
  await turn();
  const delays = [];
  for (let i = 0; i < 4; i++) delays.push(await bench.retry());
  assert.deepEqual(delays, [6, 12, 15, 15]);
  await bench.end();
});

test("Dialer hurries back only to what has lived for stableAfter", { timeout }, async () => {
  for (
    const [lived, delays] of [[9_999, [50, 100, 200, 400]], [10_000, [50, 50, 50, 50]]] as const
  ) {
    const bench = new Bench();
    const seen = [];
    await turn();
    for (let i = 0; i < 4; i++) {
      bench.clock.advance(lived);
      bench.far!.close();
      await turn();
      seen.push(await bench.retry());
    }
    assert.deepEqual(seen, delays, `after ${lived} ms`);
    await bench.end();
  }
});

test("Dialer gives up after maxAttempts in a row, with the last error", { timeout }, async () => {
  const bench = new Bench({ maxAttempts: 3 });
  await turn();
  bench.clock.advance(10_000);
  bench.open = fails;
  bench.far!.close(); // It had lived: counted from the start.
  await turn();
  for (let i = 0; i < 3; i++) await bench.retry();
  assert.equal(await rejection(bench.dialer.connected()), down);
  assert.deepEqual(bench.signals.length, 4);
  await bench.over(down);
});

test("Dialer gives up after maxAttempts connections that end in order at once", {
  timeout,
}, async () => {
  const bench = new Bench({ maxAttempts: 2 });
  for (let i = 0; i < 2; i++) {
    await turn();
    if (i > 0) await bench.retry();
    bench.far!.close();
  }
  const error = await bench.dialer.closed as Error;
  assert.equal(error.message, "Cannot keep link: it does not last");
  await bench.end();
});

test("Dialer ends at an error that is fatal, of an attempt or of a connection", {
  timeout,
}, async () => {
  const fatal = new Error("not with that certificate");
  const isFatal = (error: unknown) => error === fatal;
  const attempt = new Bench({ isFatal });
  attempt.open = fails;
  await turn();
  attempt.open = () => Promise.reject(fatal);
  await attempt.retry();
  await attempt.over(fatal);

  const connection = new Bench({ isFatal });
  await turn();
  connection.near[0]!.close(fatal);
  await connection.over(fatal);
});

test("Dialer ends if isFatal throws, and goes on if open throws", { timeout }, async () => {
  const thrown = new Error("mistaken");
  const bench = new Bench({
    isFatal(error) {
      if (error === down) throw thrown;
      return false;
    },
  });
  bench.open = () => {
    throw thrown;
  };
  await turn();
  bench.open = fails;
  await bench.retry();
  await bench.over(thrown);
});

test("Dialer takes a channel that cannot be attached for an attempt that failed", {
  timeout,
}, async () => {
  const bench = new Bench();
  const taken = bench.pair();
  bench.client.addChannel(taken);
  bench.open = () => taken;
  await turn();
  assert.match(String(bench.events.at(-1)!.error), /attached already/);
  assert.deepEqual(bench.states, ["connecting", "waiting"]);
  await bench.end();
});

test("Dialer gives an attempt no longer than its timeout, and closes what comes too late", {
  timeout,
}, async () => {
  const bench = new Bench({ timeout: 300 });
  const late = Promise.withResolvers<Channel>();
  bench.open = () => late.promise;
  await turn();
  bench.clock.advance(299);
  assert.equal(bench.dialer.state, "connecting");
  bench.clock.advance(1);
  const { state, error } = bench.events.at(-1)!;
  assert.deepEqual([state, (error as Error).name], ["waiting", "TimeoutError"]);
  assert.equal(bench.signals[0]!.reason, error);
  const channel = new ForeignChannel();
  late.resolve(channel);
  await turn();
  assert.deepEqual(channel.closes, [error]);
  bench.open = () => bench.pair();
  await bench.retry();
  assert.equal(bench.dialer.state, "connected");
  bench.clock.advance(1_000); // The timeout was for the attempt.
  assert.equal(bench.dialer.state, "connected");
  await bench.end();
});

/** How to bring a dialer to each state in which it can be ended. */
const STATES: [name: string, open: ((bench: Bench) => () => Promise<Channel> | Channel)][] = [
  ["new", () => hangs],
  ["connecting", () => hangs],
  ["waiting", () => fails],
  ["connected", (bench) => () => bench.pair()],
];
for (const [name, open] of STATES) {
  /** A dialer in that state. */
  const reach = async (): Promise<Bench> => {
    const bench = new Bench();
    bench.open = open(bench);
    if (name !== "new") await turn();
    assert.equal(bench.dialer.state, name === "new" ? "connecting" : name);
    return bench;
  };

  test(`Dialer.close() ends it when ${name}, and leaves nothing`, { timeout }, async () => {
    for (const reason of [undefined, new Error("enough")]) {
      const bench = await reach();
      const { dialer } = bench;
      const waiting = name === "connected" ? null : rejection(dialer.connected());
      await Promise.all([dialer.close(reason), dialer.close(), dialer[Symbol.asyncDispose]()]);
      for (const channel of bench.near) assert.equal(channel.send(new Packet()), false);
      for (const promise of [waiting, rejection(dialer.connected())]) {
        const error = await promise as { code?: string } | null;
        if (reason !== undefined && error) assert.equal(error, reason);
        else if (error) assert.equal(error.code, "ERR_CHANNEL_CLOSED");
      }
      if (name === "connecting") assert.equal(bench.signals[0]!.aborted, true);
      await bench.over(reason);
    }
  });

  test(`Dialer ends when its signal aborts while it is ${name}`, { timeout }, async () => {
    const bench = await reach();
    const reason = new Error("never mind");
    const waiting = name === "connected" ? null : rejection(bench.dialer.connected());
    bench.controller.abort(reason);
    assert.equal(await (waiting ?? reason), reason);
    await bench.over(reason);
  });

  test(`Dialer ends when its router closes while it is ${name}`, { timeout }, async () => {
    const bench = await reach();
    await bench.client.close();
    await bench.over(undefined);
  });
}

test("Dialer ends at once with a signal that has aborted, or a router that is closed", {
  timeout,
}, async () => {
  const reason = new Error("too late");
  const clock = new ManualClock();
  const router = new Router("a", { clock });
  const dialer = new Dialer(router, hangs, { clock, signal: AbortSignal.abort(reason) });
  assert.equal(await dialer.closed, reason);
  await router.close();
  const second = new Dialer(router, hangs, { clock });
  assert.equal(await second.closed, undefined);
  assert.equal(clock.pending, 0);
});

test("Dialer sends what is queued before it closes, unless there is a reason", {
  timeout,
}, async () => {
  for (const reason of [undefined, new Error("now")]) {
    const bench = new Bench();
    const heard: string[] = [];
    bench.server.registerService("log", (packet) => void heard.push(packet.text()));
    await turn();
    bench.clock.advance(1_000);
    await bench.client.waitForService("log");
    assert.equal(bench.client.send({ srv: "log", data: "bye" }), null);
    await bench.dialer.close(reason);
    await turn();
    assert.deepEqual(heard, reason === undefined ? ["bye"] : []);
    await bench.end();
  }
});

test("Dialer.close() does not wait for ever for a channel that never says that it has closed", {
  timeout,
}, async () => {
  const bench = new Bench();
  const channel = new ForeignChannel();
  channel.tells = false;
  bench.open = () => channel;
  await turn();
  const closed = bench.dialer.close();
  bench.clock.advance(2_000);
  await closed;
  assert.equal(channel.closes.length > 0, true);
  await bench.over(undefined);
});

test("Dialer survives a listener that closes it, at every event", { timeout }, async () => {
  for (let at = 1; at <= 4; at++) {
    const bench = new Bench();
    bench.open = fails;
    bench.dialer.addEventListener("status", ({ state }) => {
      if (state === "waiting") bench.open = () => bench.pair();
      if (bench.events.length === at) bench.dialer.close();
    });
    await turn();
    if (at > 2) await bench.retry();
    await bench.over(undefined);
    assert.deepEqual(
      bench.states,
      [...["connecting", "waiting", "connecting", "connected"].slice(0, at), "closed"],
    );
  }
});

test("Dialer is closed while its router is told of the channel: nothing is left", {
  timeout,
}, async () => {
  const bench = new Bench();
  const waiting = rejection(bench.dialer.connected());
  bench.client.addEventListener("channel", () => void bench.dialer.close(), { once: true });
  await turn();
  bench.listening.delete([...bench.listening].at(-1)); // The test's own, which is gone.
  await bench.dialer.closed;
  assert.deepEqual(bench.states, ["connecting", "closed"]);
  assert.equal(await waiting, await rejection(bench.dialer.connected()));
  await bench.end();
  assert.equal(bench.clock.pending, 0);
});

test("Dialer.connected() goes on waiting when a channel closes while it is attached", {
  timeout,
}, async () => {
  const bench = new Bench();
  const waiting = bench.dialer.connected();
  const channel = new ForeignChannel();
  channel.answer = () => channel.close(down);
  bench.open = () => channel;
  await turn();
  assert.deepEqual(bench.states, ["connecting", "waiting"]);
  bench.open = () => bench.pair();
  await bench.retry();
  assert.equal(await waiting, bench.near[0]);
  await bench.end();
});

test("Dialer.connected() waits for the next connection while there is none", {
  timeout,
}, async () => {
  const bench = new Bench();
  const first = await bench.dialer.connected();
  assert.equal(await bench.dialer.connected(), first);
  bench.far!.close();
  await turn();
  const next = bench.dialer.connected();
  await bench.retry();
  assert.equal(await next, bench.near[1]);
  await bench.end();
});

test("Dialer throws a RangeError for options that are no bounds", { timeout }, async () => {
  const router = new Router("a", { clock: new ManualClock() });
  const bad: DialerOptions[] = [
    { minDelay: -1 },
    { maxDelay: NaN },
    { timeout: -1 },
    { stableAfter: NaN },
    { maxAttempts: 0 },
  ];
  for (const options of bad) {
    const [name, value] = Object.entries(options)[0]!;
    const least = name === "maxAttempts" ? 1 : 0;
    assert.throws(() => new Dialer(router, hangs, options), {
      name: "RangeError",
      message: `Cannot dial: ${name} is "${value}", and must be at least ${least}`,
    });
  }
  await router.close();
});
