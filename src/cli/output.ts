/**
 * {@linkcode Output}: what a command prints. Results go to the standard output, all else to the
 * standard error; colours, redrawing and words about progress are for terminals alone.
 *
 * @module
 */

import { environment, thisProcess } from "./platform.ts";
import { columns } from "./text.ts";

/** What may wait for a reader that is slow, in bytes, before lines that can be spared are. */
const HIGH_WATER = 1 << 20;

/** After how long somebody at a terminal is told what takes so long, in ms. */
const PROGRESS_AFTER = 1_000;

/** The colours that are used. */
const COLORS = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

/** A colour, or a weight. */
export type Color = keyof typeof COLORS;

/** How a command prints. */
export interface OutputOptions {
  /** Print JSON, one value a line. */
  json?: boolean;
  /** Told once when nobody reads any more. */
  onUnread?: () => void;
}

/** Prints what a command has to say. */
export class Output {
  /** Whether results are JSON, one value a line. */
  readonly json: boolean;
  /** Whether the standard output is a terminal, and results are for people. */
  readonly terminal: boolean;
  readonly #process: ReturnType<typeof thisProcess> = thisProcess();
  readonly #color: boolean;
  readonly #colorErrors: boolean;
  readonly #onUnread: () => void;
  #broken: boolean = false;
  #progress: boolean = false;

  /** Constructs a new instance. */
  constructor({ json = false, onUnread = () => {} }: OutputOptions = {}) {
    const { stdout, stderr } = this.#process;
    const plain = environment("NO_COLOR") !== undefined || environment("TERM") === "dumb";
    this.json = json;
    this.terminal = stdout.isTTY === true && !json;
    this.#color = this.terminal && !plain;
    this.#colorErrors = stderr.isTTY === true && !plain;
    this.#onUnread = onUnread;
    stdout.on("error", this.#onError);
    stderr.on("error", this.#onError);
  }

  /** Whether the reader is so slow that a line that can be spared should be. */
  get full(): boolean {
    return this.#process.stdout.writableLength > HIGH_WATER;
  }

  /** Prints one line of the result. */
  line(text: string): void {
    this.#write(`${text}\n`);
  }

  /** Prints a value as one line of JSON. */
  value(value: unknown): void {
    this.line(JSON.stringify(value));
  }

  /** Prints bytes as they are. */
  bytes(bytes: Uint8Array): void {
    this.#write(bytes);
  }

  /** Prints rows under their heads. */
  table(head: string[], rows: string[][]): void {
    const [first, ...rest] = columns([head, ...rows]);
    this.line(this.paint("dim", first!));
    for (const line of rest) this.line(line);
  }

  /** Begins the screen anew: on terminals. */
  clear(): void {
    if (this.terminal) this.#write("\x1b[H\x1b[2J\x1b[3J");
  }

  /** Says something that is no result. */
  note(text: string): void {
    this.#complain(`aln: ${text}\n`);
  }

  /** Says what went wrong, and what to do next. */
  failure(reason: string, hint: string | undefined, code: number): void {
    if (this.json) {
      this.#complain(`${JSON.stringify({ error: { code, message: reason, hint } })}\n`);
      return;
    }
    const head = this.#colorErrors ? paint("red", "aln:") : "aln:";
    this.#complain(`${head} ${reason}\n${hint === undefined ? "" : `     ${hint}\n`}`);
  }

  /** The text in a colour, where there are colours. */
  paint(color: Color, text: string): string {
    return this.#color ? paint(color, text) : text;
  }

  /**
   * Tells somebody at a terminal what is being done, if it takes more than a second.
   *
   * @returns What is to be called when it is done.
   */
  progress(text: string): () => void {
    if (this.#process.stderr.isTTY !== true) return () => {};
    const timer = setTimeout(() => {
      this.#progress = true;
      this.#complain(`${text} …`);
    }, PROGRESS_AFTER);
    return () => {
      clearTimeout(timer);
      this.#clearProgress();
    };
  }

  /** Resolves when all that was printed has been taken. */
  async flush(): Promise<void> {
    const { stdout, stderr } = this.#process;
    for (const stream of [stdout, stderr]) {
      if (this.#broken || stream.destroyed || stream.writableLength === 0) continue;
      await new Promise<void>((resolve) => stream.write("", () => resolve()));
    }
  }

  #write(text: string | Uint8Array): void {
    if (this.#broken) return;
    this.#clearProgress();
    try {
      this.#process.stdout.write(text);
    } catch (error) {
      this.#onError(error);
    }
  }

  #complain(text: string): void {
    if (this.#progress && !text.endsWith("…")) this.#clearProgress();
    try {
      this.#process.stderr.write(text);
    } catch {
      // There is nobody to tell.
    }
  }

  #clearProgress(): void {
    if (!this.#progress) return;
    this.#progress = false;
    this.#process.stderr.write("\r\x1b[2K");
  }

  /** Whoever read has left, as `head` does: no reason to complain, but to end. */
  readonly #onError = (_error: unknown): void => {
    if (this.#broken) return;
    this.#broken = true;
    this.#onUnread();
  };
}

function paint(color: Color, text: string): string {
  return `\x1b[${COLORS[color]}m${text}\x1b[0m`;
}
