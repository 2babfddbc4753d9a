import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { ChannelError, Packet, StreamChannel, type StreamChannelOptions } from "../../mod.ts";
import { encodeFrame, encodePacket, KissDecoder } from "../../src/wire/mod.ts";
import { concat, FakeDuplex, record, turn } from "../support/channels.ts";
import { Chance, mutateBytes, randomCuts, randomPacket } from "../support/fuzz.ts";
import { toHex } from "../wire/hex.ts";

const PING = encodeFrame(new Packet({ srv: "ping" }).toBinary());
const PONG = encodeFrame(new Packet({ srv: "pong" }).toBinary());
const NOISE = encodeFrame(Uint8Array.of(0xff, 0xff, 1, 2, 3));

function open(options: StreamChannelOptions = {}) {
  const duplex = new FakeDuplex();
  const channel = new StreamChannel(duplex, options);
  return { duplex, channel, told: record(channel) };
}

test("StreamChannel hands on packets however the stream is cut", { timeout: 10_000 }, async () => {
  const { duplex, told } = open();
  const bytes = concat([PING, PONG, PING]);
  for (const byte of bytes) duplex.push(Uint8Array.of(byte));
  duplex.push(bytes);
  await turn();
  assert.deepEqual(told, [
    "packet ping",
    "packet pong",
    "packet ping",
    "packet ping",
    "packet pong",
    "packet ping",
  ]);
});

test("StreamChannel tells garbage to onDrop, and hands on the packet after it", {
  timeout: 10_000,
}, async () => {
  const { duplex, channel, told } = open();
  duplex.push(NOISE, PING, Uint8Array.of(0xdb, 7, 0xc0), PONG);
  await turn();
  assert.deepEqual(told, [
    "drop ERR_PACKET_TRUNCATED",
    "packet ping",
    "drop ERR_PACKET_FRAME",
    "packet pong",
  ]);
  assert.equal(channel.isOpen, true);
});

test("StreamChannel drops packets larger than its limit, and lives on", {
  timeout: 10_000,
}, async () => {
  const { duplex, told } = open({ limit: 100 });
  duplex.push(encodeFrame(new Packet({ srv: "big", data: new Uint8Array(200) }).toBinary()), PING);
  await turn();
  assert.deepEqual(told, ["drop ERR_PACKET_FRAME", "packet ping"]);
});

test("new StreamChannel() refuses a limit that is none", () => {
  assert.throws(() => new StreamChannel(new FakeDuplex(), { limit: 0 }), RangeError);
});

test("StreamChannel understands damaged encodings unless it is told not to", {
  timeout: 10_000,
}, async () => {
  // As JavaScript peers do it: the name's length in UTF-16 units.
  const sound = new Packet({ srv: "grüß" }).toBinary();
  const damaged = sound.slice();
  damaged[2] = 4;
  const lenient = open();
  lenient.duplex.push(encodeFrame(damaged));
  const strict = open({ repair: false });
  strict.duplex.push(encodeFrame(damaged), encodeFrame(sound));
  await turn();
  assert.deepEqual(lenient.told, ["packet grüß"]);
  assert.deepEqual(strict.told, ["packet grü", "packet grüß"]);
});

test("StreamChannel sends checksums if it is told to, and refuses those that do not match", {
  timeout: 10_000,
}, async () => {
  const { duplex, channel, told } = open({ crc: true });
  const packet = new Packet({ srv: "ping", data: "hello" });
  assert.equal(channel.send(packet), true);
  await channel.drained();
  const [sent] = new KissDecoder().push(concat(duplex.written));
  assert.deepEqual(sent, encodePacket(packet, { crc: true }));
  const damaged = sent!.slice();
  damaged[damaged.length - 5]! ^= 1; // The payload's last byte.
  duplex.push(encodeFrame(damaged), encodeFrame(sent!));
  await turn();
  assert.deepEqual(told, ["drop ERR_PACKET_CRC", "packet ping"]);
});

test("StreamChannel writes what is sent together in one chunk", { timeout: 10_000 }, async () => {
  const { duplex, channel } = open();
  for (let i = 0; i < 100; i++) channel.send(new Packet({ srv: "ping" }));
  await channel.drained();
  assert.deepEqual(
    [duplex.written.length, duplex.written[0]!.length],
    [1, 100 * PING.length],
  );
});

test("StreamChannel ends in order when its peer does, and sends first what is queued", {
  timeout: 10_000,
}, async () => {
  const { duplex, channel, told } = open();
  duplex.push(PING);
  channel.send(new Packet({ srv: "pong" }));
  duplex.end();
  assert.equal(await channel.closed, undefined);
  assert.deepEqual(
    [told, concat(duplex.written), duplex.log],
    [["packet ping", "close"], concat([PONG]), ["close"]],
  );
});

test("StreamChannel keeps what its peer sent before it ended for whoever comes late", {
  timeout: 10_000,
}, async () => {
  const duplex = new FakeDuplex();
  const channel = new StreamChannel(duplex);
  duplex.push(PING, PONG);
  duplex.end();
  await channel.closed;
  const told = record(channel);
  await turn();
  assert.deepEqual(told, ["packet ping", "packet pong", "close"]);
});

