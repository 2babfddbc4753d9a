/**
 * The calls of one application: each is written down as it begins, and has to end as calls may, in
 * time.
 *
 * @module
 */

import { endOf } from "./ends.ts";
import type { Site } from "./site.ts";
import type { Tally } from "./tally.ts";

/** A call to be made. */
export interface Attempt<Answer> {
  /** What it is counted as. */
  kind: string;
  /** How long it may take, in ms. */
  timeout: number;
  /** How late it may be heard of, in ms. */
  grace?: number;
  /** What ends it before. */
  signal?: AbortSignal;
  /** Makes it. */
  make: () => Promise<Answer>;
  /** What is wrong with an answer, in words; `null` if it is as it should be. */
  fault?: (answer: Answer) => string | null;
  /** What an error is counted as; `null` if the call may not end so. */
  endOf?: (error: unknown) => string | null;
  /** Whether it may time out for another reason before its time is over. */
  mayTimeOutEarly?: boolean;
}

/** How a call ended. */
export type Outcome<Answer> = { how: "answered"; answer: Answer } | { how: string; answer: null };

/** What a call may be late by, beside what its process is forgiven, in ms. */
const SLACK = 5;

/** An open call. */
interface Open {
  kind: string;
  due: number;
}

/** Writes calls down. */
export class Ledger {
  readonly tally: Tally;
  readonly #open: Set<Open> = new Set();

  /** Constructs a new instance. */
  constructor(tally: Tally) {
    this.tally = tally;
  }

  /** Calls that have not ended. */
  get open(): number {
    return this.#open.size;
  }

  /** Calls that should have ended, in words. */
  overdue(now: number): string[] {
    return [...this.#open].filter(({ due }) => due + SLACK < now)
      .map(({ kind, due }) => `a "${kind}" due at ${due.toFixed(0)} ms has not ended`);
  }

  /** Makes a call, sees how it ends, and never rejects. */
  async attempt<Answer>(site: Site, attempt: Attempt<Answer>): Promise<Outcome<Answer>> {
    const { kind, timeout, signal, grace = 0 } = attempt;
    const started = site.clock.now();
    const over = started + timeout;
    const open: Open = { kind, due: over + grace };
    this.#open.add(open);
    const outcome = await this.#outcome(attempt);
    this.#open.delete(open);
    const done = site.clock.now();
    this.tally.end(kind, outcome.how);
    const what = `"${kind}" of ${site.life}`;
    const early = done < over - 1 && !attempt.mayTimeOutEarly && !signal?.aborted;
    if (outcome.how === "timeout" && early) {
      const after = (done - started).toFixed(1);
      this.tally.violation(`${what}: timed out after ${after} ms, not ${timeout} ms`);
    }
    const late = await site.lateness(over, done) - grace;
    if (late > SLACK) {
      this.tally.violation(
        `${what}: ended as "${outcome.how}" ${late.toFixed(1)} ms late, of ${timeout} ms`,
      );
    }
    return outcome;
  }

  async #outcome<Answer>(
    { kind, make, fault, signal, endOf: judge }: Attempt<Answer>,
  ): Promise<Outcome<Answer>> {
    try {
      const answer = await make();
      const wrong = fault?.(answer) ?? null;
      if (wrong !== null) this.tally.violation(`"${kind}" was answered wrongly: ${wrong}`);
      return { how: "answered", answer };
    } catch (error) {
      const how = judge ? judge(error) : endOf(error, signal);
      if (how !== null) return { how, answer: null };
      const name = error instanceof Error ? error.name : typeof error;
      this.tally.violation(`"${kind}" ended with what no call may end with: ${name}: ${error}`);
      return { how: name, answer: null };
    }
  }
}
