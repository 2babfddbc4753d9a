/**
 * Frames of a call, and their numbers.
 *
 * @module
 */

import { type CallKind, MAX_FRAME_NUMBER } from "../wire/call_mark.ts";

/** How much of a payload goes into one frame, in bytes: little enough to let others pass. */
export const CHUNK_SIZE = 8_192;

/** The same on the way through old peers: there are such that do not survive 4 KiB, escapes included. */
export const SMALL_CHUNK_SIZE = 1_900;

/** Frames that may be on their way, or wait for the application, in one direction of a call. */
export const WINDOW = 32;

/** One frame, without its number. */
export interface CallFrame {
  /** `open`, `data`, `end` or `error`. */
  readonly kind: CallKind;
  /** See `CallMark.flags`. */
  readonly flags: number;
  /** `CallMark.argument` of an `open`; else 0. */
  readonly argument: number;
  /** Payload; borrowed from whoever sends it. */
  readonly data: Uint8Array;
  /** Data type of the item, u8; 0 if it has none. */
  readonly typ: number;
}

/** The number of the frame with an index: 0 has number 1. */
export function numberOf(index: number): number {
  return index % MAX_FRAME_NUMBER + 1;
}

/** The index nearest to `expected` that has a number; below 0 if there is none, as of number 0. */
export function indexOf(number: number, expected: number): number {
  if (number < 1) return -1;
  const ahead = (number - 1 - expected % MAX_FRAME_NUMBER + MAX_FRAME_NUMBER) % MAX_FRAME_NUMBER;
  return expected + (ahead > MAX_FRAME_NUMBER / 2 ? ahead - MAX_FRAME_NUMBER : ahead);
}
