/**
 * The text of beacons: a URL, and nothing else, in a UDP datagram.
 *
 * Pure functions. Old peers take it apart by its colons and slashes, and some do not survive what
 * they did not expect: so it is never sent otherwise than `scheme://host:port[/network]`.
 *
 * @module
 */

import { decodeUtf8, encodeUtf8 } from "../wire/bytes.ts";
import { networkOf, parseUrl } from "./urls.ts";

/** Longest text, in bytes: Arduino peers have so much room. */
const MAX_SIZE = 254;

/** Largest port that Android peers can read; on another one their listener ends. */
const MAX_PORT = 32_767;

/** The longest that an interface's address may be. */
const LONGEST_ADDRESS = "255.255.255.255";

/** Hosts that stand for all of a machine's addresses. */
const ANY = ["0.0.0.0", "[::]"];

/** The address of this machine for itself. */
const LOCAL = "127.0.0.1";

const LOOPBACK = /^(127(\.\d+){3}|(.*\.)?localhost\.?)$/;

/** Whether an address, or a name, leads nowhere but to the machine that uses it. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}

/**
 * Prepares a URL to be announced.
 *
 * @returns What gives its text for one interface, by our address there and where beacons are sent
 *   to; `null` if it is not to be announced there, for it leads nowhere from there.
 * @throws {TypeError} If it is no URL that peers understand.
 * @throws {RangeError} If they cannot read its port, or it is too long.
 */
export function beaconText(
  url: string | URL,
): (address: string, broadcast: string) => string | null {
  const fail = (why: string) => new TypeError(`Cannot announce ${url}: ${why}`);
  const parts = parseUrl(url);
  if (parts.protocol === "ws:" || parts.protocol === "wss:") {
    throw fail("peers know beacons for TCP and TLS alone");
  }
  const network = networkOf(parts); // Throws if there is to be one, and is not.
  const { username, password, search, hash, port, hostname } = new URL(url);
  const host = hostname.toLowerCase();
  if (username + password + search + hash !== "") {
    throw fail("it has more than a scheme, host, port and network");
  }
  if (network === undefined && parts.pathname.length > 1) throw fail("it has a path");
  if (network?.includes("/")) throw fail("its network has a slash in it");
  if (port === "0") throw fail("port 0 is none");
  if (Number(port) > MAX_PORT) {
    throw new RangeError(`Cannot announce ${url}: peers read no port above ${MAX_PORT}`);
  }
  const path = network === undefined ? "" : `/${encodeURIComponent(network)}`;
  const text = (host: string) => `${parts.protocol}//${host}:${port}${path}`;
  const isAny = ANY.includes(host);
  const sample = text(isAny ? LONGEST_ADDRESS : host);
  if (sample.length > MAX_SIZE) { // It is ASCII.
    throw new RangeError(`Cannot announce ${url}: it takes more than ${MAX_SIZE} bytes`);
  }
  if (readBeacon(encodeUtf8(sample), LOCAL) !== sample) {
    throw fail("its host is neither a name nor an IPv4 address, and peers read nothing else");
  }
  return (address, broadcast) => {
    if (isAny) return text(address);
    return isLoopback(host) && !isLoopback(broadcast) ? null : sample;
  };
}

/** A beacon; Java peers put a host name before the address: `tcp+aln:/name/192.0.2.7:8081`. */
const BEACON = /^(t(?:cp|ls)\+m?aln:\/)[^/:]*\/([\w.-]+):(\d{1,5})(?:\/([^/?#\s]*))?$/;

/**
 * Reads a beacon.
 *
 * @param datagram Borrowed.
 * @param sender The address that it came from.
 * @returns A URL that can be connected to, in its standard form; `null` if it is none, or one that
 *   leads to this machine and does not come from it.
 */
export function readBeacon(datagram: Uint8Array, sender: string): string | null {
  if (datagram.length > MAX_SIZE) return null;
  const text = decodeUtf8(datagram) ?? "";
  const match = BEACON.exec(text.replace(/\0.*/s, "").trim()); // What Qt sends may end in zeros.
  if (match === null) return null;
  const [, scheme, host, port, path] = match;
  const web = `http://${host}`; // Of this kind, the standard form tells whether 127.1 is loopback.
  if (!URL.canParse(web)) return null;
  const { hostname } = new URL(web);
  const url = `${scheme}/${hostname}:${port}${path ? `/${path}` : ""}`;
  if (!URL.canParse(url) || Number(port) === 0 || ANY.includes(hostname)) return null;
  if (isLoopback(hostname) && !isLoopback(sender)) return null;
  try {
    const parts = parseUrl(url);
    networkOf(parts);
    return parts.href;
  } catch {
    return null; // It is for networks that share a port, and names none.
  }
}
