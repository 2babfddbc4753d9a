/**
 * How a command ends: its exit code, and what it says of an error.
 *
 * @module
 */

/** The exit codes, which scripts may rely on. */
export const EXIT = {
  /** It was done. */
  ok: 0,
  /** It was tried, and failed: the reason is on the standard error. */
  failed: 1,
  /** The command line cannot be understood. */
  usage: 2,
  /** No router could be connected to. */
  unconnected: 3,
  /** It took longer than it may. */
  timeout: 4,
  /** Ctrl-C, or a SIGTERM. */
  interrupted: 130,
} as const;

/** The command line is wrong. */
export class UsageError extends Error {
  /** Always "UsageError". */
  override readonly name: string = "UsageError";
}

/** No router could be connected to. */
export class UnconnectedError extends Error {
  /** Always "UnconnectedError". */
  override readonly name: string = "UnconnectedError";
  /** What to do about it. */
  readonly hint: string | undefined;

  /** Constructs a new instance. */
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** It failed, and there is something to say of what to do next. */
export class FailedError extends Error {
  /** Always "FailedError". */
  override readonly name: string = "FailedError";
  /** What to do about it. */
  readonly hint: string | undefined;

  /** Constructs a new instance. */
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** The reason with which a command's signal aborts when the user interrupts it. */
export class Interrupted extends Error {
  /** Always "Interrupted". */
  override readonly name: string = "Interrupted";
}

/** The reason with which it aborts when nobody reads its output any more. */
export class Unread extends Error {
  /** Always "Unread". */
  override readonly name: string = "Unread";
}

/** The exit code for an error. */
export function exitCode(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof UnconnectedError) return EXIT.unconnected;
  if (error instanceof Interrupted) return EXIT.interrupted;
  if (error instanceof Unread) return EXIT.ok;
  if (isTimeout(error)) return EXIT.timeout;
  return EXIT.failed;
}

/** Whether something took too long. */
export function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === "TimeoutError";
}

/** What to do about an error, by its code or its name. */
const HINTS: [pattern: RegExp, hint: string][] = [
  [/^ERR_NO_SERVICE$/, "`aln services` lists what can be called"],
  [/^ERR_NO_ROUTE$/, "`aln nodes` lists who can be reached"],
  [/^ERR_CHANNEL_AUTH$/, "the network has another key: give it with --key, or in ALN_KEY"],
  [/^ERR_CHANNEL_FULL$/, "the link is too slow for this: send less at a time"],
  [/^ERR_CALL_REFUSED$/, "the service is leaving, or busy: call again, or another with --dst"],
  [
    /^ECONNREFUSED$|^ConnectionRefused$|^connection refused$/,
    "nobody listens there: is it running, on this port?",
  ],
  [/^ENOTFOUND$|^EAI_AGAIN$|^no such host$/, "the host has no address: is its name right?"],
  [
    /^EADDRINUSE$|^AddrInUse$|^address already in use$/,
    "another program has this port: choose another one, or 0 for any",
  ],
  [/^EACCES$/, "this needs more rights: choose a port above 1023"],
  [/^EADDRNOTAVAIL$|AddrNotAvailable/, "this machine has no such address: use 0.0.0.0 for all"],
  [/^ETIMEDOUT$|^EHOSTUNREACH$|^ENETUNREACH$/, "no answer from there: is a firewall in between?"],
  [/^ENOENT$/, "there is no such file"],
  [
    /WebSocket open/,
    "is it running, and the URL right? With wss: the runtime itself has to trust the certificate",
  ],
  [
    /certificate|CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|UNKNOWN_CA/,
    "name who signed it with --ca FILE",
  ],
  [/^NotCapable$/, "let Deno do it: `deno run -A …`, or what src/cli/README.md lists"],
  [/^TimeoutError$/, "let it take longer with --timeout 30s"],
];

/** What to do next; `undefined` if there is nothing to say. */
export function hintFor(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const { hint, code, name } = error as Record<string, unknown>;
  if (typeof hint === "string") return hint;
  for (const word of [code, name, reasonOf(error)]) {
    if (typeof word !== "string") continue;
    for (const [pattern, text] of HINTS) if (pattern.test(word)) return text;
  }
  return undefined;
}

/** What went wrong, in one line. Runtimes say the same in many words: for what is common, ours. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) {
    return [...new Set(error.errors.map(reasonOf))].join("; ");
  }
  if (!(error instanceof Error)) return String(error);
  const { code } = error as { code?: unknown };
  if (code === "ECONNREFUSED" || /ConnectionRefused|os error 111/.test(`${error}`)) {
    return "connection refused";
  }
  if (code === "EADDRINUSE" || error.name === "AddrInUse") return "address already in use";
  if (code === "ENOTFOUND" || code === "EAI_AGAIN" || /lookup address/.test(error.message)) {
    return "no such host";
  }
  return error.message.split("\n")[0]!;
}
