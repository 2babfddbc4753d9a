/**
 * {@linkcode Border}: joins areas, each of which is a mesh of its own.
 *
 * @module
 */

import { hashName } from "../mesh/sequence.ts";
import { type Clock, systemClock } from "../router/clock.ts";
import type { CarriedCall } from "../router/incoming_call.ts";
import { Area, type AreaOptions, type Instance, type Summary } from "./area.ts";
import { busyness, Carrier } from "./carrier.ts";
import { type Choice, choose, FULL, type Path } from "./paths.ts";

/** Options of {@linkcode joinAreas}. */
export interface BorderOptions {
  /**
   * What it costs to go through this border: the load of a summary is that of the least busy
   * instance behind it, calls that the border has there included, and so much more. 1-65534.
   *
   * @default {1}
   */
  cost?: number;
  /**
   * Calls that are carried at once; others are refused, and made elsewhere.
   *
   * @default {4096}
   */
  maxCalls?: number;
  /**
   * Services that are summarized in one area; of more, the first.
   *
   * @default {500}
   */
  maxSummaries?: number;
  /** Where time comes from; by default the platform. */
  clock?: Clock;
  /** Where chance comes from, uniform over [0, 1); by default `Math.random`. */
  random?: () => number;
}

/** A service that a border offers in one area on behalf of others. */
export interface SummaryInfo {
  /** The service. */
  service: string;
  /** The area in which it is offered. */
  area: string;
  /** Areas that calls are carried through, the nearest first. */
  path: string[];
  /** Instances that calls are carried on to. */
  instances: number;
  /** The load that is advertised. */
  load: number;
}

/** What a border has done, and could not do. */
export interface BorderStats {
  /** Calls that are being carried. */
  calls: number;
  /** Calls that were refused because there were too many. */
  refused: number;
  /** Packets without a call that could not be sent on. */
  lost: number;
  /** Services that are not summarized because there are too many, in all areas together. */
  leftOut: number;
  /** Addresses of other borders that call an area by another name; nothing of theirs is used. */
  strangers: string[];
}

/** When it is looked at what has changed, in ms: what comes together is looked at once. */
const SOON = 5;

/** A load is told so often at most, and a summary that has gone stays away for so long, in ms. */
const INTERVAL = 1_000;

/** Loads that a border tells in a second, in one area: more summaries are told of less often. */
const LOADS_A_SECOND = 10;

/** A change of the load that is worth telling, as a share of what was told last. */
const SHARE = 0.1;

/** The highest load of a summary that has room. */
const MAX_LOAD = FULL - 1;

/** How long calls may go on when a border closes, in ms. */
const CLOSE_TIMEOUT = 30_000;

/** Areas joined by one border. */
export class Border implements AsyncDisposable {
  readonly #areas: Area[];
  readonly #clock: Clock;
  readonly #cost: number;
  readonly #maxSummaries: number;
  readonly #carrier: Carrier;
  /** What has to be looked at, and when. */
  readonly #due: Map<string, number> = new Map();
  /** When a summary has gone, by area and service: the first to go first. */
  readonly #goneAt: Map<Area, Map<string, number>> = new Map();
  /** What there was no room for. */
  readonly #leftOut: Map<Area, Set<string>> = new Map();
  readonly #listening: AbortController = new AbortController();
  #cancelTimer: (() => void) | null = null;
  #timerAt: number = Infinity;
  #closing: Promise<void> | null = null;

  /** Constructs a new instance. {@linkcode joinAreas} does. */
  constructor(areas: readonly AreaOptions[], options: BorderOptions = {}) {
    const { cost = 1, maxCalls = 4_096, maxSummaries = 500 } = options;
    checkCount("cost", cost);
    checkCount("maximum of calls", maxCalls);
    checkCount("maximum of summaries", maxSummaries);
    this.#clock = options.clock ?? systemClock;
    this.#cost = cost;
    this.#maxSummaries = maxSummaries;
    const loadChanged = (service: string) => this.#look(service, INTERVAL);
    this.#carrier = new Carrier({ random: options.random ?? Math.random, maxCalls, loadChanged });
    checkAreas(areas);
    this.#areas = areas.map((one) =>
      new Area({
        clock: this.#clock,
        changed: (services) => {
          for (const service of services) this.#look(service, SOON);
        },
        loadChanged,
      }, one)
    );
    for (const area of this.#areas) {
      this.#goneAt.set(area, new Map());
      this.#leftOut.set(area, new Set());
    }
    try {
      for (const area of this.#areas) {
        area.start();
        const leave = () => void this.close({ timeout: 0 });
        area.router.signal.addEventListener("abort", leave, { signal: this.#listening.signal });
      }
    } catch (error) {
      this.#letGo();
      throw error;
    }
  }

  /** What is offered now, and where. */
  summaries(): SummaryInfo[] {
    return this.#areas.flatMap(({ name: area, summaries }) =>
      [...summaries.values()].map(({ service, choice: { path, sources }, load }) => (
        { service, area, path: [...path], instances: sources.length, load }
      ))
    );
  }

