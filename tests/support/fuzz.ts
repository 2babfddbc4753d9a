/**
 * Chance with a seed, packets made by it, and damage done by it: the cases of the fuzz tests.
 *
 * Portable and without dependencies, so that a failing case can be made again from its seed in
 * any runtime.
 */

import { utf8Size } from "../../src/wire/bytes.ts";
import type { Hello } from "../../src/wire/hello.ts";
import type { LinkFrameVisitor } from "../../src/wire/link_frame.ts";
import {
  type LinkAuthMessage,
  linkChallenge,
  NONCE_SIZE,
  PROOF_SIZE,
} from "../../src/wire/link_auth.ts";
import { Packet } from "../../src/wire/packet.ts";
import type { Trailer } from "../../src/wire/trailer.ts";
import { toHex } from "../wire/hex.ts";

/** Chance that repeats: the same seed gives the same numbers everywhere (SplitMix32). */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** The next 32 bits. */
  next(): number {
    this.#state = (this.#state + 0x9e37_79b9) | 0;
    let mixed = this.#state ^ (this.#state >>> 16);
    mixed = Math.imul(mixed, 0x21f0_aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a_2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }

  /** An integer from 0 to `max`, both included. */
  upTo(max: number): number {
    return Math.floor((this.next() / 0x1_0000_0000) * (max + 1));
  }

  /** True once in `n`, on average. */
  oneIn(n: number): boolean {
    return this.upTo(n - 1) === 0;
  }

  /** One of the values. */
  pick<T>(values: readonly T[]): T {
    return values[this.upTo(values.length - 1)]!;
  }
}

/** Bytes that mean something to framing or to UTF-8, and so find more than others. */
const TELLING = [0x00, 0x01, 0x20, 0x7f, 0x80, 0xc0, 0xc3, 0xdb, 0xdc, 0xdd, 0xf0, 0xff] as const;

/** Bytes of any value, or only of those that mean something. */
export function randomBytes(chance: Chance, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  const telling = chance.oneIn(3);
  for (let i = 0; i < size; i++) bytes[i] = telling ? chance.pick(TELLING) : chance.upTo(0xff);
  return bytes;
}

/** Mostly small, sometimes at the edge of what fits. */
function randomNumber(chance: Chance, max: number): number {
  const kind = chance.upTo(4);
  if (kind === 0) return 0;
  if (kind === 1) return chance.pick([1, 0x7f, 0x80, 0xc0, 0xdb, max - 1, max]);
  if (kind === 2) return chance.pick([0xc0, 0xdb]) * (max > 0xff ? 0x101 : 1);
  return chance.upTo(max);
}

const LETTERS = [
  "a",
  "Z",
  "-",
  "\u0001",
  '"',
  "\\",
  "é",
  "À",
  "ÿ",
  "п",
  "東",
  "\ufeff",
  "🚀",
] as const;

/** A name of at most 255 bytes, often empty, sometimes as long as can be. */
function randomName(chance: Chance): string {
  if (chance.oneIn(2)) return "";
  if (chance.oneIn(50)) return "a".repeat(chance.pick([127, 128, 192, 219, 254, 255]));
  let name = "";
  for (let letters = 1 + chance.upTo(12); letters > 0; letters--) name += chance.pick(LETTERS);
  return name; // At most 13 letters of 4 bytes.
}

/** Mostly short; a few of thousands of bytes, one in about 5,000 as large as can be. */
function randomDataSize(chance: Chance): number {
  if (chance.oneIn(3)) return 0;
  if (chance.oneIn(3_000)) return chance.pick([65_534, 65_535]);
  if (chance.oneIn(200)) return chance.upTo(5_000);
  return chance.upTo(60);
}

/** Any packet that can be encoded. */
export function randomPacket(chance: Chance): Packet {
  return new Packet({
    net: chance.oneIn(3) ? randomNumber(chance, 0xff) : 0,
    srv: randomName(chance),
    src: randomName(chance),
    dst: randomName(chance),
    nxt: randomName(chance),
    seq: randomNumber(chance, 0xffff),
    ack: randomNumber(chance, 0xffff_ffff),
    ctx: randomNumber(chance, 0xffff),
    typ: randomNumber(chance, 0xff),
    data: randomBytes(chance, randomDataSize(chance)),
    trailer: chance.oneIn(4) ? randomTrailer(chance) : null,
  });
}

