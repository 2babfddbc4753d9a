/**
 * The process of one router, as its driver sees it.
 *
 * @module
 */

import { ROOT } from "../../support/process.ts";
import {
  type Beginning,
  type Command,
  Lines,
  type Report,
  type ReportKind,
  type ReportOf,
} from "./protocol.ts";

/** What a process has counted: its last tally. */
export type LastTally = ReportOf<"tally">;

/** Complaints that are kept, in characters. */
const MAX_COMPLAINTS = 4_000;

/** How a process ended. */
export interface Ending {
  code: number;
  signal: string | null;
}

/** A process; it is ended by its handle, and by nothing else. */
export class MemberProcess {
  readonly life: string;
  readonly runtime: string;
  readonly ended: Promise<Ending>;
  /** What it has counted. */
  tally: LastTally | null = null;
  /** What it has printed on its error output. */
  complaints: string = "";
  /** Whether it is stopped. */
  stopped: boolean = false;
  /** Whether it has been told to end, or been killed. */
  doomed: boolean = false;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #waiters: Map<ReportKind, ((report: Report | null) => void)[]> = new Map();
  readonly #onViolation: (what: string) => void;

  /**
   * Constructs a new instance.
   *
   * @param command What runs it, with arguments before the script.
   */
  constructor(
    runtime: string,
    command: string[],
    beginning: Beginning,
    onViolation: (what: string) => void,
  ) {
    this.life = beginning.life;
    this.runtime = runtime;
    this.#onViolation = onViolation;
    this.#child = new Deno.Command(command[0]!, {
      args: [...command.slice(1), "tests/soak/real/member.ts", JSON.stringify(beginning)],
      cwd: ROOT,
      env: { NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    const outputs = [this.#hear(), this.#hearComplaints()];
    this.ended = Promise.all([this.#child.status, ...outputs]).then(([{ code, signal }]) => {
      for (const waiters of this.#waiters.values()) for (const tell of waiters) tell(null);
      this.#waiters.clear();
      this.#input.close().catch(() => {});
      return { code, signal };
    });
  }

  /** The next report of a kind; `null` if it ends before, or takes too long. */
  report<Kind extends ReportKind>(is: Kind, timeout: number): Promise<ReportOf<Kind> | null> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(null), timeout);
      const waiters = this.#waiters.get(is) ?? [];
      this.#waiters.set(is, waiters);
      waiters.push((report) => {
        clearTimeout(timer);
        resolve(report as ReportOf<Kind> | null);
      });
    });
  }

  /** Tells it something. */
  tell(command: Command): void {
    const line = new TextEncoder().encode(`${JSON.stringify(command)}\n`);
    this.#input.write(line).catch(() => {}); // It has ended.
  }

  /** Tells it something, and waits for what it says to that; `null` if it says nothing in time. */
  ask<Kind extends ReportKind>(
    command: Command,
    is: Kind,
    timeout: number,
  ): Promise<ReportOf<Kind> | null> {
    const report = this.report(is, timeout);
    this.tell(command);
    return report;
  }

  /** Kills it. */
  kill(): void {
    this.doomed = true;
    this.#signal("SIGKILL");
  }

  /** Stops it. */
  stop(): void {
    this.stopped = true;
    this.#signal("SIGSTOP");
  }

  /** Continues it. */
  continue(): void {
    this.stopped = false;
    this.#signal("SIGCONT");
  }

  #signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended.
    }
  }

  async #hear(): Promise<void> {
    const lines = new Lines();
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      for (const line of lines.push(text)) this.#take(line);
    }
  }

  #take(line: string): void {
    let report: Report;
    try {
      report = JSON.parse(line);
    } catch {
      return this.#onViolation(`${this.life} has printed "${line}"`);
    }
    if (report.is === "tally") {
      this.tally = report;
      for (const violation of report.violations) this.#onViolation(violation);
    }
    const waiters = this.#waiters.get(report.is) ?? [];
    this.#waiters.delete(report.is);
    for (const tell of waiters) tell(report);
  }

  async #hearComplaints(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.complaints = (this.complaints + text).slice(0, MAX_COMPLAINTS);
    }
  }
}
