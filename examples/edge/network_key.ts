/**
 * {@linkcode networkKey}: what lets programs into the network.
 *
 * @module
 */

import process from "node:process";

/** Whoever hears a handshake can try shorter ones at leisure. */
const SHORTEST = 16;

/** The secret that hub, edges and callers share; ends the program if there is none. */
export function networkKey(): string {
  const key = process.env.ALN_KEY ?? "";
  if (key.length >= SHORTEST) return key;
  console.error(`Set ALN_KEY to the network's secret, ${SHORTEST} letters or more`);
  process.exit(2);
}
