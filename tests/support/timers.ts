/**
 * Timers that only a test moves, for what has its time from the platform.
 *
 * @module
 */

import { mock } from "node:test";

/** Lets time pass while timers are mocked. In steps: a timer that another one sets may be due, too. */
export function pass(duration: number): void {
  for (let left = duration; left > 0; left -= 10) mock.timers.tick(Math.min(10, left));
}
