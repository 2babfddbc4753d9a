/**
 * The benchmark: `deno task bench`. See README.md beside it.
 *
 * @module
 */

import process from "node:process";
import type { Case, Context } from "./cases/case.ts";
import { codec } from "./cases/codec.ts";
import { fanOut } from "./cases/fan_out.ts";
import { idle } from "./cases/idle.ts";
import { oneWay } from "./cases/one_way.ts";
import { relay } from "./cases/relay.ts";
import { request } from "./cases/request.ts";
import { routes } from "./cases/routes.ts";
import { websocket } from "./cases/websocket.ts";
import { findPackages } from "./host/packages.ts";
import { getRuntime } from "./host/runtimes.ts";
import { readOptions } from "./options.ts";
import { load, machine } from "./report/machine.ts";
import { writeReport } from "./report/readme.ts";
import type { RowResult } from "./report/results.ts";
import { failures, header, lines, plain } from "./report/table.ts";
import { measureRow } from "./run.ts";

const CASES: Case[] = [relay, oneWay, request, ...websocket, fanOut, idle, codec, routes];

/** "ws" stands for all that begins with it. */
function isWanted(name: string): boolean {
  return options.only?.some((word) => name === word || name.startsWith(`${word}-`)) ?? true;
}

const options = readOptions(process.argv.slice(2), CASES.map(({ name }) => name));
const cases = CASES.filter(({ name }) => isWanted(name));
const wantsClients = cases.some(({ name }) => /one-way|request/.test(name));
const packages = await findPackages(wantsClients);
console.log(
  `${machine()}; load average ${load()}; median of ${options.reps}, half the spread as ±`,
);
for (const what of packages.missing) console.log(what);
try {
  const node = await getRuntime("node");
  const rows: RowResult[] = [];
  const failed: string[] = [];
  for (const name of options.runtimes) {
    const runtime = await getRuntime(name);
    if (runtime === null) {
      console.log(`${name} cannot be had, and is left out`);
      continue;
    }
    const context: Context = {
      runtime,
      ends: node ?? runtime,
      packages,
      warmUp: options.quick ? 300 : 600,
      duration: options.quick ? 300 : 800,
      quick: options.quick,
      sizes: options.sizes,
    };
    for (const one of cases) {
      console.log(`\n${one.title}: ${runtime.name} ${runtime.version}`);
      const printed: string[][] = [];
      for (const row of one.rows(context)) {
        const measured = await measureRow(one, runtime, row, options.reps);
        rows.push(measured);
        if (printed.length === 0) printed.push(header(measured));
        printed.push(...lines(measured));
        failed.push(...failures(measured));
      }
      console.log(plain(printed));
      for (const line of failed.splice(0)) console.log(`failed: ${line}`);
    }
  }
  if (options.write) await writeReport(rows, options.reps, packages.versions);
} finally {
  await packages.remove();
}
