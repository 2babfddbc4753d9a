import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { ChannelError, Packet, WebSocketChannel, type WebSocketChannelOptions } from "../../mod.ts";
import { encodeFrame } from "../../src/wire/mod.ts";
import { concat, FakeWebSocket, record, turn } from "../support/channels.ts";
import { pass } from "../support/timers.ts";

function open(options: WebSocketChannelOptions = {}, readyState: 0 | 1 | 3 = 1) {
  const socket = new FakeWebSocket(readyState);
  const channel = new WebSocketChannel(socket, options);
  return { socket, channel, told: record(channel) };
}

const PING = new Packet({ srv: "ping", data: "héllo" });

test("WebSocketChannel sends JSON as text, and bytes if it is told to", {
  timeout: 10_000,
}, async () => {
  const json = open();
  const binary = open({ format: "binary" });
  for (const { channel } of [json, binary]) {
    channel.send(PING);
    await channel.drained();
  }
  assert.deepEqual([json.socket.sent, binary.socket.sent], [[PING.toJson()], [PING.toBinary()]]);
  assert.equal(json.socket.binaryType, "arraybuffer");
});

test("WebSocketChannel goes over to bytes when its peer reads them, unless told otherwise", {
  timeout: 10_000,
}, async () => {
  const channels = [open(), open({ format: "json" }), open({ format: "binary" })];
  for (const { channel } of channels) {
    for (const reads of [null, true, true, false]) {
      if (reads !== null) channel.peerReadsBinary(reads);
      channel.send(PING);
    }
    await channel.drained();
  }
  const kinds = channels.map(({ socket }) => socket.sent.map((message) => typeof message));
  assert.deepEqual(kinds, [
    ["string", "object", "object", "string"],
    ["string", "string", "string", "string"],
    ["object", "object", "object", "object"],
  ]);
});

const encoder = new TextEncoder();
const raw = PING.toBinary();
/** Its last byte is a delimiter's, as if it were a frame. */
const lookalike = new Packet({ srv: "ping", data: Uint8Array.of(0xc0) }).toBinary();
const UNDERSTOOD: [what: string, message: unknown, told: string[]][] = [
  ["JSON as text", PING.toJson(), ["packet ping"]],
  ["JSON of old peers", '{"cf":0,"net":0,"srv":"ping","dst":null,"data":null}\n', ["packet ping"]],
  ["JSON as bytes", encoder.encode(PING.toJson()).buffer, ["packet ping"]],
  ["a packet as bytes", raw.buffer, ["packet ping"]],
  ["a packet in a Uint8Array", raw, ["packet ping"]],
  ["a packet in the middle of a buffer", concat([Uint8Array.of(1), raw]).subarray(1), [
    "packet ping",
  ]],
  ["a packet that ends like a frame", lookalike, ["packet ping"]],
  ["a KISS frame", encodeFrame(raw).buffer, ["packet ping"]],
  ["a KISS frame of a packet that ends like one", encodeFrame(lookalike), ["packet ping"]],
  ["several KISS frames", concat([encodeFrame(raw), encodeFrame(raw)]), [
    "packet ping",
    "packet ping",
  ]],
  ["not a Blob", new Blob([raw]), ["drop ERR_PACKET_FRAME"]],
  ["not text that is no JSON", "hello", ["drop ERR_PACKET_JSON"]],
  ["not JSON that is no packet", "[1,2]", ["drop ERR_PACKET_JSON"]],
  ["not JSON with a field that does not fit", '{"ctx":70000}', ["drop ERR_PACKET_FIELD"]],
  ["not text beyond the limit", `{"srv":"${"x".repeat(131_072)}"}`, ["drop ERR_PACKET_JSON"]],
  ["not bytes beyond the limit", new Uint8Array(131_073), ["drop ERR_PACKET_FRAME"]],
  ["not no bytes at all", new Uint8Array(0), ["drop ERR_PACKET_TRUNCATED"]],
  ["not a packet cut short", raw.subarray(0, 4), ["drop ERR_PACKET_TRUNCATED"]],
  ["nothing else", undefined, ["drop ERR_PACKET_FRAME"]],
];
for (const [what, message, told] of UNDERSTOOD) {
  test(`WebSocketChannel understands ${what}, and lives on`, () => {
    const channel = open();
    channel.socket.message(message);
    channel.socket.message('{"srv":"next"}');
    assert.deepEqual(channel.told, [...told, "packet next"]);
  });
}

