/**
 * Whole routers on one segment of a real NATS server on this machine, in processes of their own.
 *
 * @module
 */

import { type NatsEngine, startNats } from "../support/engines.ts";
import { Program } from "../support/process.ts";
import type { Answer, Command } from "./host.ts";

/** What was measured. */
export interface RealFigures {
  routers: number;
  processes: number;
  /** The last of them joins: what the server was given, and gave; how long until all know all, in ms. */
  last: Traffic & { time: number };
  /** A few more, one by one: the same, of each. */
  oneByOne: Traffic & { time: number };
  /** All at the same time. */
  atOnce: Traffic & { time: number; cpu: number };
  /** One more service. */
  service: Traffic;
  /** When nothing happens, in a second; CPU of each router, and of the server, in ms. */
  idle: Traffic & { cpu: number; server: number };
  /** Of each process and each router, in MB; and of the server. */
  memory: { process: number; router: number; heap: number; server: number };
  /** Calls among random pairs. */
  calls: { callers: number; perSecond: number; p50: number; p99: number; failed: number }[];
}

/** Messages that the server has taken, and has handed out. */
export interface Traffic {
  in: number;
  out: number;
}

/** How many of them are left for joining one by one. */
const LATE = 5;

/** How long things may take, in ms. */
const BOUND = 120_000;

/** How long nothing is to happen, and calls are made, in ms. */
const IDLE = 40_000;
const CALLS = 5_000;

/** Until traffic has settled, in ms. */
const CALM = 2_000;

/** In what Linux counts CPU, in ms. */
const CLOCK_TICK = 10;

/** Processes that start at the same time. */
const STARTS = 4;

const sleep = (time: number) => new Promise<void>((resolve) => setTimeout(resolve, time));

/** One process. */
class Host implements AsyncDisposable {
  readonly #program: Program;
  readonly first: number;
  readonly count: number;

  constructor(url: string, first: number, count: number) {
    const script = new URL("host.ts", import.meta.url).pathname;
    const args = ["run", "-A", "--no-check", script, url, `${first}`, `${count}`];
    this.#program = new Program(Deno.execPath(), ...args);
    this.first = first;
    this.count = count;
  }

  async ready(): Promise<void> {
    await this.#program.line(/"ready"/, 0, BOUND);
  }

  async tell(command: Command): Promise<void> {
    await this.#program.write(JSON.stringify(command));
  }

  /** Gives a command, and waits for what is answered. */
  async ask<K extends Answer["kind"]>(
    command: Command,
    kind: K,
  ): Promise<Extract<Answer, { kind: K }>> {
    const from = this.#program.lines;
    const answer = this.#program.line(new RegExp(`^.*"kind":"${kind}".*$`), from, BOUND);
    await this.tell(command);
    return JSON.parse((await answer)[0]);
  }

  /** Lets its routers say goodbye, and it ends. */
  async end(): Promise<void> {
    await this.#program.endInput();
    await this.#program.ended();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#program[Symbol.asyncDispose]();
  }
}

/** A server, and processes with routers. */
class Fleet implements AsyncDisposable {
  readonly hosts: Host[] = [];
  readonly #engine: NatsEngine;
  readonly #routers: number;

  constructor(engine: NatsEngine, routers: number) {
    this.#engine = engine;
    this.#routers = routers;
  }

  static async start(routers: number, processes: number): Promise<Fleet> {
    const engine = await startNats();
    const fleet = new Fleet(engine, routers);
    try {
      const each = Math.ceil(routers / processes);
      for (let first = 0; first < routers; first += each * STARTS) {
        const some: Host[] = [];
        for (let at = first; at < Math.min(routers, first + each * STARTS); at += each) {
          some.push(new Host(engine.url, at, Math.min(each, routers - at)));
        }
        fleet.hosts.push(...some);
        await Promise.all(some.map((host) => host.ready()));
      }
      return fleet;
    } catch (error) {
      await fleet[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What the server has counted. */
  async server(): Promise<Traffic & { mem: number }> {
    type Varz = { in_msgs: number; out_msgs: number; mem: number };
    const { in_msgs, out_msgs, mem } = await this.#engine.ask<Varz>("/varz");
    return { in: in_msgs, out: out_msgs, mem };
  }

  /** CPU that the server has used, in ms; only Linux tells. */
  async serverCpu(): Promise<number> {
    if (Deno.build.os !== "linux") return NaN;
    const stat = await Deno.readTextFile(`/proc/${this.#engine.pid}/stat`);
    const [user, system] = stat.slice(stat.lastIndexOf(")") + 2).split(" ").slice(11, 13);
    return (Number(user) + Number(system)) * CLOCK_TICK;
  }

  /** Does something; what it costs, until traffic has settled. */
  async traffic(run: () => Promise<void>, calm: number = CALM): Promise<Traffic> {
    const before = await this.server();
    await run();
    await sleep(calm);
    const after = await this.server();
    return { in: after.in - before.in, out: after.out - before.out };
  }

  /** When all who have joined know so many, in ms since 1970. */
  async whole(count: number): Promise<number> {
    const all = await Promise.all(
      this.hosts.map((host) => host.ask({ do: "whole", count }, "whole")),
    );
    return Math.max(...all.map(({ at }) => at));
  }

  async joinAll(): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.tell({ do: "join", which: null })));
  }

