/**
 * One neighbour: what it has told us, what we have told it, and what is due to it.
 *
 * Everything is kept by link. The address in a packet is a claim; the link that it came over is a
 * fact.
 *
 * @module
 */

import type { LinkId } from "./effects.ts";

/** Name of a service → its capacity. */
export type Capacities = Map<string, number>;

/** Changes that a neighbour may tell at once before it is held to {@linkcode BUDGET_RATE}. */
const BUDGET_BURST = 20_000;

/** Changes a second that a neighbour may tell for long. */
const BUDGET_RATE = 2_000;

/** In place of a value that we have told a neighbour: it may hold it, or have forgotten it. */
export const UNSURE = -1;

/** The state of one link. */
export class Neighbour {
  /** The link. */
  readonly link: LinkId;
  /** What it calls itself; `""` until it has advertised a route. */
  address: string = "";

  /** Destinations that it offers; their costs are in the route table. */
  readonly offers: Set<string> = new Set();
  /** What it says that each host offers, in no particular relation to routes. */
  readonly services: Map<string, Capacities> = new Map();
  /** How many services that is. */
  serviceCount: number = 0;

  /**
   * The cost that we last advertised to it for each destination, unless withdrawn since;
   * {@linkcode UNSURE} if it may have forgotten.
   */
  readonly toldRoutes: Map<string, number> = new Map();
  /** The same for each host's services, our own included. */
  readonly toldServices: Map<string, Capacities> = new Map();
  /** Destinations that it has lost and that we shall offer it again in a moment. */
  readonly offerBack: Set<string> = new Set();

  /** Whether it has withdrawn itself, and we have yet to ask what it means. */
  withdrewItself: boolean = false;
  /** Whether it has sent more than its budget, and we have yet to start over with it. */
  flooded: boolean = false;
  /** Queries sent since it last told us a route or a service. */
  unanswered: number = 0;
  /** When we shall query it, in ms; `Infinity` if there is no need. */
  queryAt: number = Infinity;
  /** When we shall query it again for want of an answer, in ms; `Infinity` if it has answered. */
  retryAt: number = Infinity;
  /** When we last answered its query with our tables, in ms. */
  answeredAt: number = -Infinity;
  /** When we shall answer its query, in ms; `Infinity` if it has not asked. */
  answerAt: number = Infinity;

  #budget: number = BUDGET_BURST;
  #budgetAt: number;

  /** Constructs a new instance. */
  constructor(link: LinkId, now: number) {
    this.link = link;
    this.#budgetAt = now;
  }

  /** Pays for one change. False if it tells more of them than anyone should for long. */
  spend(now: number): boolean {
    const earned = Math.max(0, now - this.#budgetAt) / 1_000 * BUDGET_RATE;
    this.#budget = Math.min(BUDGET_BURST, this.#budget + earned);
    this.#budgetAt = now;
    if (this.#budget < 1) return false;
    this.#budget--;
    return true;
  }

  /** Notes that it has answered, or at least talks. */
  heard(): void {
    this.unanswered = 0;
    this.retryAt = Infinity;
  }

  /** Whether it has an offer or services of a host for us, or anything from us about it. */
  mayHold(host: string): boolean {
    return this.offers.has(host) || this.services.has(host) || this.toldRoutes.has(host);
  }

  /** Notes that it was told of one service. */
  noteToldService(host: string, service: string, capacity: number): void {
    const told = this.toldServices.get(host);
    if (told) told.set(service, capacity);
    else this.toldServices.set(host, new Map([[service, capacity]]));
  }

  /** Notes that it may have forgotten what we told it of a host: tell it again, or withdraw it. */
  doubtTold(host: string): void {
    if (this.toldRoutes.has(host)) this.toldRoutes.set(host, UNSURE);
    const services = this.toldServices.get(host);
    for (const service of services?.keys() ?? []) services!.set(service, UNSURE);
  }

  /** Notes what it says of one service. */
  noteService(host: string, service: string, capacity: number): void {
    const known = this.services.get(host);
    const before = known?.get(service) ?? 0;
    if (before === capacity) return;
    if (capacity === 0) {
      known!.delete(service);
      if (known!.size === 0) this.services.delete(host);
      this.serviceCount--;
    } else {
      if (known === undefined) this.services.set(host, new Map([[service, capacity]]));
      else known.set(service, capacity);
      if (before === 0) this.serviceCount++;
    }
  }

  /** Forgets what it said of a host. */
  forgetServices(host: string): void {
    this.serviceCount -= this.services.get(host)?.size ?? 0;
    this.services.delete(host);
  }
}
