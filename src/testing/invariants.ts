/**
 * What must hold at every moment, checked whenever a table changes: next hops form no circle, and
 * feasible distances only fall.
 *
 * @module
 */

import type { ToldRoute } from "../mesh/mesh.ts";
import { nextHopOf, NextHops } from "./next_hops.ts";
import type { SimulatedNetwork } from "./simulated_network.ts";
import type { SimulatedNode } from "./simulated_node.ts";

/** Options of {@linkcode Invariants}. */
export interface InvariantOptions {
  /** Named by violations. */
  seed?: number;
  /**
   * Throw at the first violation. Without it they are counted.
   *
   * @default {true}
   */
  strict?: boolean;
}

/** Above so many nodes, feasible distances are sampled. */
const SMALL = 200;

/** One of so many changes is looked at then. */
const SAMPLE = 50;

/** What was seen longer ago may have been forgotten meanwhile, in ms. */
const MEMORY = 150_000;

/** Sequence numbers are 1-65535 and go round. */
const SEQUENCES = 65_535;

/** An error that says when something was wrong, and how to see it again. */
export function violation(
  network: Pick<SimulatedNetwork, "now">,
  seed: number | undefined,
  what: string,
): Error {
  const run = seed === undefined ? "" : `seed ${seed}, `;
  return new Error(`${run}at ${network.now.toFixed(3)} ms: ${what}`);
}

/** Watches a network. */
export class Invariants {
  /** The next hops of all nodes. */
  readonly nextHops: NextHops;
  /** Addresses that two nodes use, or whose clock went back: for these, circles may form a while. */
  readonly disputed: Set<string> = new Set();
  /** Changes of next hops that closed a circle, disputed addresses aside. */
  loops: number = 0;
  /** Feasible distances that rose. */
  rises: number = 0;
  /** Table changes seen. */
  changes: number = 0;
  /** When a table changed last, in virtual ms. */
  changedAt: number = 0;

  readonly #network: SimulatedNetwork;
  readonly #seed: number | undefined;
  readonly #strict: boolean;
  readonly #feasible: Map<string, { at: number; life: number; routes: ToldRoute[] }> = new Map();
  readonly #unwatch: () => void;

  /** Constructs a new instance; it watches from now on. */
  constructor(network: SimulatedNetwork, options: InvariantOptions = {}) {
    this.#network = network;
    this.#seed = options.seed;
    this.#strict = options.strict ?? true;
    this.nextHops = new NextHops(network);
    this.#unwatch = network.watch((node, effect) => {
      if (effect.kind !== "route") return;
      this.#changed(node, effect.route.address, effect.route.cost);
    });
  }

  /** Throws if a next hop has changed and nobody was told. */
  checkTold(): void {
    for (const address of this.nextHops.addresses()) {
      for (const node of this.#network.nodes.values()) {
        if (this.nextHops.after(node, address) === nextHopOf(this.#network, node, address)) {
          continue;
        }
        this.#report(`"${node.id}" has changed its route to "${address}" and told nobody`);
      }
    }
  }

  /** Watches no longer. */
  stop(): void {
    this.#unwatch();
  }

  #changed(node: SimulatedNode, address: string, cost: number): void {
    // What a table has lost already may be told again, as hope is given up: that is no change.
    if (cost === 0 && this.nextHops.after(node, address) === null) return;
    this.changes++;
    this.changedAt = this.#network.now;
    this.nextHops.update(node, address);
    const isCircle = Number.isNaN(this.nextHops.distance(node, address));
    if (isCircle && !this.disputed.has(address) && this.nextHops.goesRound(node, address)) {
      this.loops++;
      const path = this.nextHops.path(node, address).join(" → ");
      this.#report(`packets for "${address}" go round: ${path}`);
    }
    if (this.#network.nodes.size <= SMALL || this.changes % SAMPLE === 0) {
      this.#checkFeasible(node, address);
    }
  }

  #checkFeasible(node: SimulatedNode, address: string): void {
    const routes = node.mesh.inspect?.(address)?.feasible;
    if (routes === undefined) return;
    const key = `${node.index} ${address}`;
    const { now } = this.#network;
    const before = this.#feasible.get(key);
    this.#feasible.set(key, { at: now, life: node.starts, routes });
    if (before === undefined || before.life !== node.starts || now - before.at > MEMORY) return;
    for (const { origin, seq, cost } of routes) {
      const earlier = before.routes.find((route) => route.origin === origin);
      if (earlier === undefined) continue;
      const older = seq !== earlier.seq && !newer(seq, earlier.seq);
      if (!older && !(seq === earlier.seq && cost > earlier.cost)) continue;
      this.rises++;
      this.#report(
        `the feasible distance of "${node.id}" to "${address}" by origin ${origin} rises ` +
          `from ${earlier.cost} (sequence ${earlier.seq}) to ${cost} (sequence ${seq})`,
      );
    }
  }

  #report(what: string): void {
    if (this.#strict) throw violation(this.#network, this.#seed, what);
  }
}

/** Whether a sequence number is newer than another. */
function newer(seq: number, than: number): boolean {
  const ahead = (seq - than + SEQUENCES) % SEQUENCES;
  return ahead > 0 && ahead < SEQUENCES / 2;
}
