/**
 * Context ids: what ties a reply to its question.
 *
 * @module
 */

import { MAX_CONTEXT_ID } from "../wire/limits.ts";

/** Hands out context ids and remembers who waits on each. Pure state; chance is injected. */
export class ContextTable<Owner> {
  readonly #owners: Map<number, Owner> = new Map();
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
    return this.#owners.size;
  }

  /**
   * Opens a context.
   *
   * @param owner Who to hand replies to.
   * @returns An id in 1-65535 that is not in use; 0 means "no context" on the wire.
   * @throws {RangeError} If `limit` contexts are open: someone forgets to release them.
   */
  open(owner: Owner): number {
    if (this.#owners.size >= this.#limit) {
      throw new RangeError(`Cannot open context: all ${this.#limit} are in use`);
    }
    // In turn, so that a late reply to a closed context finds nobody, not the next caller.
    let id = this.#next;
    while (this.#owners.has(id)) id = (id % MAX_CONTEXT_ID) + 1;
    this.#next = (id % MAX_CONTEXT_ID) + 1;
    this.#owners.set(id, owner);
    return id;
  }

  /** Who waits on an id, if anybody. */
  get(id: number): Owner | undefined {
    return this.#owners.get(id);
  }

  /** Who waits on each id that is open, in the order in which they were opened. */
  owners(): Iterable<Owner> {
    return this.#owners.values();
  }

  /** Closes a context; an id that is not open is fine. */
  release(id: number): void {
    this.#owners.delete(id);
  }

  /** Closes all contexts. */
  clear(): void {
    this.#owners.clear();
  }
}
