/**
 * Looking for routes: a destination whose offers are all too old to be trusted is *starved*. Then we
 * ask, along those offers, for a fresher word of the origin. The same for a better way that cannot
 * be trusted yet, and for neighbours that ask through us.
 *
 * @module
 */

import type { Announcer } from "./announcer.ts";
import type { Core } from "./core.ts";
import { PROXIED_PENALTY } from "./route_table.ts";
import { isNewer, isProxied, nextSequence } from "./sequence.ts";
import type { Destination, Neighbour, Search, SequenceRequest } from "./state.ts";

/** From starving until we ask, in ms: bad news may be on its way that makes asking vain. */
const SETTLE = 20;
const MAX_SETTLE = 200;

/** From asking until we ask again, in ms; twice as long each time. */
const RETRY = 250;

/** How often we ask before there is no hope; from then on, rarely, up to so long apart, in ms. */
const TRIES = 4;
const MAX_RETRY = 60_000;

/** From seeing a better way that cannot be trusted until we ask for it, in ms. */
const BETTER_DELAY = 300;

/** Between two such requests for one destination, in ms. */
const BETTER_INTERVAL = 5_000;

/** How long there is hope though nobody offers a way any more, in ms. */
const LINGER = 500;

/** How far a request may go. */
const MAX_HOPS = 255;

/** Searches that may be under way for others at once. */
const MAX_SEARCHES = 1_000;

/** How long a neighbour that has asked us is remembered, in ms. */
const REQUEST_LIFETIME = 5_000;

/** Looks for routes. */
export class Searches {
  readonly #core: Core;
  readonly #announcer: Announcer;
  readonly #giveUp: (destination: Destination, now: number) => void;
  /** Destinations that are looked for, or were lately. */
  readonly #open: Set<Destination> = new Set();
  /** How many searches are under way for others. */
  #carried: number = 0;
  /** How long to wait before asking, in ms, and when that was found out. */
  #settle: number = SETTLE;
  #settledAt: number = -Infinity;

  /**
   * Constructs a new instance.
   *
   * @param giveUp Told when there is no use in looking any longer.
   */
  constructor(
    core: Core,
    announcer: Announcer,
    giveUp: (destination: Destination, now: number) => void,
  ) {
    this.#core = core;
    this.#announcer = announcer;
    this.#giveUp = giveUp;
  }

