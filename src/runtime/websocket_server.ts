/**
 * WebSocket servers: one implementation for Deno, Bun and Node, on the HTTP server that all three
 * have and on this library's own framing (RFC 6455).
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { ServerWebSocketChannel } from "../channel/server_websocket_channel.ts";
import { type NodeSocketLike, NodeSocketTransport } from "../channel/tcp_channel.ts";
import type { WebSocketChannelOptions } from "../channel/websocket_channel.ts";
import { decodeBase64, encodeBase64 } from "../wire/base64.ts";
import { encodeUtf8 } from "../wire/bytes.ts";
import { builtin } from "./builtin.ts";
import { listening } from "./node_sockets.ts";
import { peerCertificate } from "./peer_certificate.ts";
import { acceptChannel, HANDSHAKE_TIMEOUT, type Listener, type TcpAddress } from "./sockets.ts";

/** Options of {@linkcode listenWebSocket}. */
export interface WebSocketListenOptions extends WebSocketChannelOptions {
  /** The only path that accepts WebSockets; by default every path does. */
  path?: string;
  /**
   * Pages that may connect, such as `https://example.org`; by default all may. Programs that are
   * no browsers send no origin, and are not held back by this.
   */
  origins?: string[];
  /**
   * Decides whether a client may connect, before it is a WebSocket: by a token in the URL, a cookie,
   * any other header. It may say more about the link than yes, see {@linkcode Verdict}. If it says
   * no, or throws, the client is answered 403; if it takes longer than ten seconds, 503.
   */
  verify?: (request: Request) => Verdict | Promise<Verdict>;
  /** Answers ordinary requests; by default they are told that this is for WebSockets. */
  respond?: (request: Request) => Response | Promise<Response>;
  /** The server's certificate chain, in PEM: makes this `wss:`. */
  cert?: string;
  /** Its private key, in PEM. */
  key?: string;
  /**
   * Authorities that clients' certificates are to be signed by, in PEM. If given, a client without
   * such a certificate is refused (mutual TLS).
   */
  ca?: string[];
}

/**
 * Whether a client may connect; if it may, perhaps also what its link is to be attached with. `listen`
 * of `@aln/mesh/net` takes a `LinkOptions` there.
 */
export type Verdict = boolean | {
  /** Handed on beside the channel. */
  readonly link: object;
};

/** What a key is followed by before it is hashed: RFC 6455, section 1.3. */
const KEY_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** The size of a key, in bytes. */
const KEY_SIZE = 16;

/** How long `verify` may take, in ms. */
const VERIFY_TIMEOUT = 10_000;

/** How long a client that was refused may take to close, in ms. */
const REFUSAL_TIMEOUT = 1_000;

/** Why a handshake is refused, as an HTTP status. */
class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * Accepts WebSockets, and answers ordinary HTTP requests beside them.
 *
 * @param onChannel Given each channel, open, to own; and what `verify` has said of its link.
 * @throws {TypeError} If there is a certificate without its key, or the other way round.
 * @throws What `node:http` reports, such as an error with the code `EADDRINUSE`.
 */
export async function listenWebSocket(
  address: TcpAddress,
  onChannel: (channel: ServerWebSocketChannel, link?: object) => void,
  options: WebSocketListenOptions = {},
): Promise<Listener> {
  const { cert, key, ca } = options;
  const secure = cert !== undefined;
  if (secure !== (key !== undefined) || ca && !secure) {
    throw new TypeError("Cannot listen: the options cert and key belong together");
  }
  const mutual = ca !== undefined;
  const server = secure
    ? builtin("node:https").createServer({
      cert,
      key,
      ca,
      requestCert: mutual,
      rejectUnauthorized: mutual,
      handshakeTimeout: HANDSHAKE_TIMEOUT,
    })
    : builtin("node:http").createServer();
  const scheme = secure ? "https" : "http";
  let open = true;

  server.on("request", (incoming: IncomingMessage, outgoing: ServerResponse) => {
    answer(incoming, outgoing, scheme, options).catch((error) => {
      if (outgoing.headersSent) return outgoing.destroy();
      outgoing.statusCode = error instanceof Refusal ? error.status : 500;
      outgoing.end();
    });
  });
  server.on("upgrade", (incoming: IncomingMessage, socket: Duplex, head: Uint8Array) => {
    const onError = () => socket.destroy();
    socket.on("error", onError);
    accept(incoming, scheme, options).then(({ reply, link }) => {
      if (socket.destroyed) return;
      if (!open) return refuse(socket, new Refusal(503, "This is closing"));
      socket.write(reply);
      const transport = new NodeSocketTransport(socket as unknown as NodeSocketLike);
      socket.off("error", onError);
      const channel = new ServerWebSocketChannel(transport, head, options);
      if (secure) channel.transport = "wss";
      acceptChannel(channel, (accepted) => onChannel(accepted, link), peerCertificate(socket));
    }, (error) => {
      // What else verify() throws is not for the client.
      refuse(socket, error instanceof Refusal ? error : new Refusal(403, "You may not connect"));
    });
  });
  const listener = await listening(server, address);
  const close = () => {
    open = false;
    server.closeIdleConnections?.();
    return listener.close();
  };
  return { address: listener.address, close, [Symbol.asyncDispose]: close };
}

