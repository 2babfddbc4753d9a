/**
 * `aln replay`: sends what `aln record` has written.
 *
 * @module
 */

import { decodeCallMark } from "../../wire/call_mark.ts";
import { Packet } from "../../wire/packet.ts";
import { join, type Membership, settled } from "../connection.ts";
import { FailedError, UsageError } from "../exit.ts";
import { inputChunks, until } from "../hosting.ts";
import type { Context, Verb } from "../verb.ts";

/** The longest line of a recording, in characters: a packet as JSON, and what is around it. */
const MAX_LINE = 1 << 18;

/** Sends recorded packets again, at the pace at which they came. */
export const replay: Verb = {
  name: "replay",
  usage: "FILE",
  summary: "Send recorded packets again, at their own pace: those for services, as ours",
  arity: [1, 1],
  joins: true,
  options: {
    speed: { value: "N", help: "so many times as fast; default 1" },
    fast: { help: "one after another, as fast as they can be sent" },
    srv: { value: "SERVICE", help: "only packets for this service" },
    dst: { value: "ADDRESS", short: "d", help: "send all of them there" },
  },
  examples: ["aln replay day.jsonl --speed 60", "aln replay day.jsonl --fast --dst test-bench"],
  run: runReplay,
};

/** One line of a recording: when a packet passed, in ms since the beginning. */
interface Recorded {
  at: number;
  packet: Packet;
  /** Whether it was for the one who recorded: as one of those to whom it was sent, mostly. */
  forRecorder: boolean;
}

async function runReplay(context: Context): Promise<void> {
  const { options, args: [path = ""], out } = context;
  const speed = options.count("speed", 1);
  const fast = options.has("fast");
  const only = options.text("srv");
  const dst = options.text("dst");
  const lines = recordedLines(path === "-" ? null : path);
  const first = await lines.next(); // A file that is none is told before anybody is connected to.
  const member = await join(context, { lasting: true });
  const { router, signal, timeLeft } = member;
  await settled(router, timeLeft(), signal);
  const counts = { sent: 0, failed: 0, skipped: 0 };
  let reason = "";
  const start = performance.now();
  let base: number | null = null;
  for (let next = first; !next.done && !signal.aborted; next = await lines.next()) {
    const { at, packet, forRecorder } = next.value;
    if (!isReplayable(packet) || (only !== undefined && packet.srv !== only)) {
      counts.skipped++;
      continue;
    }
    base ??= at;
    const wait = start + (at - base) / speed - performance.now();
    if (!fast && wait > 0) await until(signal, wait);
    if (signal.aborted) break;
    const { srv, typ, data } = packet;
    const failure = await send(member, {
      srv,
      typ,
      data,
      dst: dst ?? (forRecorder ? "" : packet.dst),
    });
    if (failure === null) counts.sent++;
    else {
      counts.failed++;
      reason = failure;
    }
  }
  if (out.json) out.value(counts);
  else {
    out.note(`${counts.sent} packets sent, ${counts.failed} failed, ${counts.skipped} left out`);
  }
  if (counts.failed > 0) throw new FailedError(reason.replace(/^\w+: /, ""));
}

/** Sends a packet; waits for room once, if the link is full. */
async function send(
  { router, signal }: Membership,
  packet: { srv: string; typ: number; data: Uint8Array; dst: string },
): Promise<string | null> {
  const failure = router.send(packet);
  if (!failure?.startsWith("ERR_CHANNEL_FULL")) return failure;
  await until(signal, 50);
  return router.send(packet);
}

/**
 * Whether a packet makes sense by itself. Replies and the frames of long calls belong to calls that
 * are over; what asked is sent without its context, so that nobody answers.
 */
function isReplayable({ net, srv, seq, ack }: Packet): boolean {
  if (net !== 0 || srv === "" || srv.startsWith("aln.")) return false;
  const mark = decodeCallMark({ seq, ack });
  return mark === null || mark.kind === 0;
}

async function* recordedLines(path: string | null): AsyncGenerator<Recorded, void> {
  const decoder = new TextDecoder();
  let rest = "";
  let number = 0;
  let recorder = "";
  const read = function* (lines: string[]): Generator<Recorded, void> {
    for (const line of lines) {
      const value = parseLine(line, ++number);
      if (typeof value.recorder === "string" && number === 1) recorder = value.recorder;
      else yield readLine(value, number, recorder);
    }
  };
  for await (const chunk of inputChunks(path)) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop()!;
    if (rest.length > MAX_LINE) throw wrongLine(number + 1);
    yield* read(parts);
  }
  if (rest !== "") yield* read([rest]);
}

function parseLine(line: string, number: number): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // It is told below.
  }
  throw wrongLine(number);
}

function readLine(value: Record<string, unknown>, number: number, recorder: string): Recorded {
  const { at } = value;
  if (typeof at !== "number" || !(at >= 0)) throw wrongLine(number);
  try {
    const packet = Packet.fromJson(JSON.stringify(value.packet));
    return { at, packet, forRecorder: packet.dst === recorder };
  } catch {
    throw wrongLine(number);
  }
}

function wrongLine(number: number): UsageError {
  return new UsageError(`Cannot replay: line ${number} is none that \`aln record\` has written`);
}
