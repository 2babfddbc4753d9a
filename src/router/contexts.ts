/**
 * Context ids: what ties a reply to its question.
 *
 * @module
 */

import { MAX_CONTEXT_ID } from "../wire/limits.ts";

/** Slots of a table that has never had more contexts. */
const MIN_SLOTS = 64;

/**
 * Hands out context ids and remembers who waits on each. Pure state; chance is injected.
 *
 * An id lies in the slot of its lowest bits, and an id whose slot is taken is stepped over. Not a
 * `Map`: calls come and go so fast that each of its tables would live long enough to keep the next
 * one, and all that was ever in it, from being collected while young.
 */
export class ContextTable<Owner> {
  #owners: (Owner | undefined)[] = new Array(MIN_SLOTS).fill(undefined);
  #ids: Uint16Array = new Uint16Array(MIN_SLOTS);
  #size: number = 0;
  readonly #limit: number;
  #next: number;

  /**
   * Constructs a new instance.
   *
   * @param random Uniform over [0, 1), such as `Math.random`: where ids begin, so that replies to an
   *   earlier life of the router find nobody.
   * @param limit Contexts open at once; far fewer than there are ids, so that probes stay short.
   */
  constructor(random: () => number, limit: number = 16_384) {
    this.#next = 1 + Math.floor(random() * MAX_CONTEXT_ID);
    this.#limit = limit;
  }

  /** Contexts open now. */
  get size(): number {
    return this.#size;
  }

  /**
   * Opens a context.
   *
   * @param owner Who to hand replies to.
   * @returns An id in 1-65535 that is not in use; 0 means "no context" on the wire.
   * @throws {RangeError} If `limit` contexts are open: someone forgets to release them.
   */
  open(owner: Owner): number {
    if (this.#size >= this.#limit) {
      throw new RangeError(`Cannot open context: all ${this.#limit} are in use`);
    }
    if (2 * this.#size >= this.#ids.length && this.#ids.length <= MAX_CONTEXT_ID) this.#grow();
    // In turn, so that a late reply to a closed context finds nobody, not the next caller.
    const mask = this.#ids.length - 1;
    let id = this.#next;
    while (this.#ids[id & mask] !== 0) id = (id % MAX_CONTEXT_ID) + 1;
    this.#next = (id % MAX_CONTEXT_ID) + 1;
    this.#ids[id & mask] = id;
    this.#owners[id & mask] = owner;
    this.#size++;
    return id;
  }

  /** Who waits on an id, if anybody. */
  get(id: number): Owner | undefined {
    const slot = id & (this.#ids.length - 1);
    return id !== 0 && this.#ids[slot] === id ? this.#owners[slot] : undefined;
  }

  /** Who waits on each id that is open, in the order in which they were opened. */
  owners(): Owner[] {
    const age = (id: number) => (id - this.#next + MAX_CONTEXT_ID) % MAX_CONTEXT_ID;
    const ids = [...this.#ids].filter((id) => id !== 0);
    return ids.sort((a, b) => age(a) - age(b)).map((id) => this.get(id)!);
  }

  /** Closes a context; an id that is not open is fine. */
  release(id: number): void {
    const slot = id & (this.#ids.length - 1);
    if (id === 0 || this.#ids[slot] !== id) return;
    this.#ids[slot] = 0;
    this.#owners[slot] = undefined;
    this.#size--;
  }

  /** Closes all contexts. */
  clear(): void {
    this.#ids = new Uint16Array(MIN_SLOTS);
    this.#owners = new Array(MIN_SLOTS).fill(undefined);
    this.#size = 0;
  }

  /** Makes twice as many slots: ids of different slots stay so. */
  #grow(): void {
    const ids = new Uint16Array(2 * this.#ids.length);
    const owners: (Owner | undefined)[] = new Array(ids.length).fill(undefined);
    for (const [slot, id] of this.#ids.entries()) {
      if (id === 0) continue;
      ids[id & (ids.length - 1)] = id;
      owners[id & (ids.length - 1)] = this.#owners[slot];
    }
    this.#ids = ids;
    this.#owners = owners;
  }
}
