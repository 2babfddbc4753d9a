/**
 * {@linkcode ReceiveWindow}: the receiving half of one direction of a call. Frames come out in
 * order and once, however they came in.
 *
 * Pure: time is an argument.
 *
 * @module
 */

import { compact } from "../wire/bytes.ts";
import { CALL, DATA_ASKS } from "../wire/call_mark.ts";
import { type CallFrame, indexOf, numberOf, WINDOW } from "./frame.ts";

/** How long an acknowledgement may wait for more to acknowledge, in ms. */
const ACK_DELAY = 20;

/** Frames after which it waits no longer. */
const ACK_AFTER = WINDOW / 4;

const NO_GAPS: Uint8Array = new Uint8Array(0);

/** What is said to the sender. */
export interface Acknowledgement {
  /** Number of the frame that is expected next. */
  readonly next: number;
  /** Number of the first frame for which there is no room. */
  readonly limit: number;
  /** Bit i of this, seven to a byte, is set if the frame i + 1 after the expected one is here. */
  readonly gaps: Uint8Array;
}

/** Puts frames in order, and decides what is acknowledged when. */
export class ReceiveWindow {
  /** Frames by index: those up to `#expected` are in order, those behind it wait for others. */
  readonly #frames: Map<number, CallFrame> = new Map();
  #taken: number = 0;
  #expected: number = 0;
  #limitTold: number = WINDOW;
  #unacknowledged: number = 0;
  #ackAt: number = Infinity;
  /** The index of the last frame there is, once it is known. */
  #last: number = Infinity;

  /** When an acknowledgement is due; `Infinity` if nothing has to be acknowledged. */
  get deadline(): number {
    return this.#ackAt;
  }

  /** Whether the last frame is here, and all before it: nothing follows that is to be heard. */
  get complete(): boolean {
    return this.#expected > this.#last;
  }

  /** A frame has come. */
  receive(number: number, frame: CallFrame, now: number): void {
    const index = indexOf(number, this.#expected);
    const fits = index >= this.#expected && index < this.#taken + WINDOW;
    if (!fits || this.#frames.has(index)) {
      this.#ackAt = now; // The sender does not know what we have.
      return;
    }
    const data = compact(frame.data);
    this.#frames.set(index, data === frame.data ? frame : { ...frame, data });
    if (frame.kind === CALL.end || frame.kind === CALL.error) this.#last = index;
    const before = this.#expected;
    while (this.#frames.has(this.#expected)) this.#expected++;
    this.#unacknowledged++;
    const inOrder = this.#expected === this.#taken + this.#frames.size;
    const asks = frame.kind !== CALL.data || (frame.flags & DATA_ASKS) !== 0;
    const filled = this.#expected > before + 1; // The sender waits to hear that it was not in vain.
    const hurry = asks || filled || !inOrder || this.#unacknowledged >= ACK_AFTER;
    this.#ackAt = hurry ? now : Math.min(this.#ackAt, now + ACK_DELAY);
  }

  /** Takes the next frame in order, if it is here. That makes room for another. */
  take(now: number): CallFrame | undefined {
    if (this.#taken === this.#expected) return undefined;
    const frame = this.#frames.get(this.#taken);
    this.#frames.delete(this.#taken++);
    const room = this.#taken + WINDOW - this.#limitTold;
    if (room >= WINDOW / 2) this.#ackAt = now; // The sender may be waiting for it.
    return frame;
  }

  /** What to acknowledge now. It counts as said. */
  acknowledge(): Acknowledgement {
    this.#ackAt = Infinity;
    this.#unacknowledged = 0;
    this.#limitTold = this.#taken + WINDOW;
    return {
      next: numberOf(this.#expected),
      limit: numberOf(this.#limitTold),
      gaps: this.#gaps(),
    };
  }

  #gaps(): Uint8Array {
    let last = -1;
    for (const index of this.#frames.keys()) last = Math.max(last, index - this.#expected - 1);
    if (last < 0) return NO_GAPS;
    const gaps = new Uint8Array(Math.floor(last / 7) + 1);
    for (const index of this.#frames.keys()) {
      const bit = index - this.#expected - 1;
      if (bit >= 0) gaps[Math.floor(bit / 7)]! |= 1 << (bit % 7);
    }
    return gaps;
  }
}
