/**
 * How much a neighbour may say, and how much it does say.
 *
 * Pure state.
 *
 * @module
 */

import { Budget } from "./budget.ts";

/**
 * How much the neighbour on one link may say in a second, for long. `Infinity`: as much as it will.
 *
 * What is too much is dropped, unread as far as that can be, and told by a `drop` event a second;
 * when it is over, the neighbour is asked to tell its routes and services again. The link closes
 * with `ERR_CHANNEL_PROTOCOL` if ten times the limit comes for ten seconds; and if for as long a
 * thousand times a second something comes that is no packet.
 */
export interface LinkLimits {
  /**
   * Routes and services that it may tell. Tables as large as ours may be come at once, and twice.
   *
   * @default {2000} by an old peer, 4000 by our own kind
   */
  adverts?: number;
  /**
   * Routes and services that an old peer may withdraw. Those of our own kind are counted as adverts.
   *
   * @default {1000}
   */
  withdrawals?: number;
  /**
   * Packets of applications that it may send; a second's worth may come at once.
   *
   * @default {Infinity}
   */
  packets?: number;
}

/** Adverts that an old peer may tell in a second for long, withdrawals, and records of our kind. */
const ADVERT_RATE = 2_000;
const WITHDRAWAL_RATE = 1_000;
const RECORD_RATE = 4_000;

/** A noisy line may well bring so much in a second that is no packet. */
const UNREADABLE_RATE = 100;

/** So many times the limit, for so long, in ms, are a flood that will not end. */
const FLOOD = 10;
const FLOOD_TIME = 10_000;

/** Between looks at how much comes, in ms. */
const WINDOW = 1_000;

/** How much may come of one kind, and how much does. */
export class Meter extends Budget {
  /** How many may come in a second for long. */
  readonly limit: number;
  /** What has come since then, in ms. */
  #count: number = 0;
  #since: number;
  /** Until when it was no flood, in ms. */
  #calmUntil: number;

  /**
   * Constructs a new instance.
   *
   * @param burst How many may come at once.
   */
  constructor(limit: number, burst: number, now: number) {
    super(burst, limit, now);
    this.limit = limit;
    this.#since = this.#calmUntil = now;
  }

  /** Notes that something has come. True if far too much has, for so long that it will not end. */
  floods(now: number, count: number = 1): boolean {
    this.#count += count;
    const elapsed = now - this.#since;
    if (elapsed < WINDOW) return false;
    if (this.#count / elapsed <= FLOOD * this.limit / 1_000) this.#calmUntil = now;
    this.#count = 0;
    this.#since = now;
    return now - this.#calmUntil >= FLOOD_TIME;
  }

  /** Pays for one thing. False if there have been too many. */
  override spend(now: number): boolean {
    return this.limit === Infinity || super.spend(now);
  }

  /** Whether so many could be paid for now. */
  affords(count: number, now: number): boolean {
    return this.limit === Infinity || this.left(now) >= count;
  }
}

/**
 * What is metered: what an old peer tells, and withdraws; what our own kind tells and withdraws;
 * packets of applications; what is no packet, or means nothing.
 */
export type Metered = "adverts" | "withdrawals" | "records" | "packets" | "unreadable";

/** No limits but those that everybody has. */
const NO_LIMITS: LinkLimits = {};

/** Meters of one neighbour, each made when it is first needed: most are not. */
export class Meters {
  readonly #limits: LinkLimits;
  readonly #burst: number;
  readonly #start: number;
  #adverts: Meter | null = null;
  #withdrawals: Meter | null = null;
  #records: Meter | null = null;
  #packets: Meter | null = null;
  #unreadable: Meter | null = null;

  /**
   * Constructs a new instance.
   *
   * @param burst How much it may tell at once.
   * @param start From when it is metered, in ms.
   */
  constructor(limits: LinkLimits = NO_LIMITS, burst: number, start: number) {
    this.#limits = limits;
    this.#burst = burst;
    this.#start = start;
  }

  /** The meter of one kind. */
  of(kind: Metered): Meter {
    const { adverts, withdrawals = WITHDRAWAL_RATE, packets = Infinity } = this.#limits;
    switch (kind) {
      case "adverts":
        return this.#adverts ??= this.#make(adverts ?? ADVERT_RATE);
      case "withdrawals":
        return this.#withdrawals ??= this.#make(withdrawals);
      case "records":
        return this.#records ??= this.#make(adverts ?? RECORD_RATE);
      case "packets":
        return this.#packets ??= this.#make(packets, Math.max(1, packets));
      case "unreadable":
        return this.#unreadable ??= this.#make(UNREADABLE_RATE, 1);
    }
  }

  #make(limit: number, burst: number = this.#burst): Meter {
    return new Meter(limit, burst, this.#start);
  }
}
