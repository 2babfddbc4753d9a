/**
 * One message to a thousand clients: from when it is written until the last of them has got it.
 * Clients are raw connections that count bytes; only who copies the message differs.
 *
 * @module
 */

import { Child } from "../host/child.ts";
import { startMiddle, type SystemName } from "../host/middle.ts";
import { median } from "../report/statistics.ts";
import { type Case, type Context, endAll, type Figures, Meter } from "./case.ts";
import { clientsName, crowdSize } from "./crowd.ts";

const SIZE = 64; // bytes

/** Messages before it is measured, and those that are. */
const WARM_UP = 10;
const ROUNDS = 30;

/** The case. */
export const fanOut: Case = {
  name: "fan-out",
  title: "One message of 64 B to many clients",
  control: "nats",
  columns: [
    { key: "time", title: "ms until all have it", more: false },
    { key: "cpu", title: "CPU µs of the relay for each client", more: false },
  ],
  rows(context) {
    const systems: SystemName[] = ["ours"];
    if (context.packages.servers.has("nats-server")) systems.push("nats");
    if (context.packages.servers.has("mosquitto")) systems.push("mosquitto");
    const contenders = systems.map((system) => ({ system, run: () => run(context, system) }));
    return [{ what: clientsName(context), contenders }];
  },
};

async function run(context: Context, system: SystemName): Promise<Figures> {
  const count = crowdSize(context);
  const middle = await startMiddle(system, context.runtime);
  const crowd = Child.run(context.ends, "crowd.ts");
  try {
    await crowd.ask("join", { dialect: system, port: middle.port, count, data: SIZE });
    await crowd.ask("rest");
    await crowd.ask("send", { rounds: WARM_UP });
    const meter = new Meter(middle.child);
    meter.start();
    const times = await crowd.ask<number[]>("send", { rounds: ROUNDS });
    const [cpu] = meter.stop();
    return { time: median(times), cpu: cpu! / ROUNDS / count };
  } finally {
    await endAll([middle, crowd]);
  }
}