test("WebSocketChannel keeps packets until the socket is open", { timeout: 10_000 }, async () => {
  const { socket, channel } = open({}, 0);
  for (let seq = 1; seq <= 3; seq++) assert.equal(channel.send(new Packet({ seq })), true);
  await turn();
  assert.deepEqual(socket.sent, []);
  socket.open();
  await channel.drained();
  assert.deepEqual(socket.sent.map((text) => JSON.parse(text as string).seq), [1, 2, 3]);
});

test("WebSocketChannel gives a slow socket 64 KiB at once, and the rest as it empties", {
  timeout: 10_000,
}, async () => {
  const { socket, channel } = open({ format: "binary" });
  socket.stuck = true;
  const packet = new Packet({ srv: "s", data: new Uint8Array(20_000) });
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    for (let i = 0; i < 10; i++) assert.equal(channel.send(packet), true);
    await Promise.resolve();
    assert.equal(socket.sent.length, 4);
    mock.timers.tick(10);
    assert.equal(socket.sent.length, 4);
    socket.bufferedAmount = 0;
    mock.timers.tick(10);
    assert.equal(socket.sent.length, 8);
    channel.send(new Packet({ net: 3 }));
    socket.bufferedAmount = 0;
    mock.timers.tick(10);
    assert.deepEqual(
      [socket.sent.length, socket.sent[8], channel.bufferedBytes],
      [11, new Packet({ net: 3 }).toBinary(), 0],
    );
  } finally {
    mock.timers.reset();
  }
});

test("WebSocketChannel refuses data while too much waits for the socket", () => {
  const { channel } = open({ highWater: 1_000 }, 0);
  let sent = 0;
  while (channel.send(PING)) sent++;
  assert.equal(sent, Math.floor(1_000 / PING.toJson().length));
  channel.close(new Error("enough"));
});

const ENDS: [code: number, reason: string, told: string][] = [
  [1000, "", "close"],
  [1000, "bye", "close"],
  [1001, "", "close"],
  [1005, "", "close"],
  [0, "", "close: Cannot keep WebSocket open: the connection failed"],
  [1006, "", "close: Cannot keep WebSocket open: code 1006"],
  [1002, "protocol", "close: Cannot keep WebSocket open: code 1002, protocol"],
  [1009, "", "close: Cannot keep WebSocket open: code 1009"],
  [1011, "oops", "close: Cannot keep WebSocket open: code 1011, oops"],
  [4000, "", "close: Cannot keep WebSocket open: code 4000"],
];
for (const [code, reason, told] of ENDS) {
  const orderly = told === "close" ? "an orderly end" : "a failure";
  test(`WebSocketChannel takes close code ${code} "${reason}" for ${orderly}`, async () => {
    const channel = open();
    channel.socket.end(code, reason);
    assert.deepEqual([channel.told, channel.channel.isOpen], [[told], false]);
    const error = await channel.channel.closed as ChannelError | undefined;
    assert.equal(error?.code, told === "close" ? undefined : "ERR_CHANNEL_CLOSED");
  });
}

test("WebSocketChannel takes an error while connecting for the end, whether or not close follows", () => {
  for (const follows of [false, true]) {
    const { socket, told } = open({}, 0);
    socket.readyState = 3;
    socket.error();
    if (follows) socket.end(1006);
    assert.deepEqual(told, ["close: Cannot keep WebSocket open: the connection failed"]);
  }
});

test("WebSocketChannel does not take an error for the end while the socket is open", () => {
  const { socket, channel, told } = open();
  socket.error();
  assert.deepEqual([told, channel.isOpen], [[], true]);
});

test("WebSocketChannel over a socket that has closed already is closed", {
  timeout: 10_000,
}, async () => {
  const { channel } = open({}, 3);
  assert.equal((await channel.closed as ChannelError).code, "ERR_CHANNEL_CLOSED");
});

test("WebSocketChannel closes with what send() throws", { timeout: 10_000 }, async () => {
  const { socket, channel } = open();
  const error = new Error("InvalidState");
  socket.send = () => {
    throw error;
  };
  channel.send(PING);
  assert.equal(await channel.closed, error);
});

