import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { AddressInfo, Server, Socket } from "node:net";
import process from "node:process";
import { mock, test } from "node:test";
import { type ChannelError, type ChannelOptions, Packet, TcpChannel } from "../../mod.ts";
import { channelConformance } from "../../src/testing/mod.ts";
import { encodeFrame } from "../../src/wire/mod.ts";
import { concat, record, turn } from "../support/channels.ts";

const PING = encodeFrame(new Packet({ srv: "ping" }).toBinary());

/** A Node socket of which the test plays the network. */
class FakeSocket extends EventEmitter {
  /** Node's is a boolean, and not a stream. */
  readonly readable: boolean = true;
  readonly written: Uint8Array[] = [];
  readonly log: string[] = [];
  /** Whether writes are taken without asking to wait. */
  free: boolean = true;

  write(chunk: Uint8Array): boolean {
    this.written.push(chunk);
    return this.free;
  }
  /** Whether all is sent as soon as it ends. */
  fast: boolean = true;

  end(onFinish: () => void): void {
    this.log.push("end");
    if (this.fast) onFinish();
    else this.once("finish", onFinish);
  }
  destroy(error?: Error): void {
    this.log.push(`destroy ${error?.message ?? ""}`.trim());
  }
  pause(): void {
    this.log.push("pause");
  }
  resume(): void {}
}

function open(options: ChannelOptions = {}) {
  const socket = new FakeSocket();
  const channel = new TcpChannel(socket, options);
  return { socket, channel, told: record(channel) };
}

test("TcpChannel hands on what a Node socket emits, and writes packets to it", {
  timeout: 10_000,
}, async () => {
  const { socket, channel, told } = open();
  for (const byte of PING) socket.emit("data", Uint8Array.of(byte));
  channel.send(new Packet({ srv: "ping" }));
  await channel.drained();
  await turn();
  assert.deepEqual([told, concat(socket.written)], [["packet ping"], concat([PING])]);
});

test("TcpChannel waits for drain while a Node socket is full", { timeout: 10_000 }, async () => {
  const { socket, channel } = open({ highWater: 100 });
  socket.free = false;
  channel.send(new Packet({ srv: "one" }));
  await turn();
  let drained = false;
  const waiting = channel.drained().then(() => drained = true);
  channel.send(new Packet({ srv: "two" }));
  await turn();
  assert.deepEqual([socket.written.length, drained], [1, false]);
  socket.emit("drain");
  await turn();
  assert.deepEqual([socket.written.length, drained], [2, false]);
  socket.free = true;
  socket.emit("drain");
  await waiting;
  socket.emit("drain"); // Whoever does not wait does not mind.
  channel.send(new Packet({ srv: "three" }));
  await channel.drained();
  assert.equal(socket.written.length, 3);
});

test("TcpChannel ends a Node socket in order, both ways", { timeout: 10_000 }, async () => {
  const { socket, channel, told } = open();
  channel.close();
  await turn();
  assert.deepEqual([socket.log, told], [["end"], []]);
  socket.emit("end");
  socket.emit("close");
  assert.equal(await channel.closed, undefined);
  assert.deepEqual([socket.log, told], [["end"], ["close"]]);
});

test("TcpChannel still sends what is queued when its peer has sent its last", {
  timeout: 10_000,
}, async () => {
  const { socket, channel, told } = open();
  socket.free = false;
  channel.send(new Packet({ srv: "ping" }));
  await turn();
  channel.send(new Packet({ srv: "ping" }));
  socket.emit("end");
  await turn();
  assert.deepEqual([socket.written.length, socket.log], [1, []]);
  socket.emit("drain");
  await turn();
  socket.emit("drain");
  await channel.closed;
  assert.deepEqual(
    [concat(socket.written), socket.log, told],
    [concat([PING, PING]), ["end"], ["close"]],
  );
});

test("TcpChannel closes with the error of a Node socket, and destroys it", {
  timeout: 10_000,
}, async () => {
  for (const full of [false, true]) {
    const { socket, channel, told } = open();
    socket.free = !full;
    channel.send(new Packet({ srv: "ping" }));
    await turn();
    const error = new Error("ECONNRESET");
    socket.emit("error", error);
    socket.emit("close");
    assert.equal(await channel.closed, error);
    await turn();
    assert.deepEqual(told, ["close: ECONNRESET"]);
    assert.equal(channel.send(new Packet()), false);
  }
});

test("TcpChannel does not lose quietly what a socket that has closed could not take", {
  timeout: 10_000,
}, async () => {
  const { socket, channel } = open();
  socket.free = false;
  channel.send(new Packet({ srv: "ping" }));
  await turn();
  channel.send(new Packet({ srv: "ping" }));
  socket.emit("end");
  socket.emit("close");
  const reason = await channel.closed as ChannelError;
  assert.deepEqual(
    [reason.code, reason.message],
    ["ERR_CHANNEL_CLOSED", "Cannot write: the socket is closed"],
  );
});