  /**
   * No offer is usable: begins to look for a way, if anybody of our kind has an offer at all. If
   * nobody has, but there was a way until now, waits a moment: neighbours may be looking for one.
   *
   * @param had Whether there was a way until now.
   * @returns Whether there is hope.
   */
  starve(destination: Destination, had: boolean, now: number): boolean {
    const isOffered = this.#best(destination, null) !== null;
    if (!isOffered && !(this.isStarving(destination) || (had && this.#hasOurKind()))) return false;
    const search = this.#searchOf(destination);
    if (search.starving && search.lingering === !isOffered) return true;
    search.starving = true;
    search.lingering = !isOffered;
    search.tries = 0;
    this.#askAt(destination, search, now + (isOffered ? this.#settleTime(now) : LINGER));
    return true;
  }

  #hasOurKind(): boolean {
    for (const { kind } of this.#core.neighbours.values()) if (kind === "modern") return true;
    return false;
  }

  /** Whether packets for a destination that has no way had better wait. */
  isStarving(destination: Destination): boolean {
    return destination.search?.starving ?? false;
  }

  /** There is a way: whoever asked is told, if it is as fresh as they asked. */
  found(destination: Destination, now: number): void {
    const { search } = destination;
    if (search === null) return;
    search.starving = false;
    search.askAt = Infinity;
    if (search.requesters.size === 0) return;
    if (destination.origin === search.origin && isNewer(search.seq, destination.seq)) return;
    for (const neighbour of search.requesters) {
      if (neighbour.kind === "modern") this.#announcer.tell(neighbour, destination, now, "answer");
    }
    this.#forgetRequesters(search);
  }

  /** Sees whether somebody offers a better way that cannot be trusted yet; asks in a moment. */
  considerBetter(destination: Destination, now: number): void {
    if (destination.search?.betterDue || this.#better(destination) === null) return;
    const search = this.#searchOf(destination);
    search.betterDue = true;
    const at = Math.max(now + BETTER_DELAY, search.betterAt);
    this.#core.agenda.add(at, (later) => this.#askBetter(destination, search, later));
  }

  /** Has the origin behind a neighbour asked for a word that it may not have given. */
  contradict(
    destination: Destination,
    behind: Neighbour,
    origin: number,
    seq: number,
    now: number,
  ): void {
    const search = this.#searchOf(destination);
    if (now < search.contradictedAt + BETTER_INTERVAL) return;
    search.contradictedAt = now;
    const { address } = destination;
    this.#announcer.request(behind, { address, origin, seq, hops: MAX_HOPS }, now);
  }

  /** A neighbour asks for a fresher route to somebody else. */
  requested(from: Neighbour, request: SequenceRequest, now: number): void {
    const destination = this.#core.routes.get(request.address);
    if (destination === undefined) return;
    const { origin, seq, hops } = request;
    const { selected } = destination;
    if (origin === this.#core.identity.proxyOrigin && selected?.kind === "legacy") {
      return this.#refreshProxied(from, destination, seq, now);
    }
    const different = destination.origin !== origin;
    const superseded = !isProxied(origin) && !isProxied(destination.origin) &&
      destination.origin < origin;
    const fresh = different ? !superseded : seq === 0 || !isNewer(seq, destination.seq);
    if (selected !== null && selected !== from && fresh) {
      return this.#announcer.tell(from, destination, now, "answer");
    }
    const search = this.#searchOf(destination);
    const asked = search.origin === origin && !isNewer(seq, search.seq) &&
      now - search.askedAt < RETRY;
    if (!asked) {
      if (hops <= 1 || !from.requestBudget.spend(now)) return;
      const to = selected !== null && selected !== from ? selected : this.#best(destination, from);
      if (to === null || to.kind !== "modern") return;
      search.origin = origin;
      search.seq = seq;
      search.askedAt = now;
      this.#announcer.request(to, { ...request, hops: hops - 1 }, now);
    }
    this.#remember(search, from, now);
  }

  /** Forgets a neighbour that is gone, and with the last one of our kind all hope. */
  forget(neighbour: Neighbour, now: number): void {
    const hope = this.#hasOurKind();
    if (hope && this.#carried === 0) return; // Nobody has asked us.
    for (const destination of [...this.#open]) {
      const search = destination.search!;
      if (search.requesters.delete(neighbour) && search.requesters.size === 0) this.#carried--;
      if (search.starving && !hope) this.#stop(destination, search, now);
    }
  }

  /** Forgets searches that are over. */
  sweep(): void {
    for (const destination of [...this.#open]) {
      const { askAt, betterDue, requesters } = destination.search!;
      if (askAt !== Infinity || betterDue || requesters.size > 0) continue;
      destination.search = null;
      this.#open.delete(destination);
    }
  }

  /** There is no hope: the application is told. */
  #stop(destination: Destination, search: Search, now: number): void {
    search.askAt = Infinity;
    if (!search.starving) return;
    search.starving = false;
    this.#giveUp(destination, now);
  }

  // ── asking ────────────────────────────────────────────────────────────────

  /** How long to wait before asking. All that starve at the same moment wait equally long. */
  #settleTime(now: number): number {
    if (now === this.#settledAt) return this.#settle;
    let roundTrip = 0;
    for (const neighbour of this.#core.neighbours.values()) {
      roundTrip = Math.max(roundTrip, neighbour.roundTrip);
    }
    this.#settledAt = now;
    return this.#settle = Math.min(MAX_SETTLE, Math.max(SETTLE, 2 * roundTrip));
  }

  #searchOf(destination: Destination): Search {
    if (destination.search !== null) return destination.search;
    this.#open.add(destination);
    return destination.search = {
      starving: false,
      lingering: false,
      tries: 0,
      askAt: Infinity,
      origin: 0,
      seq: 0,
      askedAt: -Infinity,
      requesters: new Set(),
      betterAt: -Infinity,
      contradictedAt: -Infinity,
      betterDue: false,
    };
  }

  #askAt(destination: Destination, search: Search, at: number): void {
    search.askAt = at;
    this.#core.agenda.add(at, (now) => {
      const isDue = search.askAt === at && this.#core.routes.holds(destination);
      if (isDue) this.#ask(destination, search, now);
    });
  }

  /** Asks the most promising neighbour first, and then all of them. */
  #ask(destination: Destination, search: Search, now: number): void {
    const best = this.#best(destination, null);
    if (best === null || (search.starving && search.tries >= TRIES)) {
      this.#stop(destination, search, now);
      if (best === null) return; // Any new offer begins a new search.
    }
    const everybody = destination.offers.filter((neighbour) =>
      this.#offers(destination, neighbour)
    );
    for (const neighbour of search.tries === 0 ? [best] : everybody) {
      this.#requestFrom(destination, search, neighbour, now);
    }
    this.#askAt(destination, search, now + Math.min(MAX_RETRY, RETRY * 2 ** search.tries++));
  }

  #requestFrom(
    destination: Destination,
    search: Search,
    neighbour: Neighbour,
    now: number,
  ): void {
    const { address, id, newest } = destination;
    let origin = neighbour.offers.origin(id);
    let seq = 0;
    if (!isProxied(origin) && origin < newest) origin = newest; // It must begin a later life.
    else seq = nextSequence(this.#core.routes.source(destination, origin)?.seq ?? 0);
    search.origin = origin;
    search.seq = seq;
    search.askedAt = now;
    this.#announcer.request(neighbour, { address, origin, seq, hops: MAX_HOPS }, now);
  }

  #askBetter(destination: Destination, search: Search, now: number): void {
    search.betterDue = false;
    if (!this.#core.routes.holds(destination)) return;
    const better = this.#better(destination);
    if (better === null) return;
    search.betterAt = now + BETTER_INTERVAL;
    this.#requestFrom(destination, search, better, now);
    this.considerBetter(destination, now); // Once more, should this come to nothing.
  }

  // ── whom to ask ───────────────────────────────────────────────────────────

  #offers(destination: Destination, neighbour: Neighbour): boolean {
    const { identity, routes } = this.#core;
    return neighbour.kind === "modern" &&
      neighbour.offers.origin(destination.id) !== identity.proxyOrigin &&
      !routes.isBarred(destination, neighbour);
  }

