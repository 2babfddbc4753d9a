/**
 * Requests and replies: directly, and through one relay, with clients as applications have them.
 *
 * @module
 */

import { Child } from "../host/child.ts";
import { startMiddle, type SystemName, type Transport } from "../host/middle.ts";
import { type Case, type Context, endAll, type Figures, Meter, type Row } from "./case.ts";
import { clientSystems } from "./systems.ts";

const SIZE = 64; // bytes

/** Questions in flight. */
const IN_FLIGHT = [1, 64, 256];

/** The case. */
export const request: Case = {
  name: "request",
  title: "Request and reply, 64 B",
  control: "nats",
  columns: [
    { key: "rate", title: "requests/s", more: true },
    { key: "p50", title: "p50 µs", more: false },
    { key: "p99", title: "p99 µs", more: false },
    { key: "cpu", title: "CPU µs per request of all", more: false },
  ],
  rows: (context) => requestRows(context, "tcp"),
};

/** The rows of the case over either transport. */
export function requestRows(context: Context, transport: Transport): Row[] {
  const rows: Row[] = [];
  for (const inFlight of context.quick ? [64] : IN_FLIGHT) {
    rows.push({
      what: `one relay, ${inFlight} in flight`,
      contenders: clientSystems(context, transport).map((system) => ({
        system,
        run: () => runRelayed(context, system, transport, inFlight),
      })),
    });
    if (transport === "ws" || context.quick) continue;
    rows.push({
      what: `direct, ${inFlight} in flight`,
      contenders: [{ system: "ours", run: () => runDirect(context, inFlight) }],
    });
  }
  return rows;
}

async function runRelayed(
  context: Context,
  system: SystemName,
  transport: Transport,
  inFlight: number,
): Promise<Figures> {
  const middle = await startMiddle(system, context.runtime, transport);
  const asker = Child.run(context.runtime, "asker.ts");
  const answerer = Child.run(context.runtime, "answerer.ts");
  try {
    const place = { transport, port: middle.port, packages: context.packages.clients };
    await answerer.ask("join", { system, place: { ...place, role: "sink" } });
    const told = { system, place: { ...place, role: "source" }, size: SIZE };
    await asker.ask("join", told);
    return await ask(context, inFlight, asker, answerer, middle.child);
  } finally {
    await endAll([middle, asker, answerer]);
  }
}

async function runDirect(context: Context, inFlight: number): Promise<Figures> {
  const asker = Child.run(context.runtime, "asker.ts");
  const answerer = Child.run(context.runtime, "answerer.ts");
  try {
    const { port } = await answerer.ask<{ port: number }>("accept");
    const place = { transport: "tcp", port, packages: null, role: "source" };
    await asker.ask("join", { system: "ours", place, size: SIZE });
    return await ask(context, inFlight, asker, answerer);
  } finally {
    await endAll([asker, answerer]);
  }
}

/** Asks, and measures that. */
export async function ask(
  { warmUp, duration }: Context,
  inFlight: number,
  asker: Child,
  ...others: Child[]
): Promise<Figures> {
  await asker.ask("ask", { inFlight, duration: warmUp });
  const meter = new Meter(asker, ...others);
  meter.start();
  const figures = await asker.ask<Figures & { count: number }>("ask", { inFlight, duration });
  const cpu = meter.stop().reduce((sum, one) => sum + one);
  return { ...figures, cpu: cpu / figures.count };
}
