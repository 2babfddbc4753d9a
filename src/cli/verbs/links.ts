/**
 * `aln links`: who is linked to whom, and over what.
 *
 * @module
 */

import { askEverybody } from "../everybody.ts";
import { farEnd, printable } from "../text.ts";
import { tableVerb } from "../table_verb.ts";
import { formatBytes, formatTime } from "../units.ts";
import type { Verb } from "../verb.ts";

/** Lists the links of every router. */
export const links: Verb = tableVerb({
  name: "links",
  usage: "[ADDRESS]",
  summary: "List the links of every router, or of one: to whom, over what, how fast",
  arity: [0, 1],
  options: {},
  examples: ["aln links", "aln links hub --watch"],
  head: ["ROUTER", "LINK", "TO", "OVER", "COST", "ROUND TRIP", "IN", "OUT", "WAITING"],
  every: 2_000,
  async rows(member, { args: [wanted] }) {
    const answers = await askEverybody(
      member,
      wanted,
      (inspector, address, timeout) => inspector.links(address, { timeout, signal: member.signal }),
    );
    return answers.flatMap(({ address, answer }) =>
      (answer?.links ?? []).map((link) => ({
        key: `${address}\0${`${link.id}`.padStart(9, "0")}`,
        value: { router: address, ...link },
        state: `${link.address}\0${link.transport}\0${link.cost}`,
        cells: [
          printable(address),
          `${link.id}`,
          farEnd(link),
          printable(link.transport ?? "?"),
          `${link.cost}`,
          link.roundTrip === null ? "?" : formatTime(link.roundTrip),
          `${link.packetsIn}`,
          `${link.packetsOut}`,
          link.queuedBytes === null ? "?" : formatBytes(link.queuedBytes),
        ],
      }))
    );
  },
});
