import assert from "node:assert/strict";
import { mock, test } from "node:test";
import {
  type ByteTransport,
  type ChannelOptions,
  Packet,
  StreamChannel,
  type TransportSink,
} from "../../mod.ts";
import { encodeFrame, KissDecoder } from "../../src/wire/mod.ts";
import { concat, record, turn } from "../support/channels.ts";

const PACKET = new Packet({ srv: "ping" });
const PING = encodeFrame(PACKET.toBinary());

/** A transport of which the test plays the network. */
class FakeTransport implements ByteTransport {
  sink!: TransportSink<Uint8Array>;
  taken: number = 0;
  readonly written: Uint8Array[] = [];
  readonly log: string[] = [];
  /** Writes are taken at once, or later: one after the other, by {@linkcode take}. */
  free: boolean = true;
  /** What a write throws. */
  error: Error | null = null;
  take: () => void = () => {};
  break: (error: unknown) => void = () => {};

  start(sink: TransportSink<Uint8Array>): void {
    this.sink = sink;
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    if (this.error !== null) throw this.error;
    this.written.push(chunk);
    this.log.push("write");
    if (this.free) return undefined;
    return new Promise((resolve, reject) => {
      this.take = resolve;
      this.break = reject;
    });
  }

  end(): Promise<void> {
    this.log.push("end");
    return Promise.resolve();
  }

  /** Like some sockets, it says at once that it has ended. */
  abort(reason: unknown): void {
    this.log.push(`abort ${(reason as Error).message}`);
    this.sink.ended();
  }
}

function open(options: ChannelOptions = {}) {
  const transport = new FakeTransport();
  const channel = new StreamChannel(transport, options);
  return { transport, channel, told: record(channel) };
}

/** How many packets went out in each write. */
function batches(written: Uint8Array[]): number[] {
  return written.map((chunk) => new KissDecoder().push(chunk).length);
}

test("StreamChannel hands on what its transport receives before that goes on", () => {
  const { transport, told } = open();
  transport.sink.receive(concat([PING, PING]));
  assert.deepEqual(told, ["packet ping", "packet ping"]);
});

test("StreamChannel writes in one go what is sent with an await in between", {
  timeout: 10_000,
}, async () => {
  const passed = (hops: number): Promise<void> =>
    hops > 0 ? passed(hops - 1).then() : Promise.resolve();
  for (const hops of [0, 1, 2, 3]) {
    const { transport, channel } = open();
    for (let i = 0; i < 100; i++) {
      channel.send(PACKET);
      await passed(hops);
    }
    await channel.drained();
    assert.deepEqual(batches(transport.written), [100], `${hops} promises in between`);
  }
});

test("StreamChannel writes before the turn ends, though more is sent without end", {
  timeout: 10_000,
}, async () => {
  const { transport, channel } = open();
  const large = new Packet({ srv: "s", data: new Uint8Array(10_000) });
  for (let sent = 0; transport.written.length < 3; sent++) {
    assert(sent < 100, "nothing goes out while something is sent");
    channel.send(large);
    await null;
  }
  channel.close(new Error("enough"));
  await channel.closed;
});

test("StreamChannel needs no timer and no turn to write a single packet", {
  timeout: 10_000,
}, async () => {
  const { transport, channel } = open();
  channel.send(PACKET);
  let hops = 0;
  for (; transport.written.length === 0 && hops < 10; hops++) await null;
  assert.deepEqual(batches(transport.written), [1]);
});

test("StreamChannel writes in one go what another channel delivered in one read", {
  timeout: 10_000,
}, async () => {
  const [from, to] = [open(), open()];
  from.channel.onPacket = (packet) => void to.channel.send(packet);
  from.transport.sink.receive(concat(Array.from({ length: 50 }, () => PING)));
  await to.channel.drained();
  assert.deepEqual(batches(to.transport.written), [50]);
});