test("WebSocketChannel.close() sends what is queued, then closes in order", {
  timeout: 10_000,
}, async () => {
  const { socket, channel, told } = open();
  channel.send(PING);
  channel.close();
  assert.deepEqual(socket.closes, []);
  await turn();
  assert.deepEqual([socket.sent, socket.closes, told], [[PING.toJson()], [[1000, ""]], []]);
  socket.message(PING.toJson()); // Some runtimes go on delivering.
  socket.message("noise");
  socket.end(1000);
  assert.equal(await channel.closed, undefined);
  socket.message(PING.toJson());
  assert.deepEqual(told, ["close"]);
});

test("WebSocketChannel.close() for a reason closes at once", { timeout: 10_000 }, async () => {
  for (const readyState of [0, 1] as const) {
    const { socket, channel, told } = open({}, readyState);
    channel.send(PING);
    const reason = new Error("cut");
    channel.close(reason);
    assert.deepEqual([told, socket.closes], [
      ["drop ERR_CHANNEL_CLOSED", "close: cut"], // Of what was queued.
      [[1000, ""]],
    ]);
    socket.end(1006);
    await turn();
    assert.deepEqual([await channel.closed, socket.sent, told.length], [reason, [], 2]);
  }
});

test("WebSocketChannel.close() takes a second at most though the peer never answers", {
  timeout: 10_000,
}, async () => {
  const { socket, channel, told } = open();
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    channel.close();
    assert.deepEqual(socket.closes, [[1000, ""]]);
    mock.timers.tick(999);
    assert.deepEqual(told, []);
    mock.timers.tick(1);
  } finally {
    mock.timers.reset();
  }
  const why = "Cannot close channel in order: it takes too long";
  assert.deepEqual(await channel.closed, new ChannelError("ERR_CHANNEL_CLOSED", why));
  assert.deepEqual(told, [`close: ${why}`]);
});

test("WebSocketChannel leaves no timer behind, however it ends", { timeout: 10_000 }, async () => {
  const set = mock.method(globalThis, "setTimeout");
  const clear = mock.method(globalThis, "clearTimeout");
  try {
    const ends: ((socket: FakeWebSocket, channel: WebSocketChannel) => void)[] = [
      (socket) => socket.end(1000),
      (socket) => socket.end(1006),
      (_, channel) => channel.close(new Error("cut")),
      (socket, channel) => {
        channel.close();
        socket.end(1000);
      },
    ];
    for (const end of ends) {
      const { socket, channel } = open({ format: "binary" });
      socket.stuck = true;
      for (let i = 0; i < 10; i++) {
        channel.send(new Packet({ srv: "s", data: new Uint8Array(20_000) }));
      }
      await Promise.resolve();
      end(socket, channel);
      await channel.closed;
    }
    const pending = new Set(set.mock.calls.map(({ result }) => result));
    for (const call of clear.mock.calls) pending.delete(call.arguments[0] as never);
    assert.deepEqual([set.mock.callCount() > 4, pending.size], [true, 0]);
  } finally {
    set.mock.restore();
    clear.mock.restore();
  }
});

test("WebSocketChannel closes when a full socket does not move, but not while it connects", {
  timeout: 10_000,
}, async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const [connecting, slow, stuck] = [0, 1, 1].map((readyState) => {
      const channel = open({ stallTimeout: 1_000 }, readyState as 0 | 1);
      channel.socket.stuck = true;
      for (let i = 0; i < 20; i++) {
        channel.channel.send(new Packet({ data: new Uint8Array(9_000) }));
      }
      return channel;
    }) as [ReturnType<typeof open>, ReturnType<typeof open>, ReturnType<typeof open>];
    await Promise.resolve(); // Sockets that are open have taken 64 KiB.
    for (let i = 0; i < 20; i++) {
      slow.socket.bufferedAmount--;
      pass(500);
    }
    const why = "close: Cannot keep channel: what waits has not moved for 1000 ms";
    const closed = ["drop ERR_CHANNEL_CLOSED", why];
    assert.deepEqual([connecting.told, slow.told, stuck.told], [[], [], closed]);
    pass(1_250);
    assert.deepEqual([connecting.told, slow.told], [[], closed]);
    connecting.channel.close(new Error("over"));
  } finally {
    mock.timers.reset();
  }
});
