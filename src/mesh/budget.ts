/**
 * Budgets: so much at once, so much a second for long.
 *
 * Pure state.
 *
 * @module
 */

/** Bounds what somebody may do: so much at once, so much a second for long. */
export class Budget {
  readonly #burst: number;
  readonly #rate: number;
  #left: number;
  #at: number;

  /** Constructs a new instance. */
  constructor(burst: number, rate: number, now: number) {
    this.#burst = this.#left = burst;
    this.#rate = rate;
    this.#at = now;
  }

  /** Pays for one thing. False if there have been too many. */
  spend(now: number): boolean {
    if (this.left(now) < 1) return false;
    this.#left--;
    return true;
  }

  /** How many things could be paid for now. */
  left(now: number): number {
    const earned = Math.max(0, now - this.#at) / 1_000 * this.#rate;
    this.#at = now;
    return this.#left = Math.min(this.#burst, this.#left + earned);
  }
}
