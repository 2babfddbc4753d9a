/**
 * `aln nodes`: who is in the mesh.
 *
 * @module
 */

import { askEverybody } from "../everybody.ts";
import { printable } from "../text.ts";
import { tableVerb } from "../table_verb.ts";
import { formatAge } from "../units.ts";
import type { Verb } from "../verb.ts";

/** Lists every router, and what it says of itself. */
export const nodes: Verb = tableVerb({
  name: "nodes",
  usage: "[ADDRESS]",
  summary: "List the routers of the mesh, and what each says of itself",
  arity: [0, 1],
  options: {},
  examples: ["aln nodes", "aln nodes --json | jq -r .address"],
  head: ["ROUTER", "HOPS", "RUNTIME", "VERSION", "UP", "SERVICES"],
  every: 10_000,
  async rows(member, { args: [wanted] }) {
    const costs = new Map(member.router.routes().map(({ address, cost }) => [address, cost]));
    const answers = await askEverybody(
      member,
      wanted,
      (inspector, address, timeout) => inspector.info(address, { timeout, signal: member.signal }),
    );
    return answers.map(({ address, answer: info }) => {
      const cost = costs.get(address) ?? null;
      const names = info?.services.map(({ service }) => service).sort() ?? [];
      return {
        key: address,
        value: { address, cost, info },
        state: `${cost}\0${info?.runtime}\0${info?.version}\0${names.join()}`,
        cells: info === null ? [printable(address), `${cost ?? "?"}`, "silent", "", "", ""] : [
          printable(address),
          `${cost ?? "?"}`,
          printable(info.runtime),
          printable(info.version),
          formatAge(info.uptime).split(" ")[0]!,
          printable(names.join(", ")),
        ],
      };
    });
  },
});
