/**
 * Packets as bytes: `control word: u16`, then only the fields whose flag is set, in this order:
 *
 * | field | layout |
 * | --- | --- |
 * | `net` | u8 |
 * | `srv`, `src`, `dst`, `nxt` | each `length: u8`, then that many bytes of UTF-8 |
 * | `seq` | u16 |
 * | `ack` | u32 |
 * | `ctx` | u16 |
 * | `typ` | u8 |
 * | `data` | `size: u16`, then that many bytes |
 * | CRC-32 | u32, over every byte before it |
 *
 * A trailer may follow, for the neighbour alone: see `trailer.ts`.
 *
 * All numbers are big-endian. Zero, `""` and no bytes are *absent*: they have no flag and take no
 * room. Pure functions. Source: src/wire/README.md.
 *
 * @module
 */

import { PacketError } from "../errors.ts";
import {
  ByteReader,
  type Bytes,
  decodeUtf8,
  type LengthUnit,
  NO_BYTES,
  setName,
  setUint16,
  setUint32,
  uint16At,
  uint32At,
  utf8Size,
} from "./bytes.ts";
import { decodeControlWord, encodeControlWord, FLAG } from "./control_flags.ts";
import { crc32 } from "./crc32.ts";
import { MAX_DATA_SIZE, MAX_NAME_SIZE } from "./limits.ts";
import { NameCache } from "./name_cache.ts";
import {
  checkTrailer,
  decodeTrailer,
  MAX_TRAILER_SIZE,
  readTrailer,
  type Trailer,
  writeTrailer,
} from "./trailer.ts";

/** What a packet says. Zero, `""` and no bytes mean that the field is absent. */
export interface PacketFields {
  /** Net state: 0 application data, 1 route, 2 service, 3 query, 255 error. */
  net: number;
  /** Service name; at most 255 bytes of UTF-8, like every name. */
  srv: string;
  /** Address of the router that sent it first. */
  src: string;
  /** Address of the router that it is for. */
  dst: string;
  /** Address of the neighbour that carries it on. */
  nxt: string;
  /** Sequence number, u16. */
  seq: number;
  /** Acknowledgement block, u32. */
  ack: number;
  /** Context id, u16: ties answers to a question. */
  ctx: number;
  /** Data type, u8: free for applications. */
  typ: number;
  /** Payload, at most 65,535 bytes. */
  data: Uint8Array;
  /** What follows the packet, for one hop; `null`, or left out, is absent. */
  trailer?: Trailer | null;
}

/** Options of {@linkcode encodePacket}. */
export interface EncodeOptions {
  /**
   * Append a CRC-32.
   *
   * @default {false}
   */
  crc?: boolean;
}

/**
 * Checks that every value fits its field.
 *
 * @returns The presence bits, the CRC's left out.
 * @throws {PacketError} `ERR_PACKET_FIELD`, naming the field.
 */
export function checkFields(fields: PacketFields): number {
  const { net, srv, src, dst, nxt, seq, ack, ctx, typ, data, trailer } = fields;
  let flags = 0;
  if (checkNumber("net", net, 0xff) !== 0) flags |= FLAG.net;
  if (checkName("srv", srv) !== "") flags |= FLAG.srv;
  if (checkName("src", src) !== "") flags |= FLAG.src;
  if (checkName("dst", dst) !== "") flags |= FLAG.dst;
  if (checkName("nxt", nxt) !== "") flags |= FLAG.nxt;
  if (checkNumber("seq", seq, 0xffff) !== 0) flags |= FLAG.seq;
  if (checkNumber("ack", ack, 0xffff_ffff) !== 0) flags |= FLAG.ack;
  if (checkNumber("ctx", ctx, 0xffff) !== 0) flags |= FLAG.ctx;
  if (checkNumber("typ", typ, 0xff) !== 0) flags |= FLAG.typ;
  if (!(data instanceof Uint8Array)) throw badField("data", "it is not bytes");
  const size = data.length;
  if (size > MAX_DATA_SIZE) {
    throw badField("data", `it has ${size} bytes, more than ${MAX_DATA_SIZE}`);
  }
  if (size > 0) flags |= FLAG.data;
  if (trailer) checkTrailer(trailer);
  return flags;
}