test("StreamChannel tells what its peer left unfinished", { timeout: 10_000 }, async () => {
  const { duplex, channel, told } = open();
  duplex.push(PING.subarray(0, 4));
  duplex.end();
  await channel.closed;
  assert.deepEqual(told, ["drop ERR_PACKET_TRUNCATED", "close"]);
});

test("StreamChannel closes with the error of its readable", { timeout: 10_000 }, async () => {
  const { duplex, channel, told } = open();
  const error = new Error("reset");
  duplex.fail(error);
  assert.equal(await channel.closed, error);
  await turn();
  assert.deepEqual([told, duplex.log], [["close: reset"], ["abort reset"]]);
});

test("StreamChannel closes with the error of its writable, also between writes", {
  timeout: 10_000,
}, async () => {
  for (const between of [false, true]) {
    const error = new Error("broken pipe");
    let fail!: (reason: unknown) => void;
    let cancelled: unknown;
    const channel = new StreamChannel({
      readable: new ReadableStream({ cancel: (reason) => void (cancelled = reason) }),
      writable: new WritableStream({
        start: (controller) => void (fail = (reason) => controller.error(reason)),
        write() {
          throw error;
        },
      }),
    });
    await turn();
    if (between) fail(error);
    else assert.equal(channel.send(new Packet({ srv: "ping" })), true);
    assert.equal(await channel.closed, error);
    assert.deepEqual([channel.send(new Packet()), cancelled], [false, error]);
  }
});

test("StreamChannel does not take a failure without a reason for an orderly end", {
  timeout: 10_000,
}, async () => {
  const { duplex, channel } = open();
  duplex.fail(undefined);
  assert.deepEqual(
    await channel.closed,
    new ChannelError("ERR_CHANNEL_CLOSED", "Cannot keep channel: it failed"),
  );
});

test("StreamChannel closes within a second though its writable never answers", {
  timeout: 10_000,
}, async () => {
  const { duplex, channel, told } = open();
  duplex.gate = new Promise(() => {});
  channel.send(new Packet({ srv: "ping" }));
  await turn();
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    channel.close();
    mock.timers.tick(999);
    assert.deepEqual(told, []);
    mock.timers.tick(1);
    assert.deepEqual(told, ["close: Cannot close channel in order: it takes too long"]);
  } finally {
    mock.timers.reset();
  }
  assert.equal((await channel.closed as ChannelError).code, "ERR_CHANNEL_CLOSED");
  assert.deepEqual(duplex.log, ["cancel Cannot close channel in order: it takes too long"]);
});

test("StreamChannel closes within a second though its peer never ends", {
  timeout: 10_000,
}, async () => {
  const { duplex, channel, told } = open();
  await turn();
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    channel.close();
    mock.timers.tick(1_000);
  } finally {
    mock.timers.reset();
  }
  await channel.closed;
  assert.deepEqual(
    [told, duplex.log],
    [["close: Cannot close channel in order: it takes too long"], [
      "close",
      "cancel Cannot close channel in order: it takes too long",
    ]],
  );
});

test("StreamChannel goes on reading until its peer ends, but hands nothing on, once closed", {
  timeout: 10_000,
}, async () => {
  const { duplex, channel, told } = open();
  channel.close();
  duplex.push(PING, PING);
  await turn();
  duplex.end();
  assert.equal(await channel.closed, undefined);
  assert.deepEqual([told, duplex.log], [["close"], ["close"]]);
});

test(
  "StreamChannel lets control traffic overtake data that waits",
  { timeout: 10_000 },
  async () => {
    const { duplex, channel } = open();
    let proceed!: () => void;
    duplex.gate = new Promise((resolve) => proceed = resolve);
    channel.send(new Packet({ srv: "first" }));
    await turn(); // It is on its way: nothing overtakes it any more.
    for (let i = 0; i < 3; i++) channel.send(new Packet({ srv: "data", seq: i + 1 }));
    channel.send(new Packet({ net: 3 }));
    proceed();
    await channel.drained();
    const packets = new KissDecoder().push(concat(duplex.written)).map((bytes) =>
      Packet.fromBinary(bytes)
    );
    assert.deepEqual(packets.map(({ net, srv, seq }) => net || `${srv} ${seq}`), [
      "first 0",
      3,
      "data 1",
      "data 2",
      "data 3",
    ]);
  },
);

test("StreamChannel queues frames of its outlet like packets, as far as its queue has room", {
  timeout: 10_000,
}, async () => {
  const { duplex, channel } = open({ highWater: 2 * PING.length });
  const outlet = channel.outlet!;
  const room = outlet.reserve(PONG.length + 1)!;
  room.bytes.set(PONG, room.at);
  outlet.commit(PONG.length);
  assert.equal(channel.send(new Packet({ srv: "ping" })), true);
  assert.deepEqual([channel.bufferedBytes, outlet.reserve(1)], [2 * PING.length, null]);
  await channel.drained();
  assert.deepEqual(duplex.written, [concat([PONG, PING])]);
  assert.equal(outlet.reserve(1_000_000), room); // Alone it may be of any size.
  outlet.commit(0);
  assert.equal(channel.bufferedBytes, 0);
  const { packetsOut, bytesOut } = channel.counters;
  assert.deepEqual([packetsOut, bytesOut], [2, 2 * PING.length]);
  channel.close();
  assert.equal(outlet.reserve(1), null);
});

