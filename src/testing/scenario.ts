/**
 * Scenarios: a network, what happens to it, and the promises that it has to keep meanwhile.
 *
 * @module
 */

import type { MeshOptions } from "../mesh/options.ts";
import { Invariants, violation } from "./invariants.ts";
import { checkIdle, checkQuiet } from "./quiet_checks.ts";
import { seededRandom } from "./seeded_random.ts";
import type { LinkOptions } from "./simulated_links.ts";
import { SimulatedNetwork } from "./simulated_network.ts";
import type { CreateRouter } from "./simulated_router.ts";
import type { Topology } from "./topologies.ts";

/** One thing that happens. What makes no sense when it is due, such as a second death, is skipped. */
export type ScenarioEvent =
  /** A node starts if it does not run, and is linked to others. */
  | { kind: "join"; node: number; to: number[] }
  /** A node says goodbye. */
  | { kind: "leave"; node: number }
  /** A node ends, and its neighbours notice at once. */
  | { kind: "death"; node: number }
  /** A node ends and starts anew with the same links. */
  | { kind: "restart"; node: number }
  /** The same, and its clock has gone back. */
  | { kind: "clockBack"; node: number }
  /** Another node starts with the same address, linked to a third. */
  | { kind: "duplicate"; node: number; to: number }
  /** A link ends, and both sides notice. */
  | { kind: "cut"; a: number; b: number }
  /** A link comes up. */
  | { kind: "mend"; a: number; b: number }
  /** A link comes and goes a few times. */
  | { kind: "flap"; a: number; b: number; times: number }
  /** Nothing gets through from a to b any more, and nobody is told. */
  | { kind: "halfOpen"; a: number; b: number }
  /** Half of the nodes, those nearest to one, are cut off from the others. */
  | { kind: "partition"; node: number }
  /** The links of all partitions come up again. */
  | { kind: "heal" }
  /** A service is offered, changes, or is withdrawn (capacity 0). */
  | { kind: "service"; node: number; service: string; capacity: number };

/** What happens, and how it goes on. */
export type Step = ScenarioEvent & {
  /** Time that passes then, in ms. */
  wait: number;
  /** Whether the network then comes to rest, and is checked. */
  rest?: boolean;
};

/** A network and what happens to it. */
export interface Scenario {
  /** All chance in the run comes from it. */
  seed: number;
  /** The links at first. */
  topology: Topology;
  /** What happens. */
  steps: Step[];
  /** Options of every mesh. */
  mesh?: MeshOptions;
  /** Makes the router of a node, if it is no mesh core. */
  router?: (node: number) => CreateRouter | undefined;
  /**
   * How every link behaves.
   *
   * @default {{ delay: (random) => 5 + 10 * random() }}
   */
  link?: LinkOptions;
  /**
   * How long ways may be beside the shortest at rest, on average.
   *
   * @default {1.05}
   */
  stretch?: number;
}

/** What a run came to. */
export interface ScenarioReport {
  /** Virtual time at the end, in ms. */
  now: number;
  /** Records about routes that were sent. */
  records: number;
  /** Table changes. */
  changes: number;
}

/** How long links take to come up at first, in ms. */
const COLD_START = 100;

/** How long it takes to notice that a link has gone silent, or an address is used twice, in ms. */
const PATIENCE = 45_000;

/** How far a clock goes back, in s. */
const CLOCK_BACK = 1_000_000;

/** For how long nothing may have happened: links that flap are held back for a minute, in ms. */
const QUIET = 70_000;

/** How long a network may take to come to rest, in ms. */
const REST_LIMIT = 600_000;

/**
 * Runs a scenario with all checks.
 *
 * @throws {Error} At the first broken promise, naming the seed and the time.
 */
export function runScenario(scenario: Scenario): ScenarioReport {
  const play = new Play(scenario);
  play.start();
  for (const step of scenario.steps) {
    play.do(step);
    play.network.run(step.wait);
    if (step.rest) play.rest();
  }
  play.rest();
  const { now, traffic } = play.network;
  const { changes } = play.invariants;
  checkIdle(play.network, { seed: scenario.seed });
  return { now, records: traffic.records, changes };
}

class Play {
  readonly network: SimulatedNetwork;
  readonly invariants: Invariants;
  readonly #scenario: Scenario;
  readonly #random: () => number;
  /** Links that partitions have cut. */
  #parted: [number, number][] = [];
  /** Addresses that two nodes have, and who else has it. */
  readonly #duplicates: Map<string, string> = new Map();
  readonly #conflicts: Set<string> = new Set();
  /** Addresses whose clocks went back since the last rest. */
  readonly #backward: Set<string> = new Set();
  #silent: boolean = false;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.#random = seededRandom(scenario.seed);
    this.network = new SimulatedNetwork({
      delay: (random) => 5 + 10 * random(),
      ...scenario.link,
      ...{ random: this.#random, mesh: scenario.mesh, record: false },
    });
    this.invariants = new Invariants(this.network, { seed: scenario.seed });
    this.network.watch((_, effect) => {
      if (effect.kind === "conflict") this.#conflicts.add(effect.address);
    });
  }

