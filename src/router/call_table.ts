/**
 * {@linkcode CallTable}: the calls of one caller, by context.
 *
 * Pure state.
 *
 * @module
 */

/** Slots of a table that has never had more calls. */
const MIN_SLOTS = 8;

/** What a table holds; each is in one at most, which keeps `next`. */
export interface TableCall<Call> {
  /** The caller's context. */
  readonly ctx: number;
  /** The next one in the same slot; `null` if there is none. */
  next: Call | null;
}

/**
 * Calls by context, one of each.
 *
 * Contexts are taken in turn, so their lowest bits do for a hash; whoever takes them otherwise has at
 * most 256 in one slot, for there are but 65,535. Not a `Map`, for the reason that `ContextTable` is
 * none.
 */
export class CallTable<Call extends TableCall<Call>> {
  #slots: (Call | null)[] = new Array(MIN_SLOTS).fill(null);
  #size: number = 0;

  /** Calls in it. */
  get size(): number {
    return this.#size;
  }

  /** The call in a context, if there is one. */
  get(ctx: number): Call | undefined {
    let call = this.#slots[ctx & (this.#slots.length - 1)]!;
    while (call !== null && call.ctx !== ctx) call = call.next!;
    return call ?? undefined;
  }

  /** Puts a call in; there is none in its context. */
  add(call: Call): void {
    if (this.#size >= this.#slots.length) this.#grow();
    this.#put(call);
    this.#size++;
  }

  /** Takes a call out. False if it is not in. */
  delete(call: Call): boolean {
    const slot = call.ctx & (this.#slots.length - 1);
    let before: Call | null = null;
    let at = this.#slots[slot]!;
    while (at !== null && at !== call) {
      before = at;
      at = at.next!;
    }
    if (at === null) return false;
    if (before === null) this.#slots[slot] = call.next;
    else before.next = call.next;
    call.next = null;
    this.#size--;
    return true;
  }

  /** All calls, in no order that means anything. */
  values(): Call[] {
    const calls: Call[] = [];
    for (let call of this.#slots) {
      for (; call !== null; call = call.next) calls.push(call);
    }
    return calls;
  }

  #put(call: Call): void {
    const slot = call.ctx & (this.#slots.length - 1);
    call.next = this.#slots[slot]!;
    this.#slots[slot] = call;
  }

  #grow(): void {
    const calls = this.values();
    this.#slots = new Array(2 * this.#slots.length).fill(null);
    for (const call of calls) this.#put(call);
  }
}
