/**
 * The contract between a router and whatever carries its packets. Types only.
 *
 * @module
 */

import type { AlnError } from "../errors.ts";
import type { Packet } from "../wire/packet.ts";

/**
 * One link to one neighbour, over which whole packets travel in order. Anything with these members
 * will do; the channels of this library have more ({@linkcode BaseChannel}).
 */
export interface Channel {
  /**
   * Queues one packet, which the caller may go on using. Never throws and never blocks.
   *
   * @returns `false` if it was refused: the queue is full, or the channel closed.
   */
  send(packet: Packet): boolean | void;
  /**
   * Closes the link; more than once is fine. Without a reason, what is queued is sent first.
   * `onClose` follows exactly once, however the channel ended.
   */
  close(reason?: unknown): void;
  /** Given each packet that arrives, to own. Set by `Router.addChannel`. */
  onPacket: ((packet: Packet) => void) | null;
  /** Told once that the channel has closed, and why if it was not orderly. */
  onClose: ((reason?: unknown) => void) | null;
  /**
   * Told of what arrived and was no packet, or was lost on its way out. With no packet at hand, it
   * may stand for several: `count`, 1 unless said otherwise.
   */
  onDrop?: ((error: AlnError, packet: Packet | null, count?: number) => void) | null;
  /** Resolves when nothing is queued any more; rejects if the channel closes before. */
  drained?(options?: { signal?: AbortSignal }): Promise<void>;
  /** Bytes that wait to be sent. */
  readonly bufferedBytes?: number;
  /** What it has carried so far. */
  readonly counters?: Readonly<ChannelCounters>;
  /** Which side this one is of a connection that has sides; absent where it is not known. */
  readonly side?: ChannelSide;
  /** What carries it, in one word, such as "tcp" or "wss"; for statistics. */
  readonly transport?: string;
  /**
   * The certificate that the peer has shown and the runtime has verified; absent or `null` if there
   * is none, or the runtime does not tell it, as behind a standard `WebSocket`.
   */
  readonly peer?: PeerCertificate | null;
  /**
   * Told whether the peer reads packets in bytes, from which on it may be sent those instead of text.
   * Only a channel that chooses between them has it; such a channel reads both at any time, and the
   * router says so to its neighbour. Must not throw.
   */
  peerReadsBinary?(reads: boolean): void;
  /** Shown each frame before it is decoded; on channels that carry KISS frames. */
  carrier?: FrameCarrier | null;
  /** Where frames may be written, on such channels. */
  readonly outlet?: FrameOutlet;
  /** Present on a channel that many neighbours share; it has its own `onPacket`. */
  readonly segment?: SegmentPort;
}

/**
 * What may carry whole KISS frames on before they are read: a router whose next hop for them is
 * known. Set by `Router.addChannel` on channels that have a place for it.
 */
export interface FrameCarrier {
  /**
   * Carries one frame on, or leaves it to be decoded: before the next one is shown.
   *
   * @param chunk Borrowed.
   * @param start Where the frame begins.
   * @param end Where its delimiter is.
   * @param escapes How many bytes of it are escaped.
   * @returns Whether it has been carried on; then that was all.
   */
  carry(chunk: Uint8Array, start: number, end: number, escapes: number): boolean;
  /** The frame that was left, and begins here, has been handed to `onPacket` as this packet. */
  learn(chunk: Uint8Array, start: number, packet: Packet): void;
  /** So many frames have been carried since this was last called: the chunk is done. */
  carried(count: number): void;
}

/** Where a frame may be written. */
export interface FrameRoom {
  /** The buffer. */
  bytes: Uint8Array<ArrayBuffer>;
  /** Where in it the frame begins. */
  at: number;
}

/** Where frames can be queued that come from no packet. */
export interface FrameOutlet {
  /**
   * Makes room for a frame of at most so many bytes, its delimiter included.
   *
   * @returns Where to write it before anything else is done with the channel, to be followed by
   *   {@linkcode commit}; always the same object. `null` if the channel is not open, or its queue
   *   might be too full: `send()` then says what becomes of the packet.
   */
  reserve(size: number): FrameRoom | null;
  /** Queues the frame that has been written, of so many bytes; 0 if it was not written after all. */
  commit(size: number): void;
}

