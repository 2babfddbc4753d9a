/** TCP in the runtime that runs this. What TLS has in common with it is in `socketSuite`. */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { Packet, Router, type TcpChannel } from "../../mod.ts";
import { connectRaw, fillBacklog, openSockets, RawServer, until } from "../support/raw_socket.ts";
import { CountingController, failureCode, rejection } from "../support/routers.ts";
import { LOOPBACK, sockets } from "../support/runtime.ts";
import { runScript } from "../support/script.ts";
import { type Opened, packets, socketSuite } from "../support/socket_suite.ts";

const { connectTcp, listenTcp } = sockets;
const timeout = 20_000;

/** A listener, and the channels that it accepts. */
async function listening() {
  const accepted: TcpChannel[] = [];
  let wake = () => {};
  const listener = await listenTcp(LOOPBACK, (channel) => {
    accepted.push(channel);
    wake();
  });
  const next = async () => {
    if (accepted.length === 0) await new Promise<void>((resolve) => wake = resolve);
    return accepted.shift()!;
  };
  return { listener, next };
}

const SIDES: Record<string, Parameters<typeof socketSuite>[1]> = {
  async "connectTcp()"(options) {
    const server = await RawServer.listen();
    const [channel, peer] = await Promise.all([
      connectTcp(server.address, options),
      server.accept(),
    ]);
    return { channel, peer, port: server.address.port, cleanup: () => server.close() };
  },
  async "listenTcp()"(options): Promise<Opened> {
    const accepted = Promise.withResolvers<TcpChannel>();
    const listener = await listenTcp(LOOPBACK, accepted.resolve, options);
    const { port } = listener.address;
    const peer = await connectRaw(port);
    const cleanup = async () => {
      await listener.close();
      await peer.close();
    };
    return { channel: await accepted.promise, peer, port, cleanup };
  },
};

for (const [side, open] of Object.entries(SIDES)) {
  socketSuite(side, open);

  test(`${side} closes with ECONNRESET when its peer resets`, { timeout }, async () => {
    const { channel, peer, cleanup } = await open();
    peer.reset();
    assert.equal((await channel.closed as NodeJS.ErrnoException).code, "ECONNRESET");
    await cleanup();
  });

  test(`${side} closes with a reason when its peer resets while it sends`, {
    timeout,
  }, async () => {
    const { channel, peer, cleanup } = await open();
    while (channel.send(new Packet({ srv: "s", data: new Uint8Array(60_000) })));
    await peer.read(1);
    peer.reset();
    const { code } = await channel.closed as NodeJS.ErrnoException;
    assert.ok(["ECONNRESET", "EPIPE"].includes(code!), code);
    await cleanup();
  });
}

test("listenTcp() says where it listens, and connects there", { timeout }, async () => {
  const { listener, next } = await listening();
  assert.equal(listener.address.hostname, "127.0.0.1");
  assert(listener.address.port > 0);
  const [near, far] = await Promise.all([connectTcp(listener.address), next()]);
  const received = packets(far, 1);
  near.send(new Packet({ srv: "ping" }));
  assert.equal((await received)[0]!.srv, "ping");
  near.close();
  await Promise.all([near.closed, far.closed, listener.close()]);
});

test("Listener.close() resolves at once, stops accepting, and leaves its channels alive", {
  timeout,
}, async () => {
  const { listener, next } = await listening();
  const [near, far] = await Promise.all([connectTcp(listener.address), next()]);
  await listener.close();
  await listener.close();
  await listener[Symbol.asyncDispose]();
  assert.equal(await failureCode(connectTcp(listener.address)), "ECONNREFUSED");
  const received = packets(near, 1);
  far.send(new Packet({ srv: "still here" }));
  assert.equal((await received)[0]!.srv, "still here");
  far.close();
  assert.deepEqual(await Promise.all([near.closed, far.closed]), [undefined, undefined]);
});

test("listenTcp() throws EADDRINUSE for an address that is in use", { timeout }, async () => {
  const { listener } = await listening();
  assert.equal(await failureCode(listenTcp(listener.address, () => {})), "EADDRINUSE");
  await listener.close();
});

test("listenTcp() and connectTcp() know IPv6", { timeout }, async () => {
  const accepted = Promise.withResolvers<TcpChannel>();
  const listener = await listenTcp({ hostname: "::1", port: 0 }, accepted.resolve);
  assert.equal(listener.address.hostname, "::1");
  const near = await connectTcp(listener.address);
  near.close();
  await Promise.all([near.closed, (await accepted.promise).closed, listener.close()]);
});

test("listenTcp(), listenTls() and listenWebSocket() go on when a callback throws, and report it", {
  timeout,
}, async () => {
  const script = runScript("./throwing_listener.ts");
  const kinds = ["tcp", "tls", "websocket"];
  assert.deepEqual(
    (await script.rest()).split("\n"),
    kinds.flatMap((kind) => [`reported: no room for ${kind}`, `${kind} closed`, `${kind} accepts`]),
  );
});

test("connectTcp() throws ECONNREFUSED when nobody listens", { timeout }, async () => {
  const { listener } = await listening();
  await listener.close();
  const controller = new CountingController();
  const { signal } = controller;
  assert.equal(await failureCode(connectTcp(listener.address, { signal })), "ECONNREFUSED");
  assert.equal(controller.listening, 0);
});

test("connectTcp() does not connect when its signal has aborted", { timeout }, async () => {
  const { listener } = await listening();
  const reason = new Error("never mind");
  const signal = AbortSignal.abort(reason);
  assert.equal(await rejection(connectTcp(listener.address, { signal })), reason);
  await listener.close();
});

test("connectTcp() ends with the reason of its signal while it connects", {
  timeout,
}, async () => {
  const { listener } = await listening();
  const controller = new CountingController();
  const connecting = rejection(connectTcp(listener.address, { signal: controller.signal }));
  const reason = new Error("never mind");
  controller.abort(reason); // In the same turn: no connection is that fast.
  assert.equal(await connecting, reason);
  assert.equal(controller.listening, 0);
  await listener.close();
});

test("connectTcp() leaves nothing open when it is aborted while nobody accepts", {
  timeout,
}, async () => {
  if (process.platform !== "linux") return; // Elsewhere a full backlog is none, or refuses.
  const script = runScript("./stuck_listener.ts");
  const port = Number(await script.line());
  const empty = await fillBacklog(port);
  const before = openSockets(port, "connecting")!;
  const controller = new CountingController();
  const connecting = rejection(
    connectTcp({ hostname: "127.0.0.1", port }, { signal: controller.signal }),
  );
  await until(() => openSockets(port, "connecting")! > before);
  const reason = new Error("never mind");
  controller.abort(reason);
  assert.equal(await connecting, reason);
  await until(() => openSockets(port, "connecting") === before);
  assert.equal(controller.listening, 0);
  await empty();
  await script.end();
});

test("Router.close() ends its connections in order in the midst of a flood", {
  timeout,
}, async () => {
  const { listener, next } = await listening();
  const [a, b] = [new Router("a"), new Router("b")];
  const [near, far] = await Promise.all([connectTcp(listener.address), next()]);
  a.addChannel(near);
  b.addChannel(far);
  b.registerService("sink", () => {});
  await a.waitForService("sink");
  const data = new Uint8Array(10_000);
  while (a.send({ srv: "sink", dst: "b", data }) === null);
  await b.close();
  assert.deepEqual(await Promise.all([near.closed, far.closed]), [undefined, undefined]);
  await Promise.all([a.close(), listener.close()]);
});
