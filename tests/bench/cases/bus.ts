/**
 * Requests and replies over an engine that others have made: routers on a segment of it, beside its
 * own client, which does no more than that.
 *
 * @module
 */

import { Child } from "../host/child.ts";
import { startMiddle, type SystemName } from "../host/middle.ts";
import { type Case, type Context, endAll, type Figures, type Row } from "./case.ts";
import { ask, request } from "./request.ts";

const SIZE = 64; // bytes

/** Questions in flight. */
const IN_FLIGHT = [1, 64];

/** The engines, and their servers. */
const ENGINES: [engine: SystemName, server: string][] = [
  ["nats", "nats-server"],
  ["mosquitto", "mosquitto"],
  ["redis", "redis-server"],
];

/** The case. */
export const bus: Case = {
  name: "bus",
  title: "Request and reply over an engine, 64 B",
  control: "bare",
  columns: request.columns,
  rows(context) {
    const { packages: { servers, clients }, quick } = context;
    const there = ENGINES.filter(([, server]) => clients !== null && servers.has(server));
    return (quick ? there.slice(0, 1) : there).flatMap(([engine]): Row[] =>
      (quick ? [64] : IN_FLIGHT).map((inFlight) => ({
        what: `${engine}, ${inFlight} in flight`,
        contenders: [
          { system: "ours", run: () => run(context, engine, "segment", inFlight) },
          { system: "bare", run: () => run(context, engine, "bare", inFlight) },
        ],
      }))
    );
  },
};

async function run(
  context: Context,
  engine: SystemName,
  system: "segment" | "bare",
  inFlight: number,
): Promise<Figures> {
  const middle = await startMiddle(engine, context.runtime);
  const asker = Child.run(context.runtime, "asker.ts");
  const answerer = Child.run(context.runtime, "answerer.ts");
  try {
    const { clients: packages } = context.packages;
    const place = { engine, transport: "tcp", port: middle.port, packages };
    await answerer.ask("join", { system, place: { ...place, role: "sink" } });
    await asker.ask("join", { system, place: { ...place, role: "source" }, size: SIZE });
    return await ask(context, inFlight, asker, answerer, middle.child);
  } finally {
    await endAll([middle, asker, answerer]);
  }
}