/** Any trailer that can be encoded. */
export function randomTrailer(chance: Chance): Trailer {
  return {
    hops: randomNumber(chance, 0xff),
    instance: randomNumber(chance, 0xffff_ffff),
    counter: randomNumber(chance, 0xffff_ffff),
  };
}

/** Any hello that can be encoded. */
export function randomHello(chance: Chance): Hello {
  const session = () => toHex(randomBytes(chance, 8));
  return {
    caps: randomNumber(chance, 0xffff_ffff),
    address: randomName(chance) || "a",
    instance: randomNumber(chance, 0xffff_ffff),
    session: session(),
    keepalive: randomNumber(chance, 0xffff),
    dead: randomNumber(chance, 0xffff),
    role: randomNumber(chance, 0xff),
    maxFrame: randomNumber(chance, 0xffff),
    maxRoutes: randomNumber(chance, 0xffff_ffff),
    seen: chance.oneIn(2) ? session() : "",
    also: chance.oneIn(2) ? session() : "",
  };
}

/** One message of a handshake. */
export function randomLinkAuth(chance: Chance): LinkAuthMessage {
  const challenge = linkChallenge({
    flags: chance.upTo(255),
    nonce: randomBytes(chance, NONCE_SIZE),
    address: randomName(chance) || "a",
  });
  return chance.pick<LinkAuthMessage>([
    { kind: "challenge", challenge },
    { kind: "proof", challenge, mac: Uint8Array.from(randomBytes(chance, PROOF_SIZE)) },
    { kind: "refusal", reason: chance.upTo(255) },
  ]);
}

/** One record of a link frame: which, and its values in order. */
export type LinkRecord = {
  [Kind in keyof LinkFrameVisitor]: [kind: Kind, ...values: Parameters<LinkFrameVisitor[Kind]>];
}[keyof LinkFrameVisitor];

/** Any record that can be encoded, mostly a route or a service; its name is like `before` at times. */
export function randomLinkRecord(chance: Chance, before: string): LinkRecord {
  const u16 = () => randomNumber(chance, 0xffff);
  const u32 = () => randomNumber(chance, 0xffff_ffff);
  // Sliced between surrogates it would not come back as it was.
  const kept = [...before].slice(0, chance.upTo(5)).join("");
  const name = (chance.oneIn(3) ? "" : kept) + randomName(chance);
  const address = name === "" || utf8Size(name) > 255 ? "node-" + chance.upTo(999) : name;
  switch (chance.upTo(11)) {
    case 0:
      return ["seqRequest", address, u32(), u16(), randomNumber(chance, 0xff)];
    case 1:
      return [chance.oneIn(2) ? "ping" : "pong", u32()];
    case 2:
      return ["digest", {
        routes: u32(),
        routesHash: [u32(), u32()],
        services: u32(),
        servicesHash: [u32(), u32()],
      }];
    case 3:
      return [chance.oneIn(2) ? "resync" : "bye", randomNumber(chance, 0xff)];
    case 4:
    case 5:
    case 6:
      return ["service", address, randomName(chance) || "ping", u16(), u32(), u16()];
    default: {
      const cost = u16();
      const origin = chance.oneIn(2) ? 7 : u32();
      return ["route", address, cost, cost === 0 ? 0 : u16(), cost === 0 ? 0 : origin];
    }
  }
}

