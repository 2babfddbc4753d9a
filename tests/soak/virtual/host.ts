/**
 * Simulated machines, and the lives of the router that runs on each.
 *
 * @module
 */

import { type Channel, Router } from "../../../mod.ts";
import { Dialer } from "../../../src/router/dialer.ts";
import { below, seededRandom } from "../../../src/testing/seeded_random.ts";
import { Application } from "../load/application.ts";
import { Held } from "../load/held.ts";
import { Ledger } from "../load/ledger.ts";
import { type Site, sleep } from "../load/site.ts";
import { SLOWEST_READER } from "../load/streams.ts";
import type { Place } from "./connection.ts";
import type { Machine, Path, Process } from "./path.ts";
import { ProcessClock } from "./process_clock.ts";
import type { World } from "./world.ts";

/** When virtual time begins, in seconds since 2024: routers count their lives by it. */
const FIRST_INCARNATION = 60_000_000;

/** How long an application rests between two things that it does, on average, in ms. */
const PAUSE = 400;

/** The longest that a call may take, in ms: longer than most faults last. */
export const LONGEST = 80_000;

/** Links come back after at most so long, in ms. */
const MAX_DIAL_DELAY = 4_000;

/** What a router may take to close, beside the time in which its process stands still, in ms. */
const CLOSE_TIMEOUT = 2_010;

/** How often is looked whether its calls have ended then, in ms. */
const LOOK = 20;

/** A path of the world. */
export type HostPath = Path<Host>;

/** A machine: what runs on it begins and ends; its address stays. */
export class Host implements Machine {
  readonly address: string;
  readonly index: number;
  /** Its paths to others. */
  readonly paths: Set<HostPath> = new Set();
  powered: boolean = true;
  /** What runs on it. */
  life: Life | null = null;
  readonly #world: World;
  #lives: number = 0;
  #startsAgain: boolean = false;

  /** Constructs a new instance. */
  constructor(world: World, index: number) {
    this.#world = world;
    this.index = index;
    this.address = `host-${index}`;
  }

  /** What accepts connections. */
  get process(): Life | null {
    return this.life;
  }

  /** Starts its router, if it does not run; one that is leaving, once it has left. */
  start(): void {
    this.powered = true;
    this.#startsAgain = this.life?.leaving ?? false;
    if (this.life !== null) return;
    this.life = new Life(this.#world, this, ++this.#lives);
    for (const path of this.paths) path.retry();
  }

  /** Ends its router without a word; with its machine, not even the kernel says any. */
  kill(withMachine: boolean): void {
    const { life } = this;
    if (withMachine) this.powered = false;
    if (life === null) return;
    this.life = null;
    life.die();
  }

  /** Lets its router leave in order. */
  async leave(): Promise<void> {
    const { life } = this;
    if (life === null || life.leaving) return;
    await life.leave();
    if (this.life !== life) return;
    this.life = null;
    if (this.#startsAgain) this.start();
  }
}

/** One life of a router, and of the application beside it. */
export class Life implements Site, Process {
  readonly place: Place;
  readonly router: Router;
  readonly life: string;
  readonly random: () => number;
  readonly ledger: Ledger;
  readonly held: Held = new Held();
  readonly longest: number = LONGEST;
  /** The router's time, in which nothing may be left of it at its end. */
  readonly routerClock: ProcessClock;
  /** The application's. */
  readonly clock: ProcessClock;
  readonly application: Application;
  /** Whether it is about to leave. */
  leaving: boolean = false;
  readonly #world: World;
  readonly #host: Host;
  readonly #born: number;
  readonly #dialers: Map<HostPath, Dialer> = new Map();

  /** Constructs a new instance, which runs at once. */
  constructor(world: World, host: Host, number: number) {
    this.#world = world;
    this.#host = host;
    this.#born = world.clock.now();
    this.life = `${host.address}#${number}`;
    this.random = seededRandom(below(world.random, 2 ** 32));
    this.routerClock = new ProcessClock(world.clock);
    this.clock = new ProcessClock(world.clock);
    this.place = placeOf(host, this.routerClock);
    this.ledger = new Ledger(world.tally);
    const incarnation = FIRST_INCARNATION + Math.floor(world.clock.now() / 1_000);
    this.router = new Router(host.address, {
      clock: this.routerClock,
      random: this.random,
      incarnation,
    });
    this.router.addEventListener("drop", ({ error }) => world.tally.count(`drop ${error.code}`));
    this.router.addEventListener("conflict", ({ address }) => {
      world.tally.count("conflict");
      world.tell(`${this.life} says that there are two of "${address}"`);
    });
    this.application = new Application(this, PAUSE);
    for (const path of host.paths) if (path.from === host) this.dial(path);
    world.born(this);
  }

  /** Takes a connection. */
  accept(channel: Channel): void {
    this.router.addChannel(channel);
  }

  /** Keeps a link over a path. */
  dial(path: HostPath): void {
    const { routerClock: clock, random } = this;
    this.#soon(() => {
      const dialer = new Dialer(this.router, (signal) => path.connect(this.place, signal), {
        ...{ clock, random, maxDelay: MAX_DIAL_DELAY },
      });
      this.#dialers.set(path, dialer);
    });
  }