function checkNumber(key: string, value: number, max: number): number {
  // An integer that fits is what it is as a u32.
  if (typeof value === "number" && value >>> 0 === value && value <= max) return value;
  // Only numbers are shown: a hostile peer's array or object may have no text, or too much.
  const shown = typeof value === "number" ? value : `a value of type ${typeof value}`;
  throw badField(key, `${shown} is not an integer in 0-${max}`);
}

function checkName(key: string, value: string): string {
  if (typeof value !== "string") throw badField(key, "it is not a string");
  if (value.length * 3 <= MAX_NAME_SIZE) return value; // No UTF-16 unit takes more than 3 bytes.
  const size = utf8Size(value);
  if (size > MAX_NAME_SIZE) {
    throw badField(key, `it takes ${size} bytes, more than ${MAX_NAME_SIZE}`);
  }
  return value;
}

/** The error for a value that does not fit its field. */
export function badField(key: string, why: string): PacketError {
  return new PacketError("ERR_PACKET_FIELD", `Cannot accept ${key}: ${why}`);
}

/**
 * Encodes a packet.
 *
 * @returns Bytes owned by the caller.
 * @throws {PacketError} `ERR_PACKET_FIELD` if a value does not fit its field.
 *
 * @example A query for the neighbour's tables
 * ```ts
 * import { encodePacket, Packet } from "@aln/mesh/wire";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(encodePacket(new Packet({ net: 3 })), Uint8Array.of(0x34, 0x00, 0x03));
 * ```
 */
export function encodePacket(fields: PacketFields, options: EncodeOptions = {}): Bytes {
  const flags = checkFields(fields) | (options.crc ? FLAG.crc : 0);
  const { data } = fields;
  const head = writeHead(fields, flags, SCRATCH, 0);
  if (data.length <= SCRATCH.length - MAX_HEAD_SIZE - MAX_TAIL_SIZE) {
    SCRATCH.set(data, head);
    const crc = flags & FLAG.crc ? crc32(SCRATCH.subarray(0, head + data.length)) : null;
    return SCRATCH.slice(0, writeTail(fields, crc, SCRATCH, head + data.length));
  }
  const crc = flags & FLAG.crc ? crc32(data, crc32(SCRATCH.subarray(0, head))) : null;
  const tail = writeTail(fields, crc, SCRATCH, head);
  const bytes = new Uint8Array(tail + data.length);
  bytes.set(SCRATCH.subarray(0, head));
  bytes.set(data, head);
  bytes.set(SCRATCH.subarray(head, tail), head + data.length);
  return bytes;
}

/** Most bytes that {@linkcode writeHead} writes. */
export const MAX_HEAD_SIZE = 14 + 4 * (1 + MAX_NAME_SIZE);

/** Most bytes that {@linkcode writeTail} writes. */
export const MAX_TAIL_SIZE = 4 + MAX_TRAILER_SIZE;

/** At most how many bytes {@linkcode writeHead} writes for these fields, which have been checked. */
export function headBound({ srv, src, dst, nxt }: PacketFields): number {
  const units = srv.length + src.length + dst.length + nxt.length;
  return Math.min(MAX_HEAD_SIZE, 18 + 3 * units);
}

/** Where packets are put together before it is known how long they are. Nothing in it lasts. */
const SCRATCH: Bytes = new Uint8Array(1 << 12);

/**
 * Writes what is before the data.
 *
 * @param fields Have been checked.
 * @param flags Presence bits, the CRC's among them.
 * @param bytes Room for {@linkcode headBound}, to be written over.
 * @returns Where it ends.
 */
