/**
 * A clock that moves when it is told to.
 *
 * @module
 */

import { Agenda } from "../mesh/agenda.ts";
import type { Clock } from "../router/clock.ts";

/** Something to run, unless it is cancelled. */
interface Entry {
  run: (() => void) | null;
}

/** A clock for tests: no test waits for time, it makes time pass. */
export class ManualClock implements Clock {
  readonly #agenda: Agenda<Entry> = new Agenda();
  #now: number = 0;
  #pending: number = 0;

  /** Now, in ms. */
  now(): number {
    return this.#now;
  }

  /** When something may be due next, in ms: a timer, or one that was cancelled. */
  get next(): number {
    return this.#agenda.next;
  }

  /** How many timers are scheduled and neither run nor cancelled. */
  get pending(): number {
    return this.#pending;
  }

  /** Runs something once, when the clock has come to `at`. */
  schedule(at: number, run: () => void): () => void {
    const entry: Entry = { run };
    this.#pending++;
    this.#agenda.add(at, entry);
    return () => {
      if (entry.run !== null) this.#pending--;
      entry.run = null;
    };
  }

  /** Lets so many ms pass, and runs what falls due, in order. */
  advance(duration: number): void {
    const end = this.#now + duration;
    while (this.#agenda.next <= end) {
      this.#now = Math.max(this.#now, this.#agenda.next);
      const entry = this.#agenda.take(this.#now)!;
      const { run } = entry;
      if (run === null) continue;
      entry.run = null;
      this.#pending--;
      run();
    }
    this.#now = end;
  }
}
