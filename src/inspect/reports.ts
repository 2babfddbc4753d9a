/**
 * What routers say of themselves, and how it is read: JSON in UTF-8, which is checked, for whoever
 * has sent it may be anybody.
 *
 * Pure functions. Source: src/inspect/README.md.
 *
 * @module
 */

import { PacketError } from "../errors.ts";
import type { ChannelStats, RouterStats } from "../router/stats.ts";
import type { Packet } from "../wire/packet.ts";

/** A question that a router can be asked. */
export type InspectService = "ping" | "info" | "stats" | "links" | "trace";

/** The questions there are. */
export const INSPECT_SERVICES: readonly InspectService[] = [
  "ping",
  "info",
  "stats",
  "links",
  "trace",
];

/** The name of the service that answers a question. */
export function serviceName(service: InspectService): string {
  return `aln.${service}`;
}

/** A service that a router offers. */
export interface OfferedService {
  /** Its name. */
  service: string;
  /** Advertised load. */
  capacity: number;
}

/** What a router is: the answer of `aln.info`. */
export interface RouterReport {
  /** Its address. */
  address: string;
  /** The version of this library. */
  version: string;
  /** What it runs in, such as "Deno 2.9.6". */
  runtime: string;
  /** How long it has been there, in ms. */
  uptime: number;
  /** The services that it advertises. */
  services: OfferedService[];
}

/** One link, in {@linkcode LinksReport}, or one segment with all who are on it. */
export type LinkReport = Pick<
  ChannelStats,
  | "id"
  | "address"
  | "kind"
  | "neighbours"
  | "transport"
  | "cost"
  | "roundTrip"
  | "packetsIn"
  | "packetsOut"
  | "queuedBytes"
  | "uptime"
>;

/** Whom a router is linked to: the answer of `aln.links`. */
export interface LinksReport {
  /** Its address. */
  address: string;
  /** Every link whose neighbour has been let in. */
  links: LinkReport[];
}

/** One router on a way. */
export interface TraceHop {
  /** Its address. */
  address: string;
  /** How far it is from there to the destination, in hops; `null` if it knows no way. */
  cost: number | null;
  /** What carries its link to the next hop; `null` if there is none, or that is not known. */
  transport: string | null;
  /** How long a packet and its answer take on that link, in ms; `null` if that is not known. */
  roundTrip: number | null;
  /** From when the request reached it until it answered, in ms; `null` if it has not. */
  at: number | null;
}

/** What is asked of `aln.trace`. */
export interface TraceRequest {
  /** The destination's address. */
  dst: string;
  /**
   * How many routers may be asked, the first included, 1-32.
   *
   * @default {32}
   */
  ttl?: number;
  /**
   * How long it may take, in ms, 100-30000.
   *
   * @default {5000}
   */
  timeout?: number;
}

/** The way to a destination: the answer of `aln.trace`. */
export interface TraceReport {
  /** The routers on the way, from the one that was asked. The last may be one that is silent. */
  hops: TraceHop[];
  /** Whether the destination has answered. */
  reached: boolean;
  /** Why not. */
  reason?: string;
}

/** The most routers that a trace goes by. */
export const MAX_TTL = 32;

/** How large a question may be, in bytes, and how long an address, in UTF-16 units. */
const MAX_REQUEST = 1_024;
const MAX_ADDRESS = 255;

/** How long a trace may take, in ms. */
const TRACE_TIMEOUT = 5_000;
const MIN_TRACE_TIMEOUT = 100;
const MAX_TRACE_TIMEOUT = 30_000;

// ── reading ─────────────────────────────────────────────────────────────────

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === "string";
const isNumber: Check = (value) => typeof value === "number";
const orNull = (check: Check): Check => (value) => value === null || check(value);
const ifAny = (check: Check): Check => (value) => value === undefined || check(value);
const oneOf = (...words: string[]): Check => (value) => words.includes(value as string);
const listOf = (check: Check): Check => (value) => Array.isArray(value) && value.every(check);
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const counts: Check = (value) => isObject(value) && Object.values(value).every(isNumber);
/** Something with these members; a later version may say more. */
const shape = (members: Record<string, Check>): Check => (value) =>
  isObject(value) &&
  Object.entries(members).every(([name, check]) => check(value[name]));

