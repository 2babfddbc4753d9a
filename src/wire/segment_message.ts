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

/** Where in a head the listener is. */
const TO_OFFSET = 7;

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
  const view = new DataView(message.buffer);
  message.set(head);
  view.setUint32(TO_OFFSET, to);
  let at = head.length;
  for (const packet of packets) {
    view.setUint32(at, packet.length);
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
  if (from === EVERYBODY) throw bad("Cannot read message: its sender has no number", 3);
  if (address === "") throw bad("Cannot read address: it is empty", TO_OFFSET + 4);
  return { from, to, address, offset: reader.offset };
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
  const reader = new ByteReader(message);
  reader.offset = offset;
  while (reader.left > 0) {
    const size = reader.uint32("size");
    const start = reader.offset;
    if (size > reader.left) reader.bytes("packet", size); // Throws: it ends too soon.
    reader.offset = start + size;
    take(start, start + size);
  }
}

function bad(message: string, offset: number = 0): PacketError {
  return new PacketError("ERR_PACKET_FIELD", message, offset);
}
