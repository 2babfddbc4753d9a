/**
 * Choosing: which way leads to a destination, and everybody who has to know when that changes.
 *
 * Pure: what is told goes out through the announcer and the border.
 *
 * @module
 */

import type { Announcer } from "./announcer.ts";
import { type Core, routeInfo } from "./core.ts";
import type { LegacyBorder } from "./legacy_border.ts";
import type { Searches } from "./search.ts";
import { isNewer, isProxied, nextSequence, seconds } from "./sequence.ts";
import type { ServicePlane } from "./service_plane.ts";
import type { Destination, Neighbour } from "./state.ts";

/** A fresh word that nobody asked for is passed on if the last one is at least so old, in seconds. */
const REFRESH_AGE = 240;

/** Who is told of ways that come and go. */
export interface RouteWatcher {
  /** A way leads to the destination, or another than before. */
  found(destination: Destination, now: number): void;
  /** No way leads there, and none is being looked for. */
  lost(destination: Destination): void;
  /** A neighbour may be sent packets again. */
  resumed(neighbour: Neighbour, now: number): void;
}

/** Chooses ways. */
export class Choice {
  /** Told of ways that come and go. */
  watcher: RouteWatcher | null = null;
  readonly #core: Core;
  readonly #announcer: Announcer;
  readonly #border: LegacyBorder;
  readonly #searches: Searches;
  readonly #services: ServicePlane;

  /** Constructs a new instance. */
  constructor(
    core: Core,
    announcer: Announcer,
    border: LegacyBorder,
    searches: Searches,
    services: ServicePlane,
  ) {
    this.#core = core;
    this.#announcer = announcer;
    this.#border = border;
    this.#searches = searches;
    this.#services = services;
  }

  /** Chooses again for one destination, and tells whoever should know. */
  reselect(destination: Destination, now: number): void {
    const { routes } = this.#core;
    const { selected } = destination;
    if (selected !== null && routes.judge(destination, selected, now) === Infinity) {
      this.#border.loses(destination, now);
    }
    const best = routes.best(destination, now);
    if (best === null) this.#lose(destination, now);
    else this.#use(destination, best, now);
  }

  #use(destination: Destination, neighbour: Neighbour, now: number): void {
    const { identity, emit } = this.#core;
    const { offers, kind } = neighbour;
    const { id, address } = destination;
    const old = kind !== "modern";
    const direct = old && address === neighbour.address;
    const cost = direct ? neighbour.cost : offers.cost(id) - 1 + neighbour.cost;
    const origin = old ? identity.proxyOrigin : offers.origin(id);
    const seq = old ? this.#proxySeq(destination, cost) : offers.seq(id);
    if (!isProxied(origin) && origin > destination.newest) { // Whoever was in its way is gone.
      destination.newest = origin;
      this.#core.records.supersede(address, origin);
    }
    const moved = destination.selected !== neighbour || destination.origin !== origin;
    const changed = moved || destination.cost !== cost;
    const fresher = destination.seq !== seq;
    if (destination.selected === null) {
      this.#core.routes.reached++;
      this.#core.services.hold(address, false);
    }
    destination.selected = neighbour;
    destination.cost = cost;
    destination.origin = origin;
    destination.seq = seq;
    destination.hearsay = old && !direct;
    if (changed) {
      destination.refreshedAt = seconds(now);
      emit({ kind: "route", route: routeInfo(destination) });
      this.#announcer.changed(destination, now);
      this.#announcer.news(destination, now);
    } else if (fresher && seconds(now) - destination.refreshedAt >= REFRESH_AGE) {
      destination.refreshedAt = seconds(now);
      this.#announcer.news(destination, now, "refresh");
    }
    this.#searches.found(destination, now);
    if (!changed) return;
    if (moved) this.#services.refresh(destination, now);
    this.#border.changed(destination, now);
    this.watcher?.found(destination, now);
    this.#searches.considerBetter(destination, now);
  }

  /** Our own sequence number for an old peer: a longer way than we have told needs a newer word. */
  #proxySeq(destination: Destination, cost: number): number {
    const { routes, identity } = this.#core;
    const source = routes.source(destination, identity.proxyOrigin);
    let seq = destination.proxySeq || 1;
    if (source !== null && isNewer(source.seq, seq)) seq = source.seq;
    if (source !== null && source.seq === seq && cost + 1 > source.cost) seq = nextSequence(seq);
    return destination.proxySeq = seq;
  }

  /** No offer is usable: withdraws, and looks for one if there is hope. */
  #lose(destination: Destination, now: number): void {
    const had = destination.selected !== null;
    destination.selected = null;
    destination.cost = 0;
    const hope = this.#searches.starve(destination, had, now);
    if (!had) return;
    this.#core.routes.reached--;
    if (hope) this.#core.services.hold(destination.address, true);
    const route = routeInfo(destination);
    this.#core.emit(hope ? { kind: "route", route, held: true } : { kind: "route", route });
    this.#announcer.changed(destination, now);
    this.#announcer.news(destination, now);
    this.#border.lost(destination, now);
    if (!hope) this.#services.refresh(destination, now);
  }

  /** Nobody has answered. */
  lostForGood(destination: Destination, now: number): void {
    this.#core.emit({ kind: "route", route: routeInfo(destination) });
    this.#core.services.hold(destination.address, false);
    this.#services.refresh(destination, now);
    this.watcher?.lost(destination);
  }

  /** Chooses again after one neighbour's offer has come or changed, looking no further than needed. */
  consider(destination: Destination, neighbour: Neighbour, now: number): void {
    const { routes } = this.#core;
    const { selected } = destination;
    if (selected === null || selected === neighbour || selected.kind !== "modern") {
      return this.reselect(destination, now);
    }
    const rank = routes.judge(destination, neighbour, now);
    const current = routes.judge(destination, selected, now);
    if (current === Infinity) return this.reselect(destination, now); // Of an earlier life.
    if (rank < current) this.#use(destination, neighbour, now);
    else if (rank === Infinity) this.#searches.considerBetter(destination, now);
  }

  /** Lets go of all that a neighbour offers, and chooses again. */
  forgetOffers(neighbour: Neighbour, now: number): void {
    const { routes } = this.#core;
    const lost = routes.offeredBy(neighbour);
    const itself = lost.find(({ holder }) => holder === neighbour);
    for (const destination of lost) routes.offer(destination, neighbour, 0, 0, 0);
    if (neighbour.offers.cost(routes.self.id) > 0) routes.offer(routes.self, neighbour, 0, 0, 0);
    for (const destination of lost) {
      const { selected } = destination;
      // Whoever held its name kept others of that name from being used.
      if (selected === neighbour || selected === null || destination === itself) {
        this.reselect(destination, now);
      }
    }
  }

  /** Chooses again for all that a neighbour offers, and tells what may now be told. */
  reconsider(neighbour: Neighbour, now: number): void {
    for (const destination of this.#core.routes.offeredBy(neighbour)) {
      if (neighbour.offers.cost(destination.id) === 0) continue;
      this.reselect(destination, now);
      if (destination.selected !== neighbour) {
        this.#searches.considerBetter(destination, now); // Its word may have become too old.
        continue;
      }
      this.#announcer.news(destination, now);
      this.#border.changed(destination, now);
    }
    this.watcher?.resumed(neighbour, now);
  }
}
