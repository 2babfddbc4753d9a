/**
 * Measuring what flows from a source to a sink through something in the middle.
 *
 * @module
 */

import type { Child } from "../host/child.ts";
import type { Middle } from "../host/middle.ts";
import { type Context, type Figures, Meter, sleep } from "./case.ts";

interface Count {
  messages: number;
  at: number;
}

/** Lets messages flow, and measures between two marks. */
export async function measureFlow(
  { warmUp, duration }: Context,
  source: Child,
  middle: Middle,
  sink: Child,
): Promise<Figures> {
  await source.ask("flood");
  await sleep(warmUp);
  const meter = new Meter(middle.child, source, sink);
  const before = await sink.ask<Count>("count");
  meter.start();
  await sleep(duration);
  const after = await sink.ask<Count>("count");
  const [cpu, ...others] = meter.stop();
  const messages = after.messages - before.messages;
  if (messages <= 0) throw new Error("Cannot measure: nothing flows any more");
  const drops = await middle.drops();
  if (drops > 0) throw new Error(`Cannot measure: ${drops} messages were dropped`);
  return {
    rate: 1_000 * messages / (after.at - before.at),
    cpu: cpu! / messages,
    busy: cpu! / 10 / (after.at - before.at),
    all: [cpu!, ...others].reduce((sum, one) => sum + one) / messages,
  };
}
