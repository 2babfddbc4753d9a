/** WebSockets begin in text, and go over to bytes where both ends read them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  connectWebSocket,
  Packet,
  type PacketInit,
  Router,
  WebSocketChannel,
  type WebSocketChannelOptions,
} from "../../mod.ts";
import type { ServerWebSocketChannel } from "../../src/channel/server_websocket_channel.ts";
import { listen } from "../../src/runtime/net.ts";
import type { RawSocket } from "../support/raw_socket.ts";
import { LOOPBACK, sockets } from "../support/runtime.ts";
import { connectRawWebSocket } from "../support/websocket_client.ts";
import {
  clientFrame,
  OPCODE,
  readServerFrames,
  type ServerFrame,
} from "../support/websocket_frames.ts";
import { concat } from "../wire/hex.ts";

const timeout = 20_000;
const ANY_PORT = "ws://127.0.0.1:0";

/** Connects by the runtime's own client; each message is noted, as `"text"` or `"bytes"`. */
function watched(url: string, options: WebSocketChannelOptions = {}) {
  const socket = new WebSocket(url);
  const out: string[] = [];
  const back: string[] = [];
  const kind = (data: unknown) => typeof data === "string" ? "text" : "bytes";
  socket.addEventListener("message", ({ data }) => void back.push(kind(data)));
  const send = socket.send.bind(socket);
  socket.send = (data) => {
    out.push(kind(data));
    send(data);
  };
  return { channel: new WebSocketChannel(socket, options), out, back };
}

/** A router that echoes. */
function hub(): Router {
  const router = new Router("hub");
  router.registerService("echo", (packet, reply) => void reply(packet.data));
  return router;
}

/** Asserts that first comes text, then bytes, and of either some. */
function goesOver(kinds: string[], what: string): void {
  const first = kinds.indexOf("bytes");
  assert(first > 0, `${what} begins with ${kinds.slice(0, 3)}`);
  assert.deepEqual(new Set(kinds.slice(first)), new Set(["bytes"]), what);
}

/** The next frame that a server sends. */
async function readServerFrame(socket: RawSocket): Promise<ServerFrame> {
  let head = await socket.read(2);
  if (head[1]! === 126) head = concat(head, await socket.read(2));
  const size = head.length === 2 ? head[1]! : head[2]! << 8 | head[3]!;
  return readServerFrames(concat(head, await socket.read(size)))[0]!;
}

test("a link between two of our routers goes over to bytes, both ways", { timeout }, async (t) => {
  const server = hub();
  const listener = await listen(ANY_PORT, server);
  const client = new Router("client");
  t.after(() => Promise.all([client.close(), listener.close(), server.close()]));
  const { channel, out, back } = watched(listener.url);
  client.addChannel(channel);
  await client.waitForService("echo");
  for (let i = 0; i < 20; i++) {
    const data = crypto.getRandomValues(new Uint8Array(i * i * 20));
    assert.deepEqual((await client.request("echo", data)).data, data);
  }
  goesOver(out, "what the client sends");
  goesOver(back, "what the server sends");
});

test("a link whose one end insists on text goes over to bytes the other way", {
  timeout,
}, async (t) => {
  const server = hub();
  const listener = await listen(ANY_PORT, server, { format: "json" });
  const client = new Router("client");
  t.after(() => Promise.all([client.close(), listener.close(), server.close()]));
  const { channel, out, back } = watched(listener.url);
  client.addChannel(channel);
  await client.waitForService("echo");
  assert.equal((await client.request("echo", "x")).text(), "x");
  goesOver(out, "what the client sends");
  assert.deepEqual(new Set(back), new Set(["text"]));
});

test("an old peer never gets anything but text", { timeout }, async (t) => {
  const server = hub();
  const listener = await listen(ANY_PORT, server);
  t.after(() => Promise.all([listener.close(), server.close()]));
  const old = await connectRawWebSocket(Number(new URL(listener.url).port));
  const say = (init: PacketInit) => old.write(clientFrame(OPCODE.text, new Packet(init).toJson()));
  await say({ net: 3 });
  await say({ net: 1, src: "old", data: Uint8Array.of(3, 0x6f, 0x6c, 0x64, 0, 1) });
  const data = Uint8Array.of(0xc0, 0, 0xff);
  const heard: number[] = [];
  for (;;) {
    const frame = await readServerFrame(old);
    assert.equal(frame.opcode, OPCODE.text);
    const packet = Packet.fromJson(new TextDecoder().decode(frame.data));
    heard.push(packet.net);
    if (packet.net === 2) await say({ src: "old", dst: "hub", srv: "echo", ctx: 7, data });
    if (packet.net !== 0) continue;
    assert.deepEqual([packet.ctx, packet.data], [7, data]);
    break;
  }
  assert.deepEqual(heard.slice(0, 1), [3]); // The hello, which it does not look at.
  old.socket.destroy();
});

test("a change in mid-stream loses nothing, and keeps the order, both ways", {
  timeout,
}, async () => {
  const { promise, resolve } = Promise.withResolvers<ServerWebSocketChannel>();
  const listener = await sockets.listenWebSocket(LOOPBACK, resolve);
  const near = await connectWebSocket(`ws://127.0.0.1:${listener.address.port}/`);
  const far = await promise;
  for (const [from, to] of [[near, far], [far, near]] as const) {
    const heard: number[] = [];
    const all = Promise.withResolvers<void>();
    to.onPacket = ({ ack }) => {
      heard.push(ack);
      if (ack === 5_000) all.resolve();
    };
    for (let ack = 1; ack <= 5_000; ack++) {
      if (ack % 7 === 0) from.peerReadsBinary(ack % 2 === 0);
      while (!from.send(new Packet({ srv: "n", ack }))) await from.drained();
      if (ack % 1_000 === 0) await from.drained(); // Some are on their way already.
    }
    await all.promise;
    assert.deepEqual(heard, Array.from({ length: 5_000 }, (_, i) => i + 1));
  }
  near.close();
  await Promise.all([near.closed, far.closed]);
  await listener.close();
});
