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
import type { Listener, TcpAddress } from "./sockets.ts";

export { connectTls, listenTls } from "./node_sockets.ts";
export type { Listener, TcpAddress, TlsConnectOptions, TlsListenOptions } from "./sockets.ts";
export { listenWebSocket, type WebSocketListenOptions } from "./websocket_server.ts";

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
  connectError?(socket: BunSocket, error: Error): void;
}

/** The part of the `Bun` global that is used here. */
interface BunSockets {
  connect(options: object): Promise<BunSocket>;
  listen(options: object): { port: number; hostname: string; stop(closeAll?: boolean): void };
}

function bun(): BunSockets {
  const { Bun } = globalThis as { Bun?: BunSockets };
  if (Bun === undefined) throw new TypeError("Cannot open sockets: this is not Bun");
  return Bun;
}

/**
 * Opens a TCP channel.
 *
 * @throws An error with a `code` such as `ECONNREFUSED`.
 * @throws The signal's reason, if it aborts before the channel is open.
 */
export async function connectTcp(
  address: TcpAddress,
  options: StreamChannelOptions = {},
): Promise<TcpChannel> {
  const { signal } = options;
  signal?.throwIfAborted();
  const { hostname = "127.0.0.1", port } = address;
  const connecting = bun().connect({
    hostname,
    port,
    allowHalfOpen: true,
    socket: handlers(() => {}),
  });
  let onAbort = () => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal!.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
  try {
    const socket = await Promise.race([connecting, aborted]);
    return new TcpChannel(socket.data.duplex, options);
  } catch (error) {
    connecting.then((socket) => socket.terminate(), () => {}); // Nobody else will ever own it.
    throw error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
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
      socket: handlers((duplex) => onChannel(new TcpChannel(duplex, options))),
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
    close: (socket, error) => socket.data?.close(error),
    error: (socket, error) => socket.data?.close(error),
    connectError() {}, // The promise of connect() rejects, too.
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
        write: (chunk) => this.#write(chunk),
        close: () => this.#open ? socket.shutdown() : undefined,
        abort: terminate,
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
