/**
 * {@linkcode TcpChannel}: a {@linkcode StreamChannel} over a socket that somebody else has opened.
 *
 * @module
 */

import { ChannelError } from "../errors.ts";
import type { ByteDuplex } from "./channel.ts";
import { StreamChannel, type StreamChannelOptions } from "./stream_channel.ts";
import type { ByteTransport, TransportSink } from "./transport.ts";

/** The part of Node's `net.Socket` (and `tls.TLSSocket`) that a channel needs. */
export interface NodeSocketLike {
  /** Sends bytes; false when it is time to wait for "drain". */
  write(chunk: Uint8Array): boolean;
  /** Closes our side; calls back once all is sent. */
  end(onFinish: () => void): unknown;
  /** Closes both sides at once. */
  destroy(error?: Error): unknown;
  /** Starts "data", should it have been stopped. */
  resume(): unknown;
  /** Bytes that have been written and that the system has not taken. */
  readonly writableLength?: number;
  /** Listens. */
  on(event: "data", listener: (chunk: Uint8Array) => void): unknown;
  /** Listens. */
  on(event: "error", listener: (error: Error) => void): unknown;
  /** Listens. */
  on(event: "end" | "close" | "drain", listener: () => void): unknown;
}

/**
 * A channel over a TCP or TLS socket: a pair of Web Streams (Deno's connections are one), a Node
 * socket, or a transport. To open sockets, see `@aln/mesh/deno`.
 */
export class TcpChannel extends StreamChannel {
  /** What carries it. */
  override transport: string | undefined = "tcp";

  /** Constructs a new instance, which owns the socket. */
  constructor(
    socket: ByteDuplex | NodeSocketLike | ByteTransport,
    options: StreamChannelOptions = {},
  ) {
    super(isNodeSocket(socket) ? new NodeSocketTransport(socket) : socket, options);
  }
}

/** Node's sockets have a `readable` too, but theirs is a boolean. */
function isNodeSocket(socket: object): socket is NodeSocketLike {
  return !("start" in socket) && !("readable" in socket && typeof socket.readable === "object");
}

/** A Node socket as a transport. Its two directions end one by one. */
export class NodeSocketTransport implements ByteTransport {
  readonly #socket: NodeSocketLike;
  #open: boolean = true;
  /** Whoever waits for the socket. */
  #release: (() => void) | null = null;

  /** Constructs a new instance, which owns the socket. */
  constructor(socket: NodeSocketLike) {
    this.#socket = socket;
  }

  /** Node keeps what the system does not take at once. */
  get copies(): boolean {
    return this.#socket.writableLength === 0;
  }

  /** Reads what comes; the chunks of "data" are ours. */
  start(sink: TransportSink<Uint8Array>): void {
    const socket = this.#socket;
    socket.on("data", (chunk) => sink.receive(chunk));
    socket.on("end", () => sink.ended());
    socket.on("close", () => {
      this.#open = false;
      this.#release?.();
      sink.ended();
    });
    socket.on("error", (error) => sink.failed(error));
    socket.on("drain", () => this.#release?.());
    socket.resume();
  }

  /** Writes a chunk, and waits for "drain" if the socket says so. */
  write(chunk: Uint8Array): Promise<void> | undefined {
    if (!this.#open) {
      throw new ChannelError("ERR_CHANNEL_CLOSED", "Cannot write: the socket is closed");
    }
    if (this.#socket.write(chunk)) return undefined;
    return new Promise((resolve) => this.#release = resolve);
  }

  /** Ends the socket. It may be closed before all is sent. */
  end(): Promise<void> {
    return new Promise((resolve) => {
      this.#release = resolve;
      this.#socket.end(resolve);
    });
  }

  /** Destroys the socket. */
  abort(): void {
    this.#socket.destroy();
  }
}
