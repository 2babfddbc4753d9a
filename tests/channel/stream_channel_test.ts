import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { ChannelError, Packet, StreamChannel, type StreamChannelOptions } from "../../mod.ts";
import { encodeFrame, encodePacket, KissDecoder } from "../../src/wire/mod.ts";
import { concat, FakeDuplex, record, turn } from "../support/channels.ts";

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
