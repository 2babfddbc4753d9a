/**
 * Packets as the log keeps, chooses, decodes and exports them.
 *
 * @module
 */

import { encodeBase64 } from "../../wire/base64.ts";
import { decodeRouteAdvert, decodeServiceAdvert } from "../../wire/adverts.ts";
import { CALL, decodeCallMark } from "../../wire/call_mark.ts";
import { decodeLinkFrame } from "../../wire/link_frame.ts";
import type { PacketFields } from "../../wire/packet_codec.ts";
import { readableText } from "./payload.ts";

/** Whether a packet came in or went out. */
export type Direction = "in" | "out";

/** How much of a payload is kept, in bytes. */
export const KEPT = 2_048;

/** How many open questions are known by the service that they ask. */
const MAX_QUESTIONS = 4_096;

/** A packet in the log. */
export interface LoggedPacket {
  /** When it passed, in ms since 1970. */
  at: number;
  /** Which way. */
  direction: Direction;
  /** Its fields; see `PacketFields`. */
  net: number;
  src: string;
  dst: string;
  srv: string;
  nxt: string;
  seq: number;
  ack: number;
  ctx: number;
  typ: number;
  /** What it is in a call, or between routers: "ask", "reply", "route" … */
  role: string;
  /** The service of the call that it belongs to; `""` if that is not known. */
  service: string;
  /** How large the payload is, in bytes. */
  size: number;
  /** The first {@linkcode KEPT} bytes of it. */
  data: Uint8Array;
}

/** Makes entries of packets, and knows the service that a reply belongs to. */
export class PacketReader {
  readonly #services: Map<string, string> = new Map();

  /** An entry, which keeps nothing of the packet itself. */
  read(packet: Readonly<PacketFields>, direction: Direction, at: number): LoggedPacket {
    const { net, src, dst, srv, nxt, seq, ack, ctx, typ, data } = packet;
    const role = roleOf(packet);
    let service = srv;
    if (net === 0 && ctx !== 0) {
      const asking = JSON.stringify([src, ctx]);
      if (srv !== "") {
        this.#services.delete(asking);
        this.#services.set(asking, srv);
        if (this.#services.size > MAX_QUESTIONS) {
          this.#services.delete(this.#services.keys().next().value!);
        }
      } else {
        service = this.#services.get(JSON.stringify([dst, ctx])) ??
          this.#services.get(asking) ?? "";
      }
    }
    const kept = data.slice(0, KEPT);
    const size = data.length;
    return {
      ...{ at, direction, net, src, dst, srv, nxt, seq, ack, ctx, typ },
      ...{ role, service, size, data: kept },
    };
  }
}

const NETS: Record<number, string> = { 1: "route", 2: "service", 3: "query", 255: "error" };

/** What a packet is, in a word. */
export function roleOf(packet: Readonly<PacketFields>): string {
  const { net, srv, ctx } = packet;
  if (net !== 0) return NETS[net] ?? "routing";
  const mark = decodeCallMark(packet);
  if (mark !== null) {
    const [kind] = Object.entries(CALL).find(([, value]) => value === mark.kind) ?? ["?"];
    return kind === "data" && !mark.toService ? "reply" : kind;
  }
  return ctx === 0 ? "send" : srv === "" ? "reply" : "ask";
}

// ── choosing ────────────────────────────────────────────────────────────────

/** What kinds of packets are left out. */
export interface Hidden {
  /** What routers tell each other. */
  routing: boolean;
  /** Questions of tools such as this one, and their answers. */
  inspection: boolean;
}

/** Whether a packet is to be shown. */
export type PacketFilter = (packet: LoggedPacket) => boolean;

/** What a filter can name. */
const FIELDS = ["srv", "src", "dst", "role", "net", "dir", "ctx", "size"] as const;

/**
 * Reads a filter: words, all of which must be true of a packet.
 *
 * `srv:echo`, `src:`, `dst:`, `role:reply`, `net:1`, `ctx:`: the field is that, where `*` is any text;
 * `dir:in`, `dir:out`; `size:>100`, `size:<100`. Any other word is looked for in names and payload. A
 * `-` before a word turns it round.
 */
export function parseFilter(text: string, hidden: Hidden): PacketFilter {
  const words = text.match(/\S+/g) ?? [];
  const parts = words.map((word) => {
    const not = word.startsWith("-") && word.length > 1;
    const holds = readWord(not ? word.slice(1) : word);
    return not ? (packet: LoggedPacket) => !holds(packet) : holds;
  });
  return (packet) =>
    !(hidden.routing && packet.net !== 0) &&
    !(hidden.inspection && packet.service.startsWith("aln.")) &&
    parts.every((holds) => holds(packet));
}

