/**
 * A queue that takes as long for each of many things as for one: an array's own `shift()` moves all
 * that is left.
 *
 * @module
 */

/** Things taken before their places are given back. */
const SLACK = 1_024;

/** First in, first out. Pure state. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #taken: number = 0;

  /** How many there are. */
  get length(): number {
    return this.#items.length - this.#taken;
  }

  /** Puts one at the end. */
  push(item: T): void {
    this.#items.push(item);
  }

  /** Takes the first one; `undefined` if there is none. */
  shift(): T | undefined {
    if (this.#taken === this.#items.length) return undefined;
    const item = this.#items[this.#taken];
    this.#items[this.#taken++] = undefined;
    if (this.#taken === this.#items.length) {
      this.#items.length = this.#taken = 0;
    } else if (this.#taken >= SLACK && 2 * this.#taken >= this.#items.length) {
      this.#items = this.#items.slice(this.#taken);
      this.#taken = 0;
    }
    return item;
  }
}
