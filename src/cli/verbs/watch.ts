/**
 * `aln watch`: the packets that pass.
 *
 * @module
 */

import { join } from "../connection.ts";
import { listenAll, LISTENING, until } from "../hosting.ts";
import { chooser, CHOOSING, packetLine, packetValue } from "../packets.ts";
import { hexLines } from "../text.ts";
import type { Context, Verb } from "../verb.ts";

/** Shows packets, one line for each. */
export const watch: Verb = {
  name: "watch",
  usage: "",
  summary: "Show each packet that passes: our own, and with --listen those that are carried",
  arity: [0, 0],
  joins: true,
  options: {
    ...CHOOSING,
    ...LISTENING,
    offer: {
      value: "SERVICE",
      multiple: true,
      help: "offer a service, too, that answers nothing: so that what is sent to all comes here",
    },
    hex: { short: "x", help: "show payloads byte by byte, too" },
    jsonl: { help: "the same as --json" },
    count: { value: "N", short: "n", help: "end after so many packets" },
    for: { value: "TIME", help: "end by itself after so long" },
  },
  examples: [
    "aln watch --offer log",
    "aln watch --listen tcp+aln://127.0.0.1:0 --srv temperature --jsonl",
    "aln watch --net --hex --count 20",
  ],
  run: runWatch,
};

async function runWatch(context: Context): Promise<void> {
  const { options, out, signal } = context;
  const chosen = chooser(options);
  const json = out.json || options.has("jsonl");
  const lifetime = options.time("for", Infinity);
  let left = options.count("count", Infinity);
  const hex = options.has("hex");
  const enough = new AbortController();
  let spared = 0;
  const listens = options.texts("listen");
  const member = await join(context, {
    lasting: true,
    carries: listens.length > 0,
    observe(direction, packet) {
      if (left <= 0 || !chosen(packet)) return;
      if (out.full) return void spared++;
      left--;
      if (json) out.value(packetValue(direction, packet));
      else {
        const time = new Date();
        const ms = `${time.getMilliseconds()}`.padStart(3, "0");
        const head = out.paint("dim", `${time.toTimeString().slice(0, 8)}.${ms}`);
        out.line(`${head} ${packetLine(direction, packet)}`);
        if (hex) { for (const line of hexLines(packet.data)) out.line(`  ${line}`); }
      }
      if (left <= 0) enough.abort();
    },
  });
  for (const service of options.texts("offer")) member.router.registerService(service, () => {});
  for (const { url } of await listenAll(member.router, listens, context)) {
    out.note(`${member.router.address} listens on ${url}`);
  }
  await until(AbortSignal.any([signal, enough.signal]), lifetime);
  if (spared > 0) out.note(`${spared} packets were not shown: the output is read too slowly`);
}