test("TcpChannel is not closed before a Node socket has sent all", {
  timeout: 10_000,
}, async () => {
  const { socket, channel, told } = open();
  socket.fast = false;
  channel.send(new Packet({ srv: "ping" }));
  channel.close();
  socket.emit("end");
  await turn();
  assert.deepEqual([socket.log.at(-1), told], ["end", []]);
  socket.emit("finish");
  assert.equal(await channel.closed, undefined);
});

test("TcpChannel destroys a Node socket when it closes for a reason", {
  timeout: 10_000,
}, async () => {
  const { socket, channel } = open();
  const reason = new Error("cut");
  channel.close(reason);
  assert.equal(await channel.closed, reason);
  await turn();
  assert(socket.log.length > 0 && socket.log.every((line) => line === "destroy"), `${socket.log}`);
  socket.emit("data", PING); // Late news do not matter.
  socket.emit("end");
  socket.emit("close");
});

test("TcpChannel closes within a second though a Node socket never drains", {
  timeout: 10_000,
}, async () => {
  const { socket, channel, told } = open();
  socket.free = false;
  channel.send(new Packet({ srv: "ping" }));
  await turn();
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    channel.close();
    mock.timers.tick(1_000);
  } finally {
    mock.timers.reset();
  }
  await channel.closed;
  await turn();
  assert.deepEqual(told, ["close: Cannot close channel in order: it takes too long"]);
  assert(socket.log.includes("destroy"), "the socket is destroyed");
});

test("TcpChannel hands on what a Node socket emits before it emits more, and never pauses it", () => {
  const { socket, told } = open();
  for (let i = 1; i <= 5; i++) {
    socket.emit("data", PING);
    assert.equal(told.length, i);
  }
  assert.deepEqual(socket.log, []);
});

test("TcpChannel closes with what its onPacket throws, and destroys the Node socket", {
  timeout: 10_000,
}, async () => {
  const { socket, channel } = open();
  const error = new Error("cannot use this");
  channel.onPacket = () => {
    throw error;
  };
  socket.emit("data", PING);
  assert.equal(await channel.closed, error);
  assert.deepEqual(socket.log, ["destroy"]);
});

// ── over real sockets, where there is node:net ──────────────────────────────

const net = process.getBuiltinModule("node:net");

/** A server that accepts one connection, and that connection. */
async function connected(): Promise<{ server: Server; near: Socket; far: Socket }> {
  const server = net.createServer();
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const near = net.connect(port, "127.0.0.1");
  await new Promise<void>((resolve) => near.once("connect", resolve));
  return { server, near, far: await accepted };
}

for (
  const { name, run } of channelConformance(async (options) => {
    const { server, near, far } = await connected();
    return {
      near: new TcpChannel(near, options),
      far: new TcpChannel(far),
      cleanup: () => new Promise<void>((resolve) => void server.close(() => resolve())),
    };
  })
) {
  test(`TcpChannel over node:net ${name}`, { timeout: 10_000 }, run);
}

test("TcpChannel over node:net carries 20 MB to a slow reader, and buffers little of it", {
  timeout: 30_000,
}, async () => {
  const { server, near, far } = await connected();
  const sender = new TcpChannel(near);
  far.pause();
  const data = new Uint8Array(60_000);
  let sent = 0;
  let held = 0;
  const all = new Promise<number>((resolve) => {
    let bytes = 0;
    far.on("data", (chunk) => {
      bytes += chunk.length;
      if (bytes > 20_000_000) resolve(bytes);
    });
    far.pause();
  });
  while (sent < 350) {
    if (sender.send(new Packet({ srv: "s", data }))) {
      sent++;
      held = Math.max(held, near.writableLength + sender.bufferedBytes);
    } else {
      far.resume();
      await sender.drained();
    }
  }
  far.resume();
  await all;
  assert(held < 4_000_000, `${held} bytes were held`);
  sender.close(new Error("done"));
  far.destroy();
  await sender.closed;
  await new Promise<void>((resolve) => void server.close(() => resolve()));
});

test("TcpChannel over node:net closes with the error when its peer resets", {
  timeout: 10_000,
}, async () => {
  const { server, near, far } = await connected();
  const channel = new TcpChannel(near);
  far.resetAndDestroy();
  const reason = await channel.closed as NodeJS.ErrnoException;
  assert.equal(reason.code, "ECONNRESET");
  await new Promise<void>((resolve) => void server.close(() => resolve()));
});
