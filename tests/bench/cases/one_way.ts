/**
 * One way through one hop, with clients as applications have them, all in one runtime.
 *
 * @module
 */

import { Child } from "../host/child.ts";
import { startMiddle, type SystemName, type Transport } from "../host/middle.ts";
import { type Case, type Context, endAll, type Figures, type Row, sizeName } from "./case.ts";
import { measureFlow } from "./flow.ts";
import { clientSystems } from "./systems.ts";

/** Sizes that are measured by default, in bytes. */
const SIZES = [64, 1_024, 4_096, 16_384];

/** The case. */
export const oneWay: Case = {
  name: "one-way",
  title: "One way, source → relay → sink, real clients",
  control: "nats",
  columns: [
    { key: "rate", title: "messages/s", more: true },
    { key: "all", title: "CPU µs per message of all three", more: false },
    { key: "cpu", title: "of the relay", more: false },
  ],
  rows: (context) => oneWayRows(context, "tcp"),
};

/** The rows of the case over either transport. */
export function oneWayRows(context: Context, transport: Transport): Row[] {
  const sizes = context.sizes ?? (context.quick ? [64] : SIZES);
  return sizes.map((size) => ({
    what: sizeName(size),
    contenders: clientSystems(context, transport).map((system) => ({
      system,
      run: () => run(context, system, transport, size),
    })),
  }));
}

async function run(
  context: Context,
  system: SystemName,
  transport: Transport,
  size: number,
): Promise<Figures> {
  const { runtime } = context;
  const middle = await startMiddle(system, runtime, transport);
  const source = Child.run(runtime, "publisher.ts");
  const sink = Child.run(runtime, "subscriber.ts");
  try {
    const { port } = middle;
    const place = { transport, port, packages: context.packages.clients };
    await sink.ask("join", { system, place: { ...place, role: "sink" } });
    const told = { system, place: { ...place, role: "source" }, size };
    const info = await source.ask<object>("join", told);
    await Promise.all([sink.ask("first", info), source.ask("one")]);
    return await measureFlow(context, source, middle, sink);
  } finally {
    await endAll([middle, source, sink]);
  }
}
