import assert from "node:assert/strict";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { Packet, Router, type TcpChannel } from "../../mod.ts";
import { connectTcp, listenTcp } from "../../src/runtime/deno.ts";
import { encodeFrame, KissDecoder } from "../../src/wire/mod.ts";
import { CountingController, rejection } from "../support/routers.ts";

const LOOPBACK = { hostname: "127.0.0.1", port: 0 };
const PING = encodeFrame(new Packet({ srv: "ping" }).toBinary());

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

/** The next packets that arrive. */
function packets(channel: TcpChannel, count: number): Promise<Packet[]> {
  return new Promise((resolve) => {
    const received: Packet[] = [];
    channel.onPacket = (packet) => {
      received.push(packet);
      if (received.length === count) resolve(received);
    };
  });
}

/** Everything that a raw connection gives, up to its end. */
async function readAll(conn: Deno.Conn): Promise<Uint8Array> {
  const chunks: number[] = [];
  const buffer = new Uint8Array(1 << 16);
  for (let size; (size = await conn.read(buffer)) !== null;) {
    chunks.push(...buffer.subarray(0, size));
  }
  return Uint8Array.from(chunks);
}

test("listenTcp() says where it listens, and connects there", { timeout: 10_000 }, async () => {
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

test("TcpListener.close() stops accepting, and leaves its channels alive", {
  timeout: 10_000,
}, async () => {
  const { listener, next } = await listening();
  const [near, far] = await Promise.all([connectTcp(listener.address), next()]);
  await listener.close();
  await listener.close();
  await listener[Symbol.asyncDispose]();
  await assert.rejects(connectTcp(listener.address), Deno.errors.ConnectionRefused);
  const received = packets(near, 1);
  far.send(new Packet({ srv: "still here" }));
  assert.equal((await received)[0]!.srv, "still here");
  far.close();
  assert.deepEqual(await Promise.all([near.closed, far.closed]), [undefined, undefined]);
});

test("listenTcp() refuses an address that is in use", { timeout: 10_000 }, async () => {
  const { listener } = await listening();
  await assert.rejects(listenTcp(listener.address, () => {}), Deno.errors.AddrInUse);
  await listener.close();
});

test("listenTcp() goes on accepting when its callback throws, and tells the error", {
  timeout: 10_000,
}, async () => {
  const error = new Error("no room");
  const reported = new Promise<unknown>((resolve) => {
    globalThis.addEventListener("error", (event) => {
      event.preventDefault();
      resolve(event.error);
    }, { once: true });
  });
  let calls = 0;
  const second = Promise.withResolvers<TcpChannel>();
  const listener = await listenTcp(LOOPBACK, (channel) => {
    if (++calls === 1) throw error;
    second.resolve(channel);
  });
  const refused = await connectTcp(listener.address);
  assert.equal(await reported, error);
  await refused.closed;
  const near = await connectTcp(listener.address);
  const far = await second.promise;
  near.close();
  await Promise.all([near.closed, far.closed, listener.close()]);
});

test("connectTcp() throws ConnectionRefused when nobody listens", { timeout: 10_000 }, async () => {
  const { listener } = await listening();
  await listener.close();
  const controller = new CountingController();
  await assert.rejects(
    connectTcp(listener.address, { signal: controller.signal }),
    Deno.errors.ConnectionRefused,
  );
  assert.equal(controller.listening, 0);
});

test("connectTcp() does not connect when its signal has aborted", { timeout: 10_000 }, async () => {
  const { listener } = await listening();
  const reason = new Error("never mind");
  assert.equal(
    await rejection(connectTcp(listener.address, { signal: AbortSignal.abort(reason) })),
    reason,
  );
  await listener.close();
});

test("connectTcp() ends with the reason of its signal while it connects", {
  timeout: 10_000,
}, async () => {
  const { listener } = await listening();
  const controller = new AbortController();
  const connecting = rejection(connectTcp(listener.address, { signal: controller.signal }));
  const reason = new Error("never mind");
  controller.abort(reason); // In the same turn: no connection is that fast.
  assert.equal(await connecting, reason);
  await listener.close();
});

test("TcpChannel.closed settles with a reason when the peer resets", {
  timeout: 10_000,
}, async () => {
  const server = createServer(); // Deno's own connections cannot be made to reset at once.
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const [channel, socket] = await Promise.all([
    connectTcp({ hostname: "127.0.0.1", port }),
    accepted,
  ]);
  socket.resetAndDestroy();
  assert(await channel.closed instanceof Deno.errors.ConnectionReset);
  await new Promise<void>((resolve) => void server.close(() => resolve()));
});

test("TcpChannel hands on what its peer sent before it ended", { timeout: 10_000 }, async () => {
  const server = Deno.listen(LOOPBACK);
  const [channel, conn] = await Promise.all([connectTcp(server.addr), server.accept()]);
  const received = packets(channel, 3);
  await conn.write(Uint8Array.from([...PING, ...PING, ...PING]));
  await conn.closeWrite();
  assert.equal((await received).length, 3);
  assert.equal(await channel.closed, undefined);
  assert.deepEqual(await readAll(conn), new Uint8Array(0));
  conn.close();
  server.close();
});

test("TcpChannel keeps what its peer sent before it ended for whoever comes late", {
  timeout: 10_000,
}, async () => {
  const server = Deno.listen(LOOPBACK);
  const [channel, conn] = await Promise.all([connectTcp(server.addr), server.accept()]);
  await conn.write(PING);
  conn.close();
  assert.equal(await channel.closed, undefined);
  const [packet] = await packets(channel, 1);
  assert.equal(packet!.srv, "ping");
  server.close();
});

test("TcpChannel still sends what is queued after its peer has ended", {
  timeout: 10_000,
}, async () => {
  const server = Deno.listen(LOOPBACK);
  const [channel, conn] = await Promise.all([connectTcp(server.addr), server.accept()]);
  const packet = new Packet({ srv: "s", data: new Uint8Array(60_000) });
  let sent = 0;
  while (channel.send(packet)) sent++; // More than the system takes at once.
  await conn.closeWrite();
  const frames = new KissDecoder().push(await readAll(conn));
  assert.equal(frames.length, sent);
  assert.equal(await channel.closed, undefined);
  conn.close();
  server.close();
});

test("TcpChannel.close() ends in order, not with a reset, though it has unread data", {
  timeout: 10_000,
}, async () => {
  const server = Deno.listen(LOOPBACK);
  const [channel, conn] = await Promise.all([connectTcp(server.addr), server.accept()]);
  channel.send(new Packet({ srv: "ping" }));
  const flood = new Uint8Array(1 << 20);
  const flooding = (async () => {
    for (let sent = 0; sent < flood.length;) sent += await conn.write(flood.subarray(sent));
  })();
  channel.close();
  assert.deepEqual(await readAll(conn), PING); // Its end, and no ConnectionReset.
  await flooding;
  conn.close();
  assert.equal(await channel.closed, undefined);
  server.close();
});

test("Router.close() ends its connections in order in the midst of a flood", {
  timeout: 20_000,
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

test("TcpChannel closes when its signal aborts, and the socket with it", {
  timeout: 10_000,
}, async () => {
  const { listener, next } = await listening();
  const controller = new CountingController();
  const [near, far] = await Promise.all([
    connectTcp(listener.address, { signal: controller.signal }),
    next(),
  ]);
  const reason = new Error("enough");
  controller.abort(reason);
  assert.equal(await near.closed, reason);
  await far.closed;
  assert.equal(controller.listening, 0);
  await listener.close();
});
