/**
 * Call marks: what two routers of our kind say to each other about a call, in the fields `seq` and
 * `ack` of ordinary packets. Routers in between, old ones included, carry both unread.
 *
 * Pure functions. Source: src/wire/README.md, "Calls".
 *
 * @module
 */

import { PacketError } from "../errors.ts";

/** What a marked packet is. */
export const CALL = {
  /** A question with one reply, in a packet of its own; sent once. */
  ask: 0,
  /** The first frame of a call whose frames are numbered. */
  open: 1,
  /** An item, or a part of one. */
  data: 2,
  /** Nothing follows in this direction. */
  end: 3,
  /** The call has failed: the payload is a code, a space, and words. */
  error: 4,
  /** The caller wants no more. */
  cancel: 5,
  /** What has been received, and how much may be sent. */
  ack: 6,
  /** No such call is known here. */
  gone: 7,
} as const;

/** A value of {@linkcode CALL}. */
export type CallKind = (typeof CALL)[keyof typeof CALL];

/** Flags of `open`. */
export const OPEN = {
  /** The caller takes any number of replies. */
  stream: 1,
  /** The payload follows in frames: one item, for which the handler waits. */
  body: 2,
  /** Items follow while the handler runs. */
  upload: 4,
} as const;

/** Set in the argument of an `open` whose caller waits for a lost route to come back. */
export const RELIABLE = 0x2000;

/** The flag of `data` that says that the item goes on in the next frame. */
export const DATA_MORE = 1;

/** The flag of `data` that asks for an acknowledgement at once: the sender waits for it. */
export const DATA_ASKS = 2;

/** The flag of `ack` that asks for one in return. */
export const ACK_ASKS = 1;

/** Frame numbers are 1 to this, and then 1 again. They fill two bytes of seven bits. */
export const MAX_FRAME_NUMBER = 0x3fff;

/** What a packet says about its call. */
export interface CallMark {
  /** What the packet is. */
  kind: CallKind;
  /** Whether it is from the caller to the service; else it is from the service. */
  toService: boolean;
  /** See {@linkcode OPEN}, {@linkcode DATA_MORE} and what follows it; 0-7. */
  flags: number;
  /** Number of the frame, 1-16383; 0 if it has none. In an `ack`, the first that may not be sent. */
  number: number;
  /** Of `open`, a random number below {@linkcode RELIABLE}, and that; of `ack`, the frame that is expected next. */
  argument: number;
}

const MAGIC = 0x58; // "X"

/**
 * Writes a mark.
 *
 * Layout: `seq = number`, `ack = "X" | 0 direction:1 kind:3 flags:3 | argument`, where number and
 * argument are two bytes of seven bits each. No byte is 128 or more: there are old relays that do
 * not carry all of those.
 *
 * @example The first packet of a call that wants any number of replies
 * ```ts
 * import { CALL, encodeCallMark, OPEN, Packet } from "@aln/mesh/wire";
 * import assert from "node:assert/strict";
 *
 * const mark = { kind: CALL.open, toService: true, flags: OPEN.stream, number: 1, argument: 5 };
 * const packet = new Packet({ dst: "b", srv: "log", ctx: 7, ...encodeCallMark(mark) });
 * assert.equal(packet.seq, 1);
 * assert.equal(packet.ack, 0x5849_0005);
 * ```
 *
 * @returns The fields of the packet.
 * @throws {PacketError} `ERR_PACKET_FIELD` if a value does not fit.
 */
export function encodeCallMark(mark: CallMark): { seq: number; ack: number } {
  const { kind, toService, flags, number, argument } = mark;
  check("kind", kind, 7);
  check("flags", flags, 7);
  check("number", number, MAX_FRAME_NUMBER);
  check("argument", argument, MAX_FRAME_NUMBER);
  const word = (toService ? 0x40 : 0) | (kind << 3) | flags;
  return { seq: spread(number), ack: MAGIC * 0x100_0000 + word * 0x1_0000 + spread(argument) };
}

/**
 * Reads a packet's mark.
 *
 * @example
 * ```ts
 * import { CALL, decodeCallMark, Packet } from "@aln/mesh/wire";
 * import assert from "node:assert/strict";
 *
 * const packet = new Packet({ dst: "a", ctx: 7, seq: 34, ack: 0x5830_0003 });
 * const mark = { kind: CALL.ack, toService: false, flags: 0, number: 34, argument: 3 };
 * assert.deepEqual(decodeCallMark(packet), mark);
 * assert.equal(decodeCallMark(new Packet({ dst: "a", ctx: 7, ack: 3 })), null);
 * ```
 *
 * @returns The mark; `null` if the packet has none. What has the layout of one may be numbers of an
 *   application's own that happen to look so.
 */
export function decodeCallMark({ seq, ack }: { seq: number; ack: number }): CallMark | null {
  if (ack >>> 24 !== MAGIC || (ack & 0x80_8080) !== 0 || (seq & 0x8080) !== 0) return null;
  const word = (ack >>> 16) & 0x7f;
  return {
    kind: ((word >> 3) & 7) as CallKind,
    toService: (word & 0x40) !== 0,
    flags: word & 7,
    number: gather(seq),
    argument: gather(ack & 0xffff),
  };
}

/** 14 bits as two bytes of seven. */
function spread(value: number): number {
  return ((value >> 7) << 8) | (value & 0x7f);
}

function gather(value: number): number {
  return ((value >> 8) << 7) | (value & 0x7f);
}

function check(key: string, value: number, max: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= max) return;
  throw new PacketError(
    "ERR_PACKET_FIELD",
    `Cannot accept call mark: its ${key}, ${value}, is not an integer in 0-${max}`,
  );
}
