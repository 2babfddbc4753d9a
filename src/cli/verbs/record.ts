/**
 * `aln record`: packets into a file, for `aln replay`.
 *
 * @module
 */

import type { WriteStream } from "node:fs";
import { join } from "../connection.ts";
import { listenAll, LISTENING, until } from "../hosting.ts";
import { chooser, CHOOSING } from "../packets.ts";
import { platform } from "../platform.ts";
import type { Context, Verb } from "../verb.ts";

/** What may wait to be written, in bytes: what is beyond is left out, and told. */
const HIGH_WATER = 1 << 24;

/** Writes packets and their times to a file. */
export const record: Verb = {
  name: "record",
  usage: "FILE",
  summary: "Write the packets that pass, and their times, to a file of JSON lines",
  arity: [1, 1],
  joins: true,
  options: {
    ...CHOOSING,
    ...LISTENING,
    offer: { value: "SERVICE", multiple: true, help: "offer a service that answers nothing" },
    count: { value: "N", short: "n", help: "end after so many packets" },
    for: { value: "TIME", help: "end by itself after so long" },
  },
  examples: ["aln record day.jsonl --offer temperature --for 24h"],
  run: runRecord,
};

async function runRecord(context: Context): Promise<void> {
  const { options, args: [path = ""], out, signal } = context;
  const chosen = chooser(options);
  const lifetime = options.time("for", Infinity);
  let left = options.count("count", Infinity);
  const listens = options.texts("listen");
  const enough = new AbortController();
  let broken: Error | null = null;
  let file: WriteStream | null = null; // What was there before stays until we are connected.
  let recorded = 0;
  let spared = 0;
  const start = performance.now();
  const member = await join(context, {
    lasting: true,
    carries: listens.length > 0,
    observe(direction, packet) {
      if (left <= 0 || file === null || broken !== null || !chosen(packet)) return;
      if (file.writableLength > HIGH_WATER) return void spared++;
      const at = Math.round(performance.now() - start);
      file.write(`{"at":${at},"direction":"${direction}","packet":${packet.toJson()}}\n`);
      recorded++;
      if (--left <= 0) enough.abort();
    },
  });
  for (const { url } of await listenAll(member.router, listens, context)) {
    out.note(`${member.router.address} listens on ${url}`);
  }
  const { openSync, createWriteStream } = platform("node:fs");
  const output = file = createWriteStream(path, { fd: openSync(path, "w") });
  output.on("error", (error) => {
    broken = error;
    enough.abort();
  });
  output.write(`${JSON.stringify({ recorder: member.router.address, since: Date.now() })}\n`);
  for (const service of options.texts("offer")) member.router.registerService(service, () => {});
  const done = out.progress("Recording; Ctrl-C ends it");
  await until(AbortSignal.any([signal, enough.signal]), lifetime);
  done();
  left = 0;
  await new Promise<void>((resolve) => {
    output.on("close", () => resolve());
    output.end();
  });
  if (broken !== null) throw broken;
  if (spared > 0) out.note(`${spared} packets were left out: the disk is too slow`);
  if (out.json) out.value({ file: path, packets: recorded });
  else out.note(`${recorded} packets are in ${path}`);
}
