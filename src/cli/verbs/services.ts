/**
 * `aln services`: what can be called.
 *
 * @module
 */

import { printable } from "../text.ts";
import { tableVerb } from "../table_verb.ts";
import type { Verb } from "../verb.ts";

/** Lists every instance of every service. */
export const services: Verb = tableVerb({
  name: "services",
  usage: "[SERVICE]",
  summary: "List the services that can be called, or the instances of one",
  arity: [0, 1],
  options: {},
  examples: ["aln services", "aln services temperature --watch"],
  head: ["SERVICE", "ROUTER", "LOAD", "HOPS"],
  every: Infinity,
  rows({ router }, { args: [wanted] }) {
    const costs = new Map(router.routes().map(({ address, cost }) => [address, cost]));
    return router.services()
      .filter(({ service }) => wanted === undefined || service === wanted)
      .map(({ service, address, capacity }) => {
        const cost = costs.get(address) ?? null;
        return {
          key: `${service}\0${address}`,
          value: { service, address, capacity, cost },
          state: `${capacity}`,
          cells: [printable(service), printable(address), `${capacity}`, `${cost ?? "?"}`],
        };
      });
  },
});
