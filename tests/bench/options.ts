/**
 * What the benchmark can be told.
 *
 * @module
 */

import { resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Runtime } from "./host/child.ts";

/** All of it. */
export interface Options {
  /** Cases to run, by name; `null`: all. */
  only: string[] | null;
  runtimes: Runtime["name"][];
  /** Repetitions. */
  reps: number;
  /** Payload sizes in bytes; `null`: each case's own. */
  sizes: number[] | null;
  quick: boolean;
  /** Folder that CPU profiles are written to, or `null`. */
  profiles: string | null;
  /** Whether to write the report. */
  write: boolean;
}

const RUNTIMES: Runtime["name"][] = ["deno", "bun", "node"];

/** Reads the arguments. Throws a `TypeError` for what it does not know. */
export function readOptions(args: string[], cases: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: "string", multiple: true },
      runtime: { type: "string", multiple: true },
      reps: { type: "string" },
      size: { type: "string", multiple: true },
      profile: { type: "string" },
      quick: { type: "boolean", default: false },
    },
  });
  const only = values.only === undefined ? null : known(list(values.only), cases);
  const runtimes = values.runtime === undefined ? RUNTIMES : known(list(values.runtime), RUNTIMES);
  const sizes = values.size === undefined ? null : list(values.size).map(positive);
  const { quick } = values;
  const reps = positive(values.reps ?? (quick ? "2" : "3"));
  const profiles = values.profile === undefined ? null : resolve(values.profile);
  const all = only === null && sizes === null && values.runtime === undefined;
  return { only, runtimes, reps, sizes, quick, profiles, write: all && !quick && !profiles };
}

/** Values may be given one by one, or with commas between. */
function list(values: string[]): string[] {
  return values.flatMap((value) => value.split(","));
}

function known<T extends string>(names: string[], all: T[]): T[] {
  for (const name of names) {
    if (all.some((one) => one === name || one.startsWith(`${name}-`))) continue;
    throw new TypeError(`Cannot run "${name}": there are ${all.join(", ")}`);
  }
  return names as T[];
}

function positive(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new TypeError(`Cannot accept "${text}": it is not a positive integer`);
}
