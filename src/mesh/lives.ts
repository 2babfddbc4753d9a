/**
 * Lives: ours, which somebody else may claim, and those of others, each of which ends the one before.
 *
 * Pure: what is told goes out through the announcer and as effects.
 *
 * @module
 */

import type { Announcer } from "./announcer.ts";
import type { Core } from "./core.ts";
import { seconds } from "./sequence.ts";
import type { ServicePlane } from "./service_plane.ts";
import type { Destination } from "./state.ts";

/** From the last word of somebody else of our name until we may have the last one, in ms. */
const RECLAIM_DELAY = 10_000;

/** Lives that one address may begin within so many seconds before that is strange. */
const STRANGE_LIVES = 4;
const STRANGE_WINDOW = 20;

/** Keeps lives apart. */
export class Lives {
  readonly #core: Core;
  readonly #announcer: Announcer;
  readonly #services: ServicePlane;
  /** When each address has begun lives lately, in seconds. */
  readonly #begun: Map<string, number[]> = new Map();
  /** When somebody else spoke under our address last, in ms. */
  #claimedAt: number = -Infinity;

  /** Constructs a new instance. */
  constructor(core: Core, announcer: Announcer, services: ServicePlane) {
    this.#core = core;
    this.#announcer = announcer;
    this.#services = services;
    this.updateSelf();
  }

  /** Somebody speaks, or is asked for, under our address. */
  claimed(origin: number, seq: number, now: number): void {
    const { identity, emit } = this.#core;
    const claim = identity.claimed(origin, seq, now);
    if (claim === "echo") return;
    this.#claimedAt = now;
    if (claim === "ignored") return;
    if (claim !== "contradicted") emit({ kind: "conflict", address: identity.address });
    if (claim !== "yielded") this.#beginLife(now);
  }

  /** Somebody knows of a later life of ours, but of no way to it any more: it is over. */
  wanted(origin: number, now: number): void {
    const { identity } = this.#core;
    if (!identity.yielded) return this.claimed(origin, 1, now);
    if (now - this.#claimedAt < RECLAIM_DELAY) return;
    identity.beginAfter(origin);
    this.#beginLife(now);
  }

  /** We go by a new origin from now on. */
  #beginLife(now: number): void {
    this.updateSelf();
    this.#services.renew(now);
    this.#announcer.news(this.#core.routes.self, now);
  }

  /** Takes over our origin and sequence number. */
  updateSelf(): void {
    const { identity, routes } = this.#core;
    routes.self.origin = identity.origin;
    routes.self.seq = identity.seq;
  }

  /** A destination has begun a new life: what was said of earlier ones is void. */
  begins(destination: Destination, origin: number, now: number): void {
    const { address, newest } = destination;
    destination.newest = origin;
    this.#core.records.supersede(address, origin);
    if (newest === 0) return;
    const at = seconds(now);
    const lives = (this.#begun.get(address) ?? []).filter((life) => at - life < STRANGE_WINDOW);
    lives.push(at);
    if (lives.length >= STRANGE_LIVES) {
      this.#core.emit({ kind: "conflict", address });
      this.#begun.delete(address);
    } else {
      this.#begun.set(address, lives);
    }
  }

  /** Forgets what is long ago. */
  sweep(now: number): void {
    const at = seconds(now);
    for (const [address, lives] of this.#begun) {
      if (at - lives.at(-1)! >= STRANGE_WINDOW) this.#begun.delete(address);
    }
  }
}
