/**
 * Connections under Bun. The router and its channels are in `@aln/mesh`; what is here only opens
 * and accepts sockets. `@aln/mesh/deno` and `@aln/mesh/node` export the same names.
 *
 * @module
 */

import type { ByteDuplex } from "../channel/channel.ts";
import type { StreamChannelOptions } from "../channel/stream_channel.ts";
import { TcpChannel } from "../channel/tcp_channel.ts";
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
  pause(): void;
  resume(): void;
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
      socket: handlers((duplex) => acceptChannel(new TcpChannel(duplex, options), onChannel)),
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
function handlers(onOpen: (duplex: ByteDuplex) => void): BunHandlers {
  return {
    open(socket) {
      socket.setNoDelay(true); // A packet is whole: nothing to wait for.
      socket.data = new Connection(socket);
      onOpen(socket.data.duplex);
    },
    data: (socket, chunk) => socket.data.receive(chunk),
    drain: (socket) => socket.data.drained(),
    end: (socket) => socket.data.end(),
    close: (socket, error) => socket.data.close(error),
    error: (socket, error) => socket.data.close(error),
  };
}

/** One socket as Web Streams, whose two directions end one by one. */
class Connection {
  readonly duplex: ByteDuplex;
  readonly #socket: BunSocket;
  #reading!: ReadableStreamDefaultController<Uint8Array>;
  #readable: boolean = true;
  #open: boolean = true;
  #release: () => void = () => {};

  constructor(socket: BunSocket) {
    this.#socket = socket;
    const terminate = () => {
      this.#readable = false;
      socket.terminate();
    };
    this.duplex = {
      readable: new ReadableStream<Uint8Array>({
        start: (controller) => void (this.#reading = controller),
        pull: () => this.#open ? socket.resume() : undefined,
        cancel: terminate,
      }),
      writable: new WritableStream<Uint8Array>({
        // Not `abort` of the sink, which waits for a write that may never end.
        start: (controller) => controller.signal.addEventListener("abort", terminate),
        write: (chunk) => this.#write(chunk),
        close: () => this.#open ? socket.shutdown() : undefined,
      }),
    };
  }

  receive(chunk: Uint8Array): void {
    if (!this.#readable) return;
    this.#reading.enqueue(chunk);
    if ((this.#reading.desiredSize ?? 0) <= 0) this.#socket.pause();
  }

  drained(): void {
    this.#release();
  }

  end(): void {
    if (this.#readable) this.#reading.close();
    this.#readable = false;
  }

  close(error?: Error): void {
    this.#open = false;
    this.#release();
    if (error && this.#readable) {
      this.#readable = false;
      this.#reading.error(error);
    }
    this.end();
  }

  async #write(chunk: Uint8Array): Promise<void> {
    for (let rest = chunk;;) {
      const taken = this.#open ? this.#socket.write(rest) : -1;
      if (taken < 0) throw new ChannelError("ERR_CHANNEL_CLOSED", "Cannot write: it is closed");
      if (taken === rest.length) return;
      rest = rest.subarray(taken);
      await new Promise<void>((resolve) => this.#release = resolve);
    }
  }
}
