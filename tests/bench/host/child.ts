/**
 * A contender's process: started, asked one thing after the other, and ended by its own handle.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** How long a process may take over one answer, and to write its profile, in ms. */
const BOUND = 60_000;

/** What a process has said on its error output is kept up to so many characters. */
const KEPT = 4_000;

/** A runtime that a process runs in. */
export interface Runtime {
  name: "deno" | "bun" | "node";
  path: string;
  version: string;
  /** Folder that CPU profiles are written to, or `null`. */
  profiles: string | null;
}

/** How each runtime runs one of our files; `gc()` is there in all of them. */
const ARGUMENTS: Record<Runtime["name"], string[]> = {
  deno: ["run", "-A", "--no-check", "--quiet", "--v8-flags=--expose-gc"],
  bun: ["run", "--silent"],
  node: ["--expose-gc", "--no-warnings"],
};

/** Arguments that have a process write a profile, named for what it is. */
function profiling({ name, profiles }: Runtime, file: string): string[] {
  if (profiles === null) return [];
  const id = `${name}-${file.replace(".ts", "")}-${Date.now()}`;
  return ["--cpu-prof", `--cpu-prof-dir=${profiles}`, `--cpu-prof-name=${id}.cpuprofile`];
}

/** A process. */
export class Child {
  static readonly #running: Set<Child> = new Set();

  readonly #process: ChildProcess;
  readonly #name: string;
  readonly #ended: Promise<void>;
  readonly #waiting: { resolve(value: never): void; reject(error: Error): void }[] = [];
  #errors: string = "";
  #over: boolean = false;
  #profiled: boolean = false;

  /** Starts a program; what it prints is an answer for each line, if it answers at all. */
  constructor(command: string, args: string[], onLine?: (line: string) => void) {
    this.#name = [command, args.at(-1)].map((path) => path?.split("/").at(-1)).join(" ");
    this.#process = spawn(command, args, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1" },
    });
    this.#process.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.#errors = (this.#errors + text).slice(-KEPT);
    });
    this.#process.stdin!.on("error", () => {}); // It has ended: whoever asks is told so.
    Child.#running.add(this);
    this.#ended = new Promise((resolve) => {
      const end = (error?: Error) => {
        this.#over = true;
        Child.#running.delete(this);
        const why = error?.message ?? (this.#errors.trim() || "it has ended");
        for (const { reject } of this.#waiting.splice(0)) reject(this.#failure(why));
        resolve();
      };
      this.#process.on("error", end);
      this.#process.on("close", () => end());
    });
    createInterface({ input: this.#process.stdout! }).on("line", (line) => {
      if (onLine) onLine(line);
      else this.#answered(line);
    });
    if (onLine) createInterface({ input: this.#process.stderr! }).on("line", onLine);
  }

  /** Starts one of the files in `process/`. */
  static run(runtime: Runtime, file: string): Child {
    const path = fileURLToPath(new URL(`../process/${file}`, import.meta.url));
    const child = new Child(runtime.path, [
      ...ARGUMENTS[runtime.name],
      ...profiling(runtime, file),
      path,
    ]);
    child.#profiled = runtime.profiles !== null;
    return child;
  }

  /** Kills all that run, for when there is no time. */
  static killAll(): void {
    for (const child of Child.#running) child.#process.kill("SIGKILL");
  }

  /** Process id. */
  get pid(): number {
    return this.#process.pid!;
  }

  /** Resolves once it has ended. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  /** Asks for something, and waits for the answer. */
  async ask<T = void>(command: string, args: object = {}): Promise<T> {
    if (this.#over) throw this.#failure(this.#errors.trim() || "it has ended");
    this.#process.stdin!.write(`${JSON.stringify({ command, args })}\n`);
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#waiting.push({ resolve, reject });
        timer = setTimeout(() => reject(this.#failure(`"${command}" takes too long`)), BOUND);
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends it, and waits until it has. */
  async end(): Promise<void> {
    if (!this.#profiled) this.#process.kill("SIGKILL");
    else this.#process.stdin!.end(); // It ends in order, and writes its profile.
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), BOUND);
    await this.#ended;
    clearTimeout(timer);
  }

  #answered(line: string): void {
    const { value, error } = JSON.parse(line);
    const waiting = this.#waiting.shift();
    if (error === undefined) waiting?.resolve(value as never);
    else waiting?.reject(this.#failure(error));
  }

  #failure(why: string): Error {
    return new Error(`Cannot go on with ${this.#name}: ${why}`);
  }
}
