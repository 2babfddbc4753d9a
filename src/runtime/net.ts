/**
 * Connections by URL, in whichever runtime this is: one import for Deno, Bun, Node and browsers.
 *
 * | URL | what it is | where |
 * | --- | --- | --- |
 * | `tcp+aln://host:port` | KISS frames over TCP, as every old peer speaks | Deno, Bun, Node |
 * | `tls+aln://host:port` | the same inside TLS | Deno, Bun, Node |
 * | `ws://host:port/path`, `wss://…` | WebSocket | everywhere; to listen: Deno, Bun, Node |
 *
 * @example
 * ```ts
 * import { Router } from "@aln/mesh";
 * import { connect, listen } from "@aln/mesh/net";
 * import assert from "node:assert/strict";
 *
 * const server = new Router("server");
 * server.registerService("ping", (_packet, reply) => void reply("pong"));
 * const listener = await listen("tcp+aln://127.0.0.1:0", server); // 0: any free port
 *
 * const client = new Router("client");
 * client.addChannel(await connect(listener.url));
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

import type { Channel } from "../channel/channel.ts";
import type { StreamChannel } from "../channel/stream_channel.ts";
import { connectWebSocket, type WebSocketChannel } from "../channel/websocket_channel.ts";
import { Dialer, type DialerOptions } from "../router/dialer.ts";
import { checkLink } from "../router/link_key.ts";
import type { LinkOptions } from "../router/link_options.ts";
import type { Router } from "../router/router.ts";
import type { Listener, TcpAddress, TlsConnectOptions, TlsListenOptions } from "./sockets.ts";
import type { WebSocketListenOptions } from "./websocket_server.ts";

export {
  Dialer,
  DialerEvent,
  type DialerEventMap,
  type DialerOptions,
  type DialerState,
} from "../router/dialer.ts";
export type { AuthPolicy, LinkOptions, NetworkKey } from "../router/link_options.ts";

/** Options of {@linkcode connect}; those that do not concern the URL's scheme are ignored. */
export interface ConnectOptions extends TlsConnectOptions {
  /**
   * How packets are sent over a WebSocket. Every peer understands `"json"`.
   *
   * @default {"json"}
   */
  format?: "json" | "binary";
}

/** Options of {@linkcode dial}. */
export interface DialOptions extends DialerOptions {
  /** What {@linkcode connect} is given; if a function, called before every attempt. */
  connect?: DialValue<Omit<ConnectOptions, "signal">>;
  /**
   * Whether another attempt is no use after this error. A URL that cannot be used always ends it;
   * by default so do a key, an address or a certificate that is refused, by either side, and a
   * permission that is missing. Platforms do not tell why a WebSocket was refused: that counts as temporary.
   */
  isFatal?: (error: unknown) => boolean;
}

/** A value, or what gives one for each attempt, until its signal aborts. */
export type DialValue<T> = T | ((signal: AbortSignal) => T | Promise<T>);

/** Options of {@linkcode listen}; those that do not concern the URL's scheme are ignored. */
export interface ListenOptions
  extends Omit<TlsListenOptions, "cert" | "key">, Omit<WebSocketListenOptions, "path" | "verify"> {
  /** What each channel is attached with. */
  link?: LinkOptions;
  /**
   * Decides whether a WebSocket may connect, by a token in its URL, a cookie, any other header; see
   * {@linkcode WebSocketListenOptions.verify}. Instead of `true` it may say what this one's link is
   * attached with, beside and before the option `link`.
   */
  verify?: (request: Request) => LinkVerdict | Promise<LinkVerdict>;
}

/** Whether a WebSocket may connect; if it may, perhaps also what its link is attached with. */
export type LinkVerdict = boolean | {
  /** Only for this one. */
  readonly link: LinkOptions;
};

/** Accepts connections until it is closed. */
export interface UrlListener extends Listener {
  /** What to connect to: the URL with the port that is really bound. */
  readonly url: string;
}

