/**
 * How many clients a crowd has.
 *
 * @module
 */

import type { Context } from "./case.ts";

const CROWD = 1_000;
const SMALL_CROWD = 100;

/** Few, if it has to be quick. */
export function crowdSize({ quick }: Context): number {
  return quick ? SMALL_CROWD : CROWD;
}

/** As rows name it. */
export function clientsName(context: Context): string {
  return `${crowdSize(context).toLocaleString("en")} clients`;
}
