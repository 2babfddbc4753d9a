/**
 * `aln trace`: the way to a router.
 *
 * @module
 */

import { inspect } from "../../inspect/mod.ts";
import { join } from "../connection.ts";
import { EXIT } from "../exit.ts";
import { reach } from "../reach.ts";
import { printable } from "../text.ts";
import { formatTime } from "../units.ts";
import type { Context, Verb } from "../verb.ts";

/** Prints the routers on the way to another. */
export const trace: Verb = {
  name: "trace",
  usage: "ADDRESS",
  summary: "Show the way to a router: who carries packets there, and over what",
  arity: [1, 1],
  joins: true,
  options: { hops: { value: "N", help: "go no further than so many; default 32" } },
  examples: ["aln trace kitchen"],
  run: runTrace,
};

async function runTrace(context: Context): Promise<number> {
  const { options, args: [dst = ""], out } = context;
  const ttl = options.count("hops", 32, 1, 32);
  const member = await join(context);
  const { router, signal, timeLeft } = member;
  await reach(member, dst);
  const report = await inspect(router).trace(dst, { ttl, timeout: timeLeft(), signal });
  if (out.json) {
    out.value(report);
    return report.reached ? EXIT.ok : EXIT.failed;
  }
  out.table(
    ["HOP", "ROUTER", "ON BY", "LINK", "ANSWERED IN"],
    report.hops.map(({ address, transport, roundTrip, at }, i) => [
      `${i}`,
      printable(address),
      transport ?? "",
      roundTrip === null ? "" : formatTime(roundTrip),
      at === null ? "silent" : i === report.hops.length - 1 ? "" : formatTime(at),
    ]),
  );
  if (report.reached) return EXIT.ok;
  out.note(`"${printable(dst)}" was not reached: ${printable(report.reason ?? "it is silent")}`);
  return EXIT.failed;
}
