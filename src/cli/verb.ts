/**
 * What a verb of the command line is, and how its arguments are read.
 *
 * @module
 */

import { UsageError } from "./exit.ts";
import type { Output } from "./output.ts";
import { platform } from "./platform.ts";
import { parseCount, parseTime } from "./units.ts";

/** An option, as it is read and as it is told. */
export interface OptionSpec {
  /** What its value is called in help, such as `"URL"`; none for a switch. */
  value?: string;
  /** One letter that stands for it. */
  short?: string;
  /** Whether it may be given more than once. */
  multiple?: boolean;
  /** What it does, in one line. */
  help: string;
}

/** Options by their names. */
export type OptionSpecs = Record<string, OptionSpec>;

/** What a verb is given. */
export interface Context {
  /** The options. */
  options: Arguments;
  /** The arguments that are no options. */
  args: string[];
  /** Where it prints. */
  out: Output;
  /** Aborts when the user interrupts it, or nobody reads what it prints. */
  signal: AbortSignal;
  /** Does something when the verb has ended, however it did; what came last first. */
  atEnd(close: () => unknown): void;
}

/** One verb. */
export interface Verb {
  /** What it is called by. */
  name: string;
  /** What it does, in one line. */
  summary: string;
  /** Its arguments, such as `"SERVICE [DATA|-]"`. */
  usage: string;
  /** How many arguments it takes, at least and at most. */
  arity: [min: number, max: number];
  /** Its own options, beside {@linkcode COMMON}. */
  options: OptionSpecs;
  /** Whether it joins a mesh, and so has the options for that. */
  joins: boolean;
  /** Some uses of it. */
  examples: string[];
  /**
   * Does it.
   *
   * @returns The exit code, if it is not 0.
   */
  run(context: Context): Promise<number | void>;
}

/** The options of every verb. */
export const COMMON: OptionSpecs = {
  json: { help: "print JSON, one value a line" },
  timeout: { value: "TIME", help: "how long it may take, such as 500ms or 5s; default 5s" },
  help: { short: "h", help: "say how it is used" },
};

/** The options of verbs that join a mesh. */
export const JOINING: OptionSpecs = {
  connect: {
    value: "URL",
    short: "c",
    multiple: true,
    help: "a router to connect to; also ALN_URL; default: one on this machine, or in the LAN",
  },
  address: { value: "NAME", short: "a", help: "our name in the mesh; default: one made up" },
  key: { value: "TEXT", help: "the network's key; better in ALN_KEY: others see arguments" },
  ca: { value: "FILE", help: "who signed certificates there, in PEM" },
  cert: { value: "FILE", help: "our own certificate, in PEM" },
  "cert-key": { value: "FILE", help: "its private key, in PEM" },
};

/** Every option that a verb takes. */
export function optionsOf(verb: Verb): OptionSpecs {
  return { ...verb.options, ...(verb.joins ? JOINING : {}), ...COMMON };
}

/** Options as they were given. */
export class Arguments {
  readonly #values: Record<string, unknown>;

  /** Constructs a new instance. */
  constructor(values: Record<string, unknown>) {
    this.#values = values;
  }

  /** Whether a switch was given. */
  has(name: string): boolean {
    return this.#values[name] !== undefined;
  }

  /** A text. */
  text(name: string): string | undefined {
    return this.#values[name] as string | undefined;
  }

  /** Texts of an option that may be given more than once. */
  texts(name: string): string[] {
    return (this.#values[name] ?? []) as string[];
  }

  /**
   * A time in ms.
   *
   * @throws {UsageError} If it is none.
   */
  time(name: string, otherwise: number): number {
    const text = this.text(name);
    return text === undefined ? otherwise : parseTime(`--${name}`, text);
  }

  /**
   * A whole number.
   *
   * @throws {UsageError} If it is none, or out of its range.
   */
  count(name: string, otherwise: number, min: number = 1, max: number = 0xffff_ffff): number {
    const text = this.text(name);
    return text === undefined ? otherwise : parseCount(`--${name}`, text, min, max);
  }
}

/**
 * Reads what follows a verb.
 *
 * @throws {UsageError} If it is not what the verb takes.
 */
export function readArguments(
  verb: Verb,
  argv: readonly string[],
): { options: Arguments; args: string[] } {
  const specs = Object.entries(optionsOf(verb));
  const options = Object.fromEntries(specs.map(([name, { value, short, multiple }]) => [name, {
    type: value === undefined ? "boolean" as const : "string" as const,
    multiple: multiple === true,
    ...(short === undefined ? {} : { short }),
  }]));
  let values: Record<string, unknown>;
  let positionals: string[];
  try {
    const { parseArgs } = platform("node:util");
    ({ values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true }));
  } catch (error) {
    const [, name] = /'(-[^' ,]*)/.exec((error as Error).message) ?? [];
    throw new UsageError(unusable(verb, name, (error as Error).message));
  }
  const read = new Arguments(values);
  if (read.has("help")) return { options: read, args: positionals };
  const [min, max] = verb.arity;
  if (positionals.length < min) {
    throw new UsageError(`Cannot run ${verb.name}: it takes ${verb.usage}`);
  }
  if (positionals.length > max) {
    const what = verb.usage === "" ? "no argument" : verb.usage;
    throw new UsageError(
      `Cannot run ${verb.name}: it takes ${what}, and "${positionals[max]}" is too much`,
    );
  }
  return { options: read, args: positionals };
}

/** What is wrong with an option. Runtimes say it in many words: these are ours. */
function unusable(verb: Verb, name: string | undefined, message: string): string {
  const known = name !== undefined && name.replace(/^--?(no-)?/, "") in optionsOf(verb);
  if (name === undefined) return `Cannot run ${verb.name}: ${message}`;
  if (!known) return `Cannot run ${verb.name}: it has no option ${name}`;
  const { value } = optionsOf(verb)[name.replace(/^--?/, "")] ?? {};
  return value === undefined
    ? `Cannot run ${verb.name}: ${name} takes no value`
    : `Cannot run ${verb.name}: ${name} needs a value, ${name} ${value}`;
}
