/**
 * {@linkcode TcpChannel}: a {@linkcode StreamChannel} over a socket that somebody else has opened.
 *
 * @module
 */

import type { ByteDuplex } from "./channel.ts";
import { StreamChannel, type StreamChannelOptions } from "./stream_channel.ts";

/** The part of Node's `net.Socket` (and `tls.TLSSocket`) that a channel needs. */
export interface NodeSocketLike {
  /** Sends bytes; false when it is time to wait for "drain". */
  write(chunk: Uint8Array): boolean;
  /** Closes our side. */
  end(): unknown;
  /** Closes both sides at once. */
  destroy(error?: Error): unknown;
  /** Stops "data". */
  pause(): unknown;
  /** Goes on with "data". */
  resume(): unknown;
  /** Listens. */
  on(event: "data", listener: (chunk: Uint8Array) => void): unknown;
  /** Listens. */
  on(event: "error", listener: (error: Error) => void): unknown;
  /** Listens. */
  on(event: "end" | "close" | "drain", listener: () => void): unknown;
}

/**
 * A channel over a TCP or TLS socket: a pair of Web Streams (Deno's connections are one) or a
 * Node socket. To open sockets, see `@aln/mesh/deno`.
 */
export class TcpChannel extends StreamChannel {
  /** Constructs a new instance, which owns the socket. */
  constructor(socket: ByteDuplex | NodeSocketLike, options: StreamChannelOptions = {}) {
    super(
      "readable" in socket && isStream(socket.readable) ? socket : wrap(socket as NodeSocketLike),
      options,
    );
  }
}

/** Node's sockets have a `readable` too, but theirs is a boolean. */
function isStream(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

/** A Node socket as Web Streams. */
function wrap(socket: NodeSocketLike): ByteDuplex {
  let drained: (() => void) | null = null;
  const release = () => {
    drained?.();
    drained = null;
  };
  let over = false;
  const readable = new ReadableStream<Uint8Array>({
    start(controller) {
      socket.on("data", (chunk) => {
        if (over) return;
        controller.enqueue(chunk);
        if ((controller.desiredSize ?? 0) <= 0) socket.pause();
      });
      const end = () => {
        release();
        if (over) return;
        over = true;
        controller.close();
      };
      socket.on("end", end);
      socket.on("close", end);
      socket.on("error", (error) => {
        release();
        if (over) return;
        over = true;
        controller.error(error);
      });
    },
    pull: () => void socket.resume(),
    cancel() {
      over = true;
      socket.destroy();
    },
  });
  const writable = new WritableStream<Uint8Array>({
    write(chunk) {
      if (over || socket.write(chunk)) return;
      return new Promise((resolve) => drained = resolve);
    },
    close: () => void socket.end(),
    abort: () => void socket.destroy(),
  });
  return { readable, writable };
}
