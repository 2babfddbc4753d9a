/**
 * Connections under Bun. The router and its channels are in `@aln/mesh`; what is here only opens
 * and accepts sockets. `@aln/mesh/deno` and `@aln/mesh/node` export the same names.
 *
 * @module
 */

import type { StreamChannelOptions } from "../channel/stream_channel.ts";
import { TcpChannel } from "../channel/tcp_channel.ts";
import type { ByteTransport, TransportSink } from "../channel/transport.ts";
import { ChannelError } from "../errors.ts";
import { acceptChannel, type Listener, type TcpAddress } from "./sockets.ts";

// Not Bun.connect(), which cannot be cancelled; this is no slower.
export { connectTcp, connectTls, listenTls } from "./node_sockets.ts";
export type { Listener, TcpAddress, TlsConnectOptions, TlsListenOptions } from "./sockets.ts";
export { ServerWebSocketChannel } from "../channel/server_websocket_channel.ts";
export { listenWebSocket, type Verdict, type WebSocketListenOptions } from "./websocket_server.ts";

/** The part of Bun's socket that is used here. */
interface BunSocket {
  data: Connection;
  write(chunk: Uint8Array): number;
  shutdown(): void;
  terminate(): void;
  setNoDelay(on: boolean): void;
}

interface BunHandlers {
  open(socket: BunSocket): void;
  data(socket: BunSocket, chunk: Uint8Array): void;
  drain(socket: BunSocket): void;
  end(socket: BunSocket): void;
  close(socket: BunSocket, error?: Error): void;
  error(socket: BunSocket, error: Error): void;
}

/** The part of the `Bun` global that is used here. */
interface BunSockets {
  listen(options: object): { port: number; hostname: string; stop(closeAll?: boolean): void };
}

function bun(): BunSockets {
  const { Bun } = globalThis as { Bun?: BunSockets };
  if (Bun === undefined) throw new TypeError("Cannot open sockets: this is not Bun");
  return Bun;
}

/**
 * Accepts TCP channels.
 *
 * @param onChannel Given each channel, to own.
 * @throws An error with a `code` such as `EADDRINUSE`.
 */
export function listenTcp(
  address: TcpAddress,
  onChannel: (channel: TcpChannel) => void,
  options: StreamChannelOptions = {},
): Promise<Listener> {
  return new Promise((resolve) => {
    const { hostname = "0.0.0.0", port } = address;
    const server = bun().listen({
      hostname,
      port,
      allowHalfOpen: true,
      socket: handlers((transport) => acceptChannel(new TcpChannel(transport, options), onChannel)),
    });
    const close = () => {
      server.stop();
      return Promise.resolve();
    };
    resolve({
      address: { hostname: server.hostname, port: server.port },
      close,
      [Symbol.asyncDispose]: close,
    });
  });
}

/** Handlers that make a {@linkcode Connection} of each socket. */
function handlers(onOpen: (transport: ByteTransport) => void): BunHandlers {
  return {
    open(socket) {
      socket.setNoDelay(true); // A packet is whole: nothing to wait for.
      socket.data = new Connection(socket);
      onOpen(socket.data);
    },
    data: (socket, chunk) => socket.data.received(chunk),
    drain: (socket) => socket.data.drained(),
    end: (socket) => socket.data.ended(),
    close: (socket, error) => socket.data.closed(error),
    error: (socket, error) => socket.data.closed(error),
  };
}

/** One socket as a transport, whose two directions end one by one. */
class Connection implements ByteTransport {
  readonly #socket: BunSocket;
  #sink!: TransportSink<Uint8Array>;
  #open: boolean = true;
  /** What the socket has not taken yet, and who waits for that. */
  #rest: { chunk: Uint8Array; resolve: () => void; reject: (reason: unknown) => void } | null =
    null;

  constructor(socket: BunSocket) {
    this.#socket = socket;
  }

  /** What the socket has taken, the system has. */
  get copies(): boolean {
    return true;
  }

  start(sink: TransportSink<Uint8Array>): void {
    this.#sink = sink;
  }

  write(chunk: Uint8Array): Promise<void> | undefined {
    const rest = this.#send(chunk);
    if (rest.length === 0) return undefined;
    return new Promise((resolve, reject) => this.#rest = { chunk: rest, resolve, reject });
  }

  end(): Promise<void> {
    if (this.#open) this.#socket.shutdown();
    return Promise.resolve();
  }

  abort(): void {
    this.#socket.terminate();
  }

  /** Bytes have come, which are ours. */
  received(chunk: Uint8Array): void {
    this.#sink.receive(chunk);
  }

  /** There is room again, or nothing is taken any more. */
  drained(): void {
    const waiting = this.#rest;
    if (waiting === null) return;
    try {
      waiting.chunk = this.#send(waiting.chunk);
      if (waiting.chunk.length > 0) return;
      waiting.resolve();
    } catch (error) {
      waiting.reject(error);
    }
    this.#rest = null;
  }

  ended(): void {
    this.#sink.ended();
  }

  closed(error?: Error): void {
    this.#open = false;
    if (error) this.#sink.failed(error);
    this.drained();
    this.#sink.ended();
  }

  /** Writes what the socket takes; returns what it does not. */
  #send(chunk: Uint8Array): Uint8Array {
    const taken = this.#open ? this.#socket.write(chunk) : -1;
    if (taken < 0) throw new ChannelError("ERR_CHANNEL_CLOSED", "Cannot write: it is closed");
    return chunk.subarray(taken); // Two arguments, an offset, would meet a bug of Bun's.
  }
}
