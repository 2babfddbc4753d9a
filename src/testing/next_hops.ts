/**
 * Who hands packets to whom, destination by destination, kept up to date while a network runs.
 *
 * @module
 */

import type { SimulatedNetwork } from "./simulated_network.ts";
import type { SimulatedNode } from "./simulated_node.ts";

/** In place of a node's number: it has no route. */
const NOBODY = -1;

/** The node that a router hands packets for an address to; `null` if it would drop them. */
export function nextHopOf(
  network: SimulatedNetwork,
  node: SimulatedNode,
  address: string,
): SimulatedNode | null {
  const link = node.mesh.nextHop?.(address) ?? null;
  if (link === null) return null;
  return network.links.end(link)?.far.node ?? network.segments.far(node, link)?.node ?? null;
}

/** The next hops of all nodes, by destination: a walk costs a few array reads. */
export class NextHops {
  readonly #network: SimulatedNetwork;
  readonly #byAddress: Map<string, Int32Array> = new Map();
  readonly #nodes: SimulatedNode[] = [];
  /** Which life of a node its entries are from. */
  readonly #lives: number[] = [];

  /** Constructs a new instance. Routes from before are taken over. */
  constructor(network: SimulatedNetwork) {
    this.#network = network;
    for (const node of network.nodes.values()) {
      for (const { address } of node.mesh.routes()) this.update(node, address);
    }
  }

  /** Every destination that anybody has had a route to. */
  addresses(): Iterable<string> {
    return this.#byAddress.keys();
  }

  /** Takes over what a node's router has chosen for a destination. */
  update(node: SimulatedNode, address: string): void {
    this.#meet(node);
    const hops = this.#hops(address, node.index);
    const next = nextHopOf(this.#network, node, address);
    if (next !== null) this.#meet(next);
    hops[node.index] = next === null ? NOBODY : next.index;
  }

  /** Who is next after a node; `null` if it has no route, or does not run any more. */
  after(node: SimulatedNode, address: string): SimulatedNode | null {
    if (!node.alive || this.#lives[node.index] !== node.starts) return null;
    const next = this.#byAddress.get(address)?.[node.index] ?? NOBODY;
    return next === NOBODY ? null : this.#nodes[next]!;
  }

  /**
   * Follows next hops.
   *
   * @returns The hops to the destination; `Infinity` if they lead elsewhere, `NaN` in a circle.
   */
  distance(from: SimulatedNode, address: string): number {
    const next = this.#byAddress.get(address);
    let node: SimulatedNode = from;
    for (let hops = 0; hops <= this.#nodes.length; hops++) {
      if (!node.alive) return Infinity;
      if (node.mesh.address === address) return hops;
      const index = node.starts === this.#lives[node.index] ? next?.[node.index] ?? NOBODY : NOBODY;
      if (index === NOBODY) return Infinity;
      node = this.#nodes[index]!;
    }
    return NaN;
  }

  /** Whether packets really go round: who is gone from a segment unnoticed takes none. */
  goesRound(from: SimulatedNode, address: string): boolean {
    const seen: Set<SimulatedNode> = new Set();
    for (let node: SimulatedNode | null = from; node !== null && node.alive;) {
      if (node.mesh.address === address) return false;
      if (seen.has(node)) return true;
      seen.add(node);
      node = nextHopOf(this.#network, node, address);
    }
    return false;
  }

  /** The nodes of a walk, the first once more if it is a circle. */
  path(from: SimulatedNode, address: string): string[] {
    const ids: string[] = [];
    for (let node: SimulatedNode | null = from; node; node = this.after(node, address)) {
      const known = ids.includes(node.id);
      ids.push(node.id);
      if (known || node.mesh.address === address) break;
    }
    return ids;
  }

  #meet(node: SimulatedNode): void {
    if (this.#lives[node.index] === node.starts) return;
    this.#nodes[node.index] = node;
    this.#lives[node.index] = node.starts;
    for (const hops of this.#byAddress.values()) {
      if (node.index < hops.length) hops[node.index] = NOBODY;
    }
  }

  #hops(address: string, index: number): Int32Array {
    const before = this.#byAddress.get(address);
    if (before !== undefined && index < before.length) return before;
    const size = Math.max(index + 1, this.#network.nodes.size, 2 * (before?.length ?? 0));
    const hops = new Int32Array(size).fill(NOBODY);
    if (before) hops.set(before);
    this.#byAddress.set(address, hops);
    return hops;
  }
}