/** Cuts the bytes where chance will have it; often byte by byte, sometimes not at all. */
export function* randomCuts(chance: Chance, bytes: Uint8Array): Generator<Uint8Array> {
  const longest = chance.pick([1, 3, 20, 1_460, bytes.length + 1]);
  for (let at = 0; at < bytes.length;) {
    // An empty chunk now and then; a long stream is not worth a million pieces.
    const least = bytes.length > 2_000 ? Math.min(longest, 64) : 0;
    const size = least + chance.upTo(longest);
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

/** The items without `size` of them from `at` on, with `inserted` in their place. */
function splice(
  bytes: Uint8Array,
  at: number,
  size: number,
  inserted: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const end = Math.min(bytes.length, at + size);
  const spliced = new Uint8Array(at + inserted.length + bytes.length - end);
  spliced.set(bytes.subarray(0, at));
  spliced.set(inserted, at);
  spliced.set(bytes.subarray(end), at + inserted.length);
  return spliced;
}

/** The bytes with one to four things done to them. */
export function mutateBytes(chance: Chance, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  let mutated = new Uint8Array(bytes);
  for (let times = 1 + chance.upTo(3); times > 0; times--) {
    const at = chance.upTo(mutated.length);
    const size = chance.upTo(chance.oneIn(4) ? mutated.length : 4);
    switch (chance.upTo(6)) {
      case 0: // A flipped bit.
        if (at < mutated.length) mutated[at]! ^= 1 << chance.upTo(7);
        break;
      case 1: // Another byte.
        if (at < mutated.length) mutated[at] = chance.pick(TELLING);
        break;
      case 2:
        mutated = mutated.slice(0, at);
        break;
      case 3: // A lost range.
        mutated = splice(mutated, at, size, new Uint8Array(0));
        break;
      case 4: // A repeated range.
        mutated = splice(mutated, at, 0, mutated.subarray(at, at + size));
        break;
      case 5: // Noise in between.
        mutated = splice(mutated, at, 0, randomBytes(chance, 1 + chance.upTo(8)));
        break;
      case 6: // A part of the same from elsewhere.
        mutated = splice(mutated, at, size, mutated.subarray(chance.upTo(mutated.length)));
        break;
    }
    if (mutated.length > 150_000) mutated = mutated.slice(0, 150_000);
  }
  return mutated;
}

/** Texts that a parser of packets in JSON may trip over. */
const TELLING_TEXTS = [
  "null",
  "true",
  "-0",
  "-1",
  "1e400",
  "1.5",
  "256",
  "65536",
  "4294967296",
  '""',
  '"x"',
  '"\\ud800"',
  "[]",
  "{}",
  '{"toString":null,"valueOf":null}',
  '{"__proto__":{"net":3}}',
  "[[[[[[[[]]]]]]]]",
  '"net":',
  '"srv":',
  '"data":',
  '"aGk"',
  '"a"',
  '"===="',
  ",",
  "{",
  "}",
  "\u0000",
  "\ud800",
  "\ufeff",
] as const;

/** The text with one to four things done to it, most of which leave it JSON-like. */
export function mutateText(chance: Chance, text: string): string {
  let mutated = text;
  for (let times = 1 + chance.upTo(3); times > 0; times--) {
    const at = chance.upTo(mutated.length);
    const size = chance.upTo(chance.oneIn(4) ? mutated.length : 4);
    switch (chance.upTo(4)) {
      case 0: // Another value.
        mutated = mutated.replace(
          chance.oneIn(2) ? /:(?:"[^"]*"|\d+)/ : /:\d+/,
          () => ":" + chance.pick(TELLING_TEXTS),
        );
        break;
      case 1: // Another key and value.
        mutated = mutated.replace(
          "{",
          () =>
            `{"${chance.pick(["net", "srv", "src", "ctx", "ack", "data", "xt", "__proto__"])}":${
              chance.pick(TELLING_TEXTS)
            },`,
        );
        break;
      case 2: // A lost range.
        mutated = mutated.slice(0, at) + mutated.slice(at + size);
        break;
      case 3: // A repeated range.
        mutated = mutated.slice(0, at + size) + mutated.slice(at);
        break;
      case 4:
        mutated = mutated.slice(0, at) + chance.pick(TELLING_TEXTS) + mutated.slice(at);
        break;
    }
    if (mutated.length > 150_000) mutated = mutated.slice(0, 150_000);
  }
  return mutated;
}
