import assert from "node:assert/strict";
import { test } from "node:test";
import { type ChannelError, Packet, type WebSocketChannelOptions } from "../../mod.ts";
import { ServerWebSocketChannel } from "../../src/channel/server_websocket_channel.ts";
import { concat, FakeDuplex, record, turn } from "../support/channels.ts";
import {
  clientFrame,
  closePayload,
  describeServerFrames,
  OPCODE,
  readServerFrames,
} from "../support/websocket_frames.ts";

const { continuation, text, binary, close, ping, pong } = OPCODE;
const timeout = 10_000;
const PING = new Packet({ srv: "ping", data: "héllo" });

function open(options: WebSocketChannelOptions = {}, head: Uint8Array = new Uint8Array(0)) {
  const duplex = new FakeDuplex();
  const channel = new ServerWebSocketChannel(duplex, head, options);
  const frames = () => describeServerFrames(concat(duplex.written));
  return { duplex, channel, frames, told: record(channel) };
}

test("ServerWebSocketChannel sends JSON as text, and bytes if it is told to", {
  timeout,
}, async () => {
  const json = open();
  const bytes = open({ format: "binary" });
  for (const { channel } of [json, bytes]) {
    channel.send(PING);
    await channel.drained();
  }
  assert.deepEqual(json.frames(), [`text ${PING.toJson()}`]);
  assert.deepEqual(readServerFrames(concat(bytes.duplex.written)), [
    { opcode: binary, data: PING.toBinary() },
  ]);
});

test("ServerWebSocketChannel goes over to bytes when its peer reads them, unless told otherwise", {
  timeout,
}, async () => {
  const channels = [open(), open({ format: "json" }), open({ format: "binary" })];
  for (const { channel } of channels) {
    for (const reads of [null, true, true, false]) {
      if (reads !== null) channel.peerReadsBinary(reads);
      channel.send(PING);
    }
    await channel.drained();
  }
  const opcodes = channels.map(({ duplex }) =>
    readServerFrames(concat(duplex.written)).map(({ opcode }) => opcode)
  );
  assert.deepEqual(opcodes, [
    [text, binary, binary, text],
    [text, text, text, text],
    [binary, binary, binary, binary],
  ]);
});

test("ServerWebSocketChannel acknowledges a header that comes without its payload", {
  timeout,
}, async () => {
  const { duplex, frames, told } = open();
  const whole = clientFrame(binary, PING.toBinary());
  const header = whole.length - PING.toBinary().length;
  duplex.push(whole.subarray(0, header - 1));
  await turn();
  assert.deepEqual(frames(), []);
  duplex.push(whole.subarray(header - 1, header));
  await turn();
  assert.deepEqual([frames(), told], [["pong "], []]);
  duplex.push(whole.subarray(header));
  await turn();
  duplex.push(whole, whole.subarray(0, header + 1), whole.subarray(header + 1));
  await turn();
  assert.deepEqual([frames(), told], [["pong "], Array(3).fill("packet ping")]);
  duplex.push(clientFrame(binary), clientFrame(close)); // Nothing is to come of these.
  await turn();
  assert.deepEqual(frames(), ["pong ", "close 1000"]);
});

test("ServerWebSocketChannel puts what is sent in one turn into one write", {
  timeout,
}, async () => {
  const { channel, duplex, frames } = open();
  for (let i = 0; i < 10; i++) channel.send(PING);
  await channel.drained();
  assert.deepEqual([duplex.written.length, frames().length], [1, 10]);
});

test("ServerWebSocketChannel understands both forms, in pieces, cut at every byte", {
  timeout,
}, async () => {
  const raw = PING.toBinary();
  const stream = concat([
    clientFrame(text, PING.toJson()),
    clientFrame(binary, raw.subarray(0, 3), { fin: false }),
    clientFrame(ping),
    clientFrame(continuation, raw.subarray(3)),
    clientFrame(text, "noise"),
    clientFrame(pong),
    clientFrame(binary, raw),
  ]);
  const expected = ["packet ping", "packet ping", "drop ERR_PACKET_JSON", "packet ping"];
  for (let cut = 0; cut <= stream.length; cut++) {
    const { duplex, told } = open();
    duplex.push(stream.subarray(0, cut), stream.subarray(cut));
    await turn();
    assert.deepEqual(told, expected, `cut at ${cut}`);
  }
});