test("StreamChannel drops frames of its outlet to make room, too, one by one", {
  timeout: 10_000,
}, async () => {
  const { duplex, channel, told } = open({ highWater: 12, overflow: "drop-oldest" });
  for (const value of [1, 2, 3]) {
    const { bytes, at } = channel.outlet!.reserve(4)!;
    bytes.fill(value, at, at + 4);
    channel.outlet!.commit(4);
  }
  assert.equal(channel.send(new Packet({ net: 0, ctx: 7 })), true); // Five bytes: two frames go.
  await channel.drained();
  assert.deepEqual(duplex.written, [
    concat([Uint8Array.of(3, 3, 3, 3), encodeFrame(new Packet({ ctx: 7 }).toBinary())]),
  ]);
  assert.deepEqual(told, ["drop ERR_CHANNEL_FULL", "drop ERR_CHANNEL_FULL"]);
});

/** A carrier that carries everything, or nothing, and says what it was shown. */
function carrier(carries: boolean) {
  const shown: string[] = [];
  return {
    shown,
    carry(chunk: Uint8Array, start: number, end: number): boolean {
      shown.push(toHex(chunk.subarray(start, end)));
      return carries;
    },
    learn: (chunk: Uint8Array, start: number, packet: Packet) => {
      shown.push(`${packet.srv} ${toHex(chunk.subarray(start, start + 2))}`);
    },
    carried: (count: number) => void shown.push(`${count} carried`),
  };
}

test("StreamChannel shows a carrier no end of a frame that is too large", {
  timeout: 10_000,
}, async () => {
  for (const carries of [true, false]) {
    const { duplex, channel, told } = open({ limit: 50 });
    channel.carrier = carrier(carries);
    duplex.push(new Uint8Array(60).fill(1));
    await turn();
    duplex.push(concat([PONG, PING]));
    await turn();
    const ping = toHex(PING.subarray(0, -1));
    const learnt = `ping ${ping.slice(0, 4)}`;
    const { shown } = channel.carrier as ReturnType<typeof carrier>;
    assert.deepEqual(shown, carries ? [ping, "1 carried"] : [ping, learnt]);
    assert.deepEqual(told, ["drop ERR_PACKET_FRAME", ...carries ? [] : ["packet ping"]]);
  }
});

test("StreamChannel tells a carrier of no packet that was not made of the frame", {
  timeout: 10_000,
}, async () => {
  const { duplex, channel } = open({ repair: false });
  const watcher = channel.carrier = carrier(false);
  duplex.push(concat([PING, NOISE, PONG]));
  await turn();
  const heads = watcher.shown.filter((line) => line.includes(" "));
  assert.deepEqual(heads.map((line) => line.split(" ")[0]), ["ping", "pong"]);
});

test("StreamChannel hands on the same, shown to a carrier or not, however it is cut", {
  timeout: 60_000,
}, async () => {
  for (let seed = 0; seed < 200; seed++) {
    const chance = new Chance(seed);
    const frames = Array.from({ length: 30 }, () => {
      const frame = encodeFrame(randomPacket(chance).toBinary());
      return chance.oneIn(3) ? mutateBytes(chance, frame) : frame;
    });
    const options = { limit: chance.pick([40, 66_608]), repair: chance.oneIn(2) };
    const chunks = [...randomCuts(chance, concat(frames))];
    const [plain, shown] = await Promise.all([null, carrier(false)].map(async (watcher) => {
      const { duplex, channel } = open(options);
      channel.carrier = watcher;
      const told: string[] = [];
      channel.onPacket = (packet) => void told.push(packet.toJson());
      channel.onDrop = ({ message }) => void told.push(message);
      duplex.push(...chunks);
      duplex.end();
      await channel.closed;
      return told;
    }));
    assert.deepEqual(shown, plain, `seed ${seed}`);
  }
});

test("StreamChannel keeps no large buffer for a small packet, nor for one that waits", {
  timeout: 10_000,
}, async () => {
  const { duplex, channel } = open();
  const frame = encodeFrame(new Packet({ data: "small" }).toBinary());
  const chunk = new Uint8Array(1 << 16).subarray(100, 100 + frame.length);
  chunk.set(frame);
  const kept: Packet[] = [];
  channel.onPacket = (packet) => void kept.push(packet);
  duplex.push(chunk);
  await turn();
  const late = open();
  late.channel.onPacket = null;
  late.duplex.push(concat(Array.from({ length: 200 }, () => frame)));
  await turn();
  late.channel.onPacket = (packet) => void kept.push(packet);
  await turn();
  assert.equal(kept.length, 201);
  for (const packet of kept) {
    assert.equal(packet.text(), "small");
    assert.ok(packet.data.buffer.byteLength <= 2 * frame.length);
  }
});
