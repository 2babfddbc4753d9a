/**
 * Messages on a segment: packets of one sender, for one listener or for all.
 *
 * Pure functions. Source: src/wire/README.md, "Segments".
 *
 * @module
 */

import { PacketError } from "../errors.ts";
import { ByteReader, type Bytes, ByteWriter } from "./bytes.ts";

const MAGIC = 0x41_53; // "AS"
const VERSION = 1;

/** In place of a listener: everybody. */
export const EVERYBODY = 0;

/** Bytes that stand before each packet. */
export const PACKET_OVERHEAD = 4;

/** Where in a head the sender, the listener and the length of the address are. */
const FROM_OFFSET = 3;
const TO_OFFSET = 7;
const LENGTH_OFFSET = 11;

/** What a message begins with. */
export interface SegmentHead {
  /** The sender's number on the segment, u32, by which it differs from its earlier lives. */
  from: number;
  /** The listener's, u32, or {@linkcode EVERYBODY}. */
  to: number;
  /** The sender's address, 1-255 bytes of UTF-8. */
  address: string;
}

/**
 * Encodes what a message begins with.
 *
 * Layout: `"AS" | version: u8 | from: u32 | to: u32 | length: u8 | address`.
 *
 * @throws {PacketError} `ERR_PACKET_FIELD` if a value does not fit.
 */
export function encodeSegmentHead({ from, to, address }: SegmentHead): Bytes {
  if (address === "") throw bad("Cannot write address: it is empty");
  const writer = new ByteWriter(12 + 3 * address.length).uint16("magic", MAGIC);
  writer.uint8("version", VERSION).uint32("from", from).uint32("to", to);
  return writer.string8("address", address).finish();
}

/**
 * Puts packets behind a head, each with its size in front, u32.
 *
 * @param head Made by {@linkcode encodeSegmentHead}; borrowed.
 * @param to The listener, in place of the head's.
 * @returns Bytes owned by the caller.
 */
export function encodeSegmentMessage(
  head: Uint8Array,
  to: number,
  packets: readonly Uint8Array[],
): Bytes {
  let size = head.length;
  for (const { length } of packets) size += PACKET_OVERHEAD + length;
  const message = new Uint8Array(size);
  message.set(head);
  setUint32(message, TO_OFFSET, to);
  let at = head.length;
  for (const packet of packets) {
    setUint32(message, at, packet.length);
    message.set(packet, at + PACKET_OVERHEAD);
    at += PACKET_OVERHEAD + packet.length;
  }
  return message;
}

/**
 * Decodes what a message begins with.
 *
 * @param message Borrowed.
 * @returns It, and where the packets begin; `null` if it is of a later version.
 * @throws {PacketError} `ERR_PACKET_TRUNCATED` or `ERR_PACKET_FIELD` if it is no message of a segment.
 */
export function decodeSegmentHead(message: Uint8Array): SegmentHead & { offset: number } | null {
  const reader = new ByteReader(message);
  if (reader.uint16("magic") !== MAGIC) throw bad("Cannot read message: it is no segment's");
  if (reader.uint8("version") !== VERSION) return null;
  const from = reader.uint32("from");
  const to = reader.uint32("to");
  const address = reader.string8("address");
  if (from === EVERYBODY) throw bad("Cannot read message: its sender has no number", FROM_OFFSET);
  if (address === "") throw bad("Cannot read address: it is empty", LENGTH_OFFSET);
  return { from, to, address, offset: reader.offset };
}

/** What {@linkcode peekSegmentHead} sees. */
export interface SegmentPeek {
  /** The sender's number. */
  from: number;
  /** The listener's. */
  to: number;
  /** Where the packets begin. */
  offset: number;
}

/**
 * Looks at who says what to whom, for messages of a sender that is known.
 *
 * @param message Borrowed.
 * @returns `null` if that is to be left to {@linkcode decodeSegmentHead}.
 */
export function peekSegmentHead(message: Uint8Array): SegmentPeek | null {
  if (message.length <= LENGTH_OFFSET || message[2] !== VERSION) return null;
  if ((message[0]! << 8 | message[1]!) !== MAGIC) return null;
  const offset = LENGTH_OFFSET + 1 + message[LENGTH_OFFSET]!;
  if (offset > message.length) return null;
  return { from: uint32At(message, FROM_OFFSET), to: uint32At(message, TO_OFFSET), offset };
}

function setUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function uint32At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!) >>> 0;
}

/**
 * Hands over each packet of a message.
 *
 * @param offset Where the packets begin.
 * @param take Given where each begins and ends.
 * @throws {PacketError} `ERR_PACKET_TRUNCATED` once those that are whole have been handed over.
 */
export function forEachPacket(
  message: Uint8Array,
  offset: number,
  take: (start: number, end: number) => void,
): void {
  for (let at = offset; at < message.length;) {
    const start = at + PACKET_OVERHEAD;
    const size = start <= message.length ? uint32At(message, at) : 0;
    if (start + size > message.length) {
      const left = message.length - at;
      const why = `it takes ${PACKET_OVERHEAD + size} bytes and ${left} are left`;
      throw new PacketError("ERR_PACKET_TRUNCATED", `Cannot read packet: ${why}`, at);
    }
    at = start + size;
    take(start, at);
  }
}

function bad(message: string, offset: number = 0): PacketError {
  return new PacketError("ERR_PACKET_FIELD", message, offset);
}