  async join(router: number): Promise<void> {
    const host = this.hosts.findLast(({ first }) => first <= router)!;
    await host.tell({ do: "join", which: router - host.first });
  }

  /** CPU in ms, and memory in bytes, of all of them. */
  async usage(): Promise<{ cpu: number; resident: number; heap: number }> {
    const all = await Promise.all(this.hosts.map((host) => host.ask({ do: "usage" }, "usage")));
    const sum = (of: "cpu" | "resident" | "heap") => all.reduce((total, one) => total + one[of], 0);
    return { cpu: sum("cpu"), resident: sum("resident"), heap: sum("heap") };
  }

  async calls(callers: Host[], atOnce: number): Promise<RealFigures["calls"][number]> {
    const command: Command = { do: "call", among: this.#routers, atOnce, time: CALLS };
    const all = await Promise.all(callers.map((host) => host.ask(command, "calls")));
    const times = all.flatMap(({ times }) => times).sort((a, b) => a - b);
    const at = (part: number) => times[Math.floor(part * times.length)] ?? NaN;
    return {
      callers: atOnce * callers.reduce((total, { count }) => total + count, 0),
      perSecond: times.length / CALLS * 1_000,
      p50: at(0.5),
      p99: at(0.99),
      failed: all.reduce((total, { failed }) => total + failed, 0),
    };
  }

  /** All say goodbye. */
  async end(): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.end()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.hosts.map((host) => host[Symbol.asyncDispose]()));
    await this.#engine[Symbol.asyncDispose]();
  }
}

/** All come at the same time. */
async function rush(routers: number, processes: number): Promise<RealFigures["atOnce"]> {
  await using fleet = await Fleet.start(routers, processes);
  const { cpu } = await fleet.usage();
  let time = 0;
  const traffic = await fleet.traffic(async () => {
    const start = Date.now();
    await fleet.joinAll();
    time = await fleet.whole(routers) - start;
  });
  const spent = (await fleet.usage()).cpu - cpu;
  await fleet.end();
  return { ...traffic, time, cpu: spent / routers };
}

/** Measures so many routers in so many processes. */
export async function measureReal(
  routers: number,
  processes: number,
  tell: (line: string) => void,
): Promise<RealFigures> {
  tell("all at the same time …");
  const atOnce = await rush(routers, processes);
  tell("one by one …");
  await using fleet = await Fleet.start(routers, processes);
  const empty = await fleet.usage();
  const early = routers - LATE - 1;
  for (let i = 0; i < early; i++) await fleet.join(i);
  await fleet.whole(early);
  await sleep(CALM);
  const joins: (Traffic & { time: number })[] = [];
  for (let i = early; i < routers; i++) {
    let time = 0;
    const traffic = await fleet.traffic(async () => {
      const start = Date.now();
      await fleet.join(i);
      time = await fleet.whole(i + 1) - start;
    }, 0);
    joins.push({ ...traffic, time });
    await sleep(CALM);
  }
  const last = joins.pop()!;
  const mean = (of: (join: typeof last) => number) =>
    joins.reduce((total, join) => total + of(join), 0) / joins.length;
  const oneByOne = {
    in: mean((one) => one.in),
    out: mean((one) => one.out),
    time: mean((one) => one.time),
  };
  const service = await fleet.traffic(async () => {
    await fleet.hosts[0]!.tell({ do: "offer", which: 0, service: "another" });
  }, 100);
  tell("nothing happens …");
  const { cpu } = await fleet.usage();
  const serverCpu = await fleet.serverCpu();
  const quiet = await fleet.traffic(() => sleep(IDLE), 0);
  const serverUsed = await fleet.serverCpu() - serverCpu;
  const used = await fleet.usage();
  const server = await fleet.server();
  tell("calls …");
  const half = fleet.hosts.slice(0, Math.max(1, fleet.hosts.length >> 1));
  const calls = [
    await fleet.calls(fleet.hosts.slice(0, 1), 1),
    await fleet.calls(half, 1),
    await fleet.calls(fleet.hosts, 4),
  ];
  await fleet.end();
  const seconds = IDLE / 1_000;
  return {
    routers,
    processes: fleet.hosts.length,
    last,
    oneByOne,
    atOnce,
    service,
    idle: {
      in: quiet.in / seconds,
      out: quiet.out / seconds,
      cpu: (used.cpu - cpu) / routers / seconds,
      server: serverUsed / seconds,
    },
    memory: {
      process: used.resident / fleet.hosts.length / 1e6,
      router: (used.resident - empty.resident) / routers / 1e6,
      heap: (used.heap - empty.heap) / routers / 1e6,
      server: server.mem / 1e6,
    },
    calls,
  };
}
