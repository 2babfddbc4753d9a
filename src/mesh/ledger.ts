/**
 * A column of the routing table: for one neighbour, what one side has told the other of each
 * destination. Twelve bytes a destination, in pages, so that a neighbour with little to say takes
 * little room.
 *
 * @module
 */

const PAGE_BITS = 7;
const PAGE_MASK = (1 << PAGE_BITS) - 1;

/** Numbers per entry: cost and sequence number, origin, note. */
const STRIDE = 3;

/** Entries by the number of their destination. A cost of 0 is no entry. Pure state. */
export class Ledger {
  readonly #pages: (Int32Array | undefined)[] = [];

  /** Cost as told; 0 for no entry. */
  cost(id: number): number {
    const page = this.#pages[id >> PAGE_BITS];
    return page === undefined ? 0 : page[(id & PAGE_MASK) * STRIDE]! >>> 16;
  }

  /** Sequence number as told. */
  seq(id: number): number {
    const page = this.#pages[id >> PAGE_BITS];
    return page === undefined ? 0 : page[(id & PAGE_MASK) * STRIDE]! & 0xffff;
  }

  /** Origin as told, signed. Stays when the cost is set to 0. */
  origin(id: number): number {
    const page = this.#pages[id >> PAGE_BITS];
    return page === undefined ? 0 : page[(id & PAGE_MASK) * STRIDE + 1]!;
  }

  /** The owner's own number beside the entry, signed; 0 at first. */
  note(id: number): number {
    const page = this.#pages[id >> PAGE_BITS];
    return page === undefined ? 0 : page[(id & PAGE_MASK) * STRIDE + 2]!;
  }

  /** Sets an entry; its note stays. */
  set(id: number, cost: number, seq: number, origin: number): void {
    const page = this.#page(id);
    const at = (id & PAGE_MASK) * STRIDE;
    page[at] = cost << 16 | seq;
    page[at + 1] = origin;
  }

  /** Sets the note. */
  setNote(id: number, note: number): void {
    this.#page(id)[(id & PAGE_MASK) * STRIDE + 2] = note;
  }

  /** Removes an entry with its origin and note. */
  clear(id: number): void {
    const page = this.#pages[id >> PAGE_BITS];
    if (page === undefined) return;
    const at = (id & PAGE_MASK) * STRIDE;
    page[at] = page[at + 1] = page[at + 2] = 0;
  }

  /** Numbers of all entries, ascending. */
  ids(): number[] {
    const ids: number[] = [];
    this.#pages.forEach((page, index) => {
      for (let at = 0; at <= PAGE_MASK; at++) {
        if (page![at * STRIDE]! >>> 16 !== 0) ids.push(index << PAGE_BITS | at);
      }
    });
    return ids;
  }

  /** Removes every entry. */
  clearAll(): void {
    this.#pages.length = 0;
  }

  #page(id: number): Int32Array {
    return this.#pages[id >> PAGE_BITS] ??= new Int32Array(STRIDE << PAGE_BITS);
  }
}
