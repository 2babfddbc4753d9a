/**
 * How much a neighbour may say.
 *
 * @module
 */

/** How much the neighbour on one link may say in a second, for long. `Infinity`: as much as it will. */
export interface LinkLimits {
  /**
   * Routes and services that it may tell. Whole tables may come at once.
   *
   * @default {2000} for an old peer, 4000 for our own kind
   */
  adverts?: number;
  /**
   * Routes and services that an old peer may withdraw.
   *
   * @default {1000}
   */
  withdrawals?: number;
  /**
   * Packets of applications that it may send; a second's worth may come at once.
   *
   * @default {Infinity}
   */
  packets?: number;
}
