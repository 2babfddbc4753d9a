/**
 * Areas for tests: meshes in memory that have nothing in common but a clock, and borders that join
 * them.
 *
 * @module
 */

import { Router, type RouterOptions } from "../../mod.ts";
import {
  type AreaOptions,
  type Border,
  type BorderOptions,
  joinAreas,
} from "../../src/border/mod.ts";
import { seededRandom } from "../../src/testing/mod.ts";
import { join, type Link, SteppingClock } from "./routers.ts";

/** How a border stands in one area. */
export type Side = Omit<AreaOptions, "router">;

/** A border, and its routers by area. */
export interface Joined {
  border: Border;
  at: Record<string, Router>;
}

/** Areas, in each of which all routers are linked to one in the middle, whose name is the area's. */
export class Areas {
  readonly clock: SteppingClock = new SteppingClock();
  readonly #random: () => number = seededRandom(1);
  readonly #hubs: Map<string, Router> = new Map();
  readonly #all: Router[] = [];
  readonly #links: Map<Router, Link> = new Map();

  /** A router in an area, which begins with its first one. */
  router(area: string, address: string, options: RouterOptions = {}): Router {
    let hub = this.#hubs.get(area);
    if (hub === undefined) {
      hub = this.#make(area, {});
      this.#hubs.set(area, hub);
    }
    const router = this.#make(address, options);
    this.#links.set(router, join(hub, router));
    return router;
  }

  /** The router in the middle of an area. */
  hub(area: string): Router {
    return this.#hubs.get(area)!;
  }

  /** The link of a router to the middle of its area. */
  link(router: Router): Link {
    return this.#links.get(router)!;
  }

  /** A router has another link to the middle of its area. */
  relink(router: Router, link: Link): void {
    this.#links.set(router, link);
  }

  /** A border whose routers are all called `address`. */
  border(address: string, sides: Side[], options: BorderOptions = {}): Joined {
    const at: Record<string, Router> = {};
    const areas = sides.map((side) => {
      const router = at[side.area] = this.router(side.area, address);
      return { ...side, router };
    });
    const { clock } = this;
    return { border: joinAreas(areas, { clock, random: this.#random, ...options }), at };
  }

  /** Lets time pass until all that is told has been told: paces of a second, too. */
  async settle(): Promise<void> {
    await this.clock.pass(5_000);
  }

  /** Who offers a service in an area. */
  offers(area: string, service: string): string[] {
    return this.hub(area).serviceAddresses(service).toSorted();
  }

  /** Closes all routers. */
  async close(): Promise<void> {
    await this.clock.until(Promise.all(this.#all.map((router) => router.close())));
  }

  #make(address: string, options: RouterOptions): Router {
    const router = new Router(address, { clock: this.clock, random: this.#random, ...options });
    this.#all.push(router);
    return router;
  }
}