/** What is given each channel, and what it is to be attached with: a router, or a function. */
export type ChannelTarget = ((channel: Channel, options: LinkOptions) => void) | {
  /** As a router has it. */
  addChannel(channel: Channel, options?: LinkOptions): void;
};

/** Every scheme, and whether it can be used where there are no sockets. */
const SCHEMES = ["tcp+aln:", "tls+aln:", "ws:", "wss:"];

/** The module of this runtime; `null` in a browser. */
function runtime(): Promise<typeof import("./node.ts")> | null {
  if ("Deno" in globalThis) return import("./deno.ts");
  if ("Bun" in globalThis) return import("./bun.ts");
  if ("process" in globalThis) return import("./node.ts");
  return null;
}

/**
 * Opens a channel.
 *
 * @param url See the table at the top.
 * @throws {TypeError} If the URL is none of those, or cannot be used in this runtime.
 * @throws What the runtime's connect throws; for a WebSocket, {@linkcode connectWebSocket}.
 * @throws The signal's reason, if it aborts before the channel is open.
 */
export async function connect(
  url: string | URL,
  options: ConnectOptions = {},
): Promise<StreamChannel | WebSocketChannel> {
  const { protocol, href, address } = parse(url);
  if (protocol === "ws:" || protocol === "wss:") return await connectWebSocket(href, options);
  const sockets = await runtime();
  if (sockets === null) {
    throw new UrlError(`Cannot connect to ${href} from a browser: use a ws:// or wss:// URL`);
  }
  return protocol === "tcp+aln:"
    ? await sockets.connectTcp(address, options)
    : await sockets.connectTls(address, options);
}

/**
 * Keeps a router connected: connects, and again whenever the connection has closed or could not be
 * made, with growing pauses, until the dialer or the router is closed. Services need not be
 * registered again.
 *
 * Never throws what an attempt does: `status` events tell it, and `closed` if it was the last.
 *
 * @example
 * ```ts
 * import { Router } from "@aln/mesh";
 * import { dial, listen } from "@aln/mesh/net";
 * import assert from "node:assert/strict";
 *
 * const server = new Router("server");
 * const listener = await listen("tcp+aln://127.0.0.1:0", server);
 *
 * const client = new Router("client");
 * client.registerService("ping", (_packet, reply) => void reply("pong"));
 * const dialer = dial(client, listener.url, { maxDelay: 5_000 });
 * dialer.addEventListener("status", ({ state, error }) => console.log(state, error ?? ""));
 * await server.waitForService("ping");
 * assert.equal(dialer.state, "connected");
 *
 * await client.close(); // Ends the dialer, too.
 * await listener.close();
 * await server.close();
 * ```
 *
 * @param url See the table at the top; if a function, called before every attempt, to give each a
 *   token of its own, say, or another server.
 * @throws {RangeError} If a number among the options is negative or none, or `maxAttempts` 0.
 */
export function dial(
  router: Router,
  url: DialValue<string | URL>,
  options: DialOptions = {},
): Dialer {
  const { connect: connectOptions = {}, isFatal = isRefusal, ...rest } = options;
  const open = async (signal: AbortSignal) => {
    const target = typeof url === "function" ? await url(signal) : url;
    const given = typeof connectOptions === "function"
      ? await connectOptions(signal)
      : connectOptions;
    return await connect(target, { ...given, signal });
  };
  return new Dialer(router, open, {
    ...rest,
    isFatal: (error) => error instanceof UrlError || isFatal(error),
  });
}

/**
 * Our own code for who is not let in, and those of OpenSSL and its like for certificates that one
 * side does not accept, or that are none.
 */
const REFUSED =
  /^ERR_CHANNEL_AUTH$|CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|UNKNOWN_CA|HANDSHAKE_FAILURE|_PEM_/;

