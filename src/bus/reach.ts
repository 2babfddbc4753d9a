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
