/**
 * Trailers: what one router adds for the next, behind the packet and inside its frame.
 *
 * Old peers ignore the bytes behind a packet, and write the packet anew when they pass it on: a
 * trailer reaches the neighbour and nobody further.
 *
 * Pure functions. Source: src/wire/README.md, "Trailer".
 *
 * @module
 */

import { PacketError } from "../errors.ts";
import { type Bytes, ByteWriter, uint32At } from "./bytes.ts";

/** What a packet carries for one hop only. */
export interface Trailer {
  /** Hops left, 1-255; 0 if absent. */
  readonly hops: number;
  /** Instance of the router that has numbered the packet, u32; 0 if absent. */
  readonly instance: number;
  /** The number it was given, u32; 0 if absent. */
  readonly counter: number;
}

const MAGIC_0 = 0x58; // "X"
const MAGIC_1 = 0x54; // "T"
const HEADER_SIZE = 3;

const TYPE_HOPS = 1;
const TYPE_PACKET_ID = 2;

/**
 * Encodes a trailer.
 *
 * Layout: `"XT" | length: u8`, then as many bytes of `type: u8 | length: u8 | value`. What is
 * absent takes no room.
 *
 * @returns 3 to 16 bytes, owned by the caller.
 * @throws {PacketError} `ERR_PACKET_FIELD` if a value does not fit.
 *
 * @example
 * ```ts
 * import { encodeTrailer } from "@aln/mesh/wire";
 * import assert from "node:assert/strict";
 *
 * const trailer = encodeTrailer({ hops: 9, instance: 0, counter: 0 });
 * assert.deepEqual(trailer, Uint8Array.of(0x58, 0x54, 3, 1, 1, 9));
 * ```
 */
export function encodeTrailer(trailer: Trailer): Bytes {
  checkTrailer(trailer);
  const { hops, instance, counter } = trailer;
  const numbered = instance > 0 || counter > 0;
  const writer = new ByteWriter(HEADER_SIZE + (hops > 0 ? 3 : 0) + (numbered ? 10 : 0));
  writer.uint8("magic", MAGIC_0).uint8("magic", MAGIC_1);
  writer.uint8("length", (hops > 0 ? 3 : 0) + (numbered ? 10 : 0));
  if (hops > 0) writer.uint8("type", TYPE_HOPS).uint8("length", 1).uint8("hops", hops);
  if (numbered) {
    writer.uint8("type", TYPE_PACKET_ID).uint8("length", 8);
    writer.uint32("instance", instance).uint32("counter", counter);
  }
  return writer.finish();
}

/**
 * Decodes a trailer. Types that are not known are skipped, and so is what a later version adds to
 * a value.
 *
 * @param bytes All that follows the packet; borrowed.
 * @returns The trailer, or `null` if the bytes are not exactly one.
 */
export function decodeTrailer(bytes: Uint8Array): Trailer | null {
  const end = bytes.length;
  if (end < HEADER_SIZE || bytes[0] !== MAGIC_0 || bytes[1] !== MAGIC_1) return null;
  if (bytes[2] !== end - HEADER_SIZE) return null;
  let hops = 0;
  let instance = 0;
  let counter = 0;
  for (let at = HEADER_SIZE; at < end;) {
    if (at + 2 > end) return null;
    const type = bytes[at]!;
    const size = bytes[at + 1]!;
    const value = at + 2;
    at = value + size;
    if (at > end) return null;
    if (type === TYPE_HOPS) {
      if (size < 1) return null;
      hops = bytes[value]!;
    } else if (type === TYPE_PACKET_ID) {
      if (size < 8) return null;
      instance = uint32At(bytes, value);
      counter = uint32At(bytes, value + 4);
    }
  }
  return { hops, instance, counter };
}

/**
 * Checks that every value fits.
 *
 * @throws {PacketError} `ERR_PACKET_FIELD`, naming the value.
 */
export function checkTrailer(trailer: Trailer): void {
  if (typeof trailer !== "object" || trailer === null) {
    throw new PacketError("ERR_PACKET_FIELD", "Cannot accept trailer: it is not an object");
  }
  checkNumber("hops", trailer.hops, 0xff);
  checkNumber("instance", trailer.instance, 0xffff_ffff);
  checkNumber("counter", trailer.counter, 0xffff_ffff);
}

function checkNumber(key: string, value: unknown, max: number): void {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max) return;
  const shown = typeof value === "number" ? value : `a value of type ${typeof value}`;
  throw new PacketError(
    "ERR_PACKET_FIELD",
    `Cannot accept trailer: its ${key}, ${shown}, is not an integer in 0-${max}`,
  );
}
