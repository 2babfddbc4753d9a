/**
 * What the tests of `examples/backbone/` share.
 *
 * @module
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { clients, type EngineName, haveClients, haveEngines } from "./engines.ts";
import { shownCommands } from "./examples.ts";
import { Program, ROOT } from "./process.ts";
import type { Runtime } from "./process_runtimes.ts";

const README = readFileSync(`${ROOT}examples/backbone/README.md`, "utf8");

/** `true` if an engine and the clients are there, or how to get what is missing. */
export async function haveBackbone(engine: EngineName): Promise<true | string> {
  const there = haveEngines(engine);
  return there === true ? await haveClients() : there;
}

/** The text in the first block of the guide that follows a few of its words. */
export function shown(words: string): string {
  const start = README.indexOf(words);
  assert(start >= 0, `the guide does not say "${words}"`);
  return /^```\n(.*?)^```$/ms.exec(README.slice(start))![1]!;
}

/** Starts an example as its header says, with the clients at hand, but with arguments of our own. */
export async function startBackbone(
  file: string,
  runtime: Runtime,
  ...args: string[]
): Promise<Program> {
  const [command] = shownCommands(file, runtime);
  const { folder } = await clients();
  const run = command!.slice(0, command!.indexOf(file) + 1);
  return new Program("env", `NODE_PATH=${folder}/node_modules`, ...run, ...args);
}

/** The hub of a home, or a site, with a page. */
export interface BackboneHub {
  program: Program;
  /** Where its page is. */
  page: string;
  /** What routers join over TCP; empty if there is no such thing. */
  tcp: string;
}

/** Starts a site on a cluster of NATS, and waits until it is ready. */
export async function startSite(
  runtime: Runtime,
  name: string,
  nodes: readonly string[],
): Promise<BackboneHub> {
  const program = await startBackbone(
    "examples/backbone/sites/site.ts",
    runtime,
    ...[name, "tcp+aln://127.0.0.1:0", "ws://127.0.0.1:0", nodes.join()],
  );
  const [, tcp] = await program.line(/: workers join (tcp\+aln:\S+)$/);
  const [, page] = await program.line(/: page at (http:\S+)$/);
  return { program, page: page!, tcp: tcp! };
}

/** Starts the hub of a home on a broker, and waits until it is ready. */
export async function startPanel(runtime: Runtime, broker: string): Promise<BackboneHub> {
  const file = "examples/backbone/panel/hub.ts";
  const program = await startBackbone(file, runtime, "ws://127.0.0.1:0", broker);
  const [, page] = await program.line(/^panel at (http:\S+)$/);
  return { program, page: page!, tcp: "" };
}
