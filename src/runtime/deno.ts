/**
 * Connections under Deno. The router and its channels are in `@aln/mesh`; what is here only opens
 * and accepts sockets.
 *
 * @example Two routers over TCP
 * ```ts
 * import { Router } from "@aln/mesh";
 * import { connectTcp, listenTcp } from "@aln/mesh/deno";
 * import assert from "node:assert/strict";
 *
 * const server = new Router("server");
 * server.registerService("ping", (_packet, reply) => void reply("pong"));
 * const listener = await listenTcp(
 *   { hostname: "127.0.0.1", port: 0 },
 *   (channel) => server.addChannel(channel),
 * );
 *
 * const client = new Router("client");
 * client.addChannel(await connectTcp(listener.address));
 * await client.waitForService("ping");
 * assert.equal((await client.request("ping")).text(), "pong");
 *
 * await client.close();
 * await listener.close();
 * await server.close();
 * ```
 *
 * @module
 */

import type { StreamChannelOptions } from "../channel/stream_channel.ts";
import { TcpChannel } from "../channel/tcp_channel.ts";
import type { ByteTransport, TransportSink } from "../channel/transport.ts";
import { WebSocketChannel, type WebSocketChannelOptions } from "../channel/websocket_channel.ts";
import { ReadBuffer } from "./read_buffer.ts";
import { acceptChannel, type Listener, type TcpAddress } from "./sockets.ts";

export { connectTls, listenTls } from "./node_sockets.ts";
export type { Listener, TcpAddress, TlsConnectOptions, TlsListenOptions } from "./sockets.ts";
export { ServerWebSocketChannel } from "../channel/server_websocket_channel.ts";
export { listenWebSocket, type Verdict, type WebSocketListenOptions } from "./websocket_server.ts";

/** The part of Deno's connection that is used here. */
interface DenoConn {
  read(buffer: Uint8Array): Promise<number | null>;
  write(chunk: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
  setNoDelay(on: boolean): void;
}

/** The part of Deno's listener that is used here. */
interface DenoListener {
  readonly addr: Required<TcpAddress>;
  accept(): Promise<DenoConn>;
  close(): void;
}

// Declared here, so that programs whose types know no Deno can import what leads to this file.
declare const Deno: {
  connect(options: TcpAddress & { signal?: AbortSignal }): Promise<DenoConn>;
  listen(options: TcpAddress): DenoListener;
  upgradeWebSocket(request: Request): { response: Response; socket: WebSocket };
};

/** How long to wait when the system cannot accept, for want of descriptors say, in ms. */
const ACCEPT_RETRY = 100;

/**
 * Opens a TCP channel.
 *
 * @throws What `Deno.connect` throws, such as `Deno.errors.ConnectionRefused`.
 * @throws The signal's reason, if it aborts before the channel is open.
 */
export async function connectTcp(
  address: TcpAddress,
  options: StreamChannelOptions = {},
): Promise<TcpChannel> {
  const { signal } = options;
  signal?.throwIfAborted();
  let conn: DenoConn;
  try {
    conn = await Deno.connect({ ...address, signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
  const channel = own(conn, options);
  channel.side = "opened";
  return channel;
}

/**
 * Accepts TCP channels.
 *
 * @param onChannel Given each channel, to own.
 * @throws What `Deno.listen` throws, such as `Deno.errors.AddrInUse`.
 */
export function listenTcp(
  address: TcpAddress,
  onChannel: (channel: TcpChannel) => void,
  options: StreamChannelOptions = {},
): Promise<Listener> {
  return Promise.resolve().then(() => accept(Deno.listen(address), onChannel, options));
}

/**
 * Accepts a WebSocket in a handler of `Deno.serve`.
 *
 * @returns The response to return from the handler, and the channel, which opens after that.
 * @throws {TypeError} If the request does not ask for a WebSocket.
 *
 * @example
 * ```ts
 * import { connectWebSocket, Router } from "@aln/mesh";
 * import { upgradeWebSocket } from "@aln/mesh/deno";
 *
 * const router = new Router("server");
 * const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
 *   if (request.headers.get("upgrade") !== "websocket") return new Response("hello");
 *   const { response, channel } = upgradeWebSocket(request);
 *   router.addChannel(channel);
 *   return response;
 * });
 *
 * const client = new Router("client");
 * client.addChannel(await connectWebSocket(`ws://127.0.0.1:${server.addr.port}/`));
 * await client.close();
 * await router.close();
 * await server.shutdown();
 * ```
 */
export function upgradeWebSocket(
  request: Request,
  options: WebSocketChannelOptions = {},
): { response: Response; channel: WebSocketChannel } {
  const { response, socket } = Deno.upgradeWebSocket(request);
  const channel = new WebSocketChannel(socket, options);
  channel.side = "accepted";
  return { response, channel };
}

/** Makes a connection a channel. */
function own(conn: DenoConn, options: StreamChannelOptions): TcpChannel {
  conn.setNoDelay(true); // A packet is whole: nothing to wait for.
  return new TcpChannel(new ConnTransport(conn), options);
}

function accept(
  listener: DenoListener,
  onChannel: (channel: TcpChannel) => void,
  options: StreamChannelOptions,
): Listener {
  let open = true;
  let wake = () => {};
  const loop = async () => {
    while (open) {
      let channel: TcpChannel;
      try {
        channel = own(await listener.accept(), options);
      } catch {
        if (!open) return;
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ACCEPT_RETRY);
          wake = () => (clearTimeout(timer), resolve());
        });
        continue;
      }
      acceptChannel(channel, onChannel);
    }
  };
  const accepting = loop();
  const close = () => {
    if (open) {
      open = false;
      listener.close();
      wake();
    }
    return accepting;
  };
  const { hostname, port } = listener.addr;
  return { address: { hostname, port }, close, [Symbol.asyncDispose]: close };
}

/**
 * A connection as a transport whose two directions end one by one: the connection's own streams
 * close it whole as soon as either ends, which the peer may see as a reset.
 */
class ConnTransport implements ByteTransport {
  readonly #conn: DenoConn;
  readonly #buffer: ReadBuffer = new ReadBuffer();
  #sink!: TransportSink<Uint8Array>;
  #directions: number = 2;
  #open: boolean = true;

  constructor(conn: DenoConn) {
    this.#conn = conn;
  }

  /** A write is done when the system has all of it. */
  get copies(): boolean {
    return true;
  }

  start(sink: TransportSink<Uint8Array>): void {
    this.#sink = sink;
    this.#read();
  }

  write(chunk: Uint8Array): Promise<void> {
    return this.#conn.write(chunk).then((size) =>
      size < chunk.length ? this.write(chunk.subarray(size)) : undefined
    );
  }

  async end(): Promise<void> {
    try {
      await this.#conn.closeWrite();
    } finally {
      this.#ended();
    }
  }

  abort(): void {
    this.#close();
  }

  /** A function that waits for long takes several times the memory of these two. */
  #read(): void {
    this.#conn.read(this.#buffer.room).then(this.#received, this.#failed);
  }

  readonly #received = (size: number | null): void => {
    if (size === null) {
      this.#ended();
      this.#sink.ended();
    } else {
      this.#sink.receive(this.#buffer.take(size));
      this.#read();
    }
  };

  readonly #failed = (error: unknown): void => {
    this.#close();
    this.#sink.failed(error);
  };

  #ended(): void {
    if (--this.#directions === 0) this.#close();
  }

  #close(): void {
    if (this.#open) this.#conn.close();
    this.#open = false;
  }
}
