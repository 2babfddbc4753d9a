/**
 * The runtimes that the tests run in and on: found on this machine, or else fetched through npm,
 * which keeps them in its own cache.
 *
 * @module
 */

import { execFile } from "node:child_process";
import process from "node:process";

/** One of the runtimes, by the name that `deno task test --only` takes. */
export type RuntimeName = "deno" | "bun" | "node24" | "node22" | "node20";

/** Where a runtime is, or how to get it. */
export type Runtime = { path: string; version: string } | { missing: string };

/** The oldest version on the PATH that will do, and what npm is asked for otherwise. */
const WANTED: Record<Exclude<RuntimeName, "deno">, {
  command: string;
  accepts: (major: number, minor: number) => boolean;
  npm: string;
}> = {
  bun: { command: "bun", accepts: (major, minor) => major === 1 && minor >= 4, npm: "bun@1.4.5" },
  node24: { command: "node", accepts: (major) => major === 24, npm: "node@24" },
  // From 22.18 on it takes types out of TypeScript by itself.
  node22: {
    command: "node",
    accepts: (major, minor) => major === 22 && minor >= 18,
    npm: "node@22",
  },
  // From 20.19 on, require() takes modules.
  node20: {
    command: "node",
    accepts: (major, minor) => major === 20 && minor >= 19,
    npm: "node@20",
  },
};

/** Fetching takes seconds, from a slow mirror minutes, in ms. */
const FETCH_TIMEOUT = 180_000;

/** Whether what would be skipped on a user's machine is to fail: in the gate. */
export const SKIP_NOTHING: boolean = process.env.ALN_SKIP_NOTHING === "1";

/**
 * Name and options of a test that needs something: `true`, or how to get it. Where it is missing the
 * test is skipped and says why, or fails where nothing may be skipped.
 *
 * @param timeout What the test may take, in ms.
 */
export function needing(
  there: true | string,
  name: string,
  timeout: number = 30_000,
): [name: string, options: { skip: boolean; timeout: number }] {
  const skip = there !== true && !SKIP_NOTHING;
  return [skip ? `${name} (skipped: ${there})` : name, { skip, timeout }];
}

/** How a command ended, and all that it said. */
export interface Outcome {
  /** Exit code; -1 if it was killed, or not there at all. */
  code: number;
  stdout: string;
  stderr: string;
}

/** Options of {@linkcode run}. */
export interface RunOptions {
  /** Where; by default here. */
  cwd?: string;
  /** What to kill it after, in ms. */
  timeout?: number;
  /** Variables to set, beside those of this process. */
  env?: Record<string, string>;
}

/** Runs a command to its end. Never rejects. */
export function run(command: string, args: string[], options: RunOptions = {}): Promise<Outcome> {
  const { cwd, timeout = FETCH_TIMEOUT } = options;
  const env = { ...process.env, ...options.env, NO_COLOR: "1", FORCE_COLOR: undefined };
  // npm is a script there, which only a shell can start.
  const shell = process.platform === "win32" && /^np[mx]$/.test(command);
  return new Promise((resolve) => {
    execFile(
      command,
      args,
      { cwd, timeout, env, shell, killSignal: "SIGKILL", maxBuffer: 1 << 28 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        const late = error?.killed ? `Killed after ${timeout / 1_000} s\n` : "";
        resolve({ code, stdout, stderr: late + (code === -1 && !stderr ? `${error}` : stderr) });
      },
    );
  });
}

const found: Map<RuntimeName, Promise<Runtime>> = new Map();

/** Finds a runtime on the PATH, or fetches it through npm. */
export function findRuntime(name: RuntimeName): Promise<Runtime> {
  let runtime = found.get(name);
  if (runtime === undefined) found.set(name, runtime = look(name));
  return runtime;
}

async function look(name: RuntimeName): Promise<Runtime> {
  if (name === "deno") return { path: Deno.execPath(), version: Deno.version.deno };
  const { command, accepts, npm } = WANTED[name];
  const here = await probe(command, []);
  if (here !== null) {
    const [major, minor] = here.version.split(".").map(Number);
    if (accepts(major!, minor!)) return here;
  }
  const fetched = await probe("npx", ["-y", npm]);
  return fetched ?? { missing: `install Node with npm, which fetches ${npm}` };
}

/** Asks a command where its executable is and which version: npx itself is then out of the way. */
async function probe(
  command: string,
  args: string[],
): Promise<{ path: string; version: string } | null> {
  const script = "process.execPath + ' ' + (process.versions.bun ?? process.versions.node)";
  const { code, stdout } = await run(command, [...args, "-p", script]);
  const [, path, version] = /^(.+) (\d+\.\d+\.\d+\S*)\s*$/.exec(stdout) ?? [];
  return code === 0 && path && version ? { path, version } : null;
}