function readWord(word: string): PacketFilter {
  const [, field, value = ""] = /^(\w+):(.*)$/s.exec(word) ?? [];
  if (field === "size") {
    const [, sign, number] = /^([<>]?)(\d+)$/.exec(value) ?? [];
    if (number === undefined) return () => true; // Not yet written to its end.
    const limit = Number(number);
    if (sign === ">") return ({ size }) => size > limit;
    if (sign === "<") return ({ size }) => size < limit;
    return ({ size }) => size === limit;
  }
  if (FIELDS.includes(field as typeof FIELDS[number])) {
    if (value === "") return () => true;
    const pattern = wildcard(value);
    if (field === "srv") return ({ service }) => pattern.test(service);
    if (field === "dir") return ({ direction }) => pattern.test(direction);
    if (field === "net") return ({ net, role }) => pattern.test(`${net}`) || pattern.test(role);
    return (packet) => pattern.test(`${packet[field as "src" | "dst" | "role" | "ctx"]}`);
  }
  const lower = word.toLowerCase();
  return ({ src, dst, service, role, data }) =>
    [src, dst, service, role].some((name) => name.toLowerCase().includes(lower)) ||
    (readableText(data)?.toLowerCase().includes(lower) ?? false);
}

function wildcard(text: string): RegExp {
  const source = text.split("*").map((part) => part.replaceAll(/[^\w\s]/gu, "\\$&")).join(".*");
  return new RegExp(`^${source}$`, "is");
}

// ── decoding ────────────────────────────────────────────────────────────────

/** The fields of a packet that are there, as people read them. */
export function fieldsOf(packet: LoggedPacket): [name: string, value: string][] {
  const { net, src, dst, srv, nxt, seq, ack, ctx, typ, role, service, size } = packet;
  const mark = net === 0 ? decodeCallMark({ seq, ack }) : null;
  const fields: [string, string | number][] = [
    ["what", role],
    ["net", net],
    ["srv", srv],
    ["answers", srv === "" && net === 0 ? service : ""],
    ["src", src],
    ["dst", dst],
    ["nxt", nxt],
    ["ctx", ctx],
    ["frame", mark?.number ?? 0],
    ["seq", mark ? 0 : seq],
    ["ack", mark ? 0 : ack],
    ["typ", typ],
  ];
  const there = fields.filter(([, value]) => value !== 0 && value !== "");
  return [...there.map(([name, value]) => [name, `${value}`] as [string, string]), [
    "data",
    `${size} B${size > packet.data.length ? `, the first ${packet.data.length} kept` : ""}`,
  ]];
}

/** What routers tell each other in a packet, line by line; `null` if that cannot be read. */
export function routingOf({ net, data, size }: LoggedPacket): string[] | null {
  if (size > data.length) return null;
  try {
    if (net === 1) {
      const { address, cost } = decodeRouteAdvert(data);
      return [cost === 0 ? `route to ${address} lost` : `route to ${address}, cost ${cost}`];
    }
    if (net === 2) {
      const { service, address, capacity } = decodeServiceAdvert(data);
      return [serviceLine(service, address, capacity)];
    }
    if (net === 3) return ["what do you know?"];
    if (net === 255) return [new TextDecoder().decode(data)];
    const lines: string[] = [];
    decodeLinkFrame(
      data,
      {
        route: (address, cost, seq) =>
          lines.push(
            cost === 0
              ? `route to ${address} lost`
              : `route to ${address}, cost ${cost}, age ${seq}`,
          ),
        service: (host, name, load) => lines.push(serviceLine(name, host, load)),
        seqRequest: (address) => lines.push(`who has a newer route to ${address}?`),
        ping: () => lines.push("are you there?"),
        pong: () => lines.push("I am here"),
        digest: ({ routes, services }) =>
          lines.push(`you have told me ${routes} routes, ${services} services`),
        resync: () => lines.push("tell me all again"),
        bye: () => lines.push("goodbye"),
      },
    );
    return lines;
  } catch {
    return null;
  }
}

function serviceLine(service: string, host: string, load: number): string {
  return load === 0 ? `${service} at ${host} gone` : `${service} at ${host}, load ${load}`;
}

// ── exporting ───────────────────────────────────────────────────────────────

/** A packet as a line of JSON: the fields that it has, with the payload in base64. */
export function jsonLine(packet: LoggedPacket): string {
  const { at, direction, role, data, size } = packet;
  const object: Record<string, unknown> = { at, direction, role };
  for (const name of ["srv", "src", "dst", "nxt"] as const) {
    if (packet[name] !== "") object[name] = packet[name];
  }
  for (const name of ["net", "seq", "ack", "ctx", "typ"] as const) {
    if (packet[name] !== 0) object[name] = packet[name];
  }
  if (size > 0) {
    object.data_sz = size;
    object.data = encodeBase64(data);
  }
  return JSON.stringify(object);
}