test("ServerWebSocketChannel takes what came with the handshake first", { timeout }, async () => {
  const message = (srv: string) => clientFrame(text, new Packet({ srv }).toJson());
  const both = concat([message("a"), message("b")]);
  for (let cut = 0; cut <= both.length; cut++) {
    const { duplex, told } = open({}, both.subarray(0, cut));
    duplex.push(both.subarray(cut));
    await turn();
    assert.deepEqual(told, ["packet a", "packet b"]);
  }
});

test("ServerWebSocketChannel that is closed at once hears nothing that came with the handshake", {
  timeout,
}, async () => {
  const { channel, told } = open({}, clientFrame(text, "noise"));
  channel.close(new Error("no room"));
  await turn();
  assert.deepEqual(told, ["close: no room"]);
});

test("ServerWebSocketChannel answers pings with their own data, in order", {
  timeout,
}, async () => {
  const { channel, duplex, frames } = open();
  duplex.push(clientFrame(ping, Uint8Array.of(1, 2)), clientFrame(ping));
  channel.send(PING);
  await turn();
  duplex.push(clientFrame(ping, Uint8Array.of(3)));
  await turn();
  const isPong = (line: string) => line.startsWith("pong");
  assert.deepEqual(frames().filter(isPong), ["pong 1,2", "pong ", "pong 3"]);
  assert.equal(frames().length, 4);
});

test("ServerWebSocketChannel answers pings though its queue is full", { timeout }, async () => {
  const { channel, duplex, frames } = open({ highWater: 1_000 });
  const gate = Promise.withResolvers<void>();
  duplex.gate = gate.promise;
  while (channel.send(PING));
  await turn();
  while (channel.send(PING));
  duplex.push(clientFrame(ping, Uint8Array.of(7)));
  await turn();
  gate.resolve();
  await turn();
  assert.deepEqual(frames().filter((line) => line.startsWith("pong")), ["pong 7"]);
  assert.equal(channel.isOpen, true);
});

test(
  "ServerWebSocketChannel holds 32 pongs for who pings and does not read, however small its queue",
  {
    timeout,
  },
  async () => {
    const { channel, duplex, frames } = open({ highWater: 100 });
    const gate = Promise.withResolvers<void>();
    duplex.gate = gate.promise;
    duplex.push(clientFrame(ping, Uint8Array.of(255)));
    await turn(); // Its pong is on its way, and stuck.
    for (let i = 0; i < 5_000; i++) {
      duplex.push(clientFrame(ping, concat([Uint8Array.of(i & 255), new Uint8Array(124)])));
    }
    await turn();
    assert.deepEqual([channel.isOpen, channel.bufferedBytes], [true, 0]);
    gate.resolve();
    await turn();
    assert.equal(frames().length, 1 + 32);
    duplex.push(clientFrame(ping, Uint8Array.of(9)));
    await turn();
    assert.equal(frames().at(-1), "pong 9");
  },
);

