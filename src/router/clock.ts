/**
 * Time, as the router sees it.
 *
 * @module
 */

/** Where a router takes its time from. */
export interface Clock {
  /** Now, in ms; never goes back. */
  now(): number;
  /**
   * Runs something once, not before `at`.
   *
   * @returns What cancels it.
   */
  schedule(at: number, run: () => void): () => void;
}

/** The platform's own time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  schedule(at, run) {
    const timer = setTimeout(run, Math.max(0, Math.ceil(at - performance.now())));
    return () => clearTimeout(timer);
  },
};
