/**
 * The benchmark: `deno task bench`. See README.md beside it.
 *
 * @module
 */

import process from "node:process";
import type { Case, Context } from "./cases/case.ts";
import { oneWay } from "./cases/one_way.ts";
import { relay } from "./cases/relay.ts";
import { request } from "./cases/request.ts";
import { findPackages } from "./host/packages.ts";
import { getRuntime } from "./host/runtimes.ts";
import { readOptions } from "./options.ts";
import type { RowResult } from "./report/results.ts";
import { header, lines, plain } from "./report/table.ts";
import { measureRow } from "./run.ts";

const CASES: Case[] = [relay, oneWay, request];

const options = readOptions(process.argv.slice(2), CASES.map(({ name }) => name));
const cases = CASES.filter(({ name }) => options.only?.includes(name) ?? true);
const wantsClients = cases.some((one) => one !== relay);
const packages = await findPackages(wantsClients);
for (const what of packages.missing) console.log(what);
try {
  const node = await getRuntime("node");
  const rows: RowResult[] = [];
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
      }
      console.log(plain(printed));
    }
  }
} finally {
  await packages.remove();
}