const ENDS: [what: string, stream: Uint8Array, sent: string, told: string][] = [
  ["a close", clientFrame(close, closePayload(1000, "bye")), "close 1000", "close"],
  ["a close without a code", clientFrame(close), "close 1000", "close"],
  ["who leaves", clientFrame(close, closePayload(1001)), "close 1001", "close"],
  [
    "a close for a reason",
    clientFrame(close, closePayload(4001, "token expired")),
    "close 4001",
    "close: Cannot keep WebSocket open: code 4001, token expired",
  ],
  [
    "a frame without a mask",
    clientFrame(text, "a", { mask: null }),
    "close 1002 it sent a frame without a mask",
    "close: Cannot keep WebSocket open: code 1002, it sent a frame without a mask",
  ],
  [
    "a text that is no UTF-8",
    clientFrame(text, Uint8Array.of(255)),
    "close 1007 text that is not UTF-8",
    "close: Cannot keep WebSocket open: code 1007, text that is not UTF-8",
  ],
  [
    "a message that is too large, before it is there",
    clientFrame(text, "", { length: 131_073 }),
    "close 1009 a message of more than 131072 bytes",
    "close: Cannot keep WebSocket open: code 1009, a message of more than 131072 bytes",
  ],
];
for (const [what, stream, sent, end] of ENDS) {
  test(`ServerWebSocketChannel answers ${what} with a Close, and ends`, { timeout }, async () => {
    const { channel, duplex, frames, told } = open();
    duplex.push(clientFrame(ping), stream, clientFrame(text, PING.toJson()), clientFrame(ping));
    await turn();
    assert.deepEqual([channel.isOpen, duplex.log], [false, ["close"]]);
    assert.equal(frames().at(-1), sent);
    assert.equal(frames().filter((line) => line.startsWith("close")).length, 1);
    duplex.end();
    await channel.closed;
    assert.deepEqual(told, [end]);
  });
}

test("ServerWebSocketChannel sends what is queued before it answers a close", {
  timeout,
}, async () => {
  const { channel, duplex, frames } = open();
  channel.send(PING);
  duplex.push(clientFrame(close, closePayload(1000)));
  await turn();
  assert.deepEqual(frames(), [`text ${PING.toJson()}`, "close 1000"]);
  duplex.end();
  assert.equal(await channel.closed, undefined);
});

test("ServerWebSocketChannel.close() sends what is queued, then a Close, and waits for the end", {
  timeout,
}, async () => {
  const { channel, duplex, frames, told } = open();
  channel.send(PING);
  duplex.push(clientFrame(ping)); // Nothing may follow the Close, not even its pong.
  channel.close();
  await turn();
  assert.deepEqual([frames(), duplex.log, told], [
    [`text ${PING.toJson()}`, "close 1000"],
    ["close"],
    [],
  ]);
  duplex.push(clientFrame(text, PING.toJson()), clientFrame(close, closePayload(1000)));
  duplex.end();
  assert.equal(await channel.closed, undefined);
  assert.deepEqual([frames().length, told], [2, ["close"]]);
});

test("ServerWebSocketChannel.close() sends no pong behind its Close", { timeout }, async () => {
  const { channel, duplex, frames } = open();
  const gate = Promise.withResolvers<void>();
  duplex.gate = gate.promise;
  channel.send(PING);
  await turn();
  duplex.push(clientFrame(ping));
  await turn();
  channel.close();
  gate.resolve();
  await turn();
  assert.equal(frames().at(-1), "close 1000");
  duplex.end();
  assert.equal(await channel.closed, undefined);
});

test("ServerWebSocketChannel takes an end without a Close for code 1006", { timeout }, async () => {
  for (const before of [new Uint8Array(0), clientFrame(text, "a").subarray(0, 4)]) {
    const { channel, duplex } = open();
    duplex.push(before);
    await turn();
    duplex.end();
    const { code, message } = await channel.closed as ChannelError;
    assert.deepEqual([code, message], [
      "ERR_CHANNEL_CLOSED",
      "Cannot keep WebSocket open: code 1006, it ended without a Close",
    ]);
  }
});

test("ServerWebSocketChannel closes with what breaks the connection", { timeout }, async () => {
  const { channel, duplex } = open();
  const error = new Error("ECONNRESET");
  duplex.fail(error);
  assert.equal(await channel.closed, error);
});

test("ServerWebSocketChannel refuses packets beyond highWater while nothing is read", {
  timeout,
}, async () => {
  const { channel, duplex, frames } = open({ highWater: 10_000 });
  const gate = Promise.withResolvers<void>();
  duplex.gate = gate.promise;
  let sent = 0;
  while (channel.send(PING)) sent++;
  await turn();
  assert.equal(channel.send(PING), false);
  assert.ok(channel.bufferedBytes <= 10_000);
  gate.resolve();
  await channel.drained();
  assert.equal(frames().length, sent);
});
