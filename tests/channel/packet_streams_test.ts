import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ChannelError,
  createChannelPair,
  Packet,
  PacketError,
  PacketStreamChannel,
  packetStreams,
  StreamChannel,
} from "../../mod.ts";
import { FakeDuplex, turn } from "../support/channels.ts";
import { ForeignChannel, rejection } from "../support/routers.ts";

const packet = new Packet({ srv: "s", data: new Uint8Array(936) }); // Counts for 1,000 bytes.

test("packetStreams() reads and writes the packets of a channel", { timeout: 10_000 }, async () => {
  const [left, right] = createChannelPair();
  const near = packetStreams(left);
  const far = packetStreams(right);
  const writer = near.writable.getWriter();
  const reader = far.readable.getReader();
  await writer.write(new Packet({ srv: "a", ctx: 7 }));
  await writer.write(new Packet({ srv: "b" }));
  const read = [(await reader.read()).value!, (await reader.read()).value!];
  assert.deepEqual(read.map(({ srv, ctx }) => [srv, ctx]), [["a", 7], ["b", 0]]);
  await writer.close();
  assert.deepEqual((await reader.read()).done, true);
  assert.deepEqual(await Promise.all([left.closed, right.closed]), [undefined, undefined]);
});

test("packetStreams() keeps no more than highWater bytes for a slow reader", {
  timeout: 10_000,
}, async () => {
  const [left, right] = createChannelPair();
  const { readable } = packetStreams(left, { highWater: 3_000 });
  const drops: string[] = [];
  left.onDrop = (error, packet) => void drops.push(`${error.code} ${packet!.seq}`);
  for (let seq = 1; seq <= 5; seq++) right.send(new Packet({ ...packet, data: packet.data, seq }));
  await right.drained();
  assert.deepEqual(drops, ["ERR_CHANNEL_FULL 4", "ERR_CHANNEL_FULL 5"]);
  const reader = readable.getReader();
  const seqs: number[] = [];
  for (let i = 0; i < 3; i++) seqs.push((await reader.read()).value!.seq);
  assert.deepEqual([seqs, left.isOpen], [[1, 2, 3], true]);
});

test("packetStreams() closes the channel when a slow reader does not even read routes", {
  timeout: 10_000,
}, async () => {
  const [left, right] = createChannelPair();
  const { readable, writable } = packetStreams(left, { highWater: 3_000 });
  for (let i = 0; i < 200 && right.isOpen; i++) right.send(new Packet({ net: 3 }));
  const reason = await left.closed as ChannelError;
  assert.equal(reason.code, "ERR_CHANNEL_FULL");
  assert.equal(await rejection(readable.getReader().read()), reason);
  assert.equal(await rejection(writable.getWriter().write(packet)), reason);
});

test("packetStreams() waits with a write while the channel is full", {
  timeout: 10_000,
}, async () => {
  const duplex = new FakeDuplex();
  let proceed!: () => void;
  duplex.gate = new Promise((resolve) => proceed = resolve);
  const channel = new StreamChannel(duplex, { highWater: 1_500 });
  const writer = packetStreams(channel).writable.getWriter();
  await writer.write(packet);
  let written = false;
  const second = writer.write(packet).then(() => written = true);
  await turn();
  assert.equal(written, false);
  proceed();
  await second;
  await channel.drained();
  assert.equal(duplex.written.length, 2);
});

test("packetStreams() releases the channel when the readable is cancelled", {
  timeout: 10_000,
}, async () => {
  const [left, right] = createChannelPair();
  const { readable, writable } = packetStreams(left);
  const reason = new Error("enough");
  await readable.cancel(reason);
  assert.equal(await left.closed, reason);
  await right.closed;
  assert.equal(await rejection(writable.getWriter().write(packet)), reason);
});

test("packetStreams() releases the channel when the writable is aborted", {
  timeout: 10_000,
}, async () => {
  const [left, right] = createChannelPair();
  const { readable, writable } = packetStreams(left);
  const reason = new Error("enough");
  await writable.abort(reason);
  assert.equal(await left.closed, reason);
  await right.closed;
  assert.equal(await rejection(readable.getReader().read()), reason);
});

