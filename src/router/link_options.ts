/**
 * What a router can be told about one of its links.
 *
 * @module
 */

import type { LinkLimits } from "../mesh/rate_limits.ts";
import { MAX_LINK_COST } from "../mesh/options.ts";

/** Options of one link, for `Router.addChannel`, `listen` and `dial`. */
export interface LinkOptions {
  /**
   * What a hop over this link counts for, 1-65534: ways are chosen by their sum. Old peers are
   * told no way that costs more than 64.
   *
   * @default {1}
   */
  cost?: number;
  /** How much the neighbour may say in a second. */
  limits?: LinkLimits;
}

/**
 * Checks the options of a link.
 *
 * @throws {RangeError} If a number is out of its range.
 */
export function checkLinkOptions({ cost = 1, limits = {} }: LinkOptions): void {
  if (!Number.isInteger(cost) || cost < 1 || cost > MAX_LINK_COST) {
    const range = `an integer in 1-${MAX_LINK_COST}`;
    throw new RangeError(`Cannot add channel: its cost, ${cost}, is not ${range}`);
  }
  for (const [name, limit] of Object.entries(limits)) {
    if (limit === undefined || limit > 0) continue;
    throw new RangeError(`Cannot add channel: its limit of ${name}, ${limit}, is not above 0`);
  }
}
