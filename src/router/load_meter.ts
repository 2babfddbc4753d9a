/**
 * The capacity that a service advertises by itself: what it has to do.
 *
 * Pure state: time is an argument, and nothing here sends. An advert goes through the whole mesh,
 * so there are few of them.
 *
 * @module
 */

/** Highest capacity that a load makes; the one above says that an instance is full or leaves. */
export const MAX_LOAD = 65_534;

/** Adverts are at least so far apart, in ms. */
const INTERVAL = 1_000;

/** A change that is worth an advert, as a share of what was told last. */
const SHARE = 0.1;

/**
 * Counts calls in flight, and says which capacity to advertise, and when: a first change at once,
 * later ones a second apart, the last one always.
 *
 * A change is worth an advert if it is a tenth of what was told, and at least 1; that there is
 * nothing left to do always is.
 */
export class LoadMeter {
  #base: number;
  #inFlight: number = 0;
  #told: number;
  #toldAt: number = -Infinity;
  #changedAt: number = -Infinity;

  /**
   * Constructs a new instance.
   *
   * @param base Capacity in 1-65534 with nothing to do; as advertised when the service began.
   * @throws {RangeError} If it is no such number.
   */
  constructor(base: number = 1) {
    checkBase(base);
    this.#base = this.#told = base;
  }

  /** Calls that have not ended. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Capacity now, 1-65534, whether or not it is advertised. */
  get capacity(): number {
    return Math.min(MAX_LOAD, this.#base + this.#inFlight);
  }

  /**
   * Changes the capacity with nothing to do.
   *
   * @throws {RangeError} If it is not a whole number in 1-65534.
   */
  rebase(base: number, now: number): void {
    checkBase(base);
    this.#base = base;
    this.#changedAt = now;
  }

  /** A call has come in. */
  began(now: number): void {
    this.#inFlight++;
    this.#changedAt = now;
  }

  /** A call has ended. */
  ended(now: number): void {
    if (this.#inFlight === 0) return;
    this.#inFlight--;
    this.#changedAt = now;
  }

  /** When {@linkcode due} will have something, in ms; `Infinity` if it will not as things are. */
  deadline(): number {
    return this.#isNews() ? Math.max(this.#changedAt, this.#toldAt + INTERVAL) : Infinity;
  }

  /** The capacity to advertise now; `null` if there is no need. It counts as told. */
  due(now: number): number | null {
    if (now < this.deadline()) return null;
    this.#toldAt = now;
    return this.#told = this.capacity;
  }

  #isNews(): boolean {
    const change = Math.abs(this.capacity - this.#told);
    if (change === 0) return false;
    return change >= SHARE * this.#told || this.#inFlight === 0;
  }
}

function checkBase(base: number): void {
  if (Number.isInteger(base) && base >= 1 && base <= MAX_LOAD) return;
  throw new RangeError(`Cannot measure load: ${base} is not a whole number in 1-${MAX_LOAD}`);
}
