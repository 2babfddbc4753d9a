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

import type { ByteDuplex } from "../channel/channel.ts";
import type { StreamChannelOptions } from "../channel/stream_channel.ts";
import { TcpChannel } from "../channel/tcp_channel.ts";
import { WebSocketChannel, type WebSocketChannelOptions } from "../channel/websocket_channel.ts";
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

/** Read at once at most, in bytes. */
const READ_SIZE = 1 << 16;

/** Chunks below it are copied out of the read buffer, larger ones take it with them, in bytes. */
const COPY_LIMIT = 1 << 13;

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
  return new TcpChannel(duplex(conn), options);
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
 * A connection as Web Streams whose two directions end one by one: the connection's own streams
 * close it whole as soon as either ends, which the peer may see as a reset.
 */
function duplex(conn: DenoConn): ByteDuplex {
  let directions = 2;
  let open = true;
  const close = () => {
    if (open) conn.close();
    open = false;
  };
  const ended = () => --directions === 0 && close();
  let buffer = new Uint8Array(READ_SIZE);

  const readable = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const size = await conn.read(buffer);
        if (size === null) {
          controller.close();
          ended();
        } else if (size < COPY_LIMIT) {
          controller.enqueue(buffer.slice(0, size));
        } else {
          controller.enqueue(buffer.subarray(0, size));
          buffer = new Uint8Array(READ_SIZE);
        }
      } catch (error) {
        close();
        throw error;
      }
    },
    cancel: close,
  }, { highWaterMark: 0 });
  const writable = new WritableStream<Uint8Array>({
    start(controller) {
      // Not `abort` of the sink, which waits for a write that may never end.
      controller.signal.addEventListener("abort", close);
    },
    async write(chunk) {
      for (let sent = 0; sent < chunk.length;) sent += await conn.write(chunk.subarray(sent));
    },
    async close() {
      try {
        await conn.closeWrite();
      } finally {
        ended();
      }
    },
  });
  return { readable, writable };
}
