/**
 * `aln ping`: how long packets take to a router and back.
 *
 * @module
 */

import { UnreachableError } from "../../errors.ts";
import { inspect } from "../../inspect/mod.ts";
import { join } from "../connection.ts";
import { EXIT, FailedError, isTimeout, reasonOf } from "../exit.ts";
import { until } from "../hosting.ts";
import { reach } from "../reach.ts";
import { printable } from "../text.ts";
import { formatTime } from "../units.ts";
import type { Context, Verb } from "../verb.ts";

/** Asks a router again and again, and says how long each answer took. */
export const ping: Verb = {
  name: "ping",
  usage: "ADDRESS",
  summary: "Say how long packets take to a router and back",
  arity: [1, 1],
  joins: true,
  options: {
    count: { value: "N", short: "n", help: "how many; default 4" },
    interval: { value: "TIME", short: "i", help: "from one to the next; default 1s" },
  },
  examples: ["aln ping kitchen", "aln ping kitchen --count 100 --interval 10ms --json"],
  run: runPing,
};

async function runPing(context: Context): Promise<number> {
  const { options, args: [dst = ""], out, signal } = context;
  const count = options.count("count", 4);
  const interval = options.time("interval", 1_000);
  const timeout = options.time("timeout", 5_000);
  const member = await join(context);
  const { router } = member;
  const route = await reach(member, dst);
  const inspector = inspect(router);
  const times: number[] = [];
  let sent = 0;
  let late = false;
  for (; sent < count && !signal.aborted; sent++) {
    if (sent > 0) await until(signal, interval);
    if (signal.aborted) break;
    try {
      const time = await inspector.ping(dst, { timeout, signal });
      times.push(time);
      if (out.json) out.value({ address: dst, number: sent + 1, time });
      else {
        const hops = route.cost === 1 ? "1 hop" : `${route.cost} hops`;
        out.line(`${sent + 1} from ${printable(dst)}, ${hops}: ${formatTime(time)}`);
      }
    } catch (error) {
      if (signal.aborted) break;
      late ||= isTimeout(error);
      if (error instanceof UnreachableError && error.code === "ERR_NO_SERVICE") {
        throw new FailedError(
          `Cannot ping "${dst}": it is there, but does not answer for itself`,
          "routers do that are `inspectable`, as those of this command are",
        );
      }
      if (!isTimeout(error)) throw error;
      if (out.json) out.value({ address: dst, number: sent + 1, time: null });
      else out.line(`${sent + 1} from ${printable(dst)}: ${reasonOf(error)}`);
    }
  }
  const lost = sent - times.length;
  const sum = times.reduce((sum, time) => sum + time, 0);
  if (!out.json && times.length > 0) {
    const [min, max] = [Math.min(...times), Math.max(...times)];
    const spread = [min, sum / times.length, max].map(formatTime).join(" / ");
    out.line(`${sent} sent, ${lost} lost; least / mean / most: ${spread}`);
  } else if (!out.json) out.line(`${sent} sent, ${lost} lost`);
  return times.length > 0 || sent === 0 ? EXIT.ok : late ? EXIT.timeout : EXIT.failed;
}