  /** What it has done, in numbers: a snapshot that is plain JSON. */
  stats(): BorderStats {
    const { calls, refused, lost } = this.#carrier;
    const leftOut = [...this.#leftOut.values()].reduce((sum, { size }) => sum + size, 0);
    const strangers = this.#areas.flatMap(({ survey }) => survey.strangers);
    return { calls, refused, lost, leftOut, strangers };
  }

  /**
   * Parts the areas: withdraws all summaries, so that new calls go elsewhere, waits for the calls
   * that are being carried, and ends those that take too long. The routers are not closed. If one of
   * them is, the border closes at once. More than once is fine; the shortest time counts.
   *
   * @param options `timeout` is how long calls may go on, in ms, 30,000 by default; `Infinity` for
   *   as long as they like.
   */
  close(options: { timeout?: number } = {}): Promise<void> {
    const { timeout = CLOSE_TIMEOUT } = options;
    this.#closing ??= this.#close();
    if (!(timeout > 0)) this.#carrier.endAll();
    else if (timeout < Infinity) this.#endIn(timeout);
    return this.#closing;
  }

  /** The same as {@linkcode Border.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#letGo();
    await this.#carrier.idle();
  }

  /** Ends, in so many ms, what is being carried then. */
  #endIn(timeout: number): void {
    const cancel = this.#clock.schedule(this.#clock.now() + timeout, () => this.#carrier.endAll());
    this.#carrier.idle().then(cancel);
  }

  /** Offers nothing more, and hears of nothing more. */
  #letGo(): void {
    this.#listening.abort();
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.#timerAt = -Infinity; // No other follows.
    this.#due.clear();
    for (const area of this.#areas) {
      for (const service of [...area.summaries.keys()]) area.withdraw(service);
    }
    for (const area of this.#areas) area.close();
  }

  // ── what is offered ───────────────────────────────────────────────────────

  /** Looks at a service in so many ms, or before. */
  #look(service: string, delay: number): void {
    if (this.#closing !== null) return;
    const at = this.#clock.now() + delay;
    if (at >= (this.#due.get(service) ?? Infinity)) return;
    this.#due.set(service, at);
    this.#arm(at);
  }

  /** Keeps the one timer at the first that is due. */
  #arm(at: number): void {
    if (at >= this.#timerAt) return;
    this.#cancelTimer?.();
    this.#timerAt = at;
    this.#cancelTimer = this.#clock.schedule(at, () => {
      this.#timerAt = Infinity;
      this.#cancelTimer = null;
      this.#lookAtAll();
    });
  }

  #lookAtAll(): void {
    const now = this.#clock.now();
    for (const [service, at] of [...this.#due]) {
      if (at > now) continue;
      this.#due.delete(service);
      for (const area of this.#areas) this.#summarize(area, service, now);
    }
    let next = Infinity;
    for (const at of this.#due.values()) next = Math.min(next, at);
    this.#arm(next);
  }

  /** Offers a service in an area, or no longer, or otherwise. */
  #summarize(area: Area, service: string, now: number): void {
    const { summaries, router: { address } } = area;
    const rank = (path: Path) => hashName([address, service, ...path].join("\n"));
    const sources = area.hasOwn(service) ? [] : this.#sources(area, service);
    const choice = choose(sources, area.name, rank);
    const summary = summaries.get(service);
    if (choice === null) {
      this.#leftOut.get(area)!.delete(service);
      if (summary !== undefined) this.#withdraw(area, service, now);
    } else if (summary !== undefined) {
      this.#update(area, summary, choice, now);
    } else {
      this.#offer(area, service, choice, now);
    }
  }

  /** Everything that may be offered in an area. */
  *#sources(into: Area, service: string): Generator<Instance, void> {
    for (const area of this.#areas) {
      if (area !== into && into.imports(service, area.name)) yield* area.sources(service);
    }
  }

