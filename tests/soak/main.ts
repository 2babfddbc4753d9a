/**
 * The chaos soak:
 *
 *     deno task soak [virtual|real] [--seed N] [--runs N] [--minutes N] [--hosts N] [--trace]
 *
 * `virtual`: whole routers in virtual time, 30 virtual minutes for each of 3 seeds. `real`: routers in
 * processes of their own on this machine, for 5 minutes. Without either, both. Exits with 1 if
 * anything happened that should not, and says how to see it again.
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { below } from "../../src/testing/seeded_random.ts";
import { watchErrors } from "./rejections.ts";
import { runReal } from "./real/run.ts";
import { countsText, endsTable, mib, violationsText } from "./report.ts";
import { runVirtual, type VirtualReport } from "./virtual/run.ts";

const USAGE =
  "usage: deno task soak [virtual|real] [--seed N] [--runs N] [--minutes N] [--hosts N] [--trace]";

/** What the command line asks for. */
function choose() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        seed: { type: "string" },
        runs: { type: "string", default: "3" },
        minutes: { type: "string" },
        hosts: { type: "string", default: "10" },
        trace: { type: "boolean", default: false },
      },
    });
    const [half = "both"] = positionals;
    if (!["virtual", "real", "both"].includes(half)) throw new Error(`there is no half "${half}"`);
    const number = (name: string, value: string, min: number) => {
      const result = Number(value.replaceAll("_", ""));
      if (result >= min) return result;
      throw new Error(`--${name} is "${value}", not a number of ${min} or more`);
    };
    return {
      half,
      seed: number("seed", values.seed ?? `${below(Math.random, 2 ** 31)}`, 0),
      runs: number("runs", values.runs, 1),
      minutes: values.minutes === undefined ? null : number("minutes", values.minutes, 0.1),
      hosts: number("hosts", values.hosts, 3),
      trace: values.trace,
    };
  } catch (error) {
    console.error(`Cannot soak: ${(error as Error).message}`);
    console.error(USAGE);
    process.exit(2);
  }
}

const { half, seed, runs, minutes, hosts, trace } = choose();
let violations = 0;

if (half !== "real") {
  const uncaught: string[] = [];
  watchErrors((what) => uncaught.push(what));
  for (let run = 0; run < runs; run++) {
    const started = performance.now();
    const report = await runVirtual({
      seed: seed + run,
      minutes: minutes ?? 30,
      trace: trace ? (line) => console.log(line) : undefined,
      gc: (globalThis as { gc?: () => void }).gc,
    });
    for (const what of uncaught.splice(0)) report.tally.violation(what);
    showVirtual(report, (performance.now() - started) / 1_000);
    violations += report.tally.violated;
  }
}

if (half !== "virtual") {
  violations += await runReal({ seed, minutes: minutes ?? 5, hosts, trace });
}

console.log(violations === 0 ? "The soak has passed" : `The soak has failed: ${violations} times`);
process.exit(violations === 0 ? 0 : 1);

function showVirtual(report: VirtualReport, seconds: number): void {
  const { seed, hosts, shape, now, tally, heap, fingerprint } = report;
  const virtual = (now / 60_000).toFixed(1);
  console.log(`\n═══ seed ${seed}: ${hosts} routers, at first a ${shape} network`);
  console.log(
    `${virtual} virtual minutes in ${seconds.toFixed(0)} s, fingerprint ${fingerprint}\n`,
  );
  console.log(`${endsTable(tally.ends)}\n`);
  console.log(`${countsText(tally.counts)}\n`);
  if (heap.length > 0) console.log(`Heap at each rest: ${heap.map(mib).join(", ")}\n`);
  console.log(violationsText(tally));
  if (tally.violated > 0) {
    const long = minutes === null ? "" : ` --minutes ${minutes}`;
    console.log(`Again: deno task soak virtual --seed ${seed} --runs 1${long} --trace`);
  }
}
