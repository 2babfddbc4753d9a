/**
 * Channels as streams of packets and streams of packets as channels, so that a tap, a filter, a
 * throttle or a bridge is a `pipeThrough`.
 *
 * @module
 */

import { ChannelError } from "../errors.ts";
import { checkFields } from "../wire/packet_codec.ts";
import type { Packet } from "../wire/packet.ts";
import type { Channel, ChannelOptions, PacketDuplex } from "./channel.ts";
import { DuplexChannel, type OutgoingChunk } from "./duplex_channel.ts";

/** What a packet counts for beside its payload, in bytes: its names and numbers, roughly. */
const HEADER_SIZE = 64;

/** Bytes that a packet counts for while it is not encoded. */
export function packetSize(packet: Packet): number {
  return HEADER_SIZE + packet.data.length;
}

/** A channel over any `{ readable, writable }` of packets. */
export class PacketStreamChannel extends DuplexChannel<Packet, Packet> {
  /** What carries it. */
  override transport: string | undefined = "stream";

  /** Constructs a new instance, which owns both streams. */
  constructor(duplex: PacketDuplex, options: ChannelOptions = {}) {
    super(duplex, options);
  }

  /** Copies a packet: the caller may go on using it. */
  protected override encode(packet: Packet): Packet {
    checkFields(packet);
    return packet.copy();
  }

  /** Roughly what it would take on a wire. */
  protected override sizeOf(packet: Packet): number {
    return packetSize(packet);
  }

  /** Takes the next packet. */
  protected override nextChunk(): OutgoingChunk<Packet> | undefined {
    const packet = this.next();
    return packet && { chunk: packet, size: packetSize(packet) };
  }

  /** Takes a packet. */
  protected override receive(packet: Packet): void {
    this.received(packetSize(packet));
    this.deliver(packet);
  }
}

/**
 * Takes a channel as a pair of packet streams, which own it from then on: closing the writable, or
 * cancelling the readable, closes the channel. Writing waits while the channel is full.
 *
 * @param options `highWater`: bytes kept for a slow reader; beyond it application data is dropped
 *   and told to the channel's `onDrop`. What routers tell each other may take as much again; then
 *   the channel closes.
 *
 * @example A tap between a router and its channel
 * ```ts
 * import { createChannelPair, type Packet, packetStreams, PacketStreamChannel, Router } from "@aln/mesh";
 *
 * const [left, right] = createChannelPair();
 * const streams = packetStreams(left);
 * const seen: string[] = [];
 * const tap = new TransformStream<Packet, Packet>({
 *   transform(packet, controller) {
 *     seen.push(`net ${packet.net} from ${packet.src}`);
 *     controller.enqueue(packet);
 *   },
 * });
 * const a = new Router("a");
 * a.addChannel(
 *   new PacketStreamChannel({
 *     readable: streams.readable.pipeThrough(tap),
 *     writable: streams.writable,
 *   }),
 * );
 * const b = new Router("b");
 * b.addChannel(right);
 * await Promise.all([a.close(), b.close()]);
 * ```
 */
export function packetStreams(channel: Channel, options: ChannelOptions = {}): PacketDuplex {
  const highWater = options.highWater ?? 1 << 20;
  const strategy = { highWaterMark: highWater, size: packetSize };
  let reading: ReadableStreamDefaultController<Packet> | null = null;
  let writing: WritableStreamDefaultController;

  const readable = new ReadableStream<Packet>({
    start(controller) {
      reading = controller;
    },
    cancel(reason) {
      reading = null;
      channel.close(reason);
    },
  }, strategy);
  const writable = new WritableStream<Packet>({
    start(controller) {
      writing = controller;
    },
    async write(packet) {
      checkFields(packet);
      if (channel.send(packet) !== false) return;
      await room(channel, writing.signal);
      if (channel.send(packet) === false) throw aborted(); // Empty, and yet refused: it is closing.
    },
    close: () => channel.close(),
    abort: (reason) => channel.close(reason ?? aborted()),
  });

  channel.onPacket = (packet) => {
    if (reading === null) return;
    const free = reading.desiredSize ?? 0;
    if (free > 0 || (packet.net !== 0 && free > -highWater)) return reading.enqueue(packet);
    const error = new ChannelError(
      "ERR_CHANNEL_FULL",
      "Cannot hold packet: the reader is too slow",
    );
    if (packet.net === 0) channel.onDrop?.(error, packet);
    else channel.close(error);
  };
  channel.onClose = (reason) => {
    writing.error(reason ?? aborted());
    if (reason === undefined) reading?.close();
    else reading?.error(reason);
    reading = null;
  };
  return { readable, writable };
}

/** Waits until a full channel has room. */
async function room(channel: Channel, signal: AbortSignal): Promise<void> {
  if (channel.drained) return await channel.drained({ signal });
  throw new ChannelError("ERR_CHANNEL_FULL", "Cannot write packet: the channel refuses it");
}

function aborted(): ChannelError {
  return new ChannelError("ERR_CHANNEL_CLOSED", "Cannot write packet: the channel is closed");
}
