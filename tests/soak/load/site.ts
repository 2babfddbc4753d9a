/**
 * Where an application of the soak runs: beside one router, from its start to its end.
 *
 * @module
 */

import type { Router } from "../../../mod.ts";
import type { Clock } from "../../../src/router/clock.ts";
import type { Held } from "./held.ts";
import type { Ledger } from "./ledger.ts";

/** One life of one router, as its application sees it. */
export interface Site {
  /** The router. */
  readonly router: Router;
  /** Names this life: no other has the same. */
  readonly life: string;
  /** What the application waits by; it stands still when its process does. */
  readonly clock: Clock;
  /** Uniform over [0, 1). */
  readonly random: () => number;
  /** Where calls are written down. */
  readonly ledger: Ledger;
  /** What has to be let go of once nothing goes on. */
  readonly held: Held;
  /** The longest that a call may take, in ms. */
  readonly longest: number;
  /**
   * How late something was, in ms, beside what it is forgiven: while a process stands still, none of
   * its timers runs.
   */
  lateness(due: number, done: number): number | Promise<number>;
  /**
   * Since when nothing has gone wrong anywhere, in ms, and a router of that address has run and
   * could be reached; `null` if it is not so, or nobody can tell.
   */
  reachableSince(address: string): number | null;
}

/** Waits; for ever, if the process ends before. */
export function sleep({ clock }: Pick<Site, "clock">, duration: number): Promise<void> {
  return new Promise((resolve) => void clock.schedule(clock.now() + duration, resolve));
}
