/**
 * The routers of a real soak: hosts, of which each has one process at a time, and the paths between
 * them.
 *
 * @module
 */

import { type Clock, systemClock } from "../../../src/router/clock.ts";
import { below, pick, seededRandom } from "../../../src/testing/seeded_random.ts";
import { type Runtime, runtimes } from "../../support/process_runtimes.ts";
import type { Sufferer } from "../chaos.ts";
import { Tally } from "../load/tally.ts";
import { MemberProcess } from "./process.ts";
import { Proxy } from "./proxy.ts";

/** How long a process may take to begin, and to end in order, in ms: the machine may be busy. */
const READY_WITHIN = 30_000;
const LEFT_WITHIN = 30_000;

/** How long something may hold a process whose router has left, in ms. */
const ENDED_WITHIN = 10_000;

/** A process ends by itself so long after the soak should have ended, in ms. */
const SPARE_TIME = 300_000;

/** Where a router runs. */
export interface Host {
  readonly address: string;
  readonly runtime: Runtime;
  /** What runs there. */
  process: MemberProcess | null;
  /** How often it has started. */
  lives: number;
  /** Paths on which it dials, and those on which it is dialled. */
  readonly dials: Path[];
  readonly accepts: Path[];
}

/** A link of two hosts: one dials the other through a proxy. */
export interface Path {
  readonly kind: "tcp" | "ws";
  readonly proxy: Proxy;
}

/** Every host and path. */
export class Fleet implements Sufferer, AsyncDisposable {
  readonly clock: Clock = systemClock;
  readonly random: () => number;
  readonly tally: Tally;
  readonly hosts: Host[] = [];
  readonly paths: Path[] = [];
  /** Is told what happens, line by line. */
  readonly tell: (line: string) => void;
  /** Whether all is about to end: then nobody is missed. */
  ending: boolean = false;
  readonly #duration: number;
  /** Whether applications are to do something. */
  #working: boolean = false;

  /**
   * Constructs a new instance, in which nothing runs.
   *
   * @param duration How long the soak takes, in ms.
   */
  constructor(seed: number, duration: number, tell: (line: string) => void) {
    const start = performance.now();
    const seconds = () => `${((performance.now() - start) / 1_000).toFixed(1)} s`;
    this.random = seededRandom(seed);
    this.#duration = duration;
    this.tell = (line) => tell(`${seconds()}: ${line}`);
    this.tally = new Tally(() => `seed ${seed}, at ${seconds()}`);
  }

  /** Processes that run, stopped ones included. */
  get processes(): MemberProcess[] {
    return this.hosts.flatMap(({ process }) => process ?? []);
  }

  /** Makes hosts in different runtimes, and links each to one or more before it. */
  async build(count: number): Promise<void> {
    const { random } = this;
    const usable = runtimes.filter(({ skip }) => !skip);
    for (let i = 0; i < count; i++) {
      const runtime = usable[i % usable.length]!;
      const others = [...this.hosts];
      const host: Host = {
        address: `host-${i}`,
        ...{ runtime, process: null, lives: 0, dials: [], accepts: [] },
      };
      this.hosts.push(host);
      for (let links = random() < 0.6 ? 2 : 1; links > 0 && others.length > 0; links--) {
        const other = others.splice(below(random, others.length), 1)[0]!;
        const kind = pick(random, ["tcp", "ws"] as const)!;
        const path = { kind, proxy: await Proxy.open(1 + 49 * random() ** 2) };
        this.paths.push(path);
        host.dials.push(path);
        other.accepts.push(path);
      }
    }
    await Promise.all(this.hosts.map((host) => this.start(host)));
  }

  /** Starts the process of a host, if none runs there. */
  async start(host: Host): Promise<void> {
    if (host.process !== null || this.ending) return;
    const { address, runtime } = host;
    const life = `${address}#${++host.lives}/${runtime.label.replace(" ", "")}`;
    const process = host.process = new MemberProcess(
      ...[runtime.label, commandOf(runtime)] as const,
      {
        ...{ address, life },
        seed: below(this.random, 2 ** 31),
        dials: host.dials.map(({ kind, proxy }) =>
          `${kind === "tcp" ? "tcp+aln" : "ws"}://127.0.0.1:${proxy.port}`
        ),
        limit: this.#duration + SPARE_TIME,
      },
      (what) => this.tally.violation(what),
    );
    this.tally.count(`processes in ${runtime.label}`);
    process.ended.then(({ code, signal }) => this.#ended(host, process, code, signal));
    const ready = await process.report("ready", READY_WITHIN);
    if (process.doomed || this.ending) return;
    if (ready === null) return this.tally.violation(`${life} does not begin`);
    for (const { kind, proxy } of host.accepts) proxy.target = ready[kind];
    if (this.#working) process.tell({ do: "work" });
  }

  /** Kills the process of a host. */
  kill(host: Host): void {
    host.process?.kill();
  }

  /** Lets the router of a host leave, and its process end. */
  async leave(host: Host): Promise<void> {
    const { process } = host;
    if (process === null || process.doomed) return;
    process.doomed = true;
    const left = await process.ask({ do: "leave" }, "left", LEFT_WITHIN);
    process.endInput();
    const ended = await within(process.ended, ENDED_WITHIN);
    if (left !== null && ended?.code === 0) return;
    process.kill();
    const how = left === null ? "does not leave" : "has left, but does not end";
    this.tally.violation(`${process.life} ${how}`);
  }

  /** Lets applications do something, or nothing more. */
  work(working: boolean): void {
    this.#working = working;
    for (const process of this.processes) process.tell({ do: working ? "work" : "pause" });
  }

  /** Ends all that runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.ending = true;
    for (const process of this.processes) process.kill();
    await Promise.all(this.processes.map(({ ended }) => ended));
    await Promise.all(this.paths.map(({ proxy }) => proxy[Symbol.asyncDispose]()));
  }

  #ended(host: Host, process: MemberProcess, code: number, signal: string | null): void {
    if (host.process === process) host.process = null;
    for (const { proxy } of host.accepts) proxy.target = 0;
    const { tally, life, complaints, doomed } = process;
    for (const [kind, ends] of Object.entries(tally?.ends ?? {})) {
      for (const [how, count] of Object.entries(ends)) this.tally.end(kind, how, count);
    }
    for (const [what, count] of Object.entries(tally?.counts ?? {})) this.tally.count(what, count);
    if (!doomed && !this.ending) {
      this.tally.violation(`${life} has ended by itself, with ${code} ${signal ?? ""}`);
    }
    if (complaints !== "" && !this.ending) this.tally.violation(`${life} complains: ${complaints}`);
  }
}

/** What a promise comes to; `null` if that takes too long. */
export function within<T>(promise: Promise<T>, timeout: number): Promise<T | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), timeout);
    promise.then((value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}

/** A runtime and its arguments, so that the garbage can be collected when asked. */
function commandOf({ name, path }: Runtime): string[] {
  if (name === "deno") return [path, "run", "-A", "--no-check", "--v8-flags=--expose-gc"];
  return name === "bun" ? [path, "run"] : [path, "--expose-gc"];
}
