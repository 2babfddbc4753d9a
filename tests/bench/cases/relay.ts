/**
 * One hop, saturated: a loader that only writes what was encoded beforehand, and a sink that only
 * counts bytes, so that what is in the middle is the bottleneck.
 *
 * @module
 */

import { Child } from "../host/child.ts";
import { startMiddle, type SystemName, type Transport } from "../host/middle.ts";
import type { Filling } from "../process/payload.ts";
import { type Case, type Context, endAll, type Figures, type Row, sizeName } from "./case.ts";
import { measureFlow } from "./flow.ts";

/** Sizes that are measured by default, in bytes. */
const SIZES = [64, 1_024, 4_096, 16_384];

/** The case. */
export const relay: Case = {
  name: "relay",
  title: "Saturated relay, one hop",
  control: "nats",
  columns: [
    { key: "rate", title: "messages/s", more: true },
    { key: "cpu", title: "CPU µs per message of the relay", more: false },
    { key: "busy", title: "% of a core", more: true },
  ],
  rows: (context) => relayRows(context, "tcp"),
};

/** The rows of the case over either transport. */
export function relayRows(context: Context, transport: Transport): Row[] {
  const { servers } = context.packages;
  const systems: SystemName[] = ["ours", "bytes"];
  // Over WebSocket servers put several messages into one, or not: there is no counting by bytes.
  if (servers.has("nats-server") && transport === "tcp") systems.push("nats");
  if (servers.has("mosquitto") && transport === "tcp" && !context.quick) systems.push("mosquitto");
  const row = (size: number, filling: Filling): Row => ({
    what: sizeName(size) + (filling === "random" ? ", random bytes" : ""),
    contenders: systems.map((system) => ({
      system,
      run: () => run(context, system, transport, size, filling),
    })),
  });
  const sizes = context.sizes ?? (context.quick ? [64] : SIZES);
  const rows = sizes.map((size) => row(size, "text"));
  if (!context.quick && context.sizes === null) rows.push(row(1_024, "random"));
  return rows;
}

async function run(
  context: Context,
  system: SystemName,
  transport: Transport,
  size: number,
  filling: Filling,
): Promise<Figures> {
  const middle = await startMiddle(system, context.runtime, transport);
  const source = Child.run(context.ends, "loader.ts");
  const sink = Child.run(context.ends, "sink.ts");
  try {
    const dialect = transport === "ws" ? `${system}_ws` : system;
    const { port } = middle;
    const [info] = await Promise.all([
      source.ask<object>("join", { dialect, port, size, filling }),
      sink.ask("join", { dialect, port }),
    ]);
    await Promise.all([sink.ask("first", { ...info, size }), source.ask("one")]);
    return await measureFlow(context, source, middle, sink);
  } finally {
    await endAll([middle, source, sink]);
  }
}
