import assert from "node:assert/strict";
import { mock, test } from "node:test";
import {
  BaseChannel,
  ChannelError,
  createChannelPair,
  type OverflowPolicy,
  Packet,
} from "../../mod.ts";
import { CountingController, rejection, turn } from "../support/routers.ts";
import { pass } from "../support/timers.ts";

/** A channel over nothing: what it flushes stays until the test takes it. */
class StuckChannel extends BaseChannel<Packet> {
  /** Every reason that it was shut for. */
  readonly shuts: unknown[] = [];
  /** What the transport has taken bit by bit. */
  moved: number = 0;
  /** How often something was queued. */
  flushes: number = 0;
  /** Whether it takes its time to end for a reason. */
  lingers: boolean = false;

  protected override encode(packet: Packet): Packet {
    return packet;
  }
  protected override sizeOf(packet: Packet): number {
    return 1 + packet.data.length;
  }
  protected override flush(): void {
    this.flushes++;
  }
  protected override progress(): number {
    return this.moved;
  }
  protected override shut(reason?: unknown): void {
    this.shuts.push(reason);
    if (reason !== undefined && !this.lingers) this.finish(reason);
  }

  /** Takes one, and lets it be on its way. */
  take(): Packet | undefined {
    return this.next();
  }
  /** Takes and releases everything. */
  empty(): void {
    for (let packet; (packet = this.next()) !== undefined;) this.sent(this.sizeOf(packet));
  }
  /** What was taken has left. */
  release(size: number): void {
    this.sent(size);
  }
  arrive(text: string): void {
    this.deliver(new Packet({ data: text }));
  }
  end(reason?: unknown): void {
    this.finish(reason);
  }
}

const packet = new Packet({ srv: "s" });
const closed = new ChannelError("ERR_CHANNEL_CLOSED", "Cannot send: the channel is closed");

test("BaseChannel.drained() resolves when nothing is queued any more", {
  timeout: 10_000,
}, async () => {
  const channel = new StuckChannel();
  await channel.drained();
  channel.send(packet);
  let drained = 0;
  const waiting = [channel.drained(), channel.drained()].map((wait) => wait.then(() => drained++));
  await turn();
  assert.deepEqual([drained, channel.bufferedBytes], [0, 1]);
  channel.empty();
  await Promise.all(waiting);
  assert.deepEqual([drained, channel.bufferedBytes], [2, 0]);
});

test("BaseChannel.drained() ends with the reason of its signal, and leaves nothing on it", {
  timeout: 10_000,
}, async () => {
  const channel = new StuckChannel();
  channel.send(packet);
  const controller = new CountingController();
  const { signal } = controller;
  const reason = new Error("enough");
  const waiting = rejection(channel.drained({ signal }));
  const other = channel.drained();
  assert.equal(controller.listening, 1);
  controller.abort(reason);
  assert.equal(await waiting, reason);
  assert.equal(await rejection(channel.drained({ signal })), reason);
  channel.empty();
  await other; // Whoever waits without that signal goes on waiting.
  assert.equal(controller.listening, 0);
});

test("BaseChannel.drained() leaves nothing on its signal when it resolves or the channel closes", {
  timeout: 10_000,
}, async () => {
  const channel = new StuckChannel();
  const controller = new CountingController();
  const { signal } = controller;
  channel.send(packet);
  const resolved = channel.drained({ signal });
  channel.empty();
  await resolved;
  assert.equal(controller.listening, 0);
  channel.send(packet);
  const rejected = rejection(channel.drained({ signal }));
  channel.close(new Error("cut"));
  assert.deepEqual(await rejected, closed);
  assert.deepEqual(await rejection(channel.drained()), closed);
  assert.equal(controller.listening, 0);
});

test("BaseChannel.closed leaves nothing on the channel's signal", { timeout: 10_000 }, async () => {
  const controller = new CountingController();
  const channel = new StuckChannel({ signal: controller.signal });
  assert.equal(controller.listening, 1);
  channel.end();
  assert.deepEqual([await channel.closed, controller.listening], [undefined, 0]);
});

test("BaseChannel closes for the reason of a signal that has aborted already", {
  timeout: 10_000,
}, async () => {
  const reason = new Error("too late");
  const channel = new StuckChannel({ signal: AbortSignal.abort(reason) });
  assert.equal(await channel.closed, reason);
});

