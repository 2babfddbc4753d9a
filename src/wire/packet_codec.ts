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
  ByteWriter,
  type LengthUnit,
  NO_BYTES,
  utf8Size,
} from "./bytes.ts";
import { decodeControlWord, encodeControlWord, FLAG } from "./control_flags.ts";
import { crc32 } from "./crc32.ts";
import { MAX_DATA_SIZE, MAX_NAME_SIZE } from "./limits.ts";
import { checkTrailer, decodeTrailer, encodeTrailer, type Trailer } from "./trailer.ts";

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
 * @throws {PacketError} `ERR_PACKET_FIELD`, naming the field.
 */
export function checkFields(fields: PacketFields): void {
  checkNumber("net", fields.net, 0xff);
  checkName("srv", fields.srv);
  checkName("src", fields.src);
  checkName("dst", fields.dst);
  checkName("nxt", fields.nxt);
  checkNumber("seq", fields.seq, 0xffff);
  checkNumber("ack", fields.ack, 0xffff_ffff);
  checkNumber("ctx", fields.ctx, 0xffff);
  checkNumber("typ", fields.typ, 0xff);
  if (!(fields.data instanceof Uint8Array)) throw badField("data", "it is not bytes");
  const size = fields.data.length;
  if (size > MAX_DATA_SIZE) {
    throw badField("data", `it has ${size} bytes, more than ${MAX_DATA_SIZE}`);
  }
  if (fields.trailer) checkTrailer(fields.trailer);
}

function checkNumber(key: string, value: unknown, max: number): void {
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > max) {
    // Only numbers are shown: a hostile peer's array or object may have no text, or too much.
    const shown = typeof value === "number" ? value : `a value of type ${typeof value}`;
    throw badField(key, `${shown} is not an integer in 0-${max}`);
  }
}

function checkName(key: string, value: unknown): void {
  if (typeof value !== "string") throw badField(key, "it is not a string");
  if (value.length * 3 <= MAX_NAME_SIZE) return; // No UTF-16 unit takes more than 3 bytes.
  const size = utf8Size(value);
  if (size > MAX_NAME_SIZE) {
    throw badField(key, `it takes ${size} bytes, more than ${MAX_NAME_SIZE}`);
  }
}

/** The error for a value that does not fit its field. */
export function badField(key: string, why: string): PacketError {
  return new PacketError("ERR_PACKET_FIELD", `Cannot accept ${key}: ${why}`);
}

/** The presence bits of these fields, the CRC's left out. */
export function presenceFlags(fields: PacketFields): number {
  let flags = 0;
  if (fields.net) flags |= FLAG.net;
  if (fields.srv) flags |= FLAG.srv;
  if (fields.src) flags |= FLAG.src;
  if (fields.dst) flags |= FLAG.dst;
  if (fields.nxt) flags |= FLAG.nxt;
  if (fields.seq) flags |= FLAG.seq;
  if (fields.ack) flags |= FLAG.ack;
  if (fields.ctx) flags |= FLAG.ctx;
  if (fields.typ) flags |= FLAG.typ;
  if (fields.data.length > 0) flags |= FLAG.data;
  return flags;
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
  checkFields(fields);
  const { data } = fields;
  const flags = presenceFlags(fields) | (options.crc ? FLAG.crc : 0);
  const writer = new ByteWriter(64 + data.length);
  writer.uint16("control word", encodeControlWord(flags));
  if (flags & FLAG.net) writer.uint8("net", fields.net);
  if (flags & FLAG.srv) writer.string8("srv", fields.srv);
  if (flags & FLAG.src) writer.string8("src", fields.src);
  if (flags & FLAG.dst) writer.string8("dst", fields.dst);
  if (flags & FLAG.nxt) writer.string8("nxt", fields.nxt);
  if (flags & FLAG.seq) writer.uint16("seq", fields.seq);
  if (flags & FLAG.ack) writer.uint32("ack", fields.ack);
  if (flags & FLAG.ctx) writer.uint16("ctx", fields.ctx);
  if (flags & FLAG.typ) writer.uint8("typ", fields.typ);
  if (flags & FLAG.data) writer.uint16("data size", data.length).bytes(data);
  if (flags & FLAG.crc) writer.uint32("crc", crc32(writer.written()));
  if (fields.trailer) writer.bytes(encodeTrailer(fields.trailer));
  return writer.finish();
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
 * @throws {PacketError} As {@linkcode parsePacket}.
 */
export function decodePacket(bytes: Uint8Array): PacketFields {
  return parsePacket(bytes).fields;
}
