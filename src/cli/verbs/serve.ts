/**
 * `aln serve`: a router that others connect to.
 *
 * @module
 */

import { connectOptions, givenUrls, LOCAL_URL, makeRouter } from "../connection.ts";
import { UsageError } from "../exit.ts";
import { announceAll, dialAll, listenAll, LISTENING, narrate, until } from "../hosting.ts";
import { printable } from "../text.ts";
import { dashboardOf } from "../ui.ts";
import type { Context, Verb } from "../verb.ts";

/** Where it listens unless it is told otherwise: for programs on this machine alone. */
const DEFAULT_LISTEN = ["tcp+aln://127.0.0.1:8001", LOCAL_URL];

/** Runs a router until the user ends it. */
export const serve: Verb = {
  name: "serve",
  usage: "",
  summary: "Run a router that others connect to",
  arity: [0, 0],
  joins: true,
  options: {
    ...LISTENING,
    ui: { help: "serve a page that shows the mesh, on the first ws: URL" },
    echo: { help: "offer `echo`, which answers with what it is sent" },
    announce: { help: "send beacons, so that others in the local network find it" },
    quiet: { short: "q", help: "say where it listens, and nothing of what happens" },
    for: { value: "TIME", help: "end by itself after so long" },
  },
  examples: [
    "aln serve",
    "aln serve --listen tcp+aln://0.0.0.0:8001 --listen ws://0.0.0.0:8080 --ui --announce",
    "aln serve --listen tcp+aln://127.0.0.1:0 --connect wss://mesh.example.org/",
  ],
  run: runServe,
};

async function runServe(context: Context): Promise<void> {
  const { options, out, signal } = context;
  const given = options.texts("listen");
  const dials = givenUrls(options);
  const urls = given.length > 0 || (dials.length > 0 && !options.has("ui"))
    ? given
    : DEFAULT_LISTEN;
  const ui = options.has("ui");
  const page = urls.find((url) => /^wss?:/.test(url));
  if (ui && page === undefined) {
    throw new UsageError("Cannot serve a page: --ui needs a --listen with a ws: or wss: URL");
  }
  connectOptions(options); // A file that is not there is told at once.
  const lifetime = options.time("for", Infinity);
  const router = makeRouter(context, "server", { carries: true });
  if (options.has("echo")) router.registerService("echo", ({ data }) => data);
  if (!options.has("quiet")) narrate(router, out);
  const pages = ui && page !== undefined ? dashboardOf(router, page) : undefined;
  const listeners = await listenAll(router, urls, context, pages);
  const say = (event: string, url: string, extra: Record<string, unknown> = {}) => {
    if (out.json) out.value({ at: Date.now(), event, url, ...extra });
    else out.line(`${router.address} ${event} ${url}${extra.reason ? `: ${extra.reason}` : ""}`);
  };
  for (const { url } of listeners) say("listens on", url);
  const web = listeners.find(({ url }) => /^wss?:/.test(url));
  if (ui && web) say("shows the mesh at", web.url.replace(/^ws/, "http"));
  if (options.has("announce")) {
    for (const url of await announceAll(listeners, context)) say("announces", url);
  }
  dialAll(router, dials, options, ({ event, url, reason }) => {
    if (event === "connected") say("connected to", url);
    else if (reason !== undefined) {
      const what = event === "waiting" ? "tries again to connect to" : "gives up connecting to";
      say(what, url, { reason: printable(reason) });
    }
  });
  await until(signal, lifetime);
}