  start(): void {
    const { topology } = this.#scenario;
    for (const [a, b] of topology) {
      this.#up(a);
      this.#up(b);
      this.network.at(COLD_START * this.#random(), () => this.#connect(a, b));
    }
    this.rest();
  }

  /** Lets the network come to rest, and checks it. */
  rest(): void {
    const { network, invariants } = this;
    const { seed, stretch = 1.05 } = this.#scenario;
    if (this.#silent || this.#duplicates.size > 0) network.run(PATIENCE);
    try {
      network.settle(REST_LIMIT, QUIET);
    } catch (error) {
      throw violation(network, seed, (error as Error).message);
    }
    const disputed = new Set(this.#duplicates.keys());
    checkQuiet(network, { seed, stretch, disputed });
    invariants.checkTold();
    for (const address of this.#backward) {
      if (!disputed.has(address)) invariants.disputed.delete(address);
    }
    this.#backward.clear();
    for (const [address, id] of this.#duplicates) this.#checkConflict(address, id);
    this.#silent = false;
  }

  do(step: Step): void {
    const { network } = this;
    switch (step.kind) {
      case "join":
        this.#up(step.node);
        for (const other of step.to) if (this.#runs(other)) this.#mend(step.node, other);
        return;
      case "leave":
        return this.#runs(step.node) ? network.leave(name(step.node)) : undefined;
      case "death":
        return this.#runs(step.node) ? network.kill(name(step.node)) : undefined;
      case "restart":
        return this.#restart(step.node, 0);
      case "clockBack":
        return this.#restart(step.node, CLOCK_BACK);
      case "duplicate":
        return this.#duplicate(step.node, step.to);
      case "cut":
        return this.#cut(step.a, step.b);
      case "mend":
        return this.#mend(step.a, step.b);
      case "flap":
        for (let i = 0; i < step.times; i++) {
          this.#cut(step.a, step.b);
          network.run(200 * this.#random());
          this.#mend(step.a, step.b);
          network.run(200 * this.#random());
        }
        return;
      case "halfOpen":
        if (!this.#linked(step.a, step.b)) return;
        this.#silent = true;
        return network.silence(name(step.a), name(step.b));
      case "partition":
        return this.#partition(step.node);
      case "heal":
        for (const [a, b] of this.#parted) this.#mend(a, b);
        this.#parted = [];
        return;
      case "service":
        if (this.#runs(step.node)) network.offer(name(step.node), step.service, step.capacity);
    }
  }

  /** Whoever can hear of two nodes with one address has told so. */
  #checkConflict(address: string, twin: string): void {
    const { network } = this;
    const [one, other] = [network.nodes.get(address), network.nodes.get(twin)];
    if (!one || !other || this.#conflicts.has(address)) return;
    const found = new Set([one]);
    for (const node of found) {
      for (const end of network.links.of(node)) {
        if (network.links.works(end)) found.add(end.far.node);
      }
    }
    if (!found.has(other)) return;
    const { seed } = this.#scenario;
    throw violation(network, seed, `two nodes are called "${address}", and nobody says so`);
  }

  #runs(node: number): boolean {
    return this.network.nodes.has(name(node));
  }

  #up(node: number): void {
    const create = this.#scenario.router?.(node);
    if (!this.#runs(node)) this.network.start(name(node), create ? { create } : {});
  }

  #linked(a: number, b: number): boolean {
    if (!this.#runs(a) || !this.#runs(b)) return false;
    const { links, nodes } = this.network;
    return links.between(nodes.get(name(a))!, nodes.get(name(b))!).length > 0;
  }

  #connect(a: number, b: number): void {
    this.network.connect(name(a), name(b));
  }

  #mend(a: number, b: number): void {
    if (a !== b && this.#runs(a) && this.#runs(b) && !this.#linked(a, b)) this.#connect(a, b);
  }

  #cut(a: number, b: number): void {
    if (this.#linked(a, b)) this.network.disconnect(name(a), name(b));
  }

  #restart(node: number, back: number): void {
    if (!this.#runs(node)) return;
    if (back === 0) return this.network.restart(name(node));
    this.#backward.add(name(node));
    this.invariants.disputed.add(name(node));
    const clock = this.network.clock - back;
    this.network.restart(name(node), { incarnation: clock });
  }

  #duplicate(node: number, to: number): void {
    const id = `${name(node)}'`;
    if (!this.#runs(node) || !this.#runs(to) || this.network.nodes.has(id)) return;
    this.#duplicates.set(name(node), id);
    this.invariants.disputed.add(name(node));
    // Not even within the second in which the other may have restarted: nobody could tell them apart.
    const incarnation = this.network.clock + 1;
    this.network.start(id, { address: name(node), incarnation });
    this.network.connect(id, name(to));
  }

  #partition(from: number): void {
    if (!this.#runs(from)) return;
    const { links, nodes } = this.network;
    const half = new Set([nodes.get(name(from))!]);
    for (const node of half) {
      for (const { far } of links.of(node)) if (2 * half.size < nodes.size) half.add(far.node);
    }
    for (const { node, far } of [...links.working()]) {
      if (half.has(node) === half.has(far.node)) continue;
      this.network.disconnect(node.id, far.node.id);
      const [a, b] = [number(node.id), number(far.node.id)];
      if (a !== null && b !== null) this.#parted.push([a, b]);
    }
  }
}

/** What a node is called. */
function name(node: number): string {
  return `n${node}`;
}

/** The node that is called so; a duplicate is none. */
function number(name: string): number | null {
  return /^n\d+$/.test(name) ? Number(name.slice(1)) : null;
}
