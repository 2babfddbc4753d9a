/**
 * How a contender's process is told what to do: a line of JSON for each question, one for its answer.
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";

/** Answers questions, one at a time and in order, until there are no more; then the process ends. */
// deno-lint-ignore no-explicit-any -- Each file knows what it is asked with.
export function obey(commands: Record<string, (args: any) => unknown>): void {
  let last: Promise<void> = Promise.resolve();
  const input = createInterface({ input: process.stdin });
  input.on("line", (line) => {
    const { command, args } = JSON.parse(line);
    last = last.then(async () => {
      let answer: string;
      try {
        answer = JSON.stringify({ value: (await commands[command]!(args)) ?? null });
      } catch (error) {
        answer = JSON.stringify({ error: (error as Error).stack ?? String(error) });
      }
      process.stdout.write(`${answer}\n`);
    });
  });
  input.on("close", () => process.exit(0)); // Whoever asked is gone.
}
