/**
 * {@linkcode Ring}: the latest of many things.
 *
 * @module
 */

/** Keeps the latest things that it is given, and forgets the oldest. Pure state. */
export class Ring<T> {
  readonly #items: (T | undefined)[];
  #count: number = 0;
  #cleared: number = 0;

  /**
   * Constructs a new instance.
   *
   * @param capacity How many are kept.
   */
  constructor(capacity: number) {
    this.#items = new Array(capacity).fill(undefined);
  }

  /** Number of the oldest one that is kept. Numbers count from 0, and are never used again. */
  get first(): number {
    return Math.max(this.#cleared, this.#count - this.#items.length);
  }

  /** Number of the next one to come. */
  get end(): number {
    return this.#count;
  }

  /** How many are kept. */
  get length(): number {
    return this.#count - this.first;
  }

  /** Adds one. */
  push(item: T): void {
    this.#items[this.#count++ % this.#items.length] = item;
  }

  /** The one of a number; `undefined` if it is forgotten, or has not come yet. */
  get(number: number): T | undefined {
    if (number < this.first || number >= this.#count) return undefined;
    return this.#items[number % this.#items.length];
  }

  /** Forgets all of them; numbers go on. */
  clear(): void {
    this.#items.fill(undefined);
    this.#cleared = this.#count;
  }
}