test("StreamChannel gives its transport one chunk at a time, and counts it once it is taken", {
  timeout: 10_000,
}, async () => {
  const { transport, channel } = open();
  transport.free = false;
  channel.send(PACKET);
  await turn();
  channel.send(PACKET);
  channel.send(PACKET);
  await turn();
  assert.deepEqual([batches(transport.written), channel.bufferedBytes], [[1], 3 * PING.length]);
  transport.take();
  await turn();
  assert.deepEqual([batches(transport.written), channel.bufferedBytes], [[1, 2], 2 * PING.length]);
  transport.take();
  await channel.drained();
  assert.equal(channel.counters.bytesOut, 3 * PING.length);
});

test(
  "StreamChannel ends its transport once all is taken, and closes when its peer has ended, too",
  {
    timeout: 10_000,
  },
  async () => {
    const { transport, channel, told } = open();
    transport.free = false;
    channel.send(PACKET);
    channel.close();
    await turn();
    assert.deepEqual(transport.log, ["write"]);
    transport.take();
    await turn();
    assert.deepEqual([transport.log, told], [["write", "end"], []]);
    transport.sink.ended();
    transport.sink.ended(); // A socket may end, and then close.
    assert.equal(await channel.closed, undefined);
    assert.deepEqual(told, ["close"]);
  },
);

test("StreamChannel closes with what its transport fails with, whatever it was about", {
  timeout: 10_000,
}, async () => {
  const error = new Error("broken");
  const ways: ((transport: FakeTransport) => unknown)[] = [
    (transport) => transport.sink.failed(error),
    (transport) => transport.error = error,
    async (transport) => {
      transport.free = false;
      await turn();
      transport.break(error);
    },
  ];
  for (const fail of ways) {
    const { transport, channel, told } = open();
    const failing = fail(transport);
    channel.send(PACKET);
    await failing;
    assert.equal(await channel.closed, error);
    assert.deepEqual([transport.log.at(-1), told.at(-1)], ["abort broken", "close: broken"]);
  }
});

test("StreamChannel keeps the reason it was cut for, though its transport ends at once", {
  timeout: 10_000,
}, async () => {
  for (const ended of [false, true]) {
    const { transport, channel } = open();
    if (ended) channel.close(); // The peer does not.
    else channel.send(PACKET);
    if (ended) await turn();
    const reason = new Error("cut");
    channel.close(reason);
    assert.equal(await channel.closed, reason);
    await turn();
    assert.deepEqual(transport.log, ended ? ["end", "abort cut"] : ["abort cut"]);
  }
});

test(
  "StreamChannel asks its transport whether a slow line moves",
  { timeout: 10_000 },
  async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      const { transport, channel } = open({ stallTimeout: 40 });
      transport.free = false;
      channel.send(PACKET);
      for (let look = 0; look < 8; look++) {
        transport.taken++;
        mock.timers.tick(10); // As often as it looks.
      }
      assert.equal(channel.isOpen, true);
      for (let look = 0; look < 4; look++) mock.timers.tick(10);
      assert.match((await channel.closed as Error).message, /has not moved for 40 ms/);
    } finally {
      mock.timers.reset();
    }
  },
);

test("A StreamChannel finds its frames, though one of them has another channel look for its own", {
  timeout: 10_000,
}, () => {
  const frames = (name: string, count: number) =>
    concat(Array.from({ length: count }, (_, i) => {
      return encodeFrame(new Packet({ dst: `${name}${i}`, data: name.repeat(i) }).toBinary());
    }));
  const seen: string[] = [];
  const carrier = (then: () => void) => ({
    carry: () => (then(), false),
    learn: (_chunk: Uint8Array, _start: number, packet: Packet) => void seen.push(packet.dst),
    carried() {},
  });
  const [outer, inner] = [open(), open()];
  for (const { channel } of [outer, inner]) channel.onPacket = () => {};
  inner.channel.carrier = carrier(() => {});
  let nested = false;
  outer.channel.carrier = carrier(() => {
    if (nested) return;
    nested = true;
    inner.transport.sink.receive(frames("in", 40));
  });
  outer.transport.sink.receive(frames("o", 20));
  const names = (name: string, count: number) => Array.from({ length: count }, (_, i) => name + i);
  assert.deepEqual(seen, [...names("in", 40), ...names("o", 20)]);
});
