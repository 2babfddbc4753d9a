/**
 * {@linkcode SendWindow}: the sending half of one direction of a call. What has not been
 * acknowledged is sent again; what the far end has no room for waits.
 *
 * Pure: time is an argument.
 *
 * @module
 */

import { type CallFrame, indexOf, numberOf, WINDOW } from "./frame.ts";

/** How long an acknowledgement may take before anything is known of the way, in ms. */
const FIRST_TIMEOUT = 500;

/** The same, at least and at most. */
const MIN_TIMEOUT = 200;
const MAX_TIMEOUT = 5_000;

/** Frames received behind one that is missing: so many of them mean that it is lost. */
const REORDERING = 3;

/** Between questions whether there is room now, in ms. */
const PROBE_INTERVAL = 1_000;

/** A frame that has not been acknowledged. */
interface Pending {
  frame: CallFrame;
  /** When it was sent last; `-Infinity` if it is to be sent. */
  sentAt: number;
  tries: number;
  /** Whether the far end has it, though not all before it. */
  received: boolean;
}

/** A frame to be sent now. */
export interface NumberedFrame {
  /** The frame. */
  readonly frame: CallFrame;
  /** Its number. */
  readonly number: number;
  /** Whether nothing more can be sent before it is acknowledged. */
  readonly last: boolean;
}

/** Numbers frames, and decides which are sent when. */
export class SendWindow {
  /** Frames that are not acknowledged, from index {@linkcode SendWindow.#base}. */
  #pending: Pending[] = [];
  #base: number = 0;
  /** Frames of `#pending` that have been sent at least once. */
  #sent: number = 0;
  /** The first index that the far end has no room for. */
  #limit: number = WINDOW;
  /** How many frames may be on their way, and how many are. */
  #flight: number;
  #flying: number = 0;
  #smoothed: number = 0;
  #variation: number = 0;
  #timeout: number = FIRST_TIMEOUT;
  #progressAt: number;
  #probedAt: number;

  /** Constructs a new instance, which sends `flight` frames before it has heard anything. */
  constructor(now: number, flight: number) {
    this.#flight = flight;
    this.#progressAt = this.#probedAt = now;
  }

  /** Whether everything has been acknowledged. */
  get idle(): boolean {
    return this.#pending.length === 0;
  }

  /** Frames that have not been acknowledged. */
  get size(): number {
    return this.#pending.length;
  }

  /** How long the far end has said nothing new though there is something to say, in ms. */
  stalledFor(now: number): number {
    return this.idle ? 0 : now - this.#progressAt;
  }

  /** Adds a frame to be sent. */
  push(frame: CallFrame, now: number): void {
    if (this.idle) this.#progressAt = this.#probedAt = now;
    this.#pending.push({ frame, sentAt: -Infinity, tries: 0, received: false });
  }

