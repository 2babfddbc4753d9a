/**
 * Sockets and servers as Node has them. Deno and Bun have the same under `node:`, and TLS and HTTP
 * behave alike in all three, so this is shared.
 *
 * @module
 */

import type { Server, Socket } from "node:net";
import { type NodeSocketLike, TcpChannel } from "../channel/tcp_channel.ts";
import type { StreamChannelOptions } from "../channel/stream_channel.ts";
import { builtin } from "./builtin.ts";
import { peerCertificate } from "./peer_certificate.ts";
import {
  acceptChannel,
  HANDSHAKE_TIMEOUT,
  type Listener,
  type TcpAddress,
  type TlsConnectOptions,
  type TlsListenOptions,
} from "./sockets.ts";

/**
 * Waits until a socket that has just been made is connected.
 *
 * @param event "connect", or "secureConnect" for TLS.
 */
export function connected(
  socket: Socket,
  event: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => onError(signal!.reason);
    const onClose = () => onError(new Error("Cannot connect: the connection was closed"));
    const done = () => {
      clearTimeout(timer);
      socket.off(event, onConnect).off("error", onError).off("close", onClose);
      signal?.removeEventListener("abort", onAbort);
    };
    const onConnect = () => (done(), resolve());
    const onError = (error: unknown) => {
      done();
      socket.on("error", () => {}); // It may complain again while it is thrown away.
      socket.destroy();
      reject(error);
    };
    const timer = event === "connect"
      ? undefined
      : setTimeout(() => onError(new Error("Cannot connect: no handshake")), HANDSHAKE_TIMEOUT);
    socket.on(event, onConnect).on("error", onError).on("close", onClose);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** Opens a TCP channel with `node:net`. */
export async function connectTcp(
  address: TcpAddress,
  options: StreamChannelOptions = {},
): Promise<TcpChannel> {
  options.signal?.throwIfAborted();
  const { hostname: host = "127.0.0.1", port } = address;
  const socket = builtin("node:net").connect({ host, port, allowHalfOpen: true, noDelay: true });
  await connected(socket, "connect", options.signal);
  const channel = new TcpChannel(socket as NodeSocketLike, options);
  channel.side = "opened";
  return channel;
}

/** Accepts TCP channels with `node:net`. */
export function listenTcp(
  address: TcpAddress,
  onChannel: (channel: TcpChannel) => void,
  options: StreamChannelOptions = {},
): Promise<Listener> {
  const server = builtin("node:net").createServer({ allowHalfOpen: true, noDelay: true });
  server.on("connection", (socket) => {
    acceptChannel(new TcpChannel(socket as NodeSocketLike, options), onChannel);
  });
  return listening(server, address);
}

/**
 * Opens a TLS channel.
 *
 * @throws What `node:tls` reports, such as an error with the code `SELF_SIGNED_CERT_IN_CHAIN` or
 *   `ERR_TLS_CERT_ALTNAME_INVALID`.
 * @throws The signal's reason, if it aborts before the channel is open.
 */
export async function connectTls(
  address: TcpAddress,
  options: TlsConnectOptions = {},
): Promise<TcpChannel> {
  options.signal?.throwIfAborted();
  const { hostname: host = "localhost", port } = address;
  const { ca, cert, key, serverName } = options;
  const isIp = builtin("node:net").isIP(host) !== 0;
  const socket = builtin("node:tls").connect({
    host,
    port,
    ca,
    cert,
    key,
    servername: serverName ?? (isIp ? undefined : host),
  });
  socket.allowHalfOpen = true;
  socket.setNoDelay(true);
  await connected(socket, "secureConnect", options.signal);
  const channel = new TcpChannel(socket as NodeSocketLike, options);
  channel.side = "opened";
  channel.transport = "tls";
  channel.peer = peerCertificate(socket);
  return channel;
}

/**
 * Accepts TLS channels whose handshake is done.
 *
 * @param onChannel Given each channel, to own.
 * @throws What `node:tls` reports, such as an error with the code `EADDRINUSE`.
 */
export function listenTls(
  address: TcpAddress,
  onChannel: (channel: TcpChannel) => void,
  options: TlsListenOptions,
): Promise<Listener> {
  const { cert, key, ca } = options;
  const server = builtin("node:tls").createServer({
    cert,
    key,
    ca,
    requestCert: ca !== undefined,
    rejectUnauthorized: ca !== undefined,
    handshakeTimeout: HANDSHAKE_TIMEOUT,
    allowHalfOpen: true,
    noDelay: true,
  });
  server.on("tlsClientError", (_error, socket) => {
    socket.destroy(); // When the time is up, too: this is left to us.
  });
  server.on("secureConnection", (socket) => {
    const channel = new TcpChannel(socket as NodeSocketLike, options);
    channel.transport = "tls";
    acceptChannel(channel, onChannel, peerCertificate(socket));
  });
  return listening(server, address);
}

/** Binds a server, and waits until it listens. */
export function listening(server: Server, address: TcpAddress): Promise<Listener> {
  const { hostname: host = "0.0.0.0", port } = address;
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      server.on("error", () => {}); // A connection that could not be accepted: the next one may.
      const bound = server.address() as { address: string; port: number };
      const close = () => {
        server.close(); // Its callback waits for open connections, too; we do not.
        return Promise.resolve();
      };
      resolve({
        address: { hostname: bound.address, port: bound.port },
        close,
        [Symbol.asyncDispose]: close,
      });
    });
  });
}
