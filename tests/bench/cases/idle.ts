/**
 * What the server keeps for each client that does nothing: what its process holds once all have
 * joined and its garbage is collected, less what it held before, divided by their number; beside a
 * server in the same runtime that keeps raw sockets.
 *
 * @module
 */

import { Child } from "../host/child.ts";
import { residentMemory } from "../host/cpu.ts";
import { type Middle, startMiddle, startProcess, type SystemName } from "../host/middle.ts";
import { type Case, type Context, endAll, type Figures } from "./case.ts";
import { clientsName, crowdSize } from "./crowd.ts";

/** Whoever is there beside the clients could send them so much, in bytes. */
const SIZE = 64;

/** The case. */
export const idle: Case = {
  name: "idle",
  title: "Memory of the server for each idle client, KiB",
  control: "raw",
  columns: [
    { key: "extra", title: "heap above a raw socket", more: false },
    { key: "heap", title: "heap", more: false },
    { key: "resident", title: "resident", more: false },
  ],
  rows(context) {
    const contenders = [
      { system: "ours", run: () => runOurs(context, true) },
      { system: "raw", run: () => runRaw(context) },
    ];
    for (const [system, server] of [["nats", "nats-server"], ["mosquitto", "mosquitto"]] as const) {
      if (!context.packages.servers.has(server)) continue;
      contenders.push({ system, run: () => runOther(context, system) });
    }
    const name = clientsName(context);
    const everybody = { system: "ours", run: () => runOurs(context, false) };
    return [
      { what: `${name}, leaves`, contenders },
      { what: `${name}, each told of all others`, contenders: [everybody] },
    ];
  },
};

/** Ours and, right after it, raw sockets, so that the difference is of one time. */
async function runOurs(context: Context, leaves: boolean): Promise<Figures> {
  const told = { url: "tcp+aln://127.0.0.1:0", leaves };
  const middle = await startProcess(context.runtime, "relay_ours.ts", told);
  const ours = await grow(context, middle, "ours");
  const raw = await runRaw(context);
  return { ...ours, extra: ours.heap! - raw.heap! };
}

async function runRaw(context: Context): Promise<Figures> {
  const raw = await startProcess(context.runtime, "relay_bytes.ts", { apart: true });
  return await grow(context, raw, "bytes");
}

async function runOther(context: Context, system: SystemName): Promise<Figures> {
  return await grow(context, await startMiddle(system, context.runtime), system);
}

interface Memory {
  heap: number;
  resident: number;
}

async function grow(context: Context, middle: Middle, dialect: string): Promise<Figures> {
  const count = crowdSize(context);
  const crowd = Child.run(context.ends, "crowd.ts");
  const isOther = dialect === "nats" || dialect === "mosquitto";
  const look = () =>
    isOther
      ? { heap: NaN, resident: residentMemory(middle.child.pid) }
      : middle.child.ask<Memory>("memory");
  try {
    const before = await look();
    await crowd.ask("join", { dialect, port: middle.port, count, data: SIZE });
    await crowd.ask("rest");
    const after = await look();
    const each = (bytes: number) => bytes / count / 1_024;
    return {
      heap: each(after.heap - before.heap),
      resident: each(after.resident - before.resident),
    };
  } finally {
    await endAll([middle, crowd]);
  }
}
