/**
 * {@linkcode SendWindow}: the sending half of one direction of a call. What has not been
 * acknowledged is sent again; what the far end has no room for waits.
 *
 * Pure: time is an argument.
 *
 * @module
 */

import { type CallFrame, indexOf, numberOf, WINDOW } from "./frame.ts";

/** Frames on their way at once: when the first is acknowledged, and at least. */
const FIRST_FLIGHT = WINDOW / 4;
const MIN_FLIGHT = 2;

/** How long an acknowledgement may take before anything is known of the way, in ms. */
const FIRST_TIMEOUT = 500;

/** Then, how much longer than usual it may take at least, in ms: far ends have other things to do. */
const MIN_PATIENCE = 200;

/** How many times longer it may take after one that took too long, and at most, in ms. */
const BACK_OFF = 1.5;
const MAX_TIMEOUT = 10_000;

/** What takes twice as long as it could, and so much longer, waits in a queue, in ms. */
const QUEUEING = 100;

/** A frame is lost if one that was sent so many later has arrived. */
const REORDERING = 3;

/** Until it is asked for the first time whether there is room, and between questions, in ms. */
const MIN_PROBE_INTERVAL = 500;
const MAX_PROBE_INTERVAL = 5_000;

/** How long nothing is sent after a frame that could not be, and after many in a row, in ms. */
const MIN_PAUSE = 20;
const MAX_PAUSE = 1_000;

/** A frame that has not been acknowledged. */
interface Pending {
  readonly frame: CallFrame;
  /** When it was sent last. */
  sentAt: number;
  /** As which of all frames it was sent last, those sent again included; from 1 on. */
  order: number;
  /** How often it was sent. */
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
  /** Whether more is waiting, and can only be sent when something has been acknowledged. */
  readonly last: boolean;
}

/** Numbers frames, and decides which are sent when. */
export class SendWindow {
  /** Frames that are not acknowledged, from index {@linkcode SendWindow.#base}. */
  readonly #pending: Pending[] = [];
  #base: number = 0;
  /** Frames of `#pending` that have been sent at least once. */
  #sent: number = 0;
  /** None of `#pending` before this one is to be sent. */
  #unsent: number = 0;
  /** The first index that the far end has no room for. */
  #limit: number = WINDOW;
  /** What is on its way, in the order in which it was sent. */
  readonly #flying: Set<Pending> = new Set();
  /** How many frames may be on their way: before any is acknowledged, and then. */
  readonly #first: number;
  #flight: number = FIRST_FLIGHT;
  /** Whether more of them may be tried: in a queue, more frames only wait longer. */
  #growing: boolean = false;
  /** `Pending.order` of what was sent last, and of the latest that has arrived. */
  #order: number = 0;
  #arrivedOrder: number = 0;
  /** The same of what was sent last when it slowed down, and of what could not be sent. */
  #slowedOrder: number = 0;
  #refusedOrder: number = -1;
  /** Round trips, in ms: the shortest at this pace, the usual one, and how much they differ. */
  #shortest: number = Infinity;
  #smoothed: number = 0;
  #variation: number = 0;
  #timeout: number = FIRST_TIMEOUT;
  #progressAt: number = 0;
  #probedAt: number = 0;
  #probeInterval: number = MIN_PROBE_INTERVAL;
  /** Until when nothing is sent; `Infinity` if it is not paused. */
  #pausedUntil: number = Infinity;
  #pause: number = MIN_PAUSE;

  /** Constructs a new instance, which sends `first` frames before any is acknowledged. */
  constructor(first: number) {
    this.#first = first;
  }

  /** Whether everything has been acknowledged. */
  get idle(): boolean {
    return this.#pending.length === 0;
  }

  /** Frames that have not been acknowledged. */
  get size(): number {
    return this.#pending.length;
  }

  /** How long the far end has said nothing though there is something to say, in ms. */
  stalledFor(now: number): number {
    return this.idle ? 0 : now - this.#progressAt;
  }

  /** Adds a frame to be sent. */
  push(frame: CallFrame, now: number): void {
    if (this.idle) this.#progressAt = this.#probedAt = now;
    this.#pending.push({ frame, sentAt: now, order: 0, tries: 0, received: false });
  }

