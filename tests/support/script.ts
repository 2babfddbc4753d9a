/**
 * Scripts in processes of their own, run by the runtime that runs the tests.
 *
 * @module
 */

import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { name as runtime } from "./runtime.ts";

/** A script that runs. */
export interface Script {
  /** The next line that it prints; `null` at its end. */
  line(): Promise<string | null>;
  /** All that it prints from here to its end, without the last line break. */
  rest(): Promise<string>;
  /** Ends it, if it has not ended. */
  end(): Promise<void>;
}

/**
 * Starts a script that stands beside this file.
 *
 * @param env Added to this process's own.
 */
export function runScript(file: string, env: Record<string, string> = {}): Script {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = spawn(
    process.execPath,
    [...(runtime === "deno" ? ["run", "--quiet", "-A"] : []), path],
    { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, ...env } },
  );
  let text = "";
  let over = false;
  let wake = () => {};
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    wake();
  });
  const closed = new Promise<void>((resolve) => {
    child.on("close", () => {
      over = true;
      wake();
      resolve();
    });
  });
  const until = async (enough: () => boolean) => {
    while (!over && !enough()) await new Promise<void>((resolve) => wake = resolve);
  };
  return {
    async line() {
      await until(() => text.includes("\n"));
      const end = text.indexOf("\n");
      if (end < 0) return null;
      const line = text.slice(0, end);
      text = text.slice(end + 1);
      return line;
    },
    async rest() {
      await until(() => false);
      return text.trimEnd();
    },
    async end() {
      child.kill("SIGKILL");
      await closed;
    },
  };
}
