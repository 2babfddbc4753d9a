/**
 * Decoding of the encodings that some peers damage in a known way.
 *
 * Three things go wrong out there: JavaScript peers write payload bytes of 0x80 and above as two
 * bytes of UTF-8 while the size counts them as one; JavaScript and Qt peers count a name's length
 * in UTF-16 units, Python peers in code points. Each can be told and undone, because the packet
 * then fits its bytes exactly in one reading only. The fourth, a delimiter that Python peers leave
 * unescaped, needs the frame that follows: see `framing/packet_decoder.ts`.
 *
 * Pure functions. Source: src/wire/README.md, "Known damage".
 *
 * @module
 */

import { PacketError } from "../errors.ts";
import { type Bytes, decodeUtf8, encodeUtf8, type LengthUnit } from "./bytes.ts";
import { type PacketFields, type ParsedPacket, parsePacket } from "./packet_codec.ts";

/** How peers miscount names: JavaScript and Qt first, then Python. */
export const DAMAGED_UNITS: readonly LengthUnit[] = ["utf16", "codepoints"];

/**
 * Decodes a packet strictly; if that fails, or leaves bytes over, as the known damaged encodings.
 *
 * @param bytes One whole packet, unescaped.
 * @returns Its fields; `data` may be borrowed from the bytes.
 * @throws {PacketError} What the strict reading threw, if no other reading fits either.
 */
export function decodeLeniently(bytes: Uint8Array): PacketFields {
  let strict: ParsedPacket | null = null;
  let failure: unknown;
  try {
    strict = parsePacket(bytes);
    if (strict.checked || strict.size === bytes.length) return strict.fields;
  } catch (error) {
    failure = error;
    if (!(error instanceof PacketError) || error.code === "ERR_PACKET_CRC") throw error;
  }
  const repaired = strict && expandData(strict, bytes) ||
    otherUnits(bytes).map((unit) => reread(bytes, unit)).find((fields) => fields !== null);
  if (repaired) return repaired;
  if (strict) return strict.fields; // What follows the packet is not ours to judge.
  throw failure;
}

/** The units in which the names may be read another way: ASCII is the same in all of them. */
function otherUnits(bytes: Uint8Array): readonly LengthUnit[] {
  let highest = 0;
  for (let i = 2; i < bytes.length; i++) highest = Math.max(highest, bytes[i]!);
  if (highest < 0x80) return [];
  return highest < 0xf0 ? DAMAGED_UNITS.slice(0, 1) : DAMAGED_UNITS;
}

/** The packet in another reading of its names, if that takes every byte. */
function reread(bytes: Uint8Array, unit: LengthUnit): PacketFields | null {
  try {
    const parsed = parsePacket(bytes, unit);
    return parsed.size === bytes.length ? parsed.fields : expandData(parsed, bytes);
  } catch {
    return null;
  }
}

/** The packet with its payload undone, if all that is left over is the payload's expansion. */
function expandData(parsed: ParsedPacket, bytes: Uint8Array): PacketFields | null {
  const { fields, size, checked } = parsed;
  if (checked || fields.data.length === 0) return null;
  const written = bytes.subarray(size - fields.data.length);
  const text = decodeUtf8(written);
  if (text === null || text.length !== fields.data.length) return null;
  return { ...fields, data: latin1(text) ?? encodeUtf8(text) };
}

/** The text as one byte a character, or `null` if a character does not fit. */
function latin1(text: string): Bytes | null {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0xff) return null;
    bytes[i] = unit;
  }
  return bytes;
}
