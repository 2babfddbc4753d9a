/**
 * The command as processes: one mesh of five of them, and verbs that are run in each runtime, side
 * by side.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Program } from "../support/process.ts";
import { type Runtime, runtimes } from "../support/process_runtimes.ts";

/** What a test may take, in ms. */
export const TIMEOUT = 60_000;

const [deno, bun, node, node22] = runtimes as [Runtime, Runtime, Runtime, Runtime];

/** The runtimes that verbs are run in. */
export const EVERYWHERE: Runtime[] = [deno, bun, node];

/** Whether a runtime is missing. */
export const SKIP: boolean = runtimes.some(({ skip }) => skip);

/** The command in a runtime. */
export function command({ name, path }: Runtime): string[] {
  return [path, ...(name === "deno" ? ["run", "-A"] : []), "src/cli/main.ts"];
}

/** A verb that goes on. */
export function start(runtime: Runtime, ...args: string[]): Program {
  return new Program(...command(runtime), ...args);
}

/** How a verb has ended, without what differs from one time to the next. */
export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a verb to its end, and gives it an input. */
export async function aln(runtime: Runtime, args: string[], input: string = ""): Promise<Ended> {
  await using program = start(runtime, ...args);
  if (input !== "") await program.write(input);
  await program.endInput();
  const { code, stdout, stderr } = await program.ended();
  return { code, stdout: golden(stdout), stderr: golden(stderr) };
}

/** Runs a verb in each runtime at once. All have to end alike: that is what is returned. */
export async function everywhere(args: string[], input?: string): Promise<Ended> {
  const all = await Promise.all(EVERYWHERE.map((runtime) => aln(runtime, args, input)));
  for (const [i, ended] of all.entries()) {
    assert.deepEqual(ended, all[0], `${EVERYWHERE[i]!.label}: aln ${args.join(" ")}`);
  }
  return all[0]!;
}

/** A text without times, numbers and made up names; rows of routers that are there by chance. */
function golden(text: string): string {
  return text
    .replaceAll(/\b(cli|doctor)-[0-9a-f]{8}\b/g, "$1-X")
    .replaceAll(/\b(Deno|Bun|Node) \d+\.\d+\.\d+/g, "$1 V")
    .replaceAll(/\b\d\d:\d\d:\d\d(\.\d+)?\b/g, "TIME")
    .replaceAll(/(?<![\w.:])\d+(\.\d+)? (ms|s)\b/g, "T")
    .replaceAll(/"(at|since|time|uptime|roundTrip)":[\d.]+/g, '"$1":N')
    .replaceAll(/(?<=\S) {2,}/g, "  ")
    .replaceAll(/(?<= {2})\d+[dhms]\b/g, "AGE")
    .split("\n").filter((line) => !/^(> )?(hub|second)\b.*\bcli-X\b|^cli-X\b/.test(line)).join(
      "\n",
    );
}

/** The mesh of all tests of a file. */
export interface Mesh {
  /** URLs of `hub`. */
  tcp: string;
  ws: string;
  /** Its programs by their addresses. */
  programs: Record<"hub" | "second" | "sheller" | "liner" | "logger", Program>;
}

/**
 * Starts it:
 *
 *     sheller ── hub ── second ── liner
 *                          └───── logger
 *
 * `hub` offers `echo`; `shell` runs what it is sent, `lines` too, and streams what that prints; `log`
 * shows what it is sent.
 */
export async function startMesh(stack: AsyncDisposableStack): Promise<Mesh> {
  const own = (program: Program) => stack.use(program);
  const urlOf = async (program: Program, scheme: string) =>
    (await program.line(new RegExp(` listens on (${scheme}\\S+)$`)))[1]!;
  const any = "tcp+aln://127.0.0.1:0";
  const hub = own(
    start(deno, "serve", "-a", "hub", "-l", any, "-l", "ws://127.0.0.1:0", "--echo", "--ui"),
  );
  const tcp = await urlOf(hub, "tcp");
  const ws = await urlOf(hub, "ws");
  const second = own(start(node, "serve", "-a", "second", "-l", any, "-c", tcp));
  const far = await urlOf(second, "tcp");
  const handle = (runtime: Runtime, address: string, url: string, ...args: string[]) =>
    own(start(runtime, "handle", ...args, "-a", address, "-c", url));
  const run = 'eval "$(cat)"';
  const programs = {
    hub,
    second,
    sheller: handle(bun, "sheller", ws, "shell", "--exec", run),
    liner: handle(node22, "liner", far, "lines", "--stream", "--exec", run),
    logger: handle(deno, "logger", far, "log"),
  };
  await Promise.all(
    ["shell at sheller", "lines at liner", "log at logger"].map((service) =>
      hub.line(new RegExp(` service +${service},`))
    ),
  );
  return { tcp, ws, programs };
}
