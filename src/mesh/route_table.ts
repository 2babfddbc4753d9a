/**
 * Which offers may be used, and which one is.
 *
 * The rule that keeps loops out: an offer is *feasible* only if it is nearer to its origin than we
 * have ever said that we are, or rests on a newer word of the origin. Whoever routes through us
 * heard at least that from us, so its own offers are never nearer, and never chosen.
 *
 * Pure state: nothing here sends.
 *
 * @module
 */

import type { Ledger } from "./ledger.ts";
import { isNewer, isProxied, seconds } from "./sequence.ts";
import { Destination, type Neighbour, type Source } from "./state.ts";

/** What an offer is that must not be used. */
export const UNUSABLE = Infinity;

/** Added to the cost for what is worse than any distance: a proxy's word, hearsay, a bad link. */
export const PROXIED_PENALTY = 1 << 17;
export const HEARSAY_PENALTY = 2 << 17;
const DEMOTED_PENALTY = 1 << 20;

/** Origins of one destination that are remembered. */
const MAX_SOURCES = 4;

/** Lists of so many neighbours are made anew, to measure: most destinations have few. */
const FEW = 8;

/** How long a source is remembered after its last use, in seconds. */
const SOURCE_LIFETIME = 200;

/** How an old peer's offer is judged: a cost with penalties, or {@linkcode UNUSABLE}. */
export type Judge = (destination: Destination, neighbour: Neighbour, now: number) => number;

/** All destinations; number 0 is ourselves. */
export class RouteTable {
  /** Ourselves: the destination that every neighbour is told of first. */
  readonly self: Destination;
  readonly #byAddress: Map<string, Destination> = new Map();
  readonly #byId: (Destination | undefined)[] = [];
  readonly #freeIds: number[] = [];
  readonly #neighbours: ReadonlyMap<unknown, Neighbour>;
  readonly #judgeOld: Judge;
  readonly #proxyOrigin: number;
  readonly #limit: number;
  /** To how many of them a way leads. Kept by whoever chooses. */
  reached: number = 0;
  #offered: number = 0;

  /**
   * Constructs a new instance.
   *
   * @param limit Destinations that may be offered at once.
   */
  constructor(
    address: string,
    neighbours: ReadonlyMap<unknown, Neighbour>,
    proxyOrigin: number,
    judgeOld: Judge,
    limit: number,
  ) {
    this.self = new Destination(address, 0);
    this.#byId.push(this.self);
    this.#neighbours = neighbours;
    this.#proxyOrigin = proxyOrigin;
    this.#judgeOld = judgeOld;
    this.#limit = limit;
  }

  /** How many destinations are remembered, ourselves left out. */
  get size(): number {
    return this.#byAddress.size;
  }

  /** Whether more destinations can be kept. */
  get hasRoom(): boolean {
    return this.#offered < this.#limit;
  }

  /** The destination, if it is remembered. Not ourselves. */
  get(address: string): Destination | undefined {
    return this.#byAddress.get(address);
  }

