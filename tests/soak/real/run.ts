/**
 * The real soak: processes in Deno, Bun and Node on this machine, linked by TCP and WebSocket through
 * proxies that misbehave, killed and stopped.
 *
 * @module
 */

import { Chaos } from "../chaos.ts";
import { countsText, endsTable, mib, table, violationsText } from "../report.ts";
import { faults } from "./faults.ts";
import { Fleet } from "./fleet.ts";
import { OVER_WITHIN, pause, rest } from "./rest.ts";

/** Options of {@linkcode runReal}. */
export interface RealOptions {
  /** All chance of the driver, and of every process, comes from it. */
  seed: number;
  /** How long it takes, rests included. */
  minutes: number;
  /** How many routers there are. */
  hosts: number;
  /** Whether it is told what happens. */
  trace: boolean;
}

/** How long chaos and a rest after it take together, in minutes. */
const ROUND = 5;

/** How long a rest takes, in ms, if all soon know all. */
const REST = OVER_WITHIN + 5_000;

/** The shortest time of chaos, in ms. */
const MIN_CHAOS = 10_000;

/** Nothing new goes wrong for so long on average, in ms. */
const PAUSE = 1_500;

/** What the heap of a process may grow by from one rest to the next, in all, and in bytes. */
const MAX_GROWTH = 0.3;
const HEAP_NOISE = 8 << 20;

/** Runs it. Gives how often something happened that should not. */
export async function runReal(options: RealOptions): Promise<number> {
  const { seed, minutes, hosts, trace } = options;
  const duration = minutes * 60_000;
  const interrupted = new AbortController();
  const onSignal = () => {
    fleet.ending = true; // Whoever presses Ctrl-C ends all of them.
    interrupted.abort(new Error("interrupted"));
  };
  const fleet = new Fleet(seed, duration, (line) => trace && console.log(line));
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) Deno.addSignalListener(signal, onSignal);
  console.log(`\n═══ seed ${seed}: ${hosts} processes, ${minutes} minutes`);
  try {
    await soak(fleet, hosts, duration, interrupted.signal);
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    fleet.tally.violation("interrupted");
  } finally {
    await fleet[Symbol.asyncDispose]();
    for (const signal of signals) Deno.removeSignalListener(signal, onSignal);
  }
  const { tally } = fleet;
  console.log(`\n${endsTable(tally.ends)}\n\n${countsText(tally.counts)}\n`);
  console.log(violationsText(tally));
  return tally.violated;
}

async function soak(
  fleet: Fleet,
  hosts: number,
  duration: number,
  signal: AbortSignal,
): Promise<void> {
  await fleet.build(hosts);
  let heaps = new Map<string, number>();
  const rounds = Math.max(1, Math.round(duration / 60_000 / ROUND));
  for (let round = 0; round < rounds; round++) {
    const chaos = new Chaos(fleet, faults, PAUSE);
    fleet.work(true);
    chaos.start();
    try {
      await pause(Math.max(MIN_CHAOS, duration / rounds - REST), signal);
    } finally {
      chaos.stop();
    }
    fleet.work(false);
    const now = await rest(fleet, signal);
    compare(fleet, heaps, now);
    heaps = now;
  }
  showProcesses(fleet, heaps);
  await Promise.all(fleet.hosts.map((host) => fleet.leave(host)));
}

/** Heaps of processes that have run since the last rest do not grow. */
function compare({ tally }: Fleet, before: Map<string, number>, now: Map<string, number>): void {
  for (const [life, heap] of now) {
    const old = before.get(life);
    if (old === undefined || heap <= old * (1 + MAX_GROWTH) + HEAP_NOISE) continue;
    tally.violation(`the heap of ${life} has grown from ${mib(old)} to ${mib(heap)}`);
  }
}

function showProcesses({ processes }: Fleet, heaps: Map<string, number>): void {
  const calls = (ends: Record<string, Record<string, number>> = {}) =>
    Object.values(ends).flatMap((of) => Object.values(of)).reduce((sum, count) => sum + count, 0);
  console.log(table([
    ["", "calls", "heap", "resident"],
    ...processes.map(({ life, tally }) => [
      ...[life, `${calls(tally?.ends)}`],
      ...[mib(heaps.get(life) ?? 0), mib(tally?.rss ?? 0)],
    ]),
  ]));
}
