/** npm's `ws` on the other side: as a client of our server, and as a server of our client. */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import {
  type ChannelError,
  connectWebSocket,
  Packet,
  WebSocketChannel,
  type WebSocketChannelOptions,
} from "../../mod.ts";
import type { ServerWebSocketChannel } from "../../src/channel/server_websocket_channel.ts";
import { channelConformance, type OpenChannels } from "../../src/testing/mod.ts";
import { Chance, randomBytes } from "../support/fuzz.ts";
import { LOOPBACK, name as runtime, sockets } from "../support/runtime.ts";
import { loadWs, type Ws, type WsSocket } from "../support/ws_package.ts";

const timeout = 20_000;
const PING = new Packet({ srv: "ping", data: "hi" });
const ws = await loadWs();

if (ws === null) {
  const why = "npm's ws cannot be loaded: `npm install ws` and let NODE_PATH lead to it";
  const skip = process.env.ALN_SKIP_NOTHING ? false : why;
  test(`npm's ws and our WebSockets under ${runtime}`, { skip }, () => assert.fail(why));
} else {
  testWith(ws);
}

function testWith({ WebSocket, WebSocketServer }: Ws): void {
  /** A channel of our server and a client of theirs, open. */
  async function theirClient(options: WebSocketChannelOptions = {}) {
    const accepted = Promise.withResolvers<ServerWebSocketChannel>();
    const listener = await sockets.listenWebSocket(LOOPBACK, accepted.resolve, options);
    const socket = new WebSocket(`ws://127.0.0.1:${listener.address.port}/`);
    const ended = new Promise<[code: number, reason: string]>((resolve) => {
      socket.on("close", (code, reason) => resolve([code, new TextDecoder().decode(reason)]));
    });
    await new Promise<void>((resolve) => socket.once("open", resolve));
    return { socket, ended, channel: await accepted.promise, listener };
  }

  /** Their server. */
  async function theirServer() {
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
    await new Promise<void>((resolve) => server.once("listening", resolve));
    const accepted = new Promise<WsSocket>((resolve) => server.on("connection", resolve));
    const url = `ws://127.0.0.1:${server.address().port}/`;
    const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
    return { accepted, url, close };
  }

  const kinds: Record<string, (options: WebSocketChannelOptions) => Promise<OpenChannels>> = {
    async "A client of ws as a WebSocketChannel"(options) {
      const accepted = Promise.withResolvers<OpenChannels["far"]>();
      const listener = await sockets.listenWebSocket(LOOPBACK, accepted.resolve);
      const socket = new WebSocket(`ws://127.0.0.1:${listener.address.port}/`);
      const near = new WebSocketChannel(socket, options);
      return { near, far: await accepted.promise, cleanup: () => listener.close() };
    },
    async "A server's socket of ws as a WebSocketChannel"(options) {
      const server = await theirServer();
      const [far, socket] = await Promise.all([connectWebSocket(server.url), server.accepted]);
      return { near: new WebSocketChannel(socket, options), far, cleanup: server.close };
    },
    async "connectWebSocket() to a server of ws"(options) {
      const server = await theirServer();
      const accepted = server.accepted.then((socket) => new WebSocketChannel(socket));
      const near = await connectWebSocket(server.url, options);
      return { near, far: await accepted, cleanup: server.close };
    },
  };
  for (const [kind, open] of Object.entries(kinds)) {
    for (const { name, run } of channelConformance(open)) {
      test(`${kind} under ${runtime} ${name}`, { timeout }, run);
    }
  }

  test("A client of ws is understood in text, bytes and pieces of both", { timeout }, async () => {
    const { socket, channel, listener } = await theirClient();
    const json = PING.toJson();
    const raw = PING.toBinary();
    socket.send(json);
    socket.send(raw);
    socket.send(json.slice(0, 5), { fin: false });
    socket.ping();
    socket.send(json.slice(5), { fin: true });
    socket.send(raw.subarray(0, 1), { fin: false });
    socket.send(raw.subarray(1, 1), { fin: false });
    socket.send(raw.subarray(1), { fin: true });
    const packets: Packet[] = [];
    await new Promise<void>((resolve) => {
      channel.onPacket = (packet) => {
        if (packets.push(packet) === 4) resolve();
      };
    });
    assert.deepEqual(packets, [PING, PING, PING, PING]);
    channel.close();
    await Promise.all([channel.closed, listener.close()]);
  });

  test("A client of ws understands packets of every size", { timeout }, async () => {
    const { socket, channel, listener } = await theirClient({ format: "binary" });
    const sizes = [0, 1, 50, 90, 91, 92, 125, 126, 127, 60_000, 65_000, 65_500, 65_535];
    const packets = sizes.map((size) => new Packet({ data: randomBytes(new Chance(size), size) }));
    const received: Packet[] = [];
    const all = new Promise<void>((resolve) => {
      socket.on("message", (data, isBinary) => {
        assert.equal(isBinary, true);
        const bytes = new Uint8Array(data as unknown as ArrayBuffer);
        if (received.push(Packet.fromBinary(bytes)) === packets.length) resolve();
      });
    });
    for (const packet of packets) assert.equal(channel.send(packet), true);
    await all;
    assert.deepEqual(received, packets);
    channel.close();
    await Promise.all([channel.closed, listener.close()]);
  });

  test("A client of ws gets its pings back", { timeout }, async () => {
    const { socket, channel, listener } = await theirClient();
    const pongs: string[] = [];
    const all = new Promise<void>((resolve) => {
      socket.on("pong", (data) => {
        if (pongs.push(new TextDecoder().decode(data)) === 3) resolve();
      });
    });
    for (const text of ["", "a", "x".repeat(125)]) socket.ping(new TextEncoder().encode(text));
    await all;
    assert.deepEqual(pongs, ["", "a", "x".repeat(125)]);
    channel.close();
    await Promise.all([channel.closed, listener.close()]);
  });

  test("A client of ws sees our close codes, and we see its", { timeout }, async () => {
    const ours = await theirClient();
    ours.channel.close();
    assert.equal((await ours.ended)[0], 1000);
    assert.equal(await ours.channel.closed, undefined);
    await ours.listener.close();

    const tooMuch = await theirClient();
    tooMuch.socket.send(new Uint8Array(131_073));
    assert.deepEqual(await tooMuch.ended, [1009, "a message of more than 131072 bytes"]);
    await tooMuch.listener.close();

    const theirs = await theirClient();
    theirs.socket.close(4001, "token expired");
    assert.equal((await theirs.ended)[0], 4001);
    const { message } = await theirs.channel.closed as ChannelError;
    assert.equal(message, "Cannot keep WebSocket open: code 4001, token expired");
    await theirs.listener.close();

    const gone = await theirClient();
    gone.socket.terminate();
    assert.ok(await gone.channel.closed instanceof Error);
    await gone.listener.close();
  });
}
