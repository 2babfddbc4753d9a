/**
 * What all engines have in common whose connection comes and goes.
 *
 * @module
 */

import type { BusEvents } from "../channel/bus.ts";

/** Tells whether an engine can be reached: every change once, and nothing any more after the end. */
export class Reach {
  #events: BusEvents | null;
  #isAway: boolean = false;
  #losses: number = 0;

  /** @param events Who is told. */
  constructor(events: BusEvents) {
    this.#events = events;
  }

  /** Who is told of everything else; `null` after the end. */
  get events(): BusEvents | null {
    return this.#events;
  }

  /** The connection is lost. */
  away(): void {
    this.#losses++;
    if (this.#isAway) return;
    this.#isAway = true;
    this.#events?.away();
  }

  /**
   * The connection is there again.
   *
   * @param subscribe Resolves once the subscriptions stand. If it rejects, the next time counts.
   */
  async back(subscribe: () => Promise<unknown>): Promise<void> {
    if (!this.#isAway || this.#events === null) return;
    const losses = this.#losses;
    try {
      await subscribe();
    } catch {
      return;
    }
    if (!this.#isAway || losses !== this.#losses) return; // It has been lost again meanwhile.
    this.#isAway = false;
    this.#events?.back();
  }

  /** The engine is gone for good. */
  closed(reason?: unknown): void {
    const events = this.#events;
    this.#events = null;
    events?.closed(reason);
  }

  /** Nobody wants to know any more. */
  end(): void {
    this.#events = null;
  }
}

/** Counts what an engine has yet to take. */
export class Outstanding {
  readonly #waiting: { for: number; resolve: () => void }[] = [];
  #given: number = 0;
  #taken: number = 0;

  /** Something was given to it. */
  given(): void {
    this.#given++;
  }

  /** It has taken something, or lost it. */
  taken(): void {
    this.#taken++;
    while (this.#waiting.length > 0 && this.#waiting[0]!.for <= this.#taken) {
      this.#waiting.shift()!.resolve();
    }
  }

  /** Resolves once as much is taken as has been given by now. */
  settled(): Promise<void> {
    if (this.#given === this.#taken) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ for: this.#given, resolve }));
  }

  /** Nobody waits any more. */
  end(): void {
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }
}
