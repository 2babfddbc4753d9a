/**
 * {@linkcode Deadlines}: all that a router's calls wait for, behind one timer.
 *
 * Most deadlines are taken back long before they are due: that costs no timer, and leaves nothing
 * behind. Pure state; times are whatever the caller's clock says.
 *
 * @module
 */

/** Something that has to end. It is in one queue at most, which keeps `at`, `order` and `place`. */
export interface Deadline {
  /** When it is due, in ms. */
  at: number;
  /** Tells which of those due at the same time was added first. */
  order: number;
  /** Where it is in the queue; -1 while it is in none. */
  place: number;
  /** It is due, and in no queue any more. */
  expire(): void;
}

/** A deadline that is in no queue, for whatever is to be done then. */
export function newDeadline(expire: () => void): Deadline {
  return { at: Infinity, order: 0, place: -1, expire };
}

/** Deadlines, soonest first: a binary heap. */
export class Deadlines {
  readonly #heap: Deadline[] = [];
  readonly #onChange: () => void;
  #added: number = 0;

  /**
   * Constructs a new instance.
   *
   * @param onChange Told when {@linkcode next} has become sooner, or there is nothing left. A timer
   *   that was set for what has been taken back is too early, which does no harm.
   */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** How many there are. */
  get size(): number {
    return this.#heap.length;
  }

  /** When the next one is due, in ms; `Infinity` if there is none. */
  get next(): number {
    return this.#heap.length > 0 ? this.#heap[0]!.at : Infinity;
  }

  /** Puts one in that is in no queue. One at `Infinity` is never due, and stays out. */
  add(deadline: Deadline, at: number): void {
    deadline.at = at;
    if (at === Infinity) return;
    deadline.order = this.#added++;
    this.#rise(deadline, this.#heap.length);
    if (deadline.place === 0) this.#onChange();
  }

  /** Takes one back; one that is in no queue is fine. */
  remove(deadline: Deadline): void {
    if (deadline.place < 0) return;
    this.#take(deadline);
    if (this.#heap.length === 0) this.#onChange();
  }

  /** Takes the soonest one out if it is due by now. */
  take(now: number): Deadline | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.at > now) return undefined;
    this.#take(first);
    return first;
  }

  #take(deadline: Deadline): void {
    const { place } = deadline;
    const last = this.#heap.pop()!;
    deadline.place = -1;
    if (last === deadline) return;
    if (place > 0 && precedes(last, this.#heap[(place - 1) >> 1]!)) this.#rise(last, place);
    else this.#sink(last, place);
  }

  /** Puts one at a place, or nearer to the front where it belongs. */
  #rise(deadline: Deadline, place: number): void {
    const heap = this.#heap;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = heap[above]!;
      if (precedes(parent, deadline)) break;
      heap[place] = parent;
      parent.place = place;
      place = above;
    }
    heap[place] = deadline;
    deadline.place = place;
  }

  /** Puts one at a place, or further back where it belongs. */
  #sink(deadline: Deadline, place: number): void {
    const heap = this.#heap;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && precedes(heap[child + 1]!, heap[child]!)) child++;
      const soonest = heap[child]!;
      if (precedes(deadline, soonest)) break;
      heap[place] = soonest;
      soonest.place = place;
      place = child;
    }
    heap[place] = deadline;
    deadline.place = place;
  }
}

function precedes(a: Deadline, b: Deadline): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