  /** Whoever says that it is nearest, whether or not that can be trusted. */
  #best(destination: Destination, not: Neighbour | null): Neighbour | null {
    let best: Neighbour | null = null;
    let bestCost = Infinity;
    for (const neighbour of destination.offers) {
      if (neighbour === not || !this.#offers(destination, neighbour)) continue;
      const cost = neighbour.offers.cost(destination.id) + neighbour.cost;
      if (cost >= bestCost) continue;
      best = neighbour;
      bestCost = cost;
    }
    return best;
  }

  /** Whoever offers a better way than the one in use, but one that cannot be trusted. */
  #better(destination: Destination): Neighbour | null {
    const { selected, id, origin, newest } = destination;
    if (selected === null || selected.kind !== "modern") return null;
    const { routes } = this.#core;
    const rank = (neighbour: Neighbour, cost: number, by: number) =>
      cost - 1 + neighbour.cost + (isProxied(by) ? PROXIED_PENALTY : 0);
    let best: Neighbour | null = null;
    let bestRank = rank(selected, selected.offers.cost(id), origin);
    for (const neighbour of destination.offers) {
      if (neighbour === selected || !this.#offers(destination, neighbour)) continue;
      const word = neighbour.offers.origin(id);
      if (!isProxied(word) && word < newest) continue; // Of an earlier life: it has been told so.
      const other = rank(neighbour, neighbour.offers.cost(id), word);
      if (other >= bestRank || routes.isFeasible(destination, neighbour)) continue;
      best = neighbour;
      bestRank = other;
    }
    return best;
  }

  // ── for others ────────────────────────────────────────────────────────────

  /** We speak for an old peer ourselves: our own word is fresh whenever we say so. */
  #refreshProxied(from: Neighbour, destination: Destination, seq: number, now: number): void {
    if (isNewer(seq, destination.proxySeq) && this.#core.identity.allowsRefresh(now)) {
      destination.proxySeq = nextSequence(destination.proxySeq);
      destination.seq = destination.proxySeq;
    }
    this.#announcer.tell(from, destination, now, "answer");
  }

  #remember(search: Search, from: Neighbour, now: number): void {
    if (search.requesters.size === 0) {
      if (this.#carried >= MAX_SEARCHES) return;
      this.#carried++;
      this.#core.agenda.add(now + REQUEST_LIFETIME, () => this.#forgetRequesters(search));
    }
    search.requesters.add(from);
  }

  #forgetRequesters(search: Search): void {
    if (search.requesters.size === 0) return;
    search.requesters.clear();
    this.#carried--;
  }
}
