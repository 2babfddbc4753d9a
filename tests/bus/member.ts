/**
 * Routers in processes of their own, in the runtime that runs the tests, that are killed.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { name as runtime } from "../support/runtime.ts";

/** What a member is told. */
export interface MemberOptions {
  engine: "nats" | "mqtt" | "redis" | "broadcast";
  url: string;
  address: string;
}

/** A process with a router that offers `echo`, `hang` and `leave`. */
export class Member implements AsyncDisposable {
  readonly #child: ChildProcess;
  #isOver: boolean = false;
  /** Its exit code, once it has ended; `null` if it was killed. */
  readonly ended: Promise<number | null>;

  /** Starts it. */
  constructor(options: MemberOptions) {
    const path = fileURLToPath(new URL("./member_process.ts", import.meta.url));
    const args = runtime === "deno" ? ["run", "--quiet", "--no-check", "-A", path] : [path];
    this.#child = spawn(process.execPath, args, {
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, ALN_MEMBER: JSON.stringify(options) },
    });
    this.ended = new Promise((resolve) => {
      this.#child.on("close", (code) => {
        this.#isOver = true;
        resolve(code);
      });
    });
  }

  /** Stops it: it is there, and does nothing. */
  stop(): void {
    process.kill(this.#child.pid!, "SIGSTOP"); // Deno's children take one signal only.
  }

  /** Kills it, as when the power fails; resolves once it has ended. */
  async kill(): Promise<void> {
    if (!this.#isOver) process.kill(this.#child.pid!, "SIGKILL");
    await this.ended;
  }

  /** Kills it, if it has not ended. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}

/** Starts a router in a process of its own. */
export function startMember(options: MemberOptions): Member {
  return new Member(options);
}