/** Whether the platform says that it will not, rather than that it could not. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { name, code } = error as { name: string; code?: unknown };
  const denied = name === "NotCapable" || name === "SecurityError"; // Deno; a page over HTTPS.
  return denied || (typeof code === "string" && REFUSED.test(code));
}

/**
 * Accepts channels.
 *
 * @param url See the table at the top. Port 0 lets the system choose. A WebSocket's path, unless it
 *   is `/`, is the only one that accepts WebSockets.
 * @param target A router, or a function that is given each channel, to own.
 * @throws {TypeError} If the URL is none of those, if a certificate is missing, if an option of the
 *   link is of no use or cannot be held here, or in a browser.
 * @throws What the runtime's listen throws.
 */
export async function listen(
  url: string | URL,
  target: ChannelTarget,
  options: ListenOptions = {},
): Promise<UrlListener> {
  const { protocol, href, pathname, address } = parse(url);
  const sockets = await runtime();
  if (sockets === null) {
    throw new TypeError(`Cannot listen on ${href} in a browser: a page can only connect`);
  }
  const { cert, key, link, ...rest } = options;
  const secure = protocol === "tls+aln:" || protocol === "wss:";
  if (secure && (cert === undefined || key === undefined)) {
    throw new TypeError(`Cannot listen on ${href}: it needs the options cert and key`);
  }
  if (link !== undefined) checkLink(link);
  if (link?.identity && !tellsIdentity(protocol, options)) {
    const what = "link.identity needs a tls+aln: URL and the option ca, or wss: outside Bun";
    throw new TypeError(`Cannot listen on ${href}: ${what}`);
  }
  const onChannel = (channel: Channel, own?: object) => {
    const attachment: LinkOptions = { ...link, ...own };
    if (typeof target === "function") target(channel, attachment);
    else target.addChannel(channel, attachment);
  };
  const identity = secure ? { cert: cert!, key: key! } : {};
  const listener = protocol === "tcp+aln:"
    ? await sockets.listenTcp(address, onChannel, rest)
    : protocol === "tls+aln:"
    ? await sockets.listenTls(address, onChannel, { ...rest, cert: cert!, key: key! })
    : await sockets.listenWebSocket(address, onChannel, {
      ...rest,
      ...identity,
      path: pathname === "/" ? undefined : pathname,
    });
  const bound = new URL(href);
  bound.port = String(listener.address.port);
  return { ...listener, url: bound.href };
}

/** Whether a listener knows the certificates of who connects. */
function tellsIdentity(protocol: string, { ca }: ListenOptions): boolean {
  if (ca === undefined) return false;
  return protocol === "tls+aln:" || protocol === "wss:" && !("Bun" in globalThis);
}

/** The parts of a URL that are of use here. */
interface Target {
  protocol: string;
  href: string;
  pathname: string;
  address: Required<TcpAddress>;
}

/** A URL that cannot be used, and never will. */
class UrlError extends TypeError {}

function parse(url: string | URL): Target {
  if (!URL.canParse(url)) throw new UrlError(`Cannot use "${url}": it is no URL`);
  const { protocol, href, pathname, hostname, port, hash } = new URL(url);
  if (!SCHEMES.includes(protocol)) {
    throw new UrlError(`Cannot use ${href}: it begins with none of ${SCHEMES.join(" ")}`);
  }
  if (hostname === "") throw new UrlError(`Cannot use ${href}: it names no host`);
  const isWeb = protocol === "ws:" || protocol === "wss:";
  if (hash !== "" && isWeb) throw new UrlError(`Cannot use ${href}: it has a fragment`);
  if (port === "" && !isWeb) throw new UrlError(`Cannot use ${href}: it names no port`);
  return {
    protocol,
    href,
    pathname,
    address: {
      hostname: hostname.replace(/^\[|\]$/g, ""), // IPv6.
      port: port === "" ? (protocol === "ws:" ? 80 : 443) : Number(port),
    },
  };
}
