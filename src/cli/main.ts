#!/usr/bin/env node
/**
 * `aln`, the command: looks into a mesh, calls its services, adds routers to it. In Deno, Bun and
 * Node alike:
 *
 *     deno run -A jsr:@aln/mesh/cli help
 *     npx @aln/mesh help
 *     node src/cli/main.ts help
 *
 * Its verbs, options and exit codes are told by src/cli/README.md.
 *
 * @module
 */

import {
  EXIT,
  exitCode,
  hintFor,
  Interrupted,
  isTimeout,
  reasonOf,
  Unread,
  UsageError,
} from "./exit.ts";
import { manual, overview } from "./help.ts";
import { Output } from "./output.ts";
import { environment, platform, thisProcess } from "./platform.ts";
import { type Context, readArguments, type Verb } from "./verb.ts";
import { VERBS } from "./verbs.ts";
import { VERSION } from "../inspect/version.ts";

/** How long an end in good order may take, in ms; then it ends in any case. */
const END_TIMEOUT = 4_000;

/**
 * Runs one command line. Prints to the standard outputs of this process, and hears its signals
 * meanwhile, but does not end it.
 *
 * @param argv What follows the name of the command.
 * @returns The exit code: 0 done, 1 failed, 2 wrong usage, 3 no connection, 4 too late, 130
 *   interrupted. Never rejects.
 */
export async function main(argv: readonly string[]): Promise<number> {
  const ending = new AbortController();
  const process = thisProcess();
  const json = argv.includes("--json");
  const out = new Output({ json, onUnread: () => ending.abort(new Unread()) });
  const interrupt = () => {
    if (ending.signal.aborted) process.exit(EXIT.interrupted); // Twice: at once, then.
    ending.abort(new Interrupted());
    setTimeout(() => process.exit(EXIT.interrupted), END_TIMEOUT).unref?.();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  const closers: (() => unknown)[] = [];
  let code: number;
  try {
    const { signal } = ending;
    code = await run(argv, { out, signal, atEnd: (close) => closers.unshift(close) });
    if (ending.signal.aborted) code = exitCode(ending.signal.reason);
  } catch (thrown) {
    const error = ending.signal.aborted ? ending.signal.reason : thrown;
    code = exitCode(error);
    if (error !== ending.signal.reason) tell(out, error, code, argv);
  } finally {
    for (const close of closers) await Promise.resolve(close()).catch(() => {});
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
  await out.flush();
  return code;
}

/** Finds the verb, and does it. */
async function run(
  argv: readonly string[],
  surroundings: Omit<Context, "options" | "args">,
): Promise<number> {
  const { out } = surroundings;
  const [name, ...rest] = argv;
  if (name === undefined) {
    out.note(`give it a verb\n\n${overview(VERBS)}`);
    return EXIT.usage;
  }
  if (name === "--version" || name === "-V") {
    out.line(VERSION);
    return EXIT.ok;
  }
  if (name === "--help" || name === "-h") {
    out.line(overview(VERBS));
    return EXIT.ok;
  }
  const verb = VERBS.find((verb) => verb.name === name);
  if (verb === undefined) {
    const near = nearest(name, VERBS);
    throw new UsageError(
      `Cannot run "${name}": there is no such verb` + (near ? `; is it ${near}?` : ""),
    );
  }
  const { options, args } = readArguments(verb, rest);
  if (options.has("help")) {
    out.line(manual(verb));
    return EXIT.ok;
  }
  return await verb.run({ options, args, ...surroundings }) ?? EXIT.ok;
}

/** Says what went wrong. */
function tell(out: Output, error: unknown, code: number, [verb = ""]: readonly string[]): void {
  const known = VERBS.some(({ name }) => name === verb);
  const hint = error instanceof UsageError
    ? `\`aln help${known ? ` ${verb}` : ""}\` says how it is used`
    : hintFor(error);
  const reason = isTimeout(error) && !/^Cannot /.test(reasonOf(error))
    ? `Cannot wait any longer: ${reasonOf(error)}`
    : reasonOf(error);
  out.failure(reason, hint, code);
  if (environment("ALN_DEBUG") && error instanceof Error) out.note(error.stack ?? "");
}

/** The verb that was probably meant; "" if none is near. */
function nearest(name: string, verbs: readonly Verb[]): string {
  const found = verbs.map((verb) => verb.name)
    .map((verb): [string, number] => [verb, distance(name, verb)])
    .filter(([, far]) => far <= 2)
    .sort(([, a], [, b]) => a - b);
  return found[0]?.[0] ?? "";
}

/** How many letters have to be changed, added or left out to make one word of another. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** Whether this file is what the runtime was told to run. npm links to it by another name. */
function isMain(): boolean {
  const { main, url } = import.meta as ImportMeta & { main?: boolean };
  if (main !== undefined) return main;
  const [, script] = globalThis.process?.argv ?? [];
  if (script === undefined) return false;
  try {
    return platform("node:fs").realpathSync(script) === platform("node:url").fileURLToPath(url);
  } catch {
    return false;
  }
}

if (isMain()) {
  const process = thisProcess();
  main(process.argv.slice(2)).then((code) => process.exit(code));
}