/**
 * What a channel has that many neighbours share: whatever is sent with {@linkcode Channel.send} is
 * for all of them, and packets say which of them they come from.
 */
export interface SegmentPort {
  /**
   * Joins, under an address: called once, by `Router.addChannel`, when the rest is set. Must not
   * throw; if it cannot be, the channel closes.
   */
  open(address: string): void;
  /**
   * Queues one packet for one neighbour, as {@linkcode Channel.send} does for all.
   *
   * @param peer Who has sent something before.
   */
  send(packet: Packet, peer: number): boolean;
  /** Nothing will be sent to a neighbour any more: it may be forgotten. */
  forget(peer: number): void;
  /** Given each packet that arrives, to own, and a number for whoever has sent it. */
  onPacket: ((packet: Packet, peer: number) => void) | null;
  /** Told that a neighbour is gone, by whatever knows it. */
  onGone: ((peer: number) => void) | null;
  /** Told that the segment can be reached, at first and again; and that it cannot. */
  onState: ((there: boolean) => void) | null;
}

/** Whether this side has opened a connection or accepted it. */
export type ChannelSide = "opened" | "accepted";

/** What a verified certificate says of the peer. */
export interface PeerCertificate {
  /** Its common names and DNS names, as they are written there; a wildcard is not expanded. */
  readonly names: readonly string[];
  /** SHA-256 of the certificate: pairs of hexadecimal digits with colons between. */
  readonly fingerprint: string;
}

/** What a channel has carried since it was made. */
export interface ChannelCounters {
  /** Packets that have arrived. */
  packetsIn: number;
  /** Packets that its transport has taken. */
  packetsOut: number;
  /** Bytes that have arrived: all of them, if there is a transport below that counts in bytes. */
  bytesIn: number;
  /** Bytes that its transport has taken. */
  bytesOut: number;
}

/**
 * What becomes of application data for which a channel's queue has no room:
 *
 * - `"refuse"`: `send` returns `false`, and the caller may wait for `drained()`.
 * - `"drop-oldest"`: what has waited longest makes room, for data of which the latest counts.
 * - `"drop-newest"`: it is dropped, though `send` returns `true`.
 * - `"close"`: the channel closes with `ERR_CHANNEL_FULL`, if half a stream is worse than none.
 *
 * What is dropped is told to `onDrop`, packet by packet. What the transport has taken is not
 * dropped, and what routers tell each other neither.
 */
export type OverflowPolicy = "refuse" | "drop-oldest" | "drop-newest" | "close";

/** Options of every channel of this library. */
export interface ChannelOptions {
  /**
   * Bytes that may wait to be sent. Beyond it {@linkcode ChannelOptions.overflow} says what becomes
   * of application data; what routers tell each other may take as much again, and then the channel
   * closes: a link that cannot carry routes must not keep them.
   *
   * @default {1048576}
   */
  highWater?: number;
  /**
   * What becomes of application data when the queue is full.
   *
   * @default {"refuse"}
   */
  overflow?: OverflowPolicy;
  /**
   * How long something may wait while the transport takes nothing, in ms; then the channel closes,
   * at most a quarter later. `Infinity` for never. A line that is slow, but moves, is not closed;
   * over a network whose buffers are large beside its speed, that cannot always be seen.
   *
   * @default {8000}
   */
  stallTimeout?: number;
  /**
   * Understand the known damaged encodings of other peers, too.
   *
   * @default {true}
   */
  repair?: boolean;
  /** Closes the channel when it aborts. */
  signal?: AbortSignal;
}

/** A stream of bytes in both directions: a socket, a serial port, a pipe. */
export interface ByteDuplex {
  /** What the peer sends. */
  readonly readable: ReadableStream<Uint8Array>;
  /** What the peer is sent. */
  readonly writable: WritableStream<Uint8Array>;
  /**
   * Bytes that have been taken of a chunk whose write is not done, and of all before it: so that a
   * slow line is not mistaken for one that is stuck.
   */
  readonly taken?: number;
}

/** A stream of packets in both directions. */
export interface PacketDuplex {
  /** Packets from the peer. */
  readonly readable: ReadableStream<Packet>;
  /** Packets for the peer. */
  readonly writable: WritableStream<Packet>;
}
