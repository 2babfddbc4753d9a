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
import { type Bytes, setUint32, uint32At } from "./bytes.ts";

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

/** Longest trailer that we write, in bytes. */
export const MAX_TRAILER_SIZE = 16;

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
  const bytes = new Uint8Array(MAX_TRAILER_SIZE);
  return bytes.slice(0, writeTrailer(trailer, bytes, 0));
}

/**
 * Writes a trailer, as {@linkcode encodeTrailer} would, at an offset.
 *
 * @param trailer Has been checked.
 * @param bytes Room for {@linkcode MAX_TRAILER_SIZE}, to be written over.
 * @returns Where it ends.
 */
export function writeTrailer(trailer: Trailer, bytes: Uint8Array, at: number): number {
  const { hops, instance, counter } = trailer;
  const numbered = instance > 0 || counter > 0;
  bytes[at] = MAGIC_0;
  bytes[at + 1] = MAGIC_1;
  bytes[at + 2] = (hops > 0 ? 3 : 0) + (numbered ? 10 : 0);
  at += HEADER_SIZE;
  if (hops > 0) {
    bytes[at] = TYPE_HOPS;
    bytes[at + 1] = 1;
    bytes[at + 2] = hops;
    at += 3;
  }
  if (numbered) {
    bytes[at] = TYPE_PACKET_ID;
    bytes[at + 1] = 8;
    setUint32(bytes, at + 2, instance);
    setUint32(bytes, at + 6, counter);
    at += 10;
  }
  return at;
}

/**
 * Decodes a trailer. Types that are not known are skipped, and so is what a later version adds to
 * a value.
 *
 * @param bytes All that follows the packet; borrowed.
 * @returns The trailer, or `null` if the bytes are not exactly one.
 */
export function decodeTrailer(bytes: Uint8Array): Trailer | null {
  return readTrailer(bytes, 0, bytes.length);
}

/** Decodes a trailer, as {@linkcode decodeTrailer} does, that is part of these bytes. */
export function readTrailer(bytes: Uint8Array, start: number, end: number): Trailer | null {
  if (start + HEADER_SIZE > end) return null;
  if (bytes[start] !== MAGIC_0 || bytes[start + 1] !== MAGIC_1) return null;
  if (bytes[start + 2] !== end - start - HEADER_SIZE) return null;
  let hops = 0;
  let instance = 0;
  let counter = 0;
  for (let at = start + HEADER_SIZE; at < end;) {
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
