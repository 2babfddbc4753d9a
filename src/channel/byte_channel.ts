/**
 * What channels over a stream of bytes share: many small packets go out in one write.
 *
 * @module
 */

import type { Bytes } from "../wire/bytes.ts";
import { ByteQueue, IN_PLACE } from "./byte_queue.ts";
import type { ByteDuplex, ChannelOptions, FrameRoom } from "./channel.ts";
import { DuplexChannel, type OutgoingChunk } from "./duplex_channel.ts";
import type { ByteTransport } from "./transport.ts";

/** A channel over a stream of bytes, in a framing that is yet to be chosen. */
export abstract class ByteChannel extends DuplexChannel<Uint8Array, Bytes> {
  /** Constructs a new instance, which owns the transport, or both streams. */
  constructor(duplex: ByteDuplex | ByteTransport, options: ChannelOptions = {}) {
    // A stream that takes any bytes takes those that own their buffer.
    super(duplex as ByteTransport | ByteDuplex & { writable: WritableStream<Bytes> }, options);
  }

  /**
   * Makes room for one more frame of data, for another channel that copies it from its input.
   *
   * @param size At most how many bytes it will have, framed.
   * @returns Where to write it before anything else is done with this channel, to be followed by
   *   {@linkcode commit}; always the same object. `null` if the channel is not open, or its queue might
   *   be too full: `send()` then says what becomes of the packet.
   * @internal
   */
  reserve(size: number): FrameRoom | null {
    return this.isOpen && this.#bytes.fits(size) ? this.#bytes.reserve(size, false) : null;
  }

  /**
   * Queues the frame that has been written where {@linkcode reserve} said.
   *
   * @param size How many bytes it has; 0 if it was not written after all.
   * @internal
   */
  commit(size: number): void {
    if (size > 0) this.enqueue(this.inPlace(size), false);
  }

  /**
   * Makes room for a frame of at most so many bytes, which is written before it is queued.
   *
   * @internal
   */
  protected room(size: number, control: boolean): FrameRoom {
    return this.#bytes.reserve(size, control);
  }

  /** Stands for a frame that was written where {@linkcode room} said. */
  protected inPlace(size: number): Bytes {
    this.#bytes.written = size;
    return IN_PLACE;
  }

  /** How many bytes an encoded packet takes. */
  protected override sizeOf(frame: Bytes): number {
    return frame === IN_PLACE ? this.#bytes.written : frame.length;
  }

  /**
   * A queue that puts frames together.
   *
   * @internal
   */
  protected override createQueue(highWater: number, evicts: boolean): ByteQueue {
    return new ByteQueue(highWater, evicts);
  }

  /** As many frames as wait together. */
  protected override nextChunk(): OutgoingChunk<Bytes> | undefined {
    const chunk = this.next();
    return chunk && { chunk, size: chunk.length };
  }

  /** Lets go of the memory, too, if the transport is done with it. */
  protected override sent(size: number): void {
    this.#bytes.reuses = this.copies;
    super.sent(size);
  }

  get #bytes(): ByteQueue {
    return this.queue as ByteQueue; // As createQueue() has made it.
  }
}

/** Puts chunks together. A single one is not copied. */
export function concat(chunks: Bytes[]): Bytes {
  if (chunks.length === 1) return chunks[0]!;
  const whole = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
