/**
 * Sequence numbers, coarse time and hashes of names: the small arithmetic that routes are compared
 * with.
 *
 * Pure functions.
 *
 * @module
 */

import { encodeUtf8 } from "../wire/bytes.ts";

/** Sequence numbers are 1-65535 and wrap; 0 is absent. */
const SEQUENCE_SPACE = 65_535;

/** The bit of an origin id that says: this router does not speak for itself. */
const PROXIED = 0x8000_0000 | 0;

/** Whether one sequence number comes after another, going round. */
export function isNewer(a: number, b: number): boolean {
  const ahead = (a - b + SEQUENCE_SPACE) % SEQUENCE_SPACE;
  return ahead > 0 && ahead < 32_767;
}

/** How far two sequence numbers are apart, going round the shorter way. */
export function distance(a: number, b: number): number {
  const ahead = (a - b + SEQUENCE_SPACE) % SEQUENCE_SPACE;
  return Math.min(ahead, SEQUENCE_SPACE - ahead);
}

/** The sequence number after this one. */
export function nextSequence(seq: number): number {
  return seq % SEQUENCE_SPACE + 1;
}

/** A sequence number to begin with: random, so that two lives of one router do not look alike. */
export function randomSequence(random: () => number): number {
  return 1 + Math.floor(random() * SEQUENCE_SPACE);
}

/** FNV-1a of a name's UTF-8 bytes, as a signed 32-bit number. */
export function hashName(name: string): number {
  let hash = 0x811c_9dc5 | 0;
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    if (unit >= 0x80) return hashBytes(encodeUtf8(name));
    hash = Math.imul(hash ^ unit, 0x0100_0193);
  }
  return hash;
}

function hashBytes(bytes: Uint8Array): number {
  let hash = 0x811c_9dc5 | 0;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x0100_0193);
  return hash;
}

/** Stirs numbers into one; what equal lists have in common, and hardly any others. */
export function mix(...values: number[]): number {
  let hash = 0x9e37_79b9 | 0;
  for (const value of values) {
    hash = Math.imul(hash ^ value, 0x85eb_ca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
    hash ^= hash >>> 16;
  }
  return hash;
}

/**
 * Whether the routes of an origin are told by a router on behalf of another, old one. Inside the
 * mesh an origin is kept as a signed 32-bit number, so that this is its sign.
 */
export function isProxied(origin: number): boolean {
  return origin < 0;
}

/** The origin id under which a router speaks for old peers. */
export function proxyOrigin(address: string, incarnation: number, nonce: number): number {
  return mix(hashName(address), incarnation, nonce) | PROXIED;
}

/** Whether a name's hash is lower; the names themselves decide between equal hashes. */
export function precedes(hash: number, name: string, otherHash: number, other: string): boolean {
  return hash !== otherHash ? hash >>> 0 < otherHash >>> 0 : name < other;
}

/** Coarse time, for entries that live for minutes: whole seconds that fit a small number. */
export function seconds(now: number): number {
  return Math.floor(now / 1_000) & 0x0fff_ffff;
}
