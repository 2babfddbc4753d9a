/**
 * Child processes and their pipes, as Web Streams, in every runtime.
 *
 * @module
 */

import { spawn } from "node:child_process";
import process from "node:process";
import { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { ByteDuplex } from "../../mod.ts";

/** A process, seen from the one that started it. */
export interface Child {
  /** Its stdout to read and its stdin to write. */
  duplex: ByteDuplex;
  /** Its exit code, once it has ended. */
  ended: Promise<number | null>;
  /** Ends it at once. */
  kill: () => void;
}

/** Node's streams as Web Streams. */
export function webStreams(
  { stdin, stdout }: { stdin: Readable; stdout: Writable },
): ByteDuplex {
  return {
    readable: Readable.toWeb(stdin) as unknown as ReadableStream<Uint8Array>,
    writable: Writable.toWeb(stdout) as unknown as WritableStream<Uint8Array>,
  };
}

/** Starts a program of `tests/support` in the runtime that runs the test. */
export function startChild(file: string): Child {
  const path = fileURLToPath(new URL(file, import.meta.url));
  if ("Deno" in globalThis) {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", path],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    return {
      duplex: { readable: child.stdout, writable: child.stdin },
      ended: child.status.then(({ code }) => code),
      kill: () => child.kill("SIGKILL"),
    };
  }
  const child = spawn(process.execPath, [path], { stdio: ["pipe", "pipe", "inherit"] });
  return {
    duplex: webStreams({ stdin: child.stdout, stdout: child.stdin }),
    ended: new Promise((resolve) => child.on("exit", resolve)),
    kill: () => void child.kill("SIGKILL"),
  };
}