test("BaseChannel.onPacket is given first what came before it was set, in order", {
  timeout: 10_000,
}, async () => {
  const channel = new StuckChannel();
  const heard: string[] = [];
  channel.arrive("1");
  channel.arrive("2");
  channel.onPacket = (packet) => void heard.push(packet.text());
  channel.arrive("3"); // Not yet told of the others: it has to wait its turn.
  await turn();
  channel.arrive("4");
  assert.deepEqual(heard, ["1", "2", "3", "4"]);
});

test("BaseChannel.closed says why, whether it is asked for before or only when all is over", {
  timeout: 10_000,
}, async () => {
  const reason = new Error("gone");
  const early = new StuckChannel();
  const { closed } = early;
  early.close(reason);
  assert.deepEqual([await closed, await early.closed], [reason, reason]);
  const late = new StuckChannel();
  late.close(reason);
  await turn();
  assert.equal(await late.closed, reason);
});

test("BaseChannel.onPacket is given what came before it was set, though the peer has closed", {
  timeout: 10_000,
}, async () => {
  const channel = new StuckChannel();
  channel.arrive("last words");
  channel.end();
  await channel.closed;
  const told: string[] = [];
  channel.onPacket = (packet) => void told.push(packet.text());
  channel.onClose = () => void told.push("closed");
  await turn();
  assert.deepEqual(told, ["last words", "closed"]);
});

test(
  "BaseChannel.onPacket is given nothing after our own close()",
  { timeout: 10_000 },
  async () => {
    for (const reason of [undefined, new Error("cut")]) {
      const channel = new StuckChannel();
      channel.arrive("early");
      channel.close(reason);
      let heard = 0;
      channel.onPacket = () => void heard++;
      channel.arrive("late");
      channel.end();
      await turn();
      assert.equal(heard, 0);
    }
  },
);

test("BaseChannel holds 1,024 packets for whoever comes late, and drops the rest", {
  timeout: 10_000,
}, async () => {
  const channel = new StuckChannel();
  const drops: string[] = [];
  channel.onDrop = (error, packet) => void drops.push(`${error.code} ${packet?.text()}`);
  for (let i = 0; i < 1_026; i++) channel.arrive(`${i}`);
  assert.deepEqual(drops, ["ERR_CHANNEL_FULL 1024", "ERR_CHANNEL_FULL 1025"]);
  let heard = 0;
  channel.onPacket = () => void heard++;
  await turn();
  assert.equal(heard, 1_024);
});

test("BaseChannel.close() cuts what takes longer than a second", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const channel = new StuckChannel();
    const told: unknown[] = [];
    channel.onClose = (reason) => told.push(reason);
    channel.send(packet);
    channel.close();
    mock.timers.tick(999);
    assert.deepEqual([told, channel.shuts], [[], []]);
    mock.timers.tick(1);
    const why = "Cannot close channel in order: it takes too long";
    assert.deepEqual(told, [new ChannelError("ERR_CHANNEL_CLOSED", why)]);
    assert.equal(channel.bufferedBytes, 0);
  } finally {
    mock.timers.reset();
  }
});

test(
  "BaseChannel.close() with a reason overtakes an orderly close",
  { timeout: 10_000 },
  async () => {
    const channel = new StuckChannel();
    channel.send(packet);
    channel.close();
    channel.close();
    const reason = new Error("now");
    channel.close(reason);
    channel.close(new Error("later"));
    assert.deepEqual([await channel.closed, channel.shuts, channel.send(packet)], [
      reason,
      [reason],
      false,
    ]);
  },
);

test("createChannelPair() tells the far end why only that it was cut", {
  timeout: 10_000,
}, async () => {
  const [a, b] = createChannelPair();
  const reason = new Error("mine");
  a.close(reason);
  assert.deepEqual(await Promise.all([a.closed, b.closed]), [
    reason,
    new ChannelError("ERR_CHANNEL_CLOSED", "Cannot keep channel: the peer cut it"),
  ]);
});

/** What a channel drops, in words. */
function drops(channel: StuckChannel): string[] {
  const told: string[] = [];
  channel.onDrop = (error, packet, count) => {
    told.push(`${error.code} ${packet?.srv ?? null} ${count}`);
  };
  return told;
}

