/**
 * For tests of what is published: commands run at the root, and folders that go away by themselves.
 *
 * @module
 */

import assert from "node:assert/strict";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { needing as anyNeeding, run } from "../support/toolchain.ts";

/** The folder of the library, with a slash at its end. */
export const ROOT: string = fileURLToPath(new URL("../../", import.meta.url));

/** What a test may take that installs packages, in ms. */
export const TIMEOUT = 240_000;

/** Runs a command that has to succeed; the result is what it said, on both of its outputs. */
export async function succeed(cwd: string, command: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, { cwd });
  assert.equal(code, 0, `${command} ${args.join(" ")}\n${stdout}${stderr}`);
  return stdout + stderr;
}

/** Runs this Deno at the root; see {@linkcode succeed}. */
export function deno(...args: string[]): Promise<string> {
  return succeed(ROOT, Deno.execPath(), ...args);
}

/** A folder of its own, to be removed. */
export async function temporaryFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await realpath(await mkdtemp(join(tmpdir(), "aln-")));
  return {
    path,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

/** The same as {@linkcode anyNeeding}, of a test that installs packages. */
export function needing(there: true | string, name: string): ReturnType<typeof anyNeeding> {
  return anyNeeding(there, name, TIMEOUT);
}
