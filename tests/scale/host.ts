/**
 * Some routers on one segment of NATS, each with a connection of its own, as a process: commands in,
 * JSON lines out. It leaves when its input ends.
 *
 *     deno run -A tests/scale/host.ts URL FIRST COUNT
 *
 * @module
 */

import process from "node:process";
import { createInterface } from "node:readline";
import { BusChannel, natsBus, type NatsLike } from "../../src/bus/mod.ts";
import { Router } from "../../mod.ts";
import { clients } from "../support/engines.ts";

/** What it reads, one to a line. */
export type Command =
  /** Those of its routers join: one, or (`null`) all. */
  | { do: "join"; which: number | null }
  /** Says when all of its routers that have joined know so many, themselves included. */
  | { do: "whole"; count: number }
  /** One of its routers offers one more service. */
  | { do: "offer"; which: number; service: string }
  /** Each of its routers calls others at random, so many at a time, for a while, in ms. */
  | { do: "call"; among: number; atOnce: number; time: number }
  /** What it has used so far. */
  | { do: "usage" };

/** What it prints, one to a line. */
export type Answer =
  | { kind: "ready" }
  /** When, in ms since 1970. */
  | { kind: "whole"; at: number }
  /** Times of calls, in ms, and how many failed. */
  | { kind: "calls"; times: number[]; failed: number }
  /** CPU in ms, memory in bytes. */
  | { kind: "usage"; cpu: number; resident: number; heap: number };

/** Between looks at the tables, in ms. */
const POLL = 10;

const PAYLOAD = new Uint8Array(64).fill(65);

type Connection = NatsLike & { close(): Promise<void> };

interface Nats {
  connect(options: { servers: string }): Promise<Connection>;
}

const say = (answer: Answer): void => console.log(JSON.stringify(answer));
const tick = (time: number) => new Promise((resolve) => setTimeout(resolve, time));

async function main(url: string, first: number, count: number): Promise<void> {
  const { connect } = (await clients()).load<Nats>("@nats-io/transport-node");
  const joined: Router[] = [];
  const routers = Array.from({ length: count }, (_, i) => new Router(`router-${first + i}`));
  const connections: Connection[] = [];
  for (const router of routers) {
    router.registerService("echo", (packet) => packet.data);
    connections.push(await connect({ servers: url }));
  }
  say({ kind: "ready" });

  const join = (i: number) => {
    joined.push(routers[i]!);
    routers[i]!.addChannel(new BusChannel(natsBus(connections[i]!)));
  };
  const whole = async (expected: number) => {
    const isWhole = (router: Router) => {
      const { routes, services } = router.stats();
      return routes === expected - 1 && services >= expected;
    };
    for (const router of joined) while (!isWhole(router)) await tick(POLL);
    say({ kind: "whole", at: Date.now() });
  };
  const call = async (among: number, atOnce: number, time: number) => {
    const times: number[] = [];
    let failed = 0;
    const end = performance.now() + time;
    const caller = async (router: Router) => {
      for (let start; (start = performance.now()) < end;) {
        const dst = `router-${Math.floor(Math.random() * among)}`;
        if (dst === router.address) continue;
        try {
          await router.request("echo", PAYLOAD, { dst });
          times.push(performance.now() - start);
        } catch {
          failed++;
        }
      }
    };
    const callers = joined.flatMap((router) => Array.from({ length: atOnce }, () => router));
    await Promise.all(callers.map(caller));
    say({ kind: "calls", times: times.map((one) => Math.round(one * 1_000) / 1_000), failed });
  };

  for await (const line of createInterface({ input: process.stdin })) {
    const command: Command = JSON.parse(line);
    switch (command.do) {
      case "join":
        if (command.which !== null) join(command.which);
        else for (let i = 0; i < count; i++) if (!joined.includes(routers[i]!)) join(i);
        break;
      case "whole":
        void whole(command.count);
        break;
      case "offer":
        routers[command.which]!.registerService(command.service, () => "");
        break;
      case "call":
        void call(command.among, command.atOnce, command.time);
        break;
      case "usage": {
        const { user, system } = process.cpuUsage();
        const { rss: resident, heapUsed: heap } = process.memoryUsage();
        say({ kind: "usage", cpu: (user + system) / 1_000, resident, heap });
      }
    }
  }
  await Promise.all(routers.map((router) => router.close()));
  await Promise.all(connections.map((connection) => connection.close()));
  process.exit(0);
}

const [url, first, count] = process.argv.slice(2);
await main(url!, Number(first), Number(count));
