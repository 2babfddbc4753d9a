/**
 * Base64 (RFC 4648) for payloads in JSON. Written out here because it must not depend on
 * `Buffer`, and `btoa` wants its bytes as a string first.
 *
 * @module
 */

import { PacketError } from "../errors.ts";
import type { Bytes } from "./bytes.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const CODES: Uint8Array = Uint8Array.from(ALPHABET, (char) => char.charCodeAt(0));
const PAD = 0x3d; // "="
const ascii = new TextDecoder();

const SKIPPED = 64; // White space: some encoders break lines.
const INVALID = 65;

/** Value of each ASCII character; the URL-safe alphabet is understood too. */
const VALUES: Uint8Array = new Uint8Array(128).fill(INVALID);
CODES.forEach((code, value) => VALUES[code] = value);
VALUES[0x2d] = 62; // "-"
VALUES[0x5f] = 63; // "_"
for (const space of [0x09, 0x0a, 0x0d, 0x20]) VALUES[space] = SKIPPED;

/** Encodes with the standard alphabet, padded. */
export function encodeBase64(bytes: Uint8Array): string {
  const text = new Uint8Array(Math.ceil(bytes.length / 3) * 4);
  let at = 0;
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const group = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text[at++] = CODES[group >> 18]!;
    text[at++] = CODES[(group >> 12) & 63]!;
    text[at++] = left > 1 ? CODES[(group >> 6) & 63]! : PAD;
    text[at++] = left > 2 ? CODES[group & 63]! : PAD;
  }
  return ascii.decode(text);
}

/**
 * Decodes the standard or the URL-safe alphabet, padded or not, with or without white space.
 *
 * @returns The bytes, owned by the caller.
 * @throws {PacketError} `ERR_PACKET_JSON` at the first character that does not belong.
 */
export function decodeBase64(text: string): Bytes {
  let end = text.length;
  while (end > 0 && VALUES[text.charCodeAt(end - 1)] === SKIPPED) end--;
  for (let pads = 0; pads < 2 && text.charCodeAt(end - 1) === PAD; pads++) end--;

  const bytes = new Uint8Array(Math.floor((end * 3) / 4));
  let size = 0;
  let group = 0;
  let bits = 0;
  for (let i = 0; i < end; i++) {
    const value = VALUES[text.charCodeAt(i)] ?? INVALID;
    if (value === SKIPPED) continue;
    if (value === INVALID) throw invalid(text, i);
    group = (group << 6) | value;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[size++] = group >> bits;
      group &= (1 << bits) - 1;
    }
  }
  if (bits === 6) throw invalid(text, end - 1); // One lone character holds no byte.
  return size === bytes.length ? bytes : bytes.slice(0, size);
}

function invalid(text: string, at: number): PacketError {
  const char = JSON.stringify(text.charAt(at));
  return new PacketError("ERR_PACKET_JSON", `Cannot decode base64: ${char} at ${at}`, at);
}
