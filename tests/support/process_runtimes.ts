/**
 * What runs the examples: Deno, Bun, and two versions of Node. `ALN_BUN`, `ALN_NODE` and
 * `ALN_NODE22` say where they are; else they are looked for.
 *
 * @module
 */

import { findRuntime, type RuntimeName, SKIP_NOTHING } from "./toolchain.ts";

/** A runtime for TypeScript programs. */
export interface Runtime {
  /** As in "deno run examples/client.ts". */
  name: "deno" | "bun" | "node";
  /** The same, for people; if it is not there, also how to change that. */
  label: string;
  /** The program itself; empty if it is not there. */
  path: string;
  /** The program and its arguments, but for the script. */
  run: string[];
  /** Whether what is to run with it is skipped. */
  skip: boolean;
}

/** This is it. */
export const deno: Runtime = {
  name: "deno",
  label: "Deno",
  path: Deno.execPath(),
  run: [Deno.execPath(), "run", "--allow-net", "--allow-read=mod.ts,src,examples/browser"],
  skip: false,
};

/** Deno, Bun, and two of Node's. */
export const runtimes: Runtime[] = [
  deno,
  await find("bun", "bun", "Bun", "ALN_BUN"),
  await find("node", "node24", "Node 24", "ALN_NODE"),
  await find("node", "node22", "Node 22", "ALN_NODE22"),
];

async function find(
  name: "bun" | "node",
  version: RuntimeName,
  label: string,
  variable: string,
): Promise<Runtime> {
  const given = Deno.env.get(variable);
  const found = given ? { path: given } : await findRuntime(version);
  if ("path" in found) {
    const { path } = found;
    return { name, label, path, run: name === "bun" ? [path, "run"] : [path], skip: false };
  }
  if (SKIP_NOTHING) throw new Error(`Cannot run the examples in ${label}: ${found.missing}`);
  return { name, label: `${label} (skipped: ${found.missing})`, path: "", run: [], skip: true };
}
