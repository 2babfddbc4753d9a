/**
 * Upkeep: what has to be said now and then though nothing happens, and what has become too old.
 *
 * Pure: what is told goes out through the announcer.
 *
 * @module
 */

import type { Announcer } from "./announcer.ts";
import type { Choice } from "./choice.ts";
import type { Core } from "./core.ts";
import type { Lives } from "./lives.ts";
import type { Searches } from "./search.ts";
import { nextSequence, seconds } from "./sequence.ts";

/** Between fresh words about ourselves that nobody has asked for, in ms, a fifth more or less. */
const REFRESH_INTERVAL = 600_000;

/** An offer that is not confirmed for so long is forgotten, in seconds. */
const OFFER_LIFETIME = 2_100;

/** Between looks at what has become too old, in ms. */
const SWEEP_INTERVAL = 60_000;

/** Does it. */
export class Upkeep {
  readonly #core: Core;
  readonly #announcer: Announcer;
  readonly #choice: Choice;
  readonly #lives: Lives;
  readonly #searches: Searches;
  #sweeping: boolean = false;
  #refreshing: boolean = false;

  /** Constructs a new instance. */
  constructor(core: Core, announcer: Announcer, choice: Choice, lives: Lives, searches: Searches) {
    this.#core = core;
    this.#announcer = announcer;
    this.#choice = choice;
    this.#lives = lives;
    this.#searches = searches;
  }

  /** There is a link: begins, unless it has. */
  start(now: number): void {
    this.#refreshLater(now);
    this.#sweepLater(now);
  }

  /** Gives a fresh word about ourselves now and then, so that others know that we are still there. */
  #refreshLater(now: number): void {
    if (this.#refreshing) return;
    this.#refreshing = true;
    const at = now + REFRESH_INTERVAL * (0.8 + 0.4 * this.#core.random());
    this.#core.agenda.add(at, (later) => {
      this.#refreshing = false;
      const { identity, neighbours, routes } = this.#core;
      if (neighbours.size === 0) return;
      identity.refresh();
      this.#lives.updateSelf();
      this.#announcer.news(routes.self, later, "refresh");
      for (const destination of routes.values()) {
        if (destination.selected?.kind !== "legacy") continue;
        destination.seq = destination.proxySeq = nextSequence(destination.proxySeq);
        this.#announcer.news(destination, later, "refresh");
      }
      this.#refreshLater(later);
    });
  }

  #sweepLater(now: number): void {
    if (this.#sweeping) return;
    this.#sweeping = true;
    this.#core.agenda.add(now + SWEEP_INTERVAL, (later) => {
      this.#sweeping = false;
      this.#sweep(later);
      const { neighbours, routes } = this.#core;
      if (neighbours.size > 0 || routes.size > 0) this.#sweepLater(later);
    });
  }

  /** Forgets what is too old. */
  #sweep(now: number): void {
    const { routes, records } = this.#core;
    const at = seconds(now);
    for (const destination of [...routes.values()]) {
      for (const neighbour of [...destination.offers]) {
        const { offers, kind } = neighbour;
        if (kind !== "modern") continue;
        if (at - offers.note(destination.id) < OFFER_LIFETIME) continue;
        routes.offer(destination, neighbour, 0, 0, 0);
        this.#choice.reselect(destination, now);
      }
    }
    this.#searches.sweep();
    routes.sweep(now);
    records.sweep(now);
    this.#lives.sweep(now);
  }
}
