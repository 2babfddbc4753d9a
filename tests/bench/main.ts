/**
 * The benchmark: `deno task bench`. See README.md beside it.
 *
 * @module
 */

import { mkdir } from "node:fs/promises";
import process from "node:process";
import type { Case, Context } from "./cases/case.ts";
import { bus } from "./cases/bus.ts";
import { codec } from "./cases/codec.ts";
import { fanOut } from "./cases/fan_out.ts";
import { idle } from "./cases/idle.ts";
import { oneWay } from "./cases/one_way.ts";
import { relay } from "./cases/relay.ts";
import { request } from "./cases/request.ts";
import { routes } from "./cases/routes.ts";
import { websocket } from "./cases/websocket.ts";
import { Child, type Runtime } from "./host/child.ts";
import { findPackages, type Packages } from "./host/packages.ts";
import { getRuntime } from "./host/runtimes.ts";
import { type Options, readOptions } from "./options.ts";
import { load, machine } from "./report/machine.ts";
import { writeReport } from "./report/readme.ts";
import type { RowResult } from "./report/results.ts";
import { failures, header, lines, plain } from "./report/table.ts";
import { measureRow } from "./run.ts";

const CASES: Case[] = [relay, oneWay, request, bus, ...websocket, fanOut, idle, codec, routes];

/** What there is time for if it has to be quick. */
const QUICK: Case[] = [relay, oneWay, request, bus, codec, routes];

/** Cases that need others' clients. */
const WITH_CLIENTS = /one-way|request|bus/;

/** How long to warm up, and to measure, in ms. */
const TIMES = { warmUp: 500, duration: 600 };
const QUICK_TIMES = { warmUp: 300, duration: 300 };

/** The cases that are wanted; "ws" stands for all that begins with it. */
function chosen({ only, quick }: Options): Case[] {
  if (only === null) return quick ? QUICK : CASES;
  return CASES.filter(({ name }) =>
    only.some((word) => name === word || name.startsWith(`${word}-`))
  );
}

/** Runs the cases in one runtime, and prints a table of each. */
async function runAll(
  cases: Case[],
  runtime: Runtime,
  context: Context,
  reps: number,
): Promise<RowResult[]> {
  const all: RowResult[] = [];
  for (const one of cases) {
    console.log(`\n${one.title}: ${runtime.name} ${runtime.version}`);
    const rows: RowResult[] = [];
    for (const row of one.rows(context)) rows.push(await measureRow(one, runtime, row, reps));
    console.log(plain([header(rows[0]!), ...rows.flatMap(lines)]));
    for (const line of rows.flatMap(failures)) console.log(`failed: ${line}`);
    all.push(...rows);
  }
  return all;
}

async function main(options: Options, packages: Packages): Promise<void> {
  const { reps, quick, sizes, profiles } = options;
  console.log(`${machine()}; load average ${load()}; median of ${reps}, half the spread as ±`);
  for (const what of packages.missing) console.log(what);
  if (profiles !== null) await mkdir(profiles, { recursive: true });
  const node = await getRuntime("node");
  const rows: RowResult[] = [];
  for (const name of options.runtimes) {
    const runtime = await getRuntime(name, profiles);
    if (runtime === null) {
      console.log(`${name} cannot be had, and is left out`);
      continue;
    }
    const times = quick ? QUICK_TIMES : TIMES;
    const context: Context = { runtime, ends: node ?? runtime, packages, quick, sizes, ...times };
    rows.push(...await runAll(chosen(options), runtime, context, reps));
  }
  if (options.write) await writeReport(rows, reps, packages.versions);
  const ours = rows.flatMap(({ results }) => results.filter(({ system }) => system === "ours"));
  if (ours.some(({ failure }) => failure !== null)) process.exitCode = 1;
}

const options = readOptions(process.argv.slice(2), CASES.map(({ name }) => name));
const packages = await findPackages(chosen(options).some(({ name }) => WITH_CLIENTS.test(name)));
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    Child.killAll();
    packages.remove().finally(() => process.exit(1));
  });
}
try {
  await main(options, packages);
} finally {
  await packages.remove();
}
