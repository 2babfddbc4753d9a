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

/** The longest that `setTimeout` can wait, in ms; what is longer it does at once. */
const MAX_DELAY = 0x7fff_ffff;

/** The platform's own time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  schedule(at, run) {
    let timer: ReturnType<typeof setTimeout>;
    const wait = () => {
      const left = Math.ceil(at - performance.now());
      timer = left > MAX_DELAY ? setTimeout(wait, MAX_DELAY) : setTimeout(run, Math.max(0, left));
    };
    wait();
    return () => clearTimeout(timer);
  },
};
