/**
 * `aln discover`: who can be connected to in the local network.
 *
 * @module
 */

import { discover as beacons } from "../../runtime/net.ts";
import { EXIT } from "../exit.ts";
import { printable } from "../text.ts";
import type { Context, Verb } from "../verb.ts";

/** Lists URLs of routers that send beacons. */
export const discover: Verb = {
  name: "discover",
  usage: "",
  summary: "List the routers in the local network that send beacons, as they are heard",
  arity: [0, 0],
  joins: false,
  options: {
    for: { value: "TIME", help: "how long to listen; default 5s" },
    count: { value: "N", short: "n", help: "end after so many" },
    port: { value: "PORT", help: "the UDP port; default 8082" },
  },
  examples: ["aln discover", "aln services --connect $(aln discover --count 1)"],
  run: runDiscover,
};

async function runDiscover({ options, out, signal }: Context): Promise<number> {
  const lifetime = options.time("for", options.time("timeout", 5_000));
  let left = options.count("count", Infinity);
  const port = options.count("port", 8_082, 1, 65_535);
  const over = AbortSignal.any([signal, AbortSignal.timeout(lifetime)]);
  const done = out.progress("Listening for beacons");
  let found = 0;
  for await (const url of beacons({ port, signal: over })) {
    found++;
    if (out.json) out.value({ url });
    else out.line(printable(url));
    if (--left <= 0) break;
  }
  done();
  if (found > 0 || signal.aborted) return EXIT.ok;
  out.note("no beacon was heard; `aln serve --announce` sends them, `aln doctor` looks for why");
  return EXIT.failed;
}
