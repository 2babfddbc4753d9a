/**
 * {@linkcode chunkedDuplex}: a line that takes a few bytes at a time, as a pair of streams.
 *
 * @module
 */

import type { Bytes } from "../wire/bytes.ts";
import type { ByteDuplex } from "./channel.ts";

/** A line as streams, and the side of it that faces the line. */
export interface ChunkedDuplex extends ByteDuplex {
  /** Bytes that the line has taken. */
  readonly taken: number;
  /** Hands on bytes that have arrived, and that it may keep. */
  push(chunk: Uint8Array): void;
  /** Says that the line has ended, and why if it was not orderly. */
  end(reason?: unknown): void;
}

/** Options of {@linkcode chunkedDuplex}. */
export interface ChunkedDuplexOptions {
  /**
   * Most bytes in one write.
   *
   * @default {20}
   */
  mtu?: number;
  /**
   * Called when the streams end, in an orderly way or for a reason. May be called again, with a
   * reason too: an orderly end that takes too long is cut short. Must not throw.
   */
  release?: (reason?: unknown) => void | Promise<void>;
}

/** What every radio takes in one write, in bytes. */
const SMALLEST_MTU = 20;

/**
 * Makes streams of a line that says nothing of its end: a radio, a serial port. As nobody at the far
 * end would answer, closing the writable ends the readable too.
 *
 * @param write Writes some bytes, which it may keep; the next are written when it has resolved.
 *
 * @example
 * ```ts
 * import { StreamChannel } from "@aln/mesh";
 * import { chunkedDuplex } from "@aln/mesh/channels";
 *
 * const written: Uint8Array[] = [];
 * const line = chunkedDuplex((chunk) => void written.push(chunk));
 * const channel = new StreamChannel(line);
 * line.push(Uint8Array.of(0x34, 0, 3, 0xc0)); // Whatever comes.
 * line.end();
 * await channel.closed;
 * ```
 */
export function chunkedDuplex(
  write: (chunk: Bytes) => void | Promise<void>,
  options: ChunkedDuplexOptions = {},
): ChunkedDuplex {
  const { mtu = SMALLEST_MTU, release } = options;
  let input: ReadableStreamDefaultController<Uint8Array> | null;
  let taken = 0;
  const end = (reason?: unknown) => {
    if (input && reason === undefined) input.close();
    else input?.error(reason);
    input = null;
    return release?.(reason);
  };
  return {
    readable: new ReadableStream({
      start: (controller) => void (input = controller),
      cancel(reason) {
        input = null;
        return release?.(reason);
      },
    }),
    writable: new WritableStream<Uint8Array>({
      start: ({ signal }) => signal.addEventListener("abort", () => end(signal.reason)),
      async write(chunk) {
        for (let at = 0; input && at < chunk.length; at += mtu) {
          const part = chunk.slice(at, at + mtu);
          await write(part);
          taken += part.length;
        }
      },
      close: () => end(),
    }),
    get taken() {
      return taken;
    },
    push: (chunk) => input?.enqueue(chunk),
    end,
  };
}
