/**
 * `aln handle`: offers a service.
 *
 * @module
 */

import type { ServiceCall } from "../../router/incoming_call.ts";
import type { Packet } from "../../wire/packet.ts";
import { runCommand } from "../command.ts";
import { join } from "../connection.ts";
import { EXIT, UsageError } from "../exit.ts";
import { timeOfDay, until } from "../hosting.ts";
import { MAX_PAYLOAD } from "../payload.ts";
import { thisProcess } from "../platform.ts";
import { payloadField, preview, printable } from "../text.ts";
import type { Context, Verb } from "../verb.ts";

/** Commands that run at once, unless the user wants more. */
const PARALLEL = 16;

/** How much of a payload is shown, in characters. */
const SHOWN = 1_000;

/** Offers a service until the user ends it. */
export const handle: Verb = {
  name: "handle",
  usage: "SERVICE",
  summary: "Offer a service: answer with a command, a text, or what was sent; or just show calls",
  arity: [1, 1],
  joins: true,
  options: {
    exec: {
      value: "CMD",
      short: "e",
      help: "run a command for each call: its input is the payload, its output the reply",
    },
    stream: { short: "s", help: "with --exec: each line of the output is a reply, at once" },
    reply: { value: "TEXT", help: "answer with a text" },
    echo: { help: "answer with what was sent" },
    parallel: { value: "N", help: "commands that run at once; more are refused; default 16" },
    capacity: { value: "N", help: "advertised load, 1-65535; the lowest is called; default 1" },
    count: { value: "N", short: "n", help: "end after so many calls" },
    quiet: { short: "q", help: "do not show the calls" },
  },
  examples: [
    "aln handle log",
    "aln handle disk --exec 'df -h'",
    "aln handle upper --exec 'tr a-z A-Z'",
    "aln handle follow --stream --exec 'tail -f /var/log/syslog'",
  ],
  run: runHandle,
};

async function runHandle(context: Context): Promise<number> {
  const { options, args: [service = ""], out } = context;
  const command = options.text("exec");
  const reply = options.text("reply");
  const answers = [command, reply, options.has("echo") || undefined];
  if (answers.filter((it) => it !== undefined).length > 1) {
    throw new UsageError("Cannot use more than one of --exec, --reply and --echo");
  }
  if (options.has("stream") && command === undefined) {
    throw new UsageError("Cannot use --stream without --exec");
  }
  if (command !== undefined) void { ...thisProcess().env }; // It is handed on: Deno may refuse it.
  const parallel = options.count("parallel", PARALLEL);
  const capacity = options.count("capacity", 1, 1, 65_535);
  let left = options.count("count", Infinity);
  const quiet = options.has("quiet");
  const streams = options.has("stream");
  const member = await join(context, { lasting: true });
  const { router, signal } = member;
  const enough = new AbortController();
  let running = 0;
  const show = (packet: Packet) => {
    if (quiet || out.full) return;
    if (out.json) {
      const { src, data } = packet;
      out.value({ at: Date.now(), service, from: src, ...payloadField(data) });
    } else out.line(`${timeOfDay()} ${printable(packet.src)}: ${preview(packet.data, SHOWN)}`);
  };
  const answer = (packet: Packet, call: ServiceCall) => {
    if (command === undefined) {
      return reply ?? (options.has("echo") ? packet.data : new Uint8Array());
    }
    if (running >= parallel) {
      throw new Error(`Cannot run command: ${parallel} run already`);
    }
    running++;
    const variables = { ALN_SERVICE: service, ALN_FROM: packet.src };
    const output = runCommand(command, call.body, variables, call.signal);
    const release = () => void running--;
    return streams ? lines(output, release) : whole(output, release);
  };
  const registration = router.registerService(service, (packet, _reply, call) => {
    show(packet);
    if (--left <= 0) setTimeout(() => enough.abort()); // After its answer has begun.
    const answered = answer(packet, call);
    return answered;
  }, { capacity });
  if (!out.json) out.note(`${router.address} offers ${printable(service)}; Ctrl-C ends it`);
  await until(AbortSignal.any([signal, enough.signal]));
  await registration.drain({ signal: AbortSignal.timeout(2_000) }).catch(() => {});
  return EXIT.ok;
}

/** All that a command prints. */
async function whole(
  output: ReturnType<typeof runCommand>,
  release: () => void,
): Promise<Uint8Array> {
  try {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for (;;) {
      const { done, value } = await output.next();
      if (done) {
        check(value.code);
        return await new Blob(chunks as BlobPart[]).bytes();
      }
      size += value.length;
      if (size > MAX_PAYLOAD) {
        await output.return({ code: null });
        throw new Error(`Cannot answer: the command prints more than ${MAX_PAYLOAD} bytes`);
      }
      chunks.push(value);
    }
  } finally {
    release();
  }
}

/** What a command prints, line by line. */
async function* lines(
  output: ReturnType<typeof runCommand>,
  release: () => void,
): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let rest = "";
  let over = false;
  try {
    for (;;) {
      const { done, value } = await output.next();
      if (done) {
        over = true;
        if (rest !== "") yield rest;
        check(value.code);
        return;
      }
      const parts = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = parts.pop()!;
      if (rest.length > MAX_PAYLOAD) throw new Error("Cannot answer: a line is too long");
      yield* parts;
    }
  } finally {
    if (!over) await output.return({ code: null });
    release();
  }
}

/** Throws if a command has failed: its caller gets that as an error. */
function check(code: number | null): void {
  if (code === 0) return;
  throw new Error(code === null ? "the command was killed" : `the command ended with code ${code}`);
}
