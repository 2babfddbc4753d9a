/**
 * `aln bench`: how fast a service answers.
 *
 * @module
 */

import { join } from "../connection.ts";
import { EXIT, FailedError, reasonOf } from "../exit.ts";
import { reach, reachService } from "../reach.ts";
import { printable } from "../text.ts";
import { formatTime, quantile } from "../units.ts";
import type { Context, Verb } from "../verb.ts";

/** Latencies that are kept: beyond, each new one takes the place of another, by chance. */
const MAX_SAMPLES = 200_000;

/** Reasons to fail that are kept apart; with more, something is so wrong that it ends. */
const MAX_REASONS = 100;

/** Calls a service as fast as it answers, and says how fast that is. */
export const bench: Verb = {
  name: "bench",
  usage: "SERVICE",
  summary: "Call a service as fast as it answers: calls a second, and how long they take",
  arity: [1, 1],
  joins: true,
  options: {
    dst: { value: "ADDRESS", short: "d", help: "the instance there" },
    size: { value: "BYTES", help: "how large each payload is; default 64" },
    concurrency: { value: "N", help: "calls in flight at once; default 16" },
    count: { value: "N", short: "n", help: "end after so many calls" },
    for: { value: "TIME", help: "end after so long; default 3s" },
  },
  examples: [
    "aln bench echo",
    "aln bench echo --concurrency 1 --count 1000",
    "aln bench aln.ping --dst hub --size 1000",
  ],
  run: runBench,
};

async function runBench(context: Context): Promise<number> {
  const { options, args: [service = ""], out, signal } = context;
  const dst = options.text("dst");
  const payload = new Uint8Array(options.count("size", 64, 0, 1 << 20)).fill(0x61);
  const concurrency = options.count("concurrency", 16, 1, 4_096);
  const lifetime = options.time("for", options.has("count") ? Infinity : 3_000);
  let left = options.count("count", Infinity);
  const timeout = options.time("timeout", 5_000);
  const member = await join(context);
  const { router } = member;
  if (dst === undefined) await reachService(member, service);
  else await reach(member, dst);
  const done = out.progress(`Calling ${printable(service)}`);
  const over = AbortSignal.any([
    signal,
    ...(lifetime === Infinity ? [] : [AbortSignal.timeout(lifetime)]),
  ]);
  const times: number[] = [];
  const failures = new Map<string, number>();
  let calls = 0;
  const work = async () => {
    while (left-- > 0 && !over.aborted) {
      const start = performance.now();
      try {
        await router.request(service, payload, { dst, timeout, signal: over });
      } catch (error) {
        if (over.aborted) return;
        const reason = reasonOf(error);
        failures.set(reason, (failures.get(reason) ?? 0) + 1);
        if (failures.size > MAX_REASONS) return;
        await new Promise((resolve) => setTimeout(resolve)); // It may have failed at once.
        continue;
      }
      const time = performance.now() - start;
      calls++;
      if (times.length < MAX_SAMPLES) times.push(time);
      else times[Math.floor(Math.random() * MAX_SAMPLES)] = time;
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: concurrency }, work));
  const seconds = (performance.now() - start) / 1_000;
  done();
  times.sort((a, b) => a - b);
  const failed = [...failures.values()].reduce((sum, count) => sum + count, 0);
  if (calls === 0) {
    const [reason] = failures.keys();
    throw new FailedError(`Cannot measure: no call was answered: ${reason ?? "none was made"}`);
  }
  const result = {
    service,
    calls,
    failed,
    seconds: round(seconds),
    rate: round(calls / seconds),
    bytes: payload.length,
    concurrency,
    latency: {
      least: round(times[0]!),
      median: round(quantile(times, 0.5)),
      p90: round(quantile(times, 0.9)),
      p99: round(quantile(times, 0.99)),
      most: round(times.at(-1)!),
    },
  };
  if (out.json) out.value(result);
  else {
    const { least, median, p90, p99, most } = result.latency;
    out.line(
      `${calls} calls of ${payload.length} bytes in ${formatTime(seconds * 1_000)}, ` +
        `${concurrency} at a time: ${Math.round(calls / seconds)} a second`,
    );
    out.table(
      ["LEAST", "MEDIAN", "90 %", "99 %", "MOST"],
      [[least, median, p90, p99, most].map(formatTime)],
    );
    for (const [reason, count] of failures) out.line(`${count} failed: ${printable(reason)}`);
  }
  return failed === 0 ? EXIT.ok : EXIT.failed;
}

/** To the thousandth. */
function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