export function writeHead(
  fields: PacketFields,
  flags: number,
  bytes: Uint8Array,
  at: number,
): number {
  setUint16(bytes, at, CONTROL_WORDS[flags]!);
  at += 2;
  if (flags & FLAG.net) bytes[at++] = fields.net;
  if (flags & FLAG.srv) at = setName(bytes, at, fields.srv);
  if (flags & FLAG.src) at = setName(bytes, at, fields.src);
  if (flags & FLAG.dst) at = setName(bytes, at, fields.dst);
  if (flags & FLAG.nxt) at = setName(bytes, at, fields.nxt);
  if (flags & FLAG.seq) {
    setUint16(bytes, at, fields.seq);
    at += 2;
  }
  if (flags & FLAG.ack) {
    setUint32(bytes, at, fields.ack);
    at += 4;
  }
  if (flags & FLAG.ctx) {
    setUint16(bytes, at, fields.ctx);
    at += 2;
  }
  if (flags & FLAG.typ) bytes[at++] = fields.typ;
  if (flags & FLAG.data) {
    setUint16(bytes, at, fields.data.length);
    at += 2;
  }
  return at;
}

/**
 * Writes what is behind the data.
 *
 * @param crc The checksum of all before it, or `null` if there is to be none.
 * @param bytes Room for {@linkcode MAX_TAIL_SIZE}, to be written over.
 * @returns Where it ends.
 */
export function writeTail(
  fields: PacketFields,
  crc: number | null,
  bytes: Uint8Array,
  at: number,
): number {
  if (crc !== null) {
    setUint32(bytes, at, crc);
    at += 4;
  }
  return fields.trailer ? writeTrailer(fields.trailer, bytes, at) : at;
}

/** The control word for every combination of fields. */
const CONTROL_WORDS: Uint16Array = Uint16Array.from({ length: 2_048 }, (_, flags) => {
  return encodeControlWord(flags);
});

/** The names read last. */
const NAMES = new NameCache();

/** What can be told where a payload stands. */
interface PayloadBorrower {
  borrow(source: Uint8Array, start: number, size: number): void;
}

/**
 * Reads a packet that is sound, fits its bytes exactly (a trailer included) and makes no trouble of
 * any other kind; for all others there is {@linkcode parsePacket}.
 *
 * @param packet Set to what it says; `data` is borrowed. Not to be used unless this returns `true`.
 * @param start Where in the bytes it begins.
 * @param end Where it ends.
 */
export function readSoundPacket(
  packet: PacketFields & PayloadBorrower,
  bytes: Uint8Array,
  start: number,
  end: number,
): boolean {
  let at = start + 2;
  if (at > end) return false;
  const word = uint16At(bytes, start);
  const flags = word & 0x07ff;
  if (CONTROL_WORDS[flags] !== word) return false;
  if (flags & FLAG.net) {
    if (at + 1 > end) return false;
    packet.net = bytes[at++]!;
  }
  let name: string | null;
  if (flags & FLAG.srv) {
    if ((name = readName(bytes, at, end)) === null) return false;
    packet.srv = name;
    at += 1 + bytes[at]!;
  }
  if (flags & FLAG.src) {
    if ((name = readName(bytes, at, end)) === null) return false;
    packet.src = name;
    at += 1 + bytes[at]!;
  }
  if (flags & FLAG.dst) {
    if ((name = readName(bytes, at, end)) === null) return false;
    packet.dst = name;
    at += 1 + bytes[at]!;
  }
  if (flags & FLAG.nxt) {
    if ((name = readName(bytes, at, end)) === null) return false;
    packet.nxt = name;
    at += 1 + bytes[at]!;
  }
  if (flags & FLAG.seq) {
    if (at + 2 > end) return false;
    packet.seq = uint16At(bytes, at);
    at += 2;
  }
  if (flags & FLAG.ack) {
    if (at + 4 > end) return false;
    packet.ack = uint32At(bytes, at);
    at += 4;
  }
  if (flags & FLAG.ctx) {
    if (at + 2 > end) return false;
    packet.ctx = uint16At(bytes, at);
    at += 2;
  }
  if (flags & FLAG.typ) {
    if (at + 1 > end) return false;
    packet.typ = bytes[at++]!;
  }
  if (flags & FLAG.data) {
    if (at + 2 > end) return false;
    const size = uint16At(bytes, at);
    at += 2;
    if (at + size > end) return false;
    if (size > 0) packet.borrow(bytes, at, size);
    at += size;
  }
  if (flags & FLAG.crc) {
    if (at + 4 > end || uint32At(bytes, at) !== crc32(bytes.subarray(start, at))) return false;
    at += 4;
  }
  if (at === end) return true;
  const trailer = readTrailer(bytes, at, end);
  if (trailer === null) return false;
  packet.trailer = trailer;
  return true;
}

