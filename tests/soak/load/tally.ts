/**
 * What happened in a run, counted, and what should not have happened.
 *
 * @module
 */

/** Violations that are kept in words; the rest are only counted. */
const MAX_WORDS = 50;

/** How many calls of each kind ended in each way. */
export type Ends = Record<string, Record<string, number>>;

/** Counts of one run. */
export class Tally {
  /** Calls by kind, then by how they ended. */
  readonly ends: Ends = {};
  /** Everything else that is counted, by name. */
  readonly counts: Record<string, number> = {};
  /** What should not have happened, in words. */
  readonly violations: string[] = [];
  /** How often that was. */
  violated: number = 0;
  readonly #when: () => string;

  /** @param when What every violation begins with: the time. */
  constructor(when: () => string) {
    this.#when = when;
  }

  /** Counts a call that has ended. */
  end(kind: string, how: string, count: number = 1): void {
    const ends = this.ends[kind] ??= {};
    ends[how] = (ends[how] ?? 0) + count;
  }

  /** Counts something. */
  count(what: string, count: number = 1): void {
    this.counts[what] = (this.counts[what] ?? 0) + count;
  }

  /** Notes what should not have happened. */
  violation(what: string): void {
    this.violated++;
    if (this.violations.length < MAX_WORDS) this.violations.push(`${this.#when()}: ${what}`);
  }

  /** All calls that have ended. */
  get calls(): number {
    return Object.values(this.ends).flatMap((ends) => Object.values(ends))
      .reduce((sum, count) => sum + count, 0);
  }
}
