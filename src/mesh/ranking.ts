/**
 * The instances of one service, kept in the orders in which calls choose: a call looks at a few of
 * them, however many there are.
 *
 * Pure state; chance is injected.
 *
 * @module
 */

import { hashName, mix } from "./sequence.ts";

/** Advertised by who is full, or about to leave. */
const FULL = 65_535;

/** Draws until those that are not wanted are taken out instead. */
const MAX_DRAWS = 16;

/** Keys whose instances are remembered. */
const MAX_KEYS = 1_024;

/** One instance. */
interface Instance {
  readonly address: string;
  /** {@linkcode hashName} of the address. */
  readonly hash: number;
  /** What it counts for among those of its tier: its capacity, 0 if it is ours. */
  rank: number;
  tier: number;
  /** Where it is among all of its tier, among its equals, and in the heap. */
  place: number;
  spot: number;
  slot: number;
  /** The turn in which it was last taken, 0 if it has not been, and chance between equals. */
  taken: number;
  luck: number;
}

/** Instances of which those in one tier are only taken if there are none in the tiers before. */
class Tier {
  readonly all: Instance[] = [];
  /** Those of equal rank, by rank; and the ranks that there are, ascending. */
  readonly #equals: Map<number, Instance[]> = new Map();
  readonly #ranks: number[] = [];
  /** A binary heap, whoever was not taken for longest first. */
  readonly heap: Instance[] = [];

  add(one: Instance): void {
    one.place = this.all.push(one) - 1;
    let equals = this.#equals.get(one.rank);
    if (equals === undefined) {
      this.#equals.set(one.rank, equals = []);
      this.#ranks.splice(this.#find(one.rank), 0, one.rank);
    }
    one.spot = equals.push(one) - 1;
    this.heap.push(one);
    this.#rise(one, this.heap.length - 1);
  }

  remove(one: Instance): void {
    const last = this.all.pop()!;
    if (last !== one) this.all[last.place = one.place] = last;
    const equals = this.#equals.get(one.rank)!;
    const end = equals.pop()!;
    if (end !== one) equals[end.spot = one.spot] = end;
    if (equals.length === 0) {
      this.#equals.delete(one.rank);
      this.#ranks.splice(this.#find(one.rank), 1);
    }
    const leaf = this.heap.pop()!;
    if (leaf !== one) this.sift(leaf, one.slot);
  }

  /** Those of equal rank, the lowest first. */
  *equals(): Generator<Instance[]> {
    for (const rank of this.#ranks) yield this.#equals.get(rank)!;
  }

  /** Puts an instance where it belongs in the heap, from a place that is free. */
  sift(one: Instance, slot: number): void {
    const { heap } = this;
    for (;;) {
      let child = 2 * slot + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && comesFirst(heap[child + 1]!, heap[child]!)) child++;
      if (comesFirst(one, heap[child]!)) break;
      heap[slot] = heap[child]!;
      heap[slot]!.slot = slot;
      slot = child;
    }
    this.#rise(one, slot);
  }