/** The name whose length is here, or `null` if it is cut off or not UTF-8. */
function readName(bytes: Uint8Array, at: number, end: number): string | null {
  if (at >= end) return null;
  const start = at + 1;
  const stop = start + bytes[at]!;
  if (stop > end) return null;
  return NAMES.read(bytes, start, stop) ?? decodeUtf8(bytes.subarray(start, stop));
}

/** A packet, and how much of the bytes it took. */
export interface ParsedPacket {
  /** What it says; `data` is borrowed from the bytes. */
  fields: PacketFields;
  /** Bytes it took, a trailer included. More may follow: every peer ignores them. */
  size: number;
  /** Whether a checksum vouches for it. */
  checked: boolean;
}

/**
 * Parses the packet at the start of the bytes.
 *
 * @param bytes One whole packet, unescaped; borrowed by the result.
 * @param unit What the length bytes of names count.
 * @throws {PacketError} `ERR_PACKET_TRUNCATED`, `ERR_PACKET_FIELD` (a name is not UTF-8) or
 *   `ERR_PACKET_CRC`.
 */
export function parsePacket(bytes: Uint8Array, unit: LengthUnit = "bytes"): ParsedPacket {
  const reader = new ByteReader(bytes, unit);
  const flags = decodeControlWord(reader.uint16("control word"));
  const fields: PacketFields = {
    net: flags & FLAG.net ? reader.uint8("net") : 0,
    srv: flags & FLAG.srv ? reader.string8("srv") : "",
    src: flags & FLAG.src ? reader.string8("src") : "",
    dst: flags & FLAG.dst ? reader.string8("dst") : "",
    nxt: flags & FLAG.nxt ? reader.string8("nxt") : "",
    seq: flags & FLAG.seq ? reader.uint16("seq") : 0,
    ack: flags & FLAG.ack ? reader.uint32("ack") : 0,
    ctx: flags & FLAG.ctx ? reader.uint16("ctx") : 0,
    typ: flags & FLAG.typ ? reader.uint8("typ") : 0,
    data: flags & FLAG.data ? reader.bytes("data", reader.uint16("data size")) : NO_BYTES,
  };
  const checked = (flags & FLAG.crc) !== 0;
  if (checked) {
    const end = reader.offset;
    const sent = reader.uint32("crc");
    const computed = crc32(bytes.subarray(0, end));
    if (sent !== computed) {
      throw new PacketError(
        "ERR_PACKET_CRC",
        `Cannot accept packet: its checksum is ${hex(sent)}, its bytes give ${hex(computed)}`,
        end,
      );
    }
  }
  if (reader.left > 0) {
    const trailer = decodeTrailer(bytes.subarray(reader.offset));
    if (trailer !== null) {
      fields.trailer = trailer;
      return { fields, size: bytes.length, checked };
    }
  }
  return { fields, size: reader.offset, checked };
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}

/**
 * Decodes a packet as the protocol says, and only so. {@linkcode decodeLeniently} also understands
 * what some peers do wrong.
 *
 * @param bytes One whole packet, unescaped. Bytes after it are ignored, as by every
 *   peer, unless they are a trailer.
 * @returns Its fields; `data` is borrowed from the bytes.
 * @throws {PacketError} `ERR_PACKET_TRUNCATED`, `ERR_PACKET_FIELD` (a name is not UTF-8) or
 *   `ERR_PACKET_CRC`.
 */
export function decodePacket(bytes: Uint8Array): PacketFields {
  return parsePacket(bytes).fields;
}
