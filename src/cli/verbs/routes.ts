/**
 * `aln routes`: who can be reached, and by way of whom.
 *
 * @module
 */

import { printable } from "../text.ts";
import { tableVerb } from "../table_verb.ts";
import type { Verb } from "../verb.ts";

/** Lists every router that can be reached from here. */
export const routes: Verb = tableVerb({
  name: "routes",
  usage: "[ADDRESS]",
  summary: "List the routers that can be reached, how far they are, and who leads there",
  arity: [0, 1],
  options: {},
  examples: ["aln routes", "aln routes --watch --json"],
  head: ["ROUTER", "HOPS", "BY WAY OF"],
  every: Infinity,
  rows: ({ router }, { args: [wanted] }) =>
    router.routes()
      .filter(({ address }) => wanted === undefined || address === wanted)
      .map(({ address, cost, via }) => ({
        key: address,
        value: { address, cost, via },
        cells: [printable(address), `${cost}`, printable(via)],
      })),
});
