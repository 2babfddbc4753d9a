/**
 * What a URL says that leads to a router.
 *
 * @module
 */

import { utf8Size } from "../wire/bytes.ts";
import { MAX_NAME_SIZE } from "../wire/limits.ts";
import type { TcpAddress } from "./sockets.ts";

/** Every scheme that there is. */
const SCHEMES = [
  "tcp+aln:",
  "tls+aln:",
  "tcp+maln:",
  "tls+maln:",
  "ws:",
  "wss:",
] as const;

/** One of them. */
export type Scheme = typeof SCHEMES[number];

/** The parts of a URL that are of use. */
export interface UrlParts {
  /** The scheme, with its colon. */
  protocol: Scheme;
  /** The whole URL, in its standard form. */
  href: string;
  /** The path, percent-encoded. */
  pathname: string;
  /** Where to connect to, or listen. */
  address: Required<TcpAddress>;
}

/** A URL that cannot be used, and never will. */
export class UrlError extends TypeError {}

/**
 * Takes a URL apart.
 *
 * @throws {UrlError} If it is none that leads to a router.
 */
export function parseUrl(url: string | URL): UrlParts {
  if (!URL.canParse(url)) throw new UrlError(`Cannot use "${url}": it is no URL`);
  const { protocol, href, pathname, hostname, port, hash } = new URL(url);
  if (!isScheme(protocol)) {
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

function isScheme(protocol: string): protocol is Scheme {
  return (SCHEMES as readonly string[]).includes(protocol);
}

/** Whether several networks share what the URL leads to. */
export function isShared({ protocol }: UrlParts): boolean {
  return protocol === "tcp+maln:" || protocol === "tls+maln:";
}

/**
 * The network that the URL's path names, if several share what it leads to.
 *
 * @throws {UrlError} If the path is no name of a network.
 */
export function networkOf(url: UrlParts): string | undefined {
  if (!isShared(url)) return undefined;
  const { href, pathname } = url;
  let network: string;
  try {
    network = trimSlashes(decodeURIComponent(pathname));
  } catch {
    throw new UrlError(`Cannot use ${href}: its path is not UTF-8`);
  }
  if (network === "") throw new UrlError(`Cannot use ${href}: it names no network`);
  const size = utf8Size(network);
  if (size > MAX_NAME_SIZE) {
    throw new UrlError(
      `Cannot use ${href}: its network takes ${size} bytes, more than ${MAX_NAME_SIZE}`,
    );
  }
  return network;
}

/** A path without the slashes before and after it: some peers send a network's name with one. */
export function trimSlashes(path: string): string {
  return path.replace(/^\/+|\/+$/g, "");
}
