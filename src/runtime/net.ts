/**
 * Connections by URL, in whichever runtime this is: one import for Deno, Bun, Node and browsers.
 *
 * | URL | what it is | where |
 * | --- | --- | --- |
 * | `tcp+aln://host:port` | KISS frames over TCP, as every old peer speaks | Deno, Bun, Node |
 * | `tls+aln://host:port` | the same inside TLS | Deno, Bun, Node |
 * | `tcp+maln://host:port/network` | TCP, where several networks share the port | Deno, Bun, Node |
 * | `tls+maln://host:port/network` | the same inside TLS | Deno, Bun, Node |
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
import { checkLinkOptions, type LinkOptions } from "../router/link_options.ts";
import type { Router } from "../router/router.ts";
import { MalnLobby } from "./maln.ts";
import type { Listener, TlsConnectOptions, TlsListenOptions } from "./sockets.ts";
import { isShared, networkOf, parseUrl, trimSlashes, UrlError, type UrlParts } from "./urls.ts";
import type { WebSocketListenOptions } from "./websocket_server.ts";

export {
  announce,
  type AnnounceOptions,
  type Beacon,
  type BeaconInterface,
  discover,
  type DiscoverOptions,
} from "./beacon.ts";
export {
  Dialer,
  DialerEvent,
  type DialerEventMap,
  type DialerOptions,
  type DialerState,
} from "../router/dialer.ts";
export type { AuthPolicy, LinkOptions, NetworkKey } from "../router/link_options.ts";

/** Options of {@linkcode connect}; those that do not concern the URL's scheme are ignored. */
export interface ConnectOptions extends Omit<TlsConnectOptions, "network"> {
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
  extends
    Omit<TlsListenOptions, "cert" | "key" | "network">,
    Omit<WebSocketListenOptions, "path" | "verify"> {
  /** What the router is told about each channel; if a function, it is given the channel. */
  link?: LinkOptions | ((channel: Channel) => LinkOptions);
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

/** What is given each channel, and what was said of it: a router, or a function. */
export type ChannelTarget = ((channel: Channel, link?: LinkOptions) => void) | {
  /** As a router has it. */
  addChannel(channel: Channel, link?: LinkOptions): void;
};

/** Several networks that share one port: what listens to `tcp+maln:` and `tls+maln:` URLs. */
export interface NetworkTargets {
  /**
   * What is given the channels of each network, by its name: 1-255 bytes of UTF-8, without a slash
   * at either end. It is looked at whenever a client comes, so networks may come and go.
   */
  readonly networks:
    | ReadonlyMap<string, ChannelTarget>
    | Readonly<Record<string, ChannelTarget>>;
}

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
 * Whether there is a network of the name that a `tcp+maln:` or `tls+maln:` URL ends with, is told
 * by the server when it is not: the channel then closes with a `ChannelError`, `ERR_CHANNEL_PEER`.
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
  const parts = parseUrl(url);
  const { protocol, href, address } = parts;
  if (protocol === "ws:" || protocol === "wss:") return await connectWebSocket(href, options);
  const network = networkOf(parts);
  const sockets = await runtime();
  if (sockets === null) {
    throw new UrlError(`Cannot connect to ${href} from a browser: use a ws:// or wss:// URL`);
  }
  return protocol.startsWith("tls")
    ? await sockets.connectTls(address, { ...options, network })
    : await sockets.connectTcp(address, { ...options, network });
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
 * Where networks share a port, each client names one, and its channel goes there. A client that
 * names none in ten seconds, or one that is not there, is told so and sent away. No more than 256
 * are waited for at a time: the one that has taken the longest makes room.
 *
 * @example Two networks on one port
 * ```ts
 * import { Router } from "@aln/mesh";
 * import { connect, listen } from "@aln/mesh/net";
 * import assert from "node:assert/strict";
 *
 * const networks = { home: new Router("hub"), office: new Router("hub") };
 * const listener = await listen("tcp+maln://127.0.0.1:0", { networks });
 * networks.home.registerService("ping", (_packet, reply) => void reply("pong from home"));
 *
 * const client = new Router("client");
 * client.addChannel(await connect(`${listener.url}/home`));
 * await client.waitForService("ping");
 * assert.equal((await client.request("ping")).text(), "pong from home");
 *
 * await client.close();
 * await listener.close();
 * await Promise.all([networks.home.close(), networks.office.close()]);
 * ```
 *
 * @param url See the table at the top. Port 0 lets the system choose. A WebSocket's path, unless it
 *   is `/`, is the only one that accepts WebSockets; a `tcp+maln:` or `tls+maln:` URL has none.
 * @param target A router, or a function that is given each channel, to own; for a `tcp+maln:` or
 *   `tls+maln:` URL, one for each network.
 * @throws {TypeError} If the URL is none of those, or not for such a target, if a certificate is
 *   missing, if an option of the link is of no use or cannot be held here, or in a browser.
 * @throws What the runtime's listen throws.
 */
export async function listen(
  url: string | URL,
  target: ChannelTarget | NetworkTargets,
  options: ListenOptions = {},
): Promise<UrlListener> {
  const parts = parseUrl(url);
  const { protocol, href, pathname, address } = parts;
  const sockets = await runtime();
  if (sockets === null) {
    throw new TypeError(`Cannot listen on ${href} in a browser: a page can only connect`);
  }
  const { cert, key, link, ...rest } = options;
  const secure = protocol.startsWith("tls") || protocol === "wss:";
  if (secure && (cert === undefined || key === undefined)) {
    throw new TypeError(`Cannot listen on ${href}: it needs the options cert and key`);
  }
  if (typeof link === "object") checkLinkHere(parts, link, options);
  const { onChannel, close } = receiver(parts, target, link);
  const identity = secure ? { cert: cert!, key: key! } : {};
  const listener = protocol === "ws:" || protocol === "wss:"
    ? await sockets.listenWebSocket(address, onChannel, {
      ...rest,
      ...identity,
      path: pathname === "/" ? undefined : pathname,
    })
    : secure
    ? await sockets.listenTls(address, onChannel, { ...rest, cert: cert!, key: key! })
    : await sockets.listenTcp(address, onChannel, rest);
  const bound = new URL(href);
  bound.port = String(listener.address.port);
  const closeBoth = () => {
    close();
    return listener.close();
  };
  return {
    address: listener.address,
    url: bound.href,
    close: closeBoth,
    [Symbol.asyncDispose]: closeBoth,
  };
}

/** Throws if what is said of links is of no use, or cannot be held by such a listener. */
function checkLinkHere(
  { protocol, href }: UrlParts,
  link: LinkOptions,
  { ca }: ListenOptions,
): void {
  checkLink(link);
  checkLinkOptions(link);
  const told = protocol.startsWith("tls") || protocol === "wss:" && !("Bun" in globalThis);
  if (!link.identity || (told && ca !== undefined)) return;
  const what = "link.identity needs a tls: URL and the option ca, or wss: outside Bun";
  throw new TypeError(`Cannot listen on ${href}: ${what}`);
}

/** What is given the channels that are accepted, and what is done at the end. */
function receiver(
  parts: UrlParts,
  target: ChannelTarget | NetworkTargets,
  link: ListenOptions["link"],
): { onChannel: (channel: Channel, own?: object) => void; close: () => void } {
  const { href, pathname } = parts;
  const networks = "networks" in target ? target.networks : null;
  if (!isShared(parts)) {
    if (networks !== null) {
      throw new TypeError(`Cannot listen on ${href}: networks need a tcp+maln: or tls+maln: URL`);
    }
    const only = target as ChannelTarget;
    return { onChannel: (channel, own) => give(channel, only, link, own), close() {} };
  }
  if (networks === null) {
    throw new TypeError(`Cannot listen on ${href}: it needs networks, each with a target`);
  }
  if (trimSlashes(pathname) !== "") {
    throw new TypeError(`Cannot listen on ${href}: its networks are not named by a path`);
  }
  const lobby = new MalnLobby((name) => {
    const target = find(networks, name);
    return target && ((channel) => give(channel, target, link));
  });
  return { onChannel: (channel) => lobby.enter(channel), close: () => lobby.close() };
}

/** Gives a channel to whoever is to own it. */
function give(
  channel: Channel,
  target: ChannelTarget,
  link: ListenOptions["link"],
  own?: LinkOptions,
): void {
  const base = typeof link === "function" ? link(channel) : link;
  const given = own === undefined ? base ?? {} : { ...base, ...own };
  if (typeof target === "function") target(channel, given);
  else target.addChannel(channel, given);
}

/** The target of a network. */
function find(
  networks: NetworkTargets["networks"],
  name: string,
): ChannelTarget | undefined {
  if (networks instanceof Map) return networks.get(name);
  return Object.hasOwn(networks, name)
    ? (networks as Record<string, ChannelTarget>)[name]
    : undefined;
}
