/**
 * `aln bridge`: joins networks into one.
 *
 * @module
 */

import { connectOptions, makeRouter } from "../connection.ts";
import { EXIT, UsageError } from "../exit.ts";
import { dialAll, narrate, until } from "../hosting.ts";
import { printable } from "../text.ts";
import type { Context, Verb } from "../verb.ts";

/** Runs a router that is linked to several others. */
export const bridge: Verb = {
  name: "bridge",
  usage: "URL URL...",
  summary: "Join networks: keep connected to several routers, and carry packets between them",
  arity: [2, 64],
  joins: true,
  options: {
    quiet: { short: "q", help: "say when links come and go, and nothing else" },
    for: { value: "TIME", help: "end by itself after so long" },
  },
  examples: ["aln bridge tcp+aln://workshop:8001 wss://mesh.example.org/"],
  run: runBridge,
};

async function runBridge(context: Context): Promise<number> {
  const { options, args, out, signal } = context;
  if (options.texts("connect").length > 0) {
    throw new UsageError("Cannot run bridge: it takes its URLs as arguments, without --connect");
  }
  const lifetime = options.time("for", Infinity);
  connectOptions(options);
  const router = makeRouter(context, "bridge", { carries: true });
  if (!options.has("quiet")) narrate(router, out);
  const lost = new Set<string>();
  const over = new AbortController();
  dialAll(router, args, options, ({ event, url, reason }) => {
    if (out.json) out.value({ at: Date.now(), event, url, reason });
    else if (event === "connected") out.line(`${router.address} connected to ${url}`);
    else if (reason !== undefined) {
      const what = event === "waiting" ? "tries again to connect to" : "gives up connecting to";
      out.line(`${router.address} ${what} ${url}: ${printable(reason)}`);
    }
    if (event === "closed") lost.add(url);
    if (lost.size > args.length - 2) over.abort(); // There is nothing left to join.
  });
  await until(AbortSignal.any([signal, over.signal]), lifetime);
  return over.signal.aborted ? EXIT.unconnected : EXIT.ok;
}
