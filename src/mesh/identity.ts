/**
 * Who we are: address, life, sequence number; and what happens when somebody else says that it is
 * us.
 *
 * Pure state: nothing here sends.
 *
 * @module
 */

import { Budget } from "./budget.ts";
import {
  hashName,
  isNewer,
  isProxied,
  nextSequence,
  proxyOrigin,
  randomSequence,
} from "./sequence.ts";

/** The highest incarnation there is. */
const MAX_INCARNATION = 0x7fff_ffff;

/** Incarnations of those that know no time are below this, and so older than all others. */
const UNCLOCKED = 1 << 20;

/** Rounds of contradicting somebody of our name are counted for so long, in ms. */
const ROUNDS_WINDOW = 60_000;

/** Rounds after which the application is told, and after which we contradict no more. */
const ROUNDS_TO_TELL = 2;
const ROUNDS_TO_YIELD = 3;

/** Between two times that we leave a life to somebody else who is in it, in ms. */
const PART_INTERVAL = 10_000;

/** What a claim to our address comes to. */
export type Claim = "echo" | "contradicted" | "conflict" | "yielded" | "ignored";

/** Our own place among origins. */
export class Identity {
  /** Our address. */
  readonly address: string;
  /** {@linkcode hashName} of it. */
  readonly hash: number;
  /** The origin under which we speak for old peers, signed. */
  readonly proxyOrigin: number;
  /** Our native origin: the incarnation. */
  origin: number;
  /** Our sequence number. */
  seq: number;
  /** Whether somebody else has our name, too, and keeps it, so that we contradict no more. */
  yielded: boolean = false;

  readonly #random: () => number;
  readonly #bumps: Budget;
  #rounds: number[] = [];
  #partedAt: number = -Infinity;

  /** Constructs a new instance. */
  constructor(address: string, random: () => number, incarnation?: number) {
    this.address = address;
    this.hash = hashName(address);
    this.#random = random;
    this.origin = incarnation ?? 1 + Math.floor(random() * UNCLOCKED);
    this.seq = randomSequence(random);
    this.proxyOrigin = proxyOrigin(address, this.origin, Math.floor(random() * 0x1_0000_0000) | 0);
    this.#bumps = new Budget(20, 10, -Infinity);
  }

  /** Whether we give a fresh word now; so many a second are enough for anyone. */
  allowsRefresh(now: number): boolean {
    return this.#bumps.spend(now);
  }

  /** Gives a fresh word, so that others may believe a longer way. */
  refresh(): void {
    this.seq = nextSequence(this.seq);
  }

  /** Whether a word under our address cannot be ours. */
  isClaim(origin: number, seq: number): boolean {
    if (isProxied(origin) || origin < this.origin) return false;
    return origin > this.origin || isNewer(seq, this.seq);
  }

  /**
   * Somebody is asked for, or speaks under, our address. Whoever has the later life or the newer
   * number without being us is somebody else, or our own earlier life by a wrong clock: we begin
   * a life later than that.
   */
  claimed(origin: number, seq: number, now: number): Claim {
    if (!this.isClaim(origin, seq)) return "echo";
    if (this.yielded) {
      if (origin > this.origin || now - this.#partedAt < PART_INTERVAL) return "ignored";
      this.#part(now);
      return "contradicted";
    }
    this.#rounds = this.#rounds.filter((at) => at > now - ROUNDS_WINDOW);
    this.#rounds.push(now);
    if (this.#rounds.length < ROUNDS_TO_YIELD) {
      this.beginAfter(origin);
      return this.#rounds.length >= ROUNDS_TO_TELL ? "conflict" : "contradicted";
    }
    this.yielded = true;
    if (origin > this.origin) return "yielded";
    this.#part(now);
    return "conflict";
  }

  /** We leave a life that somebody else is in, too: two that are taken for one break every rule. */
  #part(now: number): void {
    this.#partedAt = now;
    this.beginAfter(this.origin);
    this.yielded = true;
  }

  /** Begins a life later than another. */
  beginAfter(origin: number): void {
    this.origin = Math.min(MAX_INCARNATION, Math.max(this.origin, origin) + 1);
    this.seq = randomSequence(this.#random);
    this.yielded = false;
  }
}