const named = (srv: string) => new Packet({ srv, data: new Uint8Array(9) }); // Counts for 10.

/** Sends packets of ten bytes through a queue of thirty; the first is on its way. */
function overflow(policy: OverflowPolicy, names: string) {
  const channel = new StuckChannel({ highWater: 30, overflow: policy });
  const told = drops(channel);
  channel.send(named("on its way"));
  channel.take();
  const accepted = [...names].map((name) => channel.send(named(name)));
  const left: string[] = [];
  for (let packet; (packet = channel.take()) !== undefined;) left.push(packet.srv);
  return { accepted, told, left, flushes: channel.flushes };
}

test("ChannelOptions.overflow says what becomes of data when the queue is full", () => {
  const full = (name: string) => `ERR_CHANNEL_FULL ${name} 1`;
  assert.deepEqual(overflow("refuse", "abcd"), {
    accepted: [true, true, false, false],
    told: [],
    left: ["a", "b"],
    flushes: 3,
  });
  assert.deepEqual(overflow("drop-newest", "abcd"), {
    accepted: [true, true, true, true],
    told: [full("c"), full("d")],
    left: ["a", "b"],
    flushes: 3,
  });
  assert.deepEqual(overflow("drop-oldest", "abcd"), {
    accepted: [true, true, true, true],
    told: [full("a"), full("b")],
    left: ["c", "d"],
    flushes: 5,
  });
  assert.deepEqual(overflow("close", "abcd"), {
    accepted: [true, true, false, false],
    told: ["ERR_CHANNEL_CLOSED null 2"],
    left: [],
    flushes: 3,
  });
});

test('ChannelOptions.overflow "close" closes with ERR_CHANNEL_FULL', {
  timeout: 10_000,
}, async () => {
  const channel = new StuckChannel({ highWater: 10, overflow: "close" });
  channel.send(named("a"));
  channel.send(named("b"));
  const why = "Cannot keep channel: the channel's queue is full";
  assert.deepEqual(await channel.closed, new ChannelError("ERR_CHANNEL_FULL", why));
});

test('ChannelOptions.overflow "drop-oldest" drops no control traffic, nor anything in vain', () => {
  const channel = new StuckChannel({ highWater: 30, overflow: "drop-oldest" });
  const told = drops(channel);
  channel.send(new Packet({ srv: "control", net: 4, data: new Uint8Array(9) }));
  channel.send(named("a"));
  channel.send(named("b"));
  assert.equal(channel.send(new Packet({ srv: "huge", data: new Uint8Array(29) })), true);
  assert.deepEqual(told, ["ERR_CHANNEL_FULL huge 1"]);
  channel.send(named("c"));
  assert.deepEqual(told.slice(1), ["ERR_CHANNEL_FULL a 1"]);
  assert.deepEqual([1, 2, 3].map(() => channel.take()!.srv), ["control", "b", "c"]);
});

test("new BaseChannel() refuses options that mean nothing", () => {
  const refused = (options: object, error: Error) => {
    assert.throws(() => new StuckChannel(options), error);
  };
  refused({ overflow: "wait" }, new TypeError('Cannot accept overflow: "wait" is no policy'));
  refused({ highWater: 0 }, new RangeError("Cannot accept highWater: 0 is not above 0"));
  refused({ stallTimeout: NaN }, new RangeError("Cannot accept stallTimeout: NaN is not above 0"));
});

test("BaseChannel.close() tells at once of all packets that were not sent", () => {
  for (const peerCuts of [false, true]) {
    const channel = new StuckChannel();
    const told = drops(channel);
    channel.onClose = () => told.push("closed");
    channel.send(new Packet({ net: 4 }));
    for (const name of ["on its way", "a", "b"]) channel.send(named(name));
    channel.take();
    channel.take();
    if (peerCuts) channel.end(new Error("gone"));
    else channel.close(new Error("cut"));
    assert.deepEqual(told, ["ERR_CHANNEL_CLOSED null 2", "closed"]);
  }
});

