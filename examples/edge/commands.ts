/**
 * {@linkcode COMMANDS}: all that callers may run, and {@linkcode run}.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** A program and its arguments. */
export type Command = [program: string, ...args: string[]];

/**
 * Commands by the names of the services that run them. Nothing that comes from the network becomes
 * part of one, and no shell reads them.
 */
export const COMMANDS: Record<string, Command> = {
  uptime: ["uptime"],
  disk: ["df", "-h"],
  load: ["vmstat", "1"], // A line each second, for as long as somebody reads.
};

/** What a program sees of our environment: not its secrets. */
const ENVIRONMENT = { PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" };

/**
 * Runs a command: its output, line by line as it comes and no faster than it is read, and then its
 * exit code, which is `null` if it was killed. Its errors go where ours go.
 *
 * @param signal Kills it when it aborts.
 * @throws If there is no such program.
 */
export async function* run(
  [program, ...args]: Command,
  signal: AbortSignal,
): AsyncGenerator<{ line: string } | { code: number | null }, void> {
  const child = spawn(program, args, { env: ENVIRONMENT, stdio: ["ignore", "pipe", "inherit"] });
  await once(child, "spawn");
  const exit = once(child, "exit");
  const kill = () => child.kill();
  signal.addEventListener("abort", kill);
  if (signal.aborted) kill();
  try {
    for await (const line of createInterface({ input: child.stdout })) yield { line };
    const [code] = await exit;
    yield { code };
  } finally {
    signal.removeEventListener("abort", kill);
    kill(); // Whoever reads may leave before the end.
    await exit;
  }
}