  /** Gives a link up. */
  hangUp(path: HostPath): void {
    this.#soon(() => {
      this.#dialers.get(path)?.close();
      this.#dialers.delete(path);
    });
  }

  /** How late something was, beside what fell into the time in which the process stood still. */
  lateness(due: number, done: number): number {
    return done - Math.max(due, this.clock.resumedAt);
  }

  reachableSince(address: string): number | null {
    const calm = this.#world.knownSince;
    const life = this.#world.lives.find(({ router }) => router.address === address);
    if (calm === null || life === undefined) return null;
    const known = life === this || this.router.routes().some((route) => route.address === address);
    return known ? Math.max(calm, life.#born) : null;
  }

  /** Stops the process. */
  stop(): void {
    this.routerClock.stop();
    this.clock.stop();
  }

  /** Continues it. */
  continue(): void {
    this.routerClock.continue();
    this.clock.continue();
  }

  /** Runs something when the process next runs. */
  #soon(run: () => void): void {
    this.clock.schedule(this.clock.now(), run);
  }

  /** Ends it at once. */
  die(): void {
    this.#world.tally.count("calls of routers that crashed", this.ledger.open);
    this.routerClock.die();
    this.clock.die();
    for (const path of this.#host.paths) path.abandon(this.place);
  }

  /** Leaves in order, and checks that nothing is left. */
  async leave(): Promise<void> {
    const { tally } = this.#world;
    this.leaving = true;
    this.application.stop();
    const started = this.clock.now();
    await this.router.close();
    const done = this.clock.now();
    if (this.clock.dead) return; // It has been killed meanwhile.
    const late = this.lateness(started + CLOSE_TIMEOUT, done);
    if (late > 0) {
      tally.violation(`${this.life} has taken ${(done - started).toFixed(0)} ms to close`);
    }
    await sleep(this, LOOK);
    for (const end = done + SLOWEST_READER; this.ledger.open > 0 && this.clock.now() < end;) {
      await sleep(this, LOOK);
    }
    if (this.ledger.open > 0) {
      tally.violation(`${this.life} has closed, and ${this.ledger.open} of its calls are open`);
    }
    if (this.routerClock.pending > 0) {
      tally.violation(`${this.life} has closed, and ${this.routerClock.pending} timers are left`);
    }
    this.die();
  }
}

/** What connections hold of a process: neither its router nor its application. */
function placeOf(host: Host, clock: ProcessClock): Place {
  return {
    clock,
    get powered() {
      return host.powered;
    },
  };
}