  /** The far end acknowledges: it expects number `next`, and has no room from number `limit` on. */
  acknowledge(next: number, limit: number, gaps: Uint8Array, now: number): void {
    const base = indexOf(next, this.#base);
    const acknowledged = base - this.#base;
    if (acknowledged < 0 || acknowledged > this.#sent) return; // Old, or of another call.
    this.#progressAt = this.#probedAt = now;
    for (const pending of this.#pending.splice(0, acknowledged)) {
      this.#landed(pending);
      // What has been sent twice, or was here before, does not say how long the way is.
      const { sentAt, tries, received } = pending;
      if (tries === 1 && !received && sentAt !== -Infinity) this.#measure(now - sentAt);
    }
    this.#base = base;
    this.#sent -= acknowledged;
    this.#flight = Math.min(WINDOW, this.#flight + acknowledged);
    this.#limit = Math.max(this.#limit, indexOf(limit, base));
    this.#markReceived(gaps);
  }

  /**
   * The frame to send next, which counts as sent; or that the far end is to be asked whether there
   * is room; `null` if there is nothing to do for now.
   */
  next(now: number): NumberedFrame | "probe" | null {
    this.#expire(now);
    if (this.#flying < this.#flight) {
      const end = Math.min(this.#pending.length, this.#limit - this.#base);
      for (let at = 0; at < end; at++) {
        const pending = this.#pending[at]!;
        if (pending.sentAt !== -Infinity || pending.received) continue;
        pending.sentAt = now;
        pending.tries++;
        this.#flying++;
        this.#sent = Math.max(this.#sent, at + 1);
        const more = this.#flying < this.#flight && at + 1 < end;
        const last = !more && at + 1 < this.#pending.length;
        return { frame: pending.frame, number: numberOf(this.#base + at), last };
      }
    }
    if (now < this.#probeAt) return null;
    this.#probedAt = now;
    return "probe";
  }

  /** A frame that {@linkcode next} has given could not be sent: the way is full. */
  refused(number: number, now: number): void {
    const pending = this.#pending[indexOf(number, this.#base) - this.#base];
    if (pending === undefined) return;
    pending.tries = 2; // Whatever is measured of it would be wrong.
    this.#slowDown();
    // Sent again when its time is over: until then it stands for what fills the way.
    pending.sentAt = now;
  }

  /** When {@linkcode next} may have something though nothing else happens; `Infinity` if never. */
  get deadline(): number {
    return Math.min(this.#expiry, this.#probeAt);
  }

  /** When to ask whether there is room: nothing is on its way, and something waits for room. */
  get #probeAt(): number {
    const blocked = this.#flying === 0 && this.#pending.length > 0;
    return blocked ? this.#probedAt + PROBE_INTERVAL : Infinity;
  }

  /** If a frame has not been acknowledged in time, all are sent again, more slowly. */
  #expire(now: number): void {
    if (now < this.#expiry) return;
    for (let at = 0; at < this.#sent; at++) this.#lost(this.#pending[at]!);
    this.#slowDown();
    this.#timeout = Math.min(MAX_TIMEOUT, 2 * this.#timeout);
  }

  /** When the first frame that is on its way should have been acknowledged. */
  get #expiry(): number {
    let first = Infinity;
    for (let at = 0; at < this.#sent; at++) {
      const { sentAt, received } = this.#pending[at]!;
      if (!received && sentAt !== -Infinity) first = Math.min(first, sentAt + this.#timeout);
    }
    return first;
  }

  #markReceived(gaps: Uint8Array): void {
    // Bit i of the map is the frame i + 1 after the one that is expected; that one is missing.
    let last = -1;
    for (let i = 0; i < gaps.length * 7; i++) {
      if ((gaps[Math.floor(i / 7)]! & (1 << (i % 7))) === 0) continue;
      const pending = this.#pending[i + 1];
      if (pending === undefined || i + 1 >= this.#sent) break;
      if (!pending.received) this.#landed(pending);
      pending.received = true;
      last = i + 1;
    }
    let lost = false;
    for (let at = 0; at + REORDERING <= last; at++) {
      const pending = this.#pending[at]!;
      if (pending.received || pending.tries !== 1 || pending.sentAt === -Infinity) continue;
      this.#lost(pending);
      lost = true;
    }
    if (lost) this.#slowDown();
  }

  /** A frame is not on its way any more: it has arrived. */
  #landed({ sentAt, received }: Pending): void {
    if (sentAt !== -Infinity && !received) this.#flying--;
  }

  /** A frame is not on its way any more: it is to be sent again. */
  #lost(pending: Pending): void {
    this.#landed(pending);
    pending.sentAt = -Infinity;
  }

  #slowDown(): void {
    this.#flight = Math.max(2, Math.floor(this.#flight / 2));
  }

  /** Takes a round trip into account, as RFC 6298 says. */
  #measure(trip: number): void {
    if (this.#smoothed === 0) {
      this.#smoothed = trip;
      this.#variation = trip / 2;
    } else {
      this.#variation += (Math.abs(trip - this.#smoothed) - this.#variation) / 4;
      this.#smoothed += (trip - this.#smoothed) / 8;
    }
    const timeout = this.#smoothed + 4 * this.#variation;
    this.#timeout = Math.min(MAX_TIMEOUT, Math.max(MIN_TIMEOUT, timeout));
  }
}
