/**
 * What the mesh has put off, soonest first: a binary heap. Entries are never taken back; whoever
 * added one checks, when it comes up, whether it still means anything.
 *
 * @module
 */

/** An entry; of those due at the same time, the one added first is the first. */
interface Entry<T> {
  at: number;
  order: number;
  item: T;
}

function precedes<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Things to do later. Pure state; times are whatever the caller's clock says. */
export class Agenda<T> {
  readonly #heap: Entry<T>[] = [];
  #added: number = 0;

  /** When the next entry is due, in ms; `Infinity` if there is none. */
  get next(): number {
    return this.#heap[0]?.at ?? Infinity;
  }

  /** Puts an entry in. */
  add(at: number, item: T): void {
    const heap = this.#heap;
    const entry = { at, order: this.#added++, item };
    let index = heap.length;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (precedes(heap[parent]!, entry)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = entry;
  }

  /** Takes the soonest entry out if it is due by now. */
  take(now: number): T | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.at > now) return undefined;
    const last = heap.pop()!;
    if (heap.length > 0) this.#sink(last);
    return first.item;
  }

  /** Puts an entry in place of the first, then where it belongs. */
  #sink(entry: Entry<T>): void {
    const heap = this.#heap;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && precedes(heap[child + 1]!, heap[child]!)) child++;
      if (precedes(entry, heap[child]!)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = entry;
  }
}
