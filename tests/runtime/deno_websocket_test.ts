import assert from "node:assert/strict";
import { test } from "node:test";
import { type ChannelError, connectWebSocket, Packet, type WebSocketChannel } from "../../mod.ts";
import { upgradeWebSocket } from "../../src/runtime/deno.ts";
import { CountingController, rejection } from "../support/routers.ts";

/** A server of WebSockets, and what it accepts. */
function serve() {
  const accepted = Promise.withResolvers<WebSocketChannel>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { response, channel } = upgradeWebSocket(request);
    accepted.resolve(channel);
    return response;
  });
  return { server, url: `ws://127.0.0.1:${server.addr.port}/`, accepted: accepted.promise };
}

test("upgradeWebSocket() throws a TypeError for a plain request", () => {
  assert.throws(() => upgradeWebSocket(new Request("http://127.0.0.1/")), TypeError);
});

test("upgradeWebSocket() and connectWebSocket() make a channel", { timeout: 10_000 }, async () => {
  const { server, url, accepted } = serve();
  const [near, far] = await Promise.all([connectWebSocket(url), accepted]);
  const received = new Promise<Packet>((resolve) => far.onPacket = resolve);
  near.send(new Packet({ srv: "ping", data: "hi" }));
  assert.equal((await received).text(), "hi");
  near.close();
  assert.deepEqual(await Promise.all([near.closed, far.closed]), [undefined, undefined]);
  await server.shutdown();
});

test("connectWebSocket() throws when nobody listens, or no WebSocket is there", {
  timeout: 10_000,
}, async () => {
  const http = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
    return new Response("hello");
  });
  const url = `ws://127.0.0.1:${http.addr.port}/`;
  const controller = new CountingController();
  const { signal } = controller;
  assert.equal(
    (await rejection(connectWebSocket(url, { signal })) as ChannelError).code,
    "ERR_CHANNEL_CLOSED",
  );
  await http.shutdown();
  assert.equal(
    (await rejection(connectWebSocket(url, { signal })) as ChannelError).code,
    "ERR_CHANNEL_CLOSED",
  );
  assert.equal(controller.listening, 0);
});

test(
  "connectWebSocket() throws a SyntaxError for what is no URL",
  { timeout: 10_000 },
  async () => {
    const error = await rejection(connectWebSocket("no url")) as DOMException;
    assert.equal(error.name, "SyntaxError");
  },
);

test("connectWebSocket() ends with the reason of its signal, before and while it connects", {
  timeout: 10_000,
}, async () => {
  const server = Deno.listen({ hostname: "127.0.0.1", port: 0 }); // Accepts, and says nothing.
  const url = `ws://127.0.0.1:${server.addr.port}/`;
  const reason = new Error("never mind");
  assert.equal(
    await rejection(connectWebSocket(url, { signal: AbortSignal.abort(reason) })),
    reason,
  );
  const controller = new CountingController();
  const connecting = rejection(connectWebSocket(url, { signal: controller.signal }));
  const conn = await server.accept();
  await conn.read(new Uint8Array(1 << 12));
  controller.abort(reason);
  assert.equal(await connecting, reason);
  assert.equal(controller.listening, 0);
  conn.close();
  server.close();
});

test("WebSocketChannel.closed settles with a reason when the connection breaks", {
  timeout: 10_000,
}, async () => {
  const server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connecting = connectWebSocket(`ws://127.0.0.1:${server.addr.port}/`);
  const conn = await server.accept();
  const buffer = new Uint8Array(1 << 12);
  const request = new TextDecoder().decode(buffer.subarray(0, await conn.read(buffer) ?? 0));
  const key = /sec-websocket-key: (\S+)/i.exec(request)![1]!;
  const magic = new TextEncoder().encode(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-1", magic));
  const accept = btoa(String.fromCharCode(...digest));
  const lines = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Accept: ${accept}`,
  ];
  await conn.write(new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n`));
  const channel = await connecting;
  conn.close();
  assert.equal((await channel.closed as ChannelError).code, "ERR_CHANNEL_CLOSED");
  server.close();
});
