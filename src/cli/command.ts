/**
 * {@linkcode runCommand}: a command of the user's, for each call of a service.
 *
 * @module
 */

import type { ChildProcess } from "node:child_process";
import { platform, thisProcess } from "./platform.ts";

/** How long a command may take to end when it is told to, in ms; then it is killed. */
const GRACE = 2_000;

/** How a command has ended. */
export interface CommandEnding {
  /** Its exit code; `null` if a signal has ended it. */
  code: number | null;
}

/**
 * Runs a command by the shell. What is sent to it never becomes a part of it.
 *
 * @param command As the user has written it.
 * @param input What its standard input is given.
 * @param variables Set in its environment, beside ours.
 * @param signal Ends it, and all that it has started, when it aborts.
 * @returns What it prints, piece by piece, and then how it ended. Its errors go where ours go.
 */
export async function* runCommand(
  command: string,
  input: AsyncIterable<Uint8Array>,
  variables: Record<string, string>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, CommandEnding> {
  const process = thisProcess();
  const windows = process.platform === "win32";
  const child = platform("node:child_process").spawn(command, {
    shell: true,
    detached: !windows, // A group of its own: what the shell starts is ended with it.
    env: { ...process.env, ...variables },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise<CommandEnding>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code }));
  });
  ended.catch(() => {}); // It is awaited below.
  const end = () => stop(child, windows);
  signal.addEventListener("abort", end);
  if (signal.aborted) end();
  const fed = feed(child, input);
  let over = false;
  try {
    for await (const chunk of child.stdout!) yield chunk;
    const ending = await ended;
    over = true;
    return ending;
  } finally {
    signal.removeEventListener("abort", end);
    if (!over) end(); // Whoever reads has left before the end.
    await fed;
  }
}

/** Gives a command its input. One that reads none of it is fine. */
async function feed(child: ChildProcess, input: AsyncIterable<Uint8Array>): Promise<void> {
  const stdin = child.stdin!;
  let open = true;
  const closed = new Promise<void>((resolve) => {
    for (const event of ["close", "error"]) {
      stdin.on(event, () => {
        open = false;
        resolve();
      });
    }
    child.once("exit", () => {
      open = false;
      resolve();
    });
  });
  const write = (async () => {
    for await (const chunk of input) {
      if (!open) return;
      if (stdin.write(chunk)) continue;
      await Promise.race([closed, new Promise<void>((resolve) => stdin.once("drain", resolve))]);
    }
    if (open) stdin.end();
  })();
  await Promise.race([closed, write.catch(() => stdin.destroy())]);
}

/** Ends a command and what it has started: kindly first. */
function stop(child: ChildProcess, windows: boolean): void {
  const kill = (signal: "SIGTERM" | "SIGKILL") => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    try {
      if (windows) child.kill(signal);
      else thisProcess().kill(-child.pid, signal);
    } catch {
      child.kill(signal); // There is no such group any more.
    }
  };
  kill("SIGTERM");
  const timer = setTimeout(() => kill("SIGKILL"), GRACE);
  child.once("close", () => clearTimeout(timer));
}
