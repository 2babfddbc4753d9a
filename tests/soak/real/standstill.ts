/**
 * When this process has stood still: stopped by a signal, or kept from running by others.
 *
 * @module
 */

/** How often it is looked whether the process runs, in ms. */
const INTERVAL = 50;

/** A gap between two looks that is longer than this is a standstill, in ms. */
const MAX_GAP = 150;

/** Standstills that are remembered. */
const MEMORY = 200;

/** Watches whether this process runs. */
export class Standstills {
  readonly #ends: number[] = [];
  readonly #timer: ReturnType<typeof setInterval>;
  #last: number = performance.now();

  /** Constructs a new instance, which watches until it is told to stop. */
  constructor() {
    this.#timer = setInterval(() => this.#look(), INTERVAL);
  }

  /**
   * How late something was that was due at one time and done at another, in ms, beside the time until
   * the process went on.
   */
  async lateness(due: number, done: number): Promise<number> {
    if (done <= due) return done - due;
    await new Promise((resolve) => setTimeout(resolve, 2 * INTERVAL)); // It may just have gone on.
    // What fell due in a standstill, or in the rush after it, is late for no other reason.
    const excuse = this.#ends.filter((end) => end > due && end <= done + 2 * INTERVAL).at(-1);
    return done - Math.max(due, excuse ?? due);
  }

  /** Watches no more. */
  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    if (now - this.#last > MAX_GAP) {
      this.#ends.push(now);
      if (this.#ends.length > MEMORY) this.#ends.shift();
    }
    this.#last = now;
  }
}
