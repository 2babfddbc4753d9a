/**
 * Programs as processes of their own: started, read line by line, ended by their own handle. Every
 * wait has a bound; nothing waits for time to pass.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { deno, type Runtime } from "./process_runtimes.ts";

/** How long anything may take that a process is to do, in ms. */
const BOUND = 15_000;

/** The project's directory. */
export const ROOT: string = new URL("../..", import.meta.url).pathname;

/** How a process has ended, and all that it has said. */
export interface Ending {
  code: number;
  signal: Deno.Signal | null;
  stdout: string;
  stderr: string;
}

/** A process. */
export class Program implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #name: string;
  readonly #ended: Promise<Ending>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: string[] = [];
  readonly #errors: string[] = [];
  readonly #waiters: Set<() => void> = new Set();
  #over: boolean = false;

  /** @param args A program and its arguments; it runs in the project's directory. */
  constructor(...args: string[]) {
    this.#name = args.join(" ");
    this.#child = new Deno.Command(args[0]!, {
      args: args.slice(1),
      cwd: ROOT,
      env: { NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    const outputs = Promise.all([
      this.#read(this.#child.stdout, this.#lines),
      this.#read(this.#child.stderr, this.#errors),
    ]);
    this.#ended = this.#child.status.then(async ({ code, signal }) => {
      await outputs;
      this.#over = true;
      this.#wake();
      return { code, signal, stdout: text(this.#lines), stderr: text(this.#errors) };
    });
  }

  /** Process id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** How many lines it has printed. */
  get lines(): number {
    return this.#lines.length;
  }

  /**
   * Resolves to the first line of output that matches, be it printed already or not.
   *
   * @param from Skips so many lines: see {@linkcode lines}.
   * @param bound How long it may take, in ms.
   */
  line(pattern: RegExp, from: number = 0, bound: number = BOUND): Promise<RegExpExecArray> {
    return this.#find(this.#lines, pattern, from, bound);
  }

  /** The same for its complaints. */
  errorLine(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#find(this.#errors, pattern, 0);
  }

  /** Writes one line to it. */
  async write(line: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`));
  }

  /** Ends its input. */
  async endInput(): Promise<void> {
    await this.#input.close().catch(() => {}); // It may have ended before.
  }

  /** Sends it a signal. */
  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Resolves when it has ended; fails if it does not. */
  ended(): Promise<Ending> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(this.#failure("it does not end")), BOUND);
      this.#ended.then((ending) => {
        clearTimeout(timer);
        resolve(ending);
      });
    });
  }

  /** Kills it, if it is still there. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.endInput();
    await this.#ended;
  }

  #find(
    lines: string[],
    pattern: RegExp,
    from: number,
    bound: number = BOUND,
  ): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      let next = from;
      const done = (end: () => void) => {
        clearTimeout(timer);
        this.#waiters.delete(check);
        end();
      };
      const check = () => {
        for (; next < lines.length; next++) {
          const match = pattern.exec(lines[next]!);
          if (match !== null) return done(() => resolve(match));
        }
        if (this.#over) done(() => reject(this.#failure(`it ended before it printed ${pattern}`)));
      };
      const timer = setTimeout(
        () => done(() => reject(this.#failure(`it never printed ${pattern}`))),
        bound,
      );
      this.#waiters.add(check);
      check();
    });
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>, lines: string[]): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const parts = (rest + text).split("\n");
      rest = parts.pop()!;
      lines.push(...parts);
      this.#wake();
    }
    if (rest !== "") lines.push(rest);
    this.#wake();
  }

  #wake(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }

  #failure(what: string): Error {
    const output = `Output:\n${text(this.#lines)}Errors:\n${text(this.#errors)}`;
    return new Error(`${this.#name}: ${what}. ${output}`);
  }
}

function text(lines: string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}

/** A server example that is ready, on ports that the system chose. */
export interface RunningServer {
  program: Program;
  /** Where its TCP port is, as `--join` and the client take it. */
  tcp: string;
  /** Where its WebSocket is. */
  ws: string;
  /** Its page. */
  page: string;
}

/** How {@linkcode startServer} starts it. */
export interface ServerOptions {
  /** What runs it; by default Deno. */
  runtime?: Runtime;
  /** Ports; by default the system chooses. */
  tcp?: number;
  http?: number;
  /** Whom it joins. */
  join?: string[];
}

/** Starts the server example, and waits until it is ready. */
export async function startServer(
  address: string,
  { runtime = deno, tcp = 0, http = 0, join = [] }: ServerOptions = {},
): Promise<RunningServer> {
  const program = new Program(
    ...[...runtime.run, "examples/server.ts", "--host", "127.0.0.1"],
    ...["--address", address, "--tcp", `${tcp}`, "--http", `${http}`],
    ...join.flatMap((url) => ["--join", url]),
  );
  return { program, ...await ready(program) };
}

/** Waits until a server example says where it listens. */
export async function ready(program: Program): Promise<Omit<RunningServer, "program">> {
  const port = async (pattern: RegExp) => (await program.line(pattern))[1]!;
  const tcp = await port(/ on tcp\+aln:\/\/\S+:(\d+)$/);
  const http = await port(/ page at http:\/\/localhost:(\d+)\/$/);
  return {
    tcp: `tcp+aln://127.0.0.1:${tcp}`,
    ws: `ws://127.0.0.1:${http}/`,
    page: `http://127.0.0.1:${http}/`,
  };
}

/** A port on which nobody listens now. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      assert(typeof address === "object" && address !== null);
      server.close(() => resolve(address.port));
    });
  });
}
