/**
 * Per destination: every neighbour's offer, the one in use, and which others may be used.
 *
 * The rule that keeps loops out: an offer is *feasible* only if its cost is below the lowest that
 * we have advertised for the destination since we last withdrew it. Whoever routes through us
 * heard at least that cost from us, so it offers more, and is never chosen.
 *
 * Pure state: nothing here sends.
 *
 * @module
 */

import type { LinkId } from "./effects.ts";

/** Largest cost that is a route at all, in hops; what counts up for ever ends here. */
export const MAX_COST = 64;

/** What one neighbour offers for one destination. */
interface Offer {
  /** As the neighbour advertised it: 1 for itself. */
  cost: number;
  /** Heard before we withdrew the destination: gone when `lostUntil` has passed. */
  stale: boolean;
}

/** One destination. */
export interface Destination {
  /** Its address. */
  readonly address: string;
  /** Every neighbour's offer. */
  readonly offers: Map<LinkId, Offer>;
  /** The link in use; `null` if no offer is feasible. */
  selected: LinkId | null;
  /** Cost by that link, in hops. */
  cost: number;
  /** The lowest cost that we have advertised since we last withdrew it. */
  lowestTold: number;
  /**
   * Lost: until then, in ms, only the destination itself is believed, so that the bad news is
   * everywhere before good news that rests on old news comes round. `Infinity` if it is not lost.
   */
  lostUntil: number;
}

/** What {@linkcode RouteTable.select} found. */
export type Selection = "same" | "changed" | "lost";

/** All destinations, own address excluded. */
export class RouteTable {
  readonly #destinations: Map<string, Destination> = new Map();
  readonly #limit: number;

  /**
   * Constructs a new instance.
   *
   * @param limit Destinations held at once.
   */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The destination, if anybody offers it. */
  get(address: string): Destination | undefined {
    return this.#destinations.get(address);
  }

  /** Every destination that anybody offers, routed or not. */
  values(): Iterable<Destination> {
    return this.#destinations.values();
  }

  /**
   * Notes an offer. Follow it with {@linkcode select}.
   *
   * @returns The destination; `null` if it is a new one and the table is full.
   */
  offer(address: string, link: LinkId, cost: number): Destination | null {
    let destination = this.#destinations.get(address);
    if (destination === undefined) {
      if (this.#destinations.size >= this.#limit) return null;
      destination = {
        address,
        offers: new Map(),
        selected: null,
        cost: 0,
        lowestTold: Infinity,
        lostUntil: Infinity,
      };
      this.#destinations.set(address, destination);
    }
    destination.offers.set(link, { cost, stale: false });
    return destination;
  }

  /** Takes an offer back. Follow it with {@linkcode select}. */
  retract(destination: Destination, link: LinkId): void {
    destination.offers.delete(link);
  }

  /** Selects the best feasible offer: lowest cost, then the one in use, then the oldest link. */
  select(destination: Destination): Selection {
    const { offers, selected, cost, lowestTold } = destination;
    const maxCost = destination.lostUntil === Infinity ? MAX_COST : 1;
    let best: LinkId | null = null;
    let bestCost = Infinity;
    for (const [link, offer] of offers) {
      if (offer.cost > maxCost || offer.cost >= lowestTold) continue;
      if (offer.cost < bestCost || (offer.cost === bestCost && link === selected)) {
        best = link;
        bestCost = offer.cost;
      }
    }
    destination.selected = best;
    destination.cost = best === null ? 0 : bestCost;
    if (best === null) return selected === null ? "same" : "lost";
    return best === selected && bestCost === cost ? "same" : "changed";
  }

  /**
   * Notes that we have withdrawn the destination everywhere: any offer that is heard afresh is
   * feasible, once `lostUntil` has passed.
   */
  withdrawn(destination: Destination, lostUntil: number): void {
    destination.lowestTold = Infinity;
    destination.lostUntil = lostUntil;
    for (const offer of destination.offers.values()) offer.stale = true;
  }

  /** Drops stale offers; says whose they were. */
  sweep(destination: Destination): LinkId[] {
    const dropped: LinkId[] = [];
    for (const [link, offer] of destination.offers) {
      if (!offer.stale) continue;
      destination.offers.delete(link);
      dropped.push(link);
    }
    return dropped;
  }

  /** Forgets the destination if nobody offers it, and nobody has to wait until it may be again. */
  prune(destination: Destination): void {
    const { address, offers, lostUntil } = destination;
    // It may have been forgotten already, and offered anew since.
    if (
      offers.size === 0 && lostUntil === Infinity && this.#destinations.get(address) === destination
    ) {
      this.#destinations.delete(address);
    }
  }
}