  /** The destinations in a neighbour's ledger, in the order of their numbers: ourselves first. */
  in(ledger: Ledger): Destination[] {
    return ledger.ids().map((id) => this.#byId[id]!);
  }

  /** The destinations that a neighbour offers, ourselves left out. */
  offeredBy({ offers }: Neighbour): Destination[] {
    return this.in(offers).filter((destination) => destination !== this.self);
  }

  /** Whether this is still the destination of its number. */
  holds(destination: Destination): boolean {
    return this.#byId[destination.id] === destination;
  }

  /** Every destination that is remembered, routed or not. Not ourselves. */
  values(): Iterable<Destination> {
    return this.#byAddress.values();
  }

  /** The destination, made if there is room; `null` if not. Follow it with {@linkcode offer}. */
  find(address: string): Destination | null {
    const known = this.#byAddress.get(address);
    if (known !== undefined && known.offers.length > 0) return known;
    if (this.#offered >= this.#limit) return null;
    if (known !== undefined) return known;
    if (this.#byAddress.size >= 2 * this.#limit) this.#dropForgotten();
    const id = this.#freeIds.pop() ?? this.#byId.length;
    const destination = new Destination(address, id);
    this.#byId[id] = destination;
    this.#byAddress.set(address, destination);
    return destination;
  }

  /** Notes what a neighbour offers; a cost of 0 takes it back. Follow it with a selection. */
  offer(
    destination: Destination,
    neighbour: Neighbour,
    cost: number,
    seq: number,
    origin: number,
  ): void {
    const { offers } = neighbour;
    const before = offers.cost(destination.id);
    offers.set(destination.id, cost, seq, origin);
    if ((before === 0) !== (cost === 0)) this.#list(destination, neighbour, cost > 0);
    if (neighbour.address === destination.address) this.elect(destination);
  }

  /** Notes who offers a destination, in the order in which they came. */
  #list(destination: Destination, neighbour: Neighbour, offers: boolean): void {
    const list = destination.offers;
    let at = 0;
    for (let end = list.length; at < end;) {
      const middle = (at + end) >> 1;
      if (list[middle]!.order < neighbour.order) at = middle + 1;
      else end = middle;
    }
    const isFirst = offers && list.length === 0;
    if (offers && list.length < FEW) { // A list that grows makes room for many.
      destination.offers = list.slice(0, at).concat(neighbour, list.slice(at));
    } else if (offers) list.splice(at, 0, neighbour);
    else list.splice(at, 1);
    if (destination === this.self) return;
    if (isFirst) this.#offered++;
    else if (!offers && list.length === 0) this.#offered--;
  }

  /** Whether an offer of our own kind cannot lead back to us. */
  isFeasible(destination: Destination, neighbour: Neighbour): boolean {
    const { offers } = neighbour;
    const { id, newest } = destination;
    const origin = offers.origin(id);
    if (origin === this.#proxyOrigin) return false;
    if (!isProxied(origin) && origin < newest) return false; // Of an earlier life.
    const source = this.source(destination, origin);
    if (source === null) return true;
    const seq = offers.seq(id);
    if (seq !== source.seq) return isNewer(seq, source.seq);
    const cost = offers.cost(id);
    return cost < source.cost || (cost === source.cost && neighbour.precedesUs);
  }

  /** An offer's cost with penalties for its kind; {@linkcode UNUSABLE} if it must not be used. */
  judge(destination: Destination, neighbour: Neighbour, now: number): number {
    const cost = neighbour.offers.cost(destination.id);
    if (cost === 0 || this.isBarred(destination, neighbour)) return UNUSABLE;
    let rank: number;
    if (neighbour.kind === "modern") {
      if (!this.isFeasible(destination, neighbour)) return UNUSABLE;
      rank = cost - 1 + neighbour.cost;
      if (isProxied(neighbour.offers.origin(destination.id))) rank += PROXIED_PENALTY;
    } else {
      rank = this.#judgeOld(destination, neighbour, now);
    }
    return neighbour.isDemoted(now) ? rank + DEMOTED_PENALTY : rank;
  }

  /** The neighbour to use: the best rank, then the one in use, then the lowest hash. */
  best(destination: Destination, now: number): Neighbour | null {
    const { selected } = destination;
    let best: Neighbour | null = null;
    let bestRank = UNUSABLE;
    for (const neighbour of destination.offers) {
      const rank = this.judge(destination, neighbour, now);
      if (rank > bestRank || rank === UNUSABLE) continue;
      if (rank < bestRank || neighbour === selected) {
        best = neighbour;
        bestRank = rank;
      } else if (best !== selected && neighbour.hash >>> 0 < best!.hash >>> 0) {
        best = neighbour;
      }
    }
    return best;
  }

  /** Another neighbour that leads there without a loop; `null` if there is none. */
  alternative(destination: Destination, not: Neighbour, now: number): Neighbour | null {
    let best: Neighbour | null = null;
    let bestRank = UNUSABLE;
    for (const neighbour of destination.offers) {
      if (neighbour === not) continue;
      const rank = this.judge(destination, neighbour, now);
      if (rank < bestRank) {
        best = neighbour;
        bestRank = rank;
      }
    }
    return best;
  }

  // ── whose address it is ───────────────────────────────────────────────────

  /** Sees which neighbour goes by an address: the one that did, else the first that does. */
  elect(destination: Destination): void {
    const { address, id, holder } = destination;
    const holds = (one: Neighbour): boolean => one.address === address && one.offers.cost(id) > 0;
    if (holder !== null && holds(holder)) return;
    destination.holder = null;
    for (const neighbour of destination.offers) {
      if (holds(neighbour)) return void (destination.holder = neighbour);
    }
  }

  /**
   * The neighbour whose own address this is, if nobody but itself and those who repeat its word can
   * be right: its link lives, and it is in its latest life; `null` if there is none.
   */
  keeper({ holder, id, newest }: Destination): Neighbour | null {
    if (holder === null || holder.overtaken) return null;
    return holder.kind === "legacy" || holder.offers.origin(id) >= newest ? holder : null;
  }

  /** Whether a neighbour's offer would take a destination away from whose address it is. */
  isBarred(destination: Destination, neighbour: Neighbour): boolean {
    if (destination.holder === null || destination.holder === neighbour) return false;
    const keeper = this.keeper(destination);
    if (keeper === null || keeper.router === neighbour.router) return false;
    if (neighbour.address === destination.address || keeper.kind !== neighbour.kind) return true;
    if (neighbour.kind !== "modern") return true;
    const { id } = destination;
    const { offers } = neighbour;
    return offers.cost(id) === 1 || offers.origin(id) !== keeper.offers.origin(id);
  }

  // ── how near we have said that we are ─────────────────────────────────────

  /** What we have passed on of an origin's word; `null` if nothing. */
  source(destination: Destination, origin: number): Source | null {
    const { source, moreSources } = destination;
    if (source === null || source.origin === origin) return source;
    return moreSources?.find((one) => one.origin === origin) ?? null;
  }

  /** Notes that we have told somebody a cost. */
  passedOn(destination: Destination, cost: number, now: number): void {
    const { origin, seq } = destination;
    const usedAt = seconds(now);
    const source = this.source(destination, origin);
    if (source === null) return this.#remember(destination, { origin, seq, cost, usedAt });
    source.usedAt = usedAt;
    if (isNewer(seq, source.seq)) {
      source.seq = seq;
      source.cost = cost;
    } else if (seq === source.seq && cost < source.cost) {
      source.cost = cost;
    }
  }

  #remember(destination: Destination, source: Source): void {
    if (destination.source === null) {
      destination.source = source;
      return;
    }
    const more = destination.moreSources ??= [];
    more.push(source);
    if (more.length < MAX_SOURCES) return;
    let oldest = 0;
    for (let i = 1; i < more.length; i++) if (more[i]!.usedAt < more[oldest]!.usedAt) oldest = i;
    more.splice(oldest, 1);
  }

  /** Forgets sources that have been of no use for long, and destinations that have none left. */
  sweep(now: number): void {
    const at = seconds(now);
    const isAlive = (source: Source): boolean => at - source.usedAt < SOURCE_LIFETIME;
    for (const destination of this.#byAddress.values()) {
      const { source, moreSources } = destination;
      if (source === null && moreSources === null && destination.offers.length > 0) continue;
      if (destination.selected !== null) {
        const used = this.source(destination, destination.origin);
        if (used !== null) used.usedAt = at;
      }
      const left = moreSources?.filter(isAlive) ?? [];
      if (source !== null && !isAlive(source)) destination.source = left.shift() ?? null;
      destination.moreSources = left.length > 0 ? left : null;
      if (destination.source === null && destination.offers.length === 0) this.#drop(destination);
    }
  }

  /** Makes room by forgetting early what nobody offers. */
  #dropForgotten(): void {
    for (const destination of this.#byAddress.values()) {
      if (destination.offers.length === 0) this.#drop(destination);
    }
  }

  #drop(destination: Destination): void {
    if (destination.selected !== null || destination.search?.starving) return;
    const { id, address } = destination;
    for (const { told } of this.#neighbours.values()) if (told.cost(id) > 0) return;
    for (const { offers, told } of this.#neighbours.values()) {
      offers.clear(id);
      told.clear(id);
    }
    this.#byAddress.delete(address);
    this.#byId[id] = undefined;
    this.#freeIds.push(id);
  }
}
