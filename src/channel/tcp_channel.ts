/**
 * {@linkcode TcpChannel}: a {@linkcode StreamChannel} over a socket that somebody else has opened.
 *
 * @module
 */

import { ChannelError } from "../errors.ts";
import type { ByteDuplex } from "./channel.ts";
import { StreamChannel, type StreamChannelOptions } from "./stream_channel.ts";

/** The part of Node's `net.Socket` (and `tls.TLSSocket`) that a channel needs. */
export interface NodeSocketLike {
  /** Sends bytes; false when it is time to wait for "drain". */
  write(chunk: Uint8Array): boolean;
  /** Closes our side; calls back once all is sent. */
  end(onFinish: () => void): unknown;
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
      "readable" in socket && isStream(socket.readable)
        ? socket
        : nodeSocketStreams(socket as NodeSocketLike),
      options,
    );
  }
}

/** Node's sockets have a `readable` too, but theirs is a boolean. */
function isStream(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

/** A Node socket as Web Streams. Its two directions end one by one. */
export function nodeSocketStreams(socket: NodeSocketLike): ByteDuplex {
  let reading = true;
  let open = true;
  let release = () => {};
  const readable = new ReadableStream<Uint8Array>({
    start(controller) {
      socket.on("data", (chunk) => {
        if (!reading) return;
        controller.enqueue(chunk);
        if ((controller.desiredSize ?? 0) <= 0) socket.pause();
      });
      const end = () => {
        if (reading) controller.close();
        reading = false;
      };
      socket.on("end", end);
      socket.on("close", () => {
        open = false;
        release();
        end();
      });
      socket.on("error", (error) => {
        if (reading) controller.error(error);
        reading = false;
      });
    },
    pull: () => void socket.resume(),
    cancel() {
      reading = false;
      socket.destroy();
    },
  });
  const writable = new WritableStream<Uint8Array>({
    start(controller) {
      // Not `abort` of the sink, which waits for a write that may never end.
      controller.signal.addEventListener("abort", () => void socket.destroy());
      socket.on("error", (error) => {
        controller.error(error);
        release();
      });
      socket.on("drain", () => release());
    },
    write(chunk) {
      if (!open) throw new ChannelError("ERR_CHANNEL_CLOSED", "Cannot write: the socket is closed");
      if (socket.write(chunk)) return;
      return new Promise((resolve) => release = resolve);
    },
    close() {
      return new Promise((resolve) => {
        release = resolve; // It may be closed before all is sent.
        socket.end(resolve);
      });
    },
  });
  return { readable, writable };
}