  #offer(area: Area, service: string, choice: Choice<Instance>, now: number): void {
    const goneAt = this.#goneAt.get(area)!;
    for (const [earlier, at] of goneAt) {
      if (now < at + INTERVAL) break;
      goneAt.delete(earlier);
    }
    const held = goneAt.get(service);
    if (held !== undefined) return this.#look(service, held + INTERVAL - now);
    const leftOut = this.#leftOut.get(area)!;
    if (area.summaries.size >= this.#maxSummaries) return void leftOut.add(service);
    leftOut.delete(service);
    const load = this.#load(choice);
    const summary: Summary = { service, registration: null, choice, load, toldAt: now };
    area.offer(summary, (packet, _reply, call) => {
      if (packet.ctx === 0) return this.#carrier.send(summary.choice.sources, packet);
      return this.#carrier.answers(() => summary.choice.sources, packet, call as CarriedCall);
    });
  }

  #update(area: Area, summary: Summary, choice: Choice<Instance>, now: number): void {
    const { path } = summary.choice;
    summary.choice = choice;
    if (choice.path.join("\n") !== path.join("\n")) area.listing.set(summary.service, choice.path);
    const load = this.#load(choice);
    const change = Math.abs(load - summary.load);
    if (change < Math.max(1, SHARE * summary.load)) return;
    // A border that is full, or not any more, is news for everybody; else there may be many.
    const turning = load === FULL || summary.load === FULL;
    const crowd = turning ? 1 : Math.max(1, area.summaries.size / LOADS_A_SECOND);
    const dueIn = summary.toldAt + crowd * INTERVAL - now;
    if (dueIn > 0) return this.#look(summary.service, dueIn);
    summary.registration!.capacity = summary.load = load;
    summary.toldAt = now;
  }

  #withdraw(area: Area, service: string, now: number): void {
    this.#goneAt.get(area)!.delete(service); // It is the last to have gone.
    this.#goneAt.get(area)!.set(service, now);
    area.withdraw(service);
    for (const next of this.#leftOut.get(area)!) { // There is room for another.
      this.#leftOut.get(area)!.delete(next);
      return this.#look(next, SOON);
    }
  }

  #load({ sources }: Choice<Instance>): number {
    let least = Infinity;
    for (const source of sources) least = Math.min(least, busyness(source));
    return least === Infinity ? FULL : Math.min(MAX_LOAD, least + this.#cost);
  }
}

/**
 * Joins areas, each of which is a mesh of its own, by one router in each: services that are exported
 * from one are offered in the others by the border, which carries the calls on. Nothing else
 * crosses: no route, no address, no service that is not named, and none whose name begins with
 * "aln.".
 *
 * Whoever is called sees the border as the caller. Summaries never come back into an area that they
 * have come through, whatever the areas are joined like.
 *
 * @throws {TypeError} If there are fewer than two areas, two of one name or with one router, a router
 *   is another border's, or a filter is none.
 * @throws {RangeError} If an option is out of its range.
 * @throws {PacketError} `ERR_PACKET_FIELD` if the name of an area does not fit.
 * @throws {ChannelError} `ERR_CHANNEL_CLOSED` if a router is closed.
 *
 * @example
 * ```ts
 * import { createChannelPair, Router } from "@aln/mesh";
 * import { joinAreas } from "@aln/mesh/border";
 * import assert from "node:assert/strict";
 *
 * const link = (one: Router, other: Router) => {
 *   const [here, there] = createChannelPair();
 *   one.addChannel(here);
 *   other.addChannel(there);
 * };
 * const [camera, inCity, inFarm, screen] = ["camera", "border", "border", "screen"]
 *   .map((address) => new Router(address)) as [Router, Router, Router, Router];
 * link(camera, inFarm); // One area,
 * link(screen, inCity); // and another.
 * camera.registerService("picture", () => "a cow");
 *
 * const border = joinAreas([
 *   { area: "farm", router: inFarm, exports: ["picture"] },
 *   { area: "city", router: inCity },
 * ]);
 * await screen.waitForService("picture");
 * assert.equal((await screen.request("picture")).text(), "a cow");
 *
 * await border.close();
 * await Promise.all([camera, inCity, inFarm, screen].map((router) => router.close()));
 * ```
 */
export function joinAreas(areas: readonly AreaOptions[], options: BorderOptions = {}): Border {
  return new Border(areas, options);
}

function checkAreas(areas: readonly AreaOptions[]): void {
  if (areas.length < 2) throw new TypeError("Cannot join areas: there are fewer than two");
  if (new Set(areas.map(({ area }) => area)).size < areas.length) {
    throw new TypeError("Cannot join areas: two have the same name");
  }
  if (new Set(areas.map(({ router }) => router)).size < areas.length) {
    throw new TypeError("Cannot join areas: two have the same router");
  }
}

function checkCount(what: string, count: number): void {
  if (Number.isInteger(count) && count >= 1 && count <= MAX_LOAD) return;
  throw new RangeError(`Cannot join areas: a ${what} of ${count} is not in 1-${MAX_LOAD}`);
}