/** Answers a handshake with a status, and lets the client go. */
function refuse(socket: Duplex, { status, message }: Refusal): void {
  const extra = status === 426 ? "Sec-WebSocket-Version: 13\r\n" : "";
  socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\n${extra}\r\n${message}`);
  socket.resume(); // What is left unread would make the end a reset, and lose the answer.
  const timer = setTimeout(() => socket.destroy(), REFUSAL_TIMEOUT);
  socket.on("close", () => clearTimeout(timer));
}

/** Checks a handshake; returns the response that accepts it, and what was said of the link. */
async function accept(
  incoming: IncomingMessage,
  scheme: string,
  options: WebSocketListenOptions,
): Promise<{ reply: string; link: object | undefined }> {
  const { headers, method } = incoming;
  if (method !== "GET") throw new Refusal(405, "Only GET opens a WebSocket");
  if (!has(headers.upgrade, "websocket") || !has(headers.connection, "upgrade")) {
    throw new Refusal(400, "This is no WebSocket handshake");
  }
  if (headers["sec-websocket-version"] !== "13") {
    throw new Refusal(426, "Only version 13 is spoken");
  }
  const key = headers["sec-websocket-key"] ?? "";
  if (!isKey(key)) throw new Refusal(400, "The key is not 16 bytes in base64");
  const request = toRequest(incoming, scheme);
  const { path, origins, verify } = options;
  if (path !== undefined && new URL(request.url).pathname !== path) {
    throw new Refusal(404, "There is no WebSocket here");
  }
  const { origin } = headers;
  if (origins && origin !== undefined && !origins.includes(origin)) {
    throw new Refusal(403, "This page may not connect");
  }
  const verdict = verify ? await inTime(verify(request)) : true;
  if (!verdict) throw new Refusal(403, "You may not connect");
  const link = typeof verdict === "object" ? verdict.link : undefined;
  const digest = await crypto.subtle.digest("SHA-1", encodeUtf8(key + KEY_SUFFIX));
  const reply =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${encodeBase64(new Uint8Array(digest))}\r\n\r\n`;
  return { reply, link };
}

/** A verdict, if it comes in time. */
async function inTime(verdict: Verdict | Promise<Verdict>): Promise<Verdict> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const refuse = () => reject(new Refusal(503, "It takes too long to verify you"));
    timer = setTimeout(refuse, VERIFY_TIMEOUT);
  });
  try {
    return await Promise.race([verdict, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether a header's list has a word in it. */
function has(header: string | undefined, word: string): boolean {
  return header?.toLowerCase().split(",").some((part) => part.trim() === word) ?? false;
}

function isKey(key: string): boolean {
  try {
    return key.length === 24 && decodeBase64(key).length === KEY_SIZE;
  } catch {
    return false;
  }
}

/** The head of a request in the standard form; its body is left where it is. */
function toRequest(incoming: IncomingMessage, scheme: string): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) {
    for (const one of [value ?? []].flat()) headers.append(name, one);
  }
  const { host = "localhost" } = incoming.headers;
  const { url = "/" } = incoming;
  const base = `${scheme}://${host}`;
  const whole = url.startsWith("/") ? base + url : url; // Else "//a/b" would be path "/b" at host "a".
  if (!URL.canParse(whole)) throw new Refusal(400, "The URL is not one");
  return new Request(whole, { method: incoming.method, headers });
}

async function answer(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  scheme: string,
  options: WebSocketListenOptions,
): Promise<void> {
  incoming.resume(); // Bodies are not asked for.
  const respond = options.respond ??
    (() =>
      new Response("This is for WebSockets\n", { status: 426, headers: { upgrade: "websocket" } }));
  const response = await respond(toRequest(incoming, scheme));
  const body = new Uint8Array(await response.arrayBuffer());
  outgoing.statusCode = response.status;
  for (const [name, value] of response.headers) outgoing.appendHeader(name, value);
  outgoing.end(body);
}