test("BaseChannel.close() for a reason sends nothing more, though its end takes a while", () => {
  const channel = new StuckChannel();
  const told = drops(channel);
  channel.lingers = true;
  channel.send(named("a"));
  channel.close(new Error("cut"));
  assert.deepEqual([told, channel.take()], [["ERR_CHANNEL_CLOSED null 1"], undefined]);
  channel.end();
});

test("BaseChannel.counters count what came, and what the transport has taken", () => {
  const channel = new StuckChannel({ highWater: 30, overflow: "drop-newest" });
  channel.arrive("1");
  channel.arrive("2");
  for (const name of "abcd") channel.send(named(name));
  channel.take();
  const { counters } = channel;
  assert.deepEqual(counters, { packetsIn: 2, packetsOut: 1, bytesIn: 0, bytesOut: 0 });
  channel.empty();
  assert.deepEqual(counters, { packetsIn: 2, packetsOut: 3, bytesIn: 0, bytesOut: 20 });
});

/** Runs with timers that only the test moves. */
function withTimers(run: (tick: (ms: number) => void) => void): void {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    run(pass);
  } finally {
    mock.timers.reset();
  }
}

test("BaseChannel closes when what waits has not moved for 8 s, and lets go of it", () => {
  withTimers((tick) => {
    for (const net of [0, 4]) { // Control traffic alone is stuck, too.
      const channel = new StuckChannel();
      const told: unknown[] = [];
      channel.onClose = (reason) => told.push(reason);
      channel.send(new Packet({ srv: "s", net }));
      tick(7_999);
      assert.deepEqual([channel.isOpen, told], [true, []]);
      tick(1);
      const why = "Cannot keep channel: what waits has not moved for 8000 ms";
      assert.deepEqual(told, [new ChannelError("ERR_CHANNEL_CLOSED", why)]);
      assert.deepEqual([channel.bufferedBytes, channel.take()], [0, undefined]);
    }
  });
});

test("BaseChannel does not close while what waits moves, however slowly, or nothing waits", () => {
  withTimers((tick) => {
    const idle = new StuckChannel();
    const slow = new StuckChannel();
    const line = new StuckChannel(); // Takes one packet for ever, but bit by bit.
    idle.send(packet);
    idle.empty();
    for (let i = 0; i < 100; i++) slow.send(packet);
    line.send(packet);
    for (let i = 0; i < 20; i++) {
      tick(6_000);
      slow.take();
      slow.release(1);
      line.moved++;
    }
    assert.deepEqual([idle.isOpen, slow.isOpen, line.isOpen], [true, true, true]);
    tick(10_000); // It is seen after 8 s, or up to 2 s later.
    assert.deepEqual([idle.isOpen, slow.isOpen, line.isOpen], [true, false, false]);
    for (const wait of [6_000, 7_999]) { // Each time only from then on.
      idle.send(packet);
      tick(wait);
      assert.equal(idle.isOpen, true);
      if (wait === 7_999) break;
      idle.empty();
      tick(10_000);
    }
    tick(1);
    assert.equal(idle.isOpen, false);
  });
});

test("BaseChannel does not blame the peer when the program itself stood still", () => {
  const due: (() => void)[] = [];
  const timers = mock.method(globalThis, "setTimeout", (run: () => void) => due.push(run));
  try {
    const channel = new StuckChannel();
    channel.send(packet);
    for (let i = 0; i < 3; i++) due.shift()!(); // However late, each counts for two seconds.
    assert.equal(channel.isOpen, true);
    due.shift()!();
    assert.equal(channel.isOpen, false);
  } finally {
    timers.mock.restore();
  }
});

test("ChannelOptions.stallTimeout may be as long as wanted, and leaves no timer once closed", () => {
  withTimers((tick) => {
    const set = mock.method(globalThis, "setTimeout");
    const cleared = mock.method(globalThis, "clearTimeout");
    const never = new StuckChannel({ stallTimeout: Infinity });
    never.send(packet);
    assert.equal(set.mock.callCount(), 0);
    const channel = new StuckChannel({ stallTimeout: 100 });
    channel.send(packet);
    channel.send(packet);
    assert.deepEqual(set.mock.calls.map((call) => call.arguments[1]), [25]);
    channel.end();
    assert(cleared.mock.calls.some((call) => call.arguments[0] === set.mock.calls[0]!.result));
    tick(1_000);
    assert.equal(never.isOpen, true);
    never.end();
  });
});
