/**
 * A column of the routing table: for one neighbour, what one side has told the other of each
 * destination. Twelve bytes a destination, in pages; a neighbour with hardly anything to say has a
 * short list instead.
 *
 * @module
 */

const PAGE_BITS = 7;
const PAGE_MASK = (1 << PAGE_BITS) - 1;

/** Numbers per entry: cost and sequence number, origin, note. */
const STRIDE = 3;

/** Entries that are kept in a list, which is searched, before there are pages; numbers of each. */
const FEW = 8;
const FEW_STRIDE = STRIDE + 1;

/** Places of the numbers in an entry. */
const COST_SEQ = 0;
const ORIGIN = 1;
const NOTE = 2;

const NONE: number[] = []; // Is not written to.

/** Entries by the number of their destination. A cost of 0 is no entry. Pure state. */
export class Ledger {
  /** The first few entries, each after its destination's number; then pages instead. */
  #few: number[] = NONE;
  #pages: (Int32Array | undefined)[] | null = null;

  /** Cost as told; 0 for no entry. */
  cost(id: number): number {
    return this.#read(id, COST_SEQ) >>> 16;
  }

  /** Sequence number as told. */
  seq(id: number): number {
    return this.#read(id, COST_SEQ) & 0xffff;
  }

  /** Origin as told, signed. Stays when the cost is set to 0. */
  origin(id: number): number {
    return this.#read(id, ORIGIN);
  }

  /** The owner's own number beside the entry, signed; 0 at first. */
  note(id: number): number {
    return this.#read(id, NOTE);
  }

  /** Sets an entry; its note stays. */
  set(id: number, cost: number, seq: number, origin: number): void {
    this.#write(id, COST_SEQ, cost << 16 | seq);
    this.#write(id, ORIGIN, origin);
  }

  /** Sets the note. */
  setNote(id: number, note: number): void {
    this.#write(id, NOTE, note);
  }

  /** Removes an entry with its origin and note. */
  clear(id: number): void {
    const page = this.#pages?.[id >> PAGE_BITS];
    if (page !== undefined) {
      const at = (id & PAGE_MASK) * STRIDE;
      page.fill(0, at, at + STRIDE);
      return;
    }
    const at = this.#find(id);
    if (at >= 0) this.#few = this.#few.filter((_, i) => i < at || i >= at + FEW_STRIDE);
  }

  /** Numbers of all entries, ascending. */
  ids(): number[] {
    const ids: number[] = [];
    if (this.#pages === null) {
      const few = this.#few;
      for (let at = 0; at < few.length; at += FEW_STRIDE) {
        if (few[at + 1 + COST_SEQ]! >>> 16 !== 0) ids.push(few[at]!);
      }
      return ids.sort((a, b) => a - b);
    }
    this.#pages.forEach((page, index) => {
      for (let at = 0; at <= PAGE_MASK; at++) {
        if (page![at * STRIDE + COST_SEQ]! >>> 16 !== 0) ids.push(index << PAGE_BITS | at);
      }
    });
    return ids;
  }

  /** Removes every entry. */
  clearAll(): void {
    this.#few = NONE;
    this.#pages = null;
  }

  #read(id: number, place: number): number {
    if (this.#pages !== null) {
      const page = this.#pages[id >> PAGE_BITS];
      return page === undefined ? 0 : page[(id & PAGE_MASK) * STRIDE + place]!;
    }
    const at = this.#find(id);
    return at < 0 ? 0 : this.#few[at + 1 + place]!;
  }

  #write(id: number, place: number, value: number): void {
    if (this.#pages === null) {
      let at = this.#find(id);
      if (at < 0 && value === 0) return;
      if (at < 0) at = this.#add(id);
      if (at >= 0) return void (this.#few[at + 1 + place] = value);
    }
    const page = this.#pages![id >> PAGE_BITS] ??= new Int32Array(STRIDE << PAGE_BITS);
    page[(id & PAGE_MASK) * STRIDE + place] = value;
  }

  /** Where an entry is among the few; -1 if it is not. */
  #find(id: number): number {
    const few = this.#few;
    for (let at = 0; at < few.length; at += FEW_STRIDE) if (few[at] === id) return at;
    return -1;
  }

  /** Adds an entry to the few; -1 if there are too many, and pages from now on. */
  #add(id: number): number {
    const few = this.#few;
    const at = few.length;
    if (at === FEW * FEW_STRIDE) {
      const pages: (Int32Array | undefined)[] = this.#pages = [];
      for (let from = 0; from < at; from += FEW_STRIDE) {
        const known = few[from]!;
        const page = pages[known >> PAGE_BITS] ??= new Int32Array(STRIDE << PAGE_BITS);
        page.set(few.slice(from + 1, from + FEW_STRIDE), (known & PAGE_MASK) * STRIDE);
      }
      this.#few = NONE;
      return -1;
    }
    this.#few = few.concat(id, 0, 0, 0); // Unlike push(), it makes no room for more.
    return at;
  }
}