  #rise(one: Instance, slot: number): void {
    const { heap } = this;
    while (slot > 0) {
      const parent = (slot - 1) >> 1;
      if (comesFirst(heap[parent]!, one)) break;
      heap[slot] = heap[parent]!;
      heap[slot]!.slot = slot;
      slot = parent;
    }
    heap[slot] = one;
    one.slot = slot;
  }

  /** Where a rank is, or belongs, among those there are. */
  #find(rank: number): number {
    let low = 0;
    for (let high = this.#ranks.length; low < high;) {
      const middle = (low + high) >> 1;
      if (this.#ranks[middle]! < rank) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Addresses that are not wanted. */
type Excluded = ReadonlySet<string>;

const NOBODY: Excluded = new Set();

/**
 * Instances of one service in order. Those that advertise 65535, and those whose route is being
 * looked for, come after all others, as policies have it.
 */
export class Ranking {
  readonly #random: () => number;
  readonly #byAddress: Map<string, Instance> = new Map();
  readonly #tiers: readonly Tier[] = [new Tier(), new Tier(), new Tier(), new Tier()];
  /** Which instance each key belongs to, of those last asked for. */
  readonly #owners: Map<string, string> = new Map();
  #turns: number = 0;

  /**
   * Constructs a new instance.
   *
   * @param random Uniform over [0, 1), such as `Math.random`.
   */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Notes an instance, or what has changed of it; capacity 0 removes it. */
  set(address: string, capacity: number, own: boolean, held: boolean): void {
    const rank = own ? 0 : capacity;
    const tier = (held ? 2 : 0) + (capacity >= FULL ? 1 : 0);
    let one = this.#byAddress.get(address);
    if (one !== undefined) {
      if (capacity !== 0 && one.rank === rank && one.tier === tier) return;
      this.#tiers[one.tier]!.remove(one);
      if (capacity === 0 || one.tier !== tier) this.#owners.clear();
      if (capacity === 0) return void this.#byAddress.delete(address);
      one.rank = rank;
      one.tier = tier;
    } else {
      if (capacity === 0) return;
      const places = { place: 0, spot: 0, slot: 0, taken: 0, luck: this.#random() };
      one = { address, hash: hashName(address), rank, tier, ...places };
      this.#byAddress.set(address, one);
      this.#owners.clear();
    }
    this.#tiers[tier]!.add(one);
  }

  /** One of the lowest capacity, ours before all; `null` if there is none. */
  lowest(exclude: Excluded = NOBODY): string | null {
    for (const tier of this.#tiers) {
      for (const equals of tier.equals()) {
        const one = this.#draw(equals, exclude);
        if (one !== null) return one.address;
      }
    }
    return null;
  }

  /** Two different ones by chance among the best there are, or as many as there are. */
  two(exclude: Excluded = NOBODY): string[] {
    for (const { all } of this.#tiers) {
      const one = this.#draw(all, exclude);
      if (one === null) continue;
      const other = this.#draw(all, new Set([...exclude, one.address]));
      return other === null ? [one.address] : [one.address, other.address];
    }
    return [];
  }

  /** The one that was not taken for longest; it has its turn now. */
  next(exclude: Excluded = NOBODY): string | null {
    for (const tier of this.#tiers) {
      const passed: Instance[] = [];
      while (tier.heap.length > 0 && exclude.has(tier.heap[0]!.address)) {
        const first = tier.heap[0]!;
        passed.push(first);
        const leaf = tier.heap.pop()!;
        if (leaf !== first) tier.sift(leaf, 0);
      }
      const one = tier.heap[0];
      if (one !== undefined) {
        one.taken = ++this.#turns;
        tier.sift(one, 0);
      }
      for (const other of passed) {
        tier.heap.push(other);
        tier.sift(other, tier.heap.length - 1);
      }
      if (one !== undefined) return one.address;
    }
    return null;
  }

  /** The one that a key belongs to. Whoever knows the same instances finds the same one. */
  owner(key: string, exclude: Excluded = NOBODY): string | null {
    const known = this.#owners.get(key);
    if (known !== undefined && !exclude.has(known)) return known;
    const hash = hashName(key);
    for (const { all } of this.#tiers) {
      let best: Instance | null = null;
      let lowest = Infinity;
      for (const one of all) {
        const score = mix(hash, one.hash);
        if (score > lowest || exclude.has(one.address)) continue;
        if (score === lowest && one.address > best!.address) continue;
        best = one;
        lowest = score;
      }
      if (best === null) continue;
      if (exclude.size === 0) {
        if (this.#owners.size >= MAX_KEYS) this.#owners.clear();
        this.#owners.set(key, best.address);
      }
      return best.address;
    }
    return null;
  }

  /** One of these by chance, but none that is excluded. */
  #draw(list: readonly Instance[], exclude: Excluded): Instance | null {
    const { length } = list;
    for (let i = 0; i < MAX_DRAWS && length > 2 * exclude.size; i++) {
      const one = list[Math.floor(this.#random() * length)]!;
      if (!exclude.has(one.address)) return one;
    }
    const left = list.filter(({ address }) => !exclude.has(address));
    return left[Math.floor(this.#random() * left.length)] ?? null;
  }
}

/** Whether an instance has its turn before another. */
function comesFirst(a: Instance, b: Instance): boolean {
  return a.taken < b.taken || (a.taken === b.taken && a.luck <= b.luck);
}
