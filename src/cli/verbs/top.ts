/**
 * `aln top`: what goes over each link now.
 *
 * @module
 */

import type { ChannelStats, RouterStats } from "../../router/stats.ts";
import { join, settled } from "../connection.ts";
import { askEverybody } from "../everybody.ts";
import { EXIT } from "../exit.ts";
import { until } from "../hosting.ts";
import { farEnd, printable } from "../text.ts";
import { formatBytes, formatTime } from "../units.ts";
import type { Context, Verb } from "../verb.ts";

/** Shows rates, again and again. */
export const top: Verb = {
  name: "top",
  usage: "[ADDRESS]",
  summary: "Show what goes over each link of every router, or of one, second by second",
  arity: [0, 1],
  joins: true,
  options: {
    interval: { value: "TIME", short: "i", help: "from one table to the next; default 1s" },
    count: { value: "N", short: "n", help: "end after so many tables" },
  },
  examples: ["aln top", "aln top hub --interval 5s", "aln top --count 1 --json"],
  run: runTop,
};

/** One link at one time. */
interface Sample {
  router: string;
  at: number;
  link: ChannelStats;
}

async function runTop(context: Context): Promise<number> {
  const { options, args: [only], out, signal } = context;
  const interval = Math.max(50, options.time("interval", 1_000));
  const count = options.count("count", Infinity);
  const member = await join(context, { lasting: true });
  await settled(member.router, member.timeLeft(), signal);
  const sample = async (): Promise<Map<string, Sample>> => {
    const answers = await askEverybody(
      member,
      only,
      async (inspector, address, timeout): Promise<{ at: number; stats: RouterStats }> => {
        const stats = await inspector.stats(address, { timeout, signal });
        return { at: performance.now(), stats };
      },
    );
    return new Map(
      answers.flatMap(({ address, answer }) =>
        (answer?.stats.channels ?? []).map((link): [string, Sample] => [
          `${address}\0${link.id}`,
          { router: address, at: answer!.at, link },
        ])
      ),
    );
  };
  let before = await sample();
  for (let shown = 0; shown < count && !signal.aborted; shown++) {
    await until(signal, interval);
    if (signal.aborted) break;
    const after = await sample();
    const rates = [...after].map(([key, now]) => rate(before.get(key), now));
    before = after;
    rates.sort((a, b) =>
      b.packetsIn + b.packetsOut - a.packetsIn - a.packetsOut || (a.router < b.router ? -1 : 1)
    );
    show(rates, context);
  }
  if (out.json || before.size > 0) return EXIT.ok;
  out.note("no router answers: do they run this library, and are they inspectable?");
  return EXIT.failed;
}

/** What went over a link, in a second. */
interface Rate {
  router: string;
  id: number;
  to: string;
  transport: string | null;
  packetsIn: number;
  packetsOut: number;
  bytesIn: number | null;
  bytesOut: number | null;
  queuedBytes: number | null;
  roundTrip: number | null;
  drops: number;
}

function rate(before: Sample | undefined, now: Sample): Rate {
  const { link, router } = now;
  const seconds = before === undefined ? link.uptime / 1_000 : (now.at - before.at) / 1_000;
  const per = (after: number | null, first: number | null | undefined): number | null =>
    after === null ? null : Math.max(0, (after - (first ?? 0)) / Math.max(seconds, 0.001));
  const drops = Object.values(link.drops).reduce((sum, count) => sum + count, 0);
  return {
    router,
    id: link.id,
    to: link.neighbours === undefined ? link.address : farEnd(link),
    transport: link.transport,
    packetsIn: per(link.packetsIn, before?.link.packetsIn) ?? 0,
    packetsOut: per(link.packetsOut, before?.link.packetsOut) ?? 0,
    bytesIn: per(link.bytesIn, before?.link.bytesIn),
    bytesOut: per(link.bytesOut, before?.link.bytesOut),
    queuedBytes: link.queuedBytes,
    roundTrip: link.roundTrip,
    drops,
  };
}

function show(rates: Rate[], { out }: Context): void {
  if (out.json) { for (const rate of rates) out.value({ at: Date.now(), ...rate }); }
  else if (rates.length > 0) {
    out.clear();
    const bytes = (count: number | null) => count === null ? "?" : `${formatBytes(count)}/s`;
    out.table(
      [
        "ROUTER",
        "LINK",
        "TO",
        "OVER",
        "IN/S",
        "OUT/S",
        "IN",
        "OUT",
        "WAITING",
        "ROUND TRIP",
        "DROPS",
      ],
      rates.map((it) => [
        printable(it.router),
        `${it.id}`,
        printable(it.to) || "?",
        printable(it.transport ?? "?"),
        it.packetsIn.toFixed(1),
        it.packetsOut.toFixed(1),
        bytes(it.bytesIn),
        bytes(it.bytesOut),
        it.queuedBytes === null ? "?" : formatBytes(it.queuedBytes),
        it.roundTrip === null ? "?" : formatTime(it.roundTrip),
        `${it.drops}`,
      ]),
    );
  }
}