test("packetStreams() releases a full channel when the writable is aborted", {
  timeout: 10_000,
}, async () => {
  const duplex = new FakeDuplex();
  duplex.gate = new Promise(() => {}); // The peer takes nothing, ever.
  const channel = new StreamChannel(duplex, { highWater: 1_500 });
  const writer = packetStreams(channel).writable.getWriter();
  await writer.write(packet);
  const waiting = rejection(writer.write(packet));
  await turn();
  const reason = new Error("enough");
  await writer.abort(reason);
  await waiting;
  assert.equal(await channel.closed, reason);
});

test("packetStreams() aborted without a reason closes the channel for one", {
  timeout: 10_000,
}, async () => {
  const [left] = createChannelPair();
  await packetStreams(left).writable.abort();
  assert.equal((await left.closed as ChannelError).code, "ERR_CHANNEL_CLOSED");
});

test("packetStreams() errors the writable with a PacketError when a packet does not fit", {
  timeout: 10_000,
}, async () => {
  const [left] = createChannelPair();
  const writer = packetStreams(left).writable.getWriter();
  const bad = new Packet({ srv: "s" });
  bad.ctx = 70_000;
  const error = await rejection(writer.write(bad));
  assert(error instanceof PacketError);
  assert.equal(error.code, "ERR_PACKET_FIELD");
  assert.equal(await rejection(writer.closed), error);
});

test("packetStreams() fails a write to a channel that is closing, and does not spin", {
  timeout: 10_000,
}, async () => {
  const duplex = new FakeDuplex();
  const channel = new StreamChannel(duplex);
  const writer = packetStreams(channel).writable.getWriter();
  channel.close(); // Its peer has yet to end, too.
  const error = await rejection(writer.write(packet)) as ChannelError;
  assert.equal(error.code, "ERR_CHANNEL_CLOSED");
  duplex.end();
  await channel.closed;
});

test("packetStreams() fails a write that a channel without drained() refuses", {
  timeout: 10_000,
}, async () => {
  const channel = new ForeignChannel();
  channel.answer = () => false;
  const error = await rejection(packetStreams(channel).writable.getWriter().write(packet));
  assert.deepEqual(
    error,
    new ChannelError("ERR_CHANNEL_FULL", "Cannot write packet: the channel refuses it"),
  );
});

test("packetStreams() lets the reader read what came before the channel closed", {
  timeout: 10_000,
}, async () => {
  const [left, right] = createChannelPair();
  const { readable } = packetStreams(left);
  right.send(new Packet({ srv: "last" }));
  right.close();
  await left.closed;
  const reader = readable.getReader();
  assert.equal((await reader.read()).value!.srv, "last");
  assert.equal((await reader.read()).done, true);
});

test("PacketStreamChannel ends when either of its streams does", { timeout: 10_000 }, async () => {
  const open = () => {
    let input!: ReadableStreamDefaultController<Packet>;
    let output!: WritableStreamDefaultController;
    const log: string[] = [];
    const channel = new PacketStreamChannel({
      readable: new ReadableStream({
        start: (controller) => void (input = controller),
        cancel: () => void log.push("cancelled"),
      }),
      writable: new WritableStream({
        start: (controller) => void (output = controller),
        close: () => void log.push("closed"),
        abort: () => void log.push("aborted"),
      }),
    });
    return { channel, input, output, log };
  };
  const error = new Error("broken");
  const results: unknown[] = [];
  for (const how of ["end", "read error", "write error", "close"] as const) {
    const { channel, input, output, log } = open();
    await turn();
    if (how === "end") input.close();
    else if (how === "read error") input.error(error);
    else if (how === "write error") output.error(error);
    else channel.close(error);
    results.push([how, await channel.closed, log]);
  }
  assert.deepEqual(results, [
    ["end", undefined, ["closed"]],
    ["read error", error, ["aborted"]],
    ["write error", error, ["cancelled"]],
    ["close", error, ["aborted", "cancelled"]],
  ]);
});
