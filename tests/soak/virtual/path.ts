/**
 * Paths: what lies between two simulated machines, and what goes wrong there.
 *
 * @module
 */

import { type Channel, ChannelError, type Packet } from "../../../mod.ts";
import type { Clock } from "../../../src/router/clock.ts";
import type { Notice } from "../../../src/testing/mod.ts";
import {
  type Carrier,
  type Lane,
  type Place,
  SimulatedChannel,
  type Weather,
} from "./connection.ts";

/** What a path is like while nothing is wrong with it. */
export interface PathOptions {
  /** The shortest time under way, in ms, and how much longer it may be. */
  delay: number;
  jitter: number;
  /** See {@linkcode Carrier}. */
  rate: number;
  window: number;
  highWater: number;
  isStream: boolean;
}

/** The longest that a sender waits before it sends again what was lost, in ms. */
const MAX_PATIENCE = 2_000;

/** A machine, as a path sees it. */
export interface Machine {
  /** Its name. */
  readonly address: string;
  /** Whether it answers at all. */
  readonly powered: boolean;
  /** The process that would accept a connection, if there is one. */
  readonly process: Process | null;
}

/** A process, as a path sees it. */
export interface Process {
  /** Where its connections end. */
  readonly place: Place;
  /** Takes a connection. */
  accept(channel: Channel): void;
}

/** What a path tells of what passes. */
export interface Observer {
  /** A packet has arrived. */
  arrived(packet: Packet): void;
  /** A packet was lost. */
  lost(): void;
}

/** A path between two machines; the first one dials. */
export class Path<Host extends Machine> implements Carrier {
  readonly clock: Clock;
  readonly from: Host;
  readonly to: Host;
  readonly window: number;
  readonly highWater: number;
  readonly isStream: boolean;
  rate: number;
  readonly #options: PathOptions;
  readonly #random: () => number;
  readonly #observer: Observer;
  readonly #lanes: [Lane, Lane] = [{ weather: "fair" }, { weather: "fair" }];
  /** Ends by whom they belong to. */
  readonly #ends: Set<SimulatedChannel> = new Set();
  /** Attempts that get no answer for now, and whose they are. */
  readonly #waiting: Map<() => void, Place> = new Map();
  #isCut: boolean = false;

  /** Constructs a new instance. */
  constructor(
    from: Host,
    to: Host,
    clock: Clock,
    random: () => number,
    options: PathOptions,
    observer: Observer,
  ) {
    this.from = from;
    this.to = to;
    this.clock = clock;
    this.#random = random;
    this.#observer = observer;
    this.#options = options;
    this.rate = options.rate;
    this.window = options.window;
    this.highWater = options.highWater;
    this.isStream = options.isStream;
  }

  /** Whether connections are refused. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** What it does with what is under way, there and back. */
  get weather(): [Weather, Weather] {
    return [this.#lanes[0].weather, this.#lanes[1].weather];
  }

  /** Ends of connections at one of its machines, or both. */
  ends(): SimulatedChannel[] {
    return [...this.#ends];
  }

  delay(): number {
    return this.#options.delay + this.#options.jitter * this.#random();
  }

  patience(): number {
    return MAX_PATIENCE * this.#random();
  }

  arrived(packet: Packet): void {
    this.#observer.arrived(packet);
  }

  lost(): void {
    this.#observer.lost();
  }

  // ── connections ───────────────────────────────────────────────────────────

  /** Opens a connection from a process of the first machine. */
  connect(near: Place, signal: AbortSignal): Promise<Channel> {
    return new Promise((resolve, reject) => {
      let over = false;
      const answer = (tell: () => void) => {
        over = true;
        this.#waiting.delete(attempt);
        near.clock.schedule(near.clock.now(), tell);
      };
      const refuse = () => answer(() => reject(refused(this.to.address)));
      const attempt = () => {
        if (over || near.clock.dead) return void this.#waiting.delete(attempt);
        if (this.#isCut) return refuse();
        const { powered, process } = this.to;
        if (!powered || this.weather.some((weather) => weather !== "fair")) {
          return void this.#waiting.set(attempt, near);
        }
        if (process === null) return refuse();
        const ends = SimulatedChannel.connect(this, [near, process.place], this.#lanes);
        for (const end of ends) this.#ends.add(end);
        process.place.clock.schedule(this.clock.now(), () => process.accept(ends[1]));
        answer(() => resolve(ends[0]));
      };
      signal.addEventListener("abort", () => {
        over = true;
        this.#waiting.delete(attempt);
        reject(signal.reason);
      }, { once: true });
      this.clock.schedule(this.clock.now() + 2 * this.delay(), attempt);
    });
  }

  closed(end: SimulatedChannel): void {
    this.#ends.delete(end);
  }

  /** Tries again what got no answer. */
  retry(): void {
    for (const attempt of [...this.#waiting.keys()]) attempt();
  }

  /** A process has ended: so have its connections, and its attempts. */
  abandon(place: Place): void {
    for (const [attempt, near] of [...this.#waiting]) {
      if (near === place) this.#waiting.delete(attempt);
    }
    for (const end of this.ends()) if (end.place === place) end.abandon();
  }

  // ── what goes wrong ───────────────────────────────────────────────────────

  /** Ends every connection in the middle; some notice only when they send. */
  reset(notice: Notice): void {
    const machine = notice === "first" ? this.from : notice === "second" ? this.to : null;
    for (const end of this.ends()) {
      if (notice === "both" || end.place === machine?.process?.place) end.fail();
    }
  }

  /** Refuses connections from now on. */
  cut(notice: Notice): void {
    this.#isCut = true;
    this.reset(notice);
    this.retry();
  }

  /** Accepts connections again. */
  restore(): void {
    this.#isCut = false;
  }

  /** Changes what becomes of what is under way, there or back. */
  turn(direction: 0 | 1, weather: Weather): void {
    this.#lanes[direction].weather = weather;
    if (weather !== "fair") return;
    for (const end of this.ends()) end.mend();
    this.retry();
  }
}

function refused(address: string): ChannelError {
  return new ChannelError("ERR_CHANNEL_CLOSED", `Cannot connect: "${address}" refuses`);
}
