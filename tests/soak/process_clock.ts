/**
 * The time of one process, simulated or not: it can be stopped and continued, as by a signal, and it
 * dies, and all its timers with it.
 *
 * @module
 */

import type { Clock } from "../../src/router/clock.ts";

/** A timer of a process. */
interface Timer {
  run: () => void;
  cancel: () => void;
}

/** A view of another clock that only runs timers while its process runs. */
export class ProcessClock implements Clock {
  /** When it was last continued, in ms. */
  resumedAt: number = -Infinity;
  readonly #base: Clock;
  readonly #timers: Set<Timer> = new Set();
  #missed: Timer[] = [];
  #state: "running" | "stopped" | "dead" = "running";

  /** Constructs a new instance. */
  constructor(base: Clock) {
    this.#base = base;
  }

  /** Whether code runs. */
  get running(): boolean {
    return this.#state === "running";
  }

  /** Whether code will never run again. */
  get dead(): boolean {
    return this.#state === "dead";
  }

  /** Timers that are scheduled and neither run nor cancelled. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Now, in ms; it passes for those who stand still, too. */
  now(): number {
    return this.#base.now();
  }

  /** Runs something once, not before `at`, and not while the process stands still. */
  schedule(at: number, run: () => void): () => void {
    if (this.dead) return () => {};
    const due = () => {
      if (this.#state === "stopped") return void this.#missed.push(timer);
      this.#timers.delete(timer);
      run();
    };
    const timer: Timer = { run: due, cancel: this.#base.schedule(at, due) };
    this.#timers.add(timer);
    return () => {
      if (!this.#timers.delete(timer)) return;
      timer.cancel();
      this.#missed = this.#missed.filter((missed) => missed !== timer);
    };
  }

  /** Lets it stand still. */
  stop(): void {
    if (this.#state === "running") this.#state = "stopped";
  }

  /** Lets it go on: what fell due meanwhile is run now, each by itself. */
  continue(): void {
    if (this.#state !== "stopped") return;
    this.#state = "running";
    this.resumedAt = this.now();
    for (const timer of this.#missed) timer.cancel = this.#base.schedule(this.now(), timer.run);
    this.#missed = [];
  }

  /** Ends it, in the middle of whatever it does. */
  die(): void {
    this.#state = "dead";
    for (const { cancel } of this.#timers) cancel();
    this.#timers.clear();
    this.#missed = [];
  }
}
