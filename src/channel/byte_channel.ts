/**
 * What channels over a stream of bytes share: many small packets go out in one write.
 *
 * @module
 */

import type { Bytes } from "../wire/bytes.ts";
import type { ByteDuplex, ChannelOptions } from "./channel.ts";
import { DuplexChannel, type OutgoingChunk } from "./duplex_channel.ts";
import type { ByteTransport } from "./transport.ts";

/** Encoded packets are put together until they have so many bytes. */
const BATCH_SIZE = 1 << 16;

/** A channel over a stream of bytes, in a framing that is yet to be chosen. */
export abstract class ByteChannel extends DuplexChannel<Uint8Array, Bytes> {
  /** Constructs a new instance, which owns the transport, or both streams. */
  constructor(duplex: ByteDuplex | ByteTransport, options: ChannelOptions = {}) {
    // A stream that takes any bytes takes those that own their buffer.
    super(duplex as ByteTransport | ByteDuplex & { writable: WritableStream<Bytes> }, options);
  }

  /** How many bytes an encoded packet takes. */
  protected override sizeOf(frame: Bytes): number {
    return frame.length;
  }

  /** Puts encoded packets together, so that many small ones cost one write. */
  protected override nextChunk(): OutgoingChunk<Bytes> | undefined {
    const frames: Bytes[] = [];
    let size = 0;
    for (let frame; size < BATCH_SIZE && (frame = this.next()) !== undefined;) {
      frames.push(frame);
      size += frame.length;
    }
    return frames.length === 0 ? undefined : { chunk: concat(frames), size };
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