const isLink = {
  id: isNumber,
  address: isText,
  kind: oneOf("modern", "legacy", "unknown", "segment"),
  neighbours: ifAny(listOf(shape({ address: isText, roundTrip: orNull(isNumber) }))),
  transport: orNull(isText),
  cost: isNumber,
  roundTrip: orNull(isNumber),
  packetsIn: isNumber,
  packetsOut: isNumber,
  queuedBytes: orNull(isNumber),
  uptime: isNumber,
};

const isInfo = shape({
  address: isText,
  version: isText,
  runtime: isText,
  uptime: isNumber,
  services: listOf(shape({ service: isText, capacity: isNumber })),
});

const isStats = shape({
  address: isText,
  uptime: isNumber,
  routes: isNumber,
  services: isNumber,
  contexts: isNumber,
  drops: counts,
  channels: listOf(shape({
    ...isLink,
    bytesIn: orNull(isNumber),
    bytesOut: orNull(isNumber),
    repeats: isNumber,
    drops: counts,
    errors: counts,
  })),
});

const isLinks = shape({ address: isText, links: listOf(shape(isLink)) });

const isTrace = shape({
  hops: listOf(shape({
    address: isText,
    cost: orNull(isNumber),
    transport: orNull(isText),
    roundTrip: orNull(isNumber),
    at: orNull(isNumber),
  })),
  reached: (value) => typeof value === "boolean",
});

/** Reads an answer, which must be of a shape. */
function read<T>(packet: Packet, check: Check, what: InspectService): T {
  let value: unknown;
  try {
    value = JSON.parse(packet.text());
  } catch {
    value = undefined;
  }
  if (check(value)) return value as T;
  const who = `"${packet.src}" says what is no answer of "${serviceName(what)}"`;
  throw new PacketError("ERR_PACKET_JSON", `Cannot read answer: ${who}`);
}

/**
 * Reads an answer of `aln.info`.
 *
 * @throws {PacketError} `ERR_PACKET_JSON` if it is none.
 */
export function readInfo(packet: Packet): RouterReport {
  return read(packet, isInfo, "info");
}

/**
 * Reads an answer of `aln.stats`.
 *
 * @throws {PacketError} `ERR_PACKET_JSON` if it is none.
 */
export function readStats(packet: Packet): RouterStats {
  return read(packet, isStats, "stats");
}

/**
 * Reads an answer of `aln.links`.
 *
 * @throws {PacketError} `ERR_PACKET_JSON` if it is none.
 */
export function readLinks(packet: Packet): LinksReport {
  return read(packet, isLinks, "links");
}

/**
 * Reads an answer of `aln.trace`.
 *
 * @param ttl What was asked for: there are no more hops than that, and a silent one.
 * @throws {PacketError} `ERR_PACKET_JSON` if it is none.
 */
export function readTrace(packet: Packet, ttl: number): TraceReport {
  const check: Check = (value) => {
    if (!isTrace(value)) return false;
    const { hops, reason } = value as TraceReport;
    return hops.length <= ttl + 1 && (reason === undefined || isText(reason));
  };
  return read(packet, check, "trace");
}

/** Reads what `aln.trace` is asked; `null` if that is no question. */
export function readTraceRequest(packet: Packet): Required<TraceRequest> | null {
  if (packet.data.length > MAX_REQUEST) return null;
  try {
    const value: unknown = JSON.parse(packet.text());
    return isObject(value) ? traceRequest(value as unknown as TraceRequest) : null;
  } catch {
    return null;
  }
}

/**
 * A question for `aln.trace` within its bounds.
 *
 * @throws {TypeError} If there is no destination in it, or something is no number.
 */
export function traceRequest(request: TraceRequest): Required<TraceRequest> {
  const { dst, ttl = MAX_TTL, timeout = TRACE_TIMEOUT } = request;
  if (typeof dst !== "string" || dst === "" || dst.length > MAX_ADDRESS) {
    throw new TypeError("Cannot trace: the destination is no address");
  }
  if (typeof ttl !== "number" || typeof timeout !== "number" || !(ttl >= 1) || !(timeout > 0)) {
    throw new TypeError("Cannot trace: neither ttl nor timeout may be other than a number above 0");
  }
  return {
    dst,
    ttl: Math.min(Math.floor(ttl), MAX_TTL),
    timeout: Math.min(Math.max(timeout, MIN_TRACE_TIMEOUT), MAX_TRACE_TIMEOUT),
  };
}