  /** The far end acknowledges: it expects number `next`, and has no room from number `limit` on. */
  acknowledge(next: number, limit: number, gaps: Uint8Array, now: number): void {
    const base = indexOf(next, this.#base);
    const acknowledged = base - this.#base;
    if (acknowledged < 0 || acknowledged > this.#sent) return; // Old, or of another call.
    this.#progressAt = this.#probedAt = now;
    for (const pending of this.#pending.splice(0, acknowledged)) this.#landed(pending, now);
    this.#base = base;
    this.#sent -= acknowledged;
    this.#unsent = Math.max(0, this.#unsent - acknowledged);
    this.#markReceived(gaps, now);
    this.#findLost();
    if (this.#growing) this.#flight = Math.min(WINDOW, this.#flight + acknowledged);
    // Whatever is said, there is no more room than a window, and never less than there was.
    const end = Math.min(indexOf(limit, base), base + WINDOW);
    if (end <= this.#limit) return;
    this.#limit = end;
    this.#probeInterval = MIN_PROBE_INTERVAL;
  }

  /**
   * The frame to send next, which counts as sent; or that the far end is to be asked whether there
   * is room; `null` if there is nothing to do for now.
   */
  next(now: number): NumberedFrame | "probe" | null {
    this.#expire(now);
    if (now >= this.#pausedUntil) this.#pausedUntil = Infinity;
    const at = this.#pausedUntil === Infinity ? this.#findUnsent() : -1;
    if (at >= 0) {
      const pending = this.#pending[at]!;
      pending.sentAt = now;
      pending.order = ++this.#order;
      pending.tries++;
      this.#flying.add(pending);
      this.#sent = Math.max(this.#sent, at + 1);
      const last = this.#findUnsent() < 0 && at + 1 < this.#pending.length;
      return { frame: pending.frame, number: numberOf(this.#base + at), last };
    }
    if (now < this.#probeAt) return null;
    this.#probedAt = now;
    this.#probeInterval = Math.min(MAX_PROBE_INTERVAL, 2 * this.#probeInterval);
    return "probe";
  }

  /** A frame that {@linkcode next} has just given could not be sent: the way is full. */
  refused(number: number, now: number): void {
    const pending = this.#pending[indexOf(number, this.#base) - this.#base];
    if (pending === undefined || !this.#flying.has(pending)) return;
    const again = pending.order === this.#refusedOrder + 1;
    this.#pause = again ? Math.min(MAX_PAUSE, 2 * this.#pause) : MIN_PAUSE;
    this.#pausedUntil = now + this.#pause;
    this.#refusedOrder = pending.order;
    pending.tries--;
    this.#lost(pending);
    this.#slowDown();
  }

  /** When {@linkcode next} may have something though nothing else happens; `Infinity` if never. */
  get deadline(): number {
    return Math.min(this.#expiry, this.#probeAt, this.#pausedUntil);
  }

  /** When to ask whether there is room for what waits, if there was none for any of it. */
  get #probeAt(): number {
    const blocked = this.#pending.length > 0 && this.#limit === this.#base;
    return blocked ? this.#probedAt + this.#probeInterval : Infinity;
  }

  /** When the frame that has been on its way for longest should have been acknowledged. */
  get #expiry(): number {
    for (const { sentAt } of this.#flying) return sentAt + this.#timeout;
    return Infinity;
  }

  /** Which of `#pending` is to be sent now; -1 if none may be. */
  #findUnsent(): number {
    // A caller's first frame makes the call known: what overtook it would be for nobody.
    const flight = this.#base === 0 ? Math.min(this.#first, this.#flight) : this.#flight;
    const end = Math.min(this.#pending.length, this.#limit - this.#base);
    for (; this.#unsent < end; this.#unsent++) {
      const at = this.#unsent;
      const pending = this.#pending[at]!;
      if (pending.received || this.#flying.has(pending)) continue;
      // All others wait for the first one: it goes, whatever is on its way.
      return at === 0 || this.#flying.size < flight ? at : -1;
    }
    return -1;
  }

  /** If a frame has not been acknowledged in time, all are sent again, more slowly. */
  #expire(now: number): void {
    if (now < this.#expiry) return;
    for (const pending of this.#flying) this.#lost(pending);
    this.#slowDown();
    this.#timeout = Math.min(MAX_TIMEOUT, BACK_OFF * this.#timeout);
  }

  #markReceived(gaps: Uint8Array, now: number): void {
    // Bit i of the map is the frame i + 1 after the one that is expected; that one is missing.
    const bits = Math.min(gaps.length * 7, this.#sent - 1);
    for (let i = 0; i < bits; i++) {
      if ((gaps[Math.floor(i / 7)]! & (1 << (i % 7))) !== 0) {
        this.#landed(this.#pending[i + 1]!, now);
      }
    }
  }

  /** What was sent well before something that has arrived is lost. */
  #findLost(): void {
    let lost = 0;
    for (const pending of this.#flying) {
      if (pending.order + REORDERING > this.#arrivedOrder) break;
      lost = pending.order;
      this.#lost(pending);
    }
    if (lost > this.#slowedOrder) this.#slowDown(); // Once for all that was lost together.
  }

  /** A frame has arrived. */
  #landed(pending: Pending, now: number): void {
    pending.received = true;
    const { sentAt, order, tries } = pending;
    // What was given up, or sent twice, says nothing of the way: which of them has arrived?
    if (!this.#flying.delete(pending) || tries > 1) return;
    this.#arrivedOrder = Math.max(this.#arrivedOrder, order);
    this.#measure(now - sentAt);
  }

  /** A frame is not on its way any more: it is to be sent again. */
  #lost(pending: Pending): void {
    this.#flying.delete(pending);
    this.#unsent = 0;
  }

  #slowDown(): void {
    this.#flight = Math.max(MIN_FLIGHT, Math.floor(this.#flight / 2));
    this.#slowedOrder = this.#order;
    this.#shortest = Infinity;
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
    const patience = Math.max(MIN_PATIENCE, 4 * this.#variation);
    this.#timeout = Math.min(MAX_TIMEOUT, this.#smoothed + patience);
    this.#shortest = Math.min(this.#shortest, trip);
    this.#growing = trip <= 2 * this.#shortest + QUEUEING;
  }
}
