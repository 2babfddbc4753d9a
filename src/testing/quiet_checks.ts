/**
 * What must hold once a network has come to rest: everybody reaches everybody by a shortest way,
 * nobody remembers who is gone, and neighbours agree on what they have told each other.
 *
 * @module
 */

import { violation } from "./invariants.ts";
import type { SimulatedNetwork } from "./simulated_network.ts";
import type { SimulatedNode } from "./simulated_node.ts";
import type { Port, Segment } from "./simulated_segments.ts";

/** What the checks look at: a {@linkcode SimulatedNetwork}, or whatever tells as much. */
export type RestingNetwork =
  & Pick<SimulatedNetwork, "now" | "nodes" | "links">
  & Partial<Pick<SimulatedNetwork, "segments">>;

/** Options of the checks. */
export interface QuietOptions {
  /** Named by violations. */
  seed?: number;
  /** Addresses that are not checked: two nodes use them. */
  disputed?: ReadonlySet<string>;
  /**
   * How long ways may be beside the shortest, on average; 1 is the shortest.
   *
   * @default {1}
   */
  stretch?: number;
}

/** What was found. */
export interface QuietReport {
  /** Pairs of a node and an address that it can reach. */
  pairs: number;
  /** Pairs without a route that leads there. */
  missing: number;
  /** Routes to what is gone or cut off. */
  ghosts: number;
  /** Next hops in a circle. */
  loops: number;
  /** Routes whose cost is not the length of their way. */
  lies: number;
  /** Length of ways beside the shortest, on average over all pairs. */
  stretch: number;
  /** Instances of services that should be known, or should not. */
  services: number;
  /** Records on which two neighbours do not agree. */
  disagreements: number;
  /** The first of the faults, in words. */
  faults: string[];
}

/** How many faults are put in words. */
const MAX_FAULTS = 10;

/** After the last link is down, how long something may still be remembered, in ms. */
const MEMORY = 1_000_000;

/** Looks at a network that has come to rest. */
export function inspectQuiet(network: RestingNetwork, options: QuietOptions = {}): QuietReport {
  return new Inspection(network, options.disputed ?? new Set()).report;
}

/** The same, and throws if something is wrong. */
export function checkQuiet(network: RestingNetwork, options: QuietOptions = {}): QuietReport {
  const report = inspectQuiet(network, options);
  const limit = options.stretch ?? 1;
  if (report.faults.length > 0) throw violation(network, options.seed, report.faults.join("; "));
  if (report.stretch > limit) {
    const what = `ways are ${report.stretch.toFixed(4)} times the shortest, more than ${limit}`;
    throw violation(network, options.seed, what);
  }
  return report;
}

/** Cuts all links, and throws unless every node forgets all and has nothing more to do. */
export function checkIdle(network: SimulatedNetwork, options: QuietOptions = {}): void {
  for (const node of [...network.nodes.values()]) {
    for (const { far } of network.links.of(node)) network.disconnect(node.id, far.node.id);
    for (const { segment } of network.segments.of(node)) network.part(node.id, segment.name);
  }
  const { now } = network;
  while (network.next <= now + MEMORY) network.run(Math.max(0, network.next - network.now));
  for (const { id, mesh } of network.nodes.values()) {
    const routes = mesh.routes().map(({ address }) => address);
    if (routes.length > 0) {
      throw violation(network, options.seed, `"${id}" alone has routes to ${routes.join(", ")}`);
    }
    if (mesh.deadline() !== Infinity) {
      throw violation(network, options.seed, `"${id}" alone still has something to do`);
    }
  }
}

/** Above so many nodes, only some of the links are asked what was told over them. */
const SMALL = 200;
const SAMPLED_LINKS = 200;

/** In place of a distance: not known yet, or there is no way. */
const UNKNOWN = -1;

class Inspection {
  readonly report: QuietReport = {
    ...{ pairs: 0, missing: 0, ghosts: 0, loops: 0, lies: 0, stretch: 1 },
    ...{ services: 0, disagreements: 0, faults: [] },
  };
  readonly #network: RestingNetwork;
  readonly #nodes: SimulatedNode[];
  /** By index of a node: its neighbours, what it knows at which cost, services it should know. */
  readonly #neighbours: SimulatedNode[][] = [];
  readonly #tables: Map<string, number>[] = [];
  readonly #wanted: Set<string>[] = [];
  /** By index of a node: hops to the destination, by the links that work and by the next hops. */
  #distances: Int32Array = new Int32Array(0);
  #ways: Float64Array = new Float64Array(0);
  #routes: number = 0;
  #stretches: number = 0;

  constructor(network: RestingNetwork, disputed: ReadonlySet<string>) {
    this.#network = network;
    // A node whose address another has, too, may not even hear what goes by the other.
    this.#nodes = [...network.nodes.values()].filter(({ mesh }) => !disputed.has(mesh.address));
    let size = 0;
    for (const { index, mesh } of network.nodes.values()) {
      this.#neighbours[index] = [];
      this.#tables[index] = new Map(mesh.routes().map(({ address, cost }) => [address, cost]));
      this.#wanted[index] = new Set();
      size = Math.max(size, index + 1);
    }
    this.#distances = new Int32Array(size);
    this.#ways = new Float64Array(size);
    for (const { node, far } of network.links.working()) {
      this.#neighbours[node.index]!.push(far.node);
      this.#neighbours[far.node.index]!.push(node);
    }
    const pairs = [...network.segments?.all() ?? []].flatMap(pairsOn);
    for (const [near, far] of pairs) this.#neighbours[near.node.index]!.push(far.node);
    const visible = this.#nodes.filter(({ options }) => !options.mesh?.hidden);
    const owners = Map.groupBy(visible, ({ mesh }) => mesh.address);
    for (const [address, nodes] of owners) this.#checkDestination(address, nodes);
    this.report.stretch = this.#routes === 0 ? 1 : this.#stretches / this.#routes;
    this.#checkGhosts(owners, disputed);
    this.#checkServices(disputed);
    const links = [...network.links.working()];
    const step = network.nodes.size <= SMALL ? 1 : Math.ceil(links.length / SAMPLED_LINKS);
    for (let i = 0; i < links.length; i += step) {
      const { node, link, far } = links[i]!;
      this.#checkAgreement(node, link, far.node, far.link);
      this.#checkAgreement(far.node, far.link, node, link);
    }
    for (const [near, far] of pairs) {
      const link = network.segments!.linkTo(near, far);
      const back = network.segments!.linkTo(far, near);
      if (link !== null && back !== null) this.#checkAgreement(near.node, link, far.node, back);
    }
  }

  #fault(
    kind: "missing" | "ghosts" | "loops" | "lies" | "services" | "disagreements",
    what: () => string,
  ): void {
    this.report[kind]++;
    if (this.report.faults.length < MAX_FAULTS) this.report.faults.push(what());
  }

  /** Finds hops from every node to the nearest of some; leaves carry nothing. */
  #measure(to: SimulatedNode[]): void {
    this.#distances.fill(UNKNOWN);
    for (const { index } of to) this.#distances[index] = 0;
    const queue = [...to];
    for (let at = 0; at < queue.length; at++) {
      const { index, options } = queue[at]!;
      const distance = this.#distances[index]!;
      if (distance > 0 && options.mesh?.stub) continue;
      for (const neighbour of this.#neighbours[index]!) {
        if (this.#distances[neighbour.index] !== UNKNOWN) continue;
        this.#distances[neighbour.index] = distance + 1;
        queue.push(neighbour);
      }
    }
  }

  #checkDestination(address: string, owners: SimulatedNode[]): void {
    this.#measure(owners);
    this.#ways.fill(UNKNOWN);
    for (const { index } of owners) this.#ways[index] = 0;
    for (const node of this.#nodes) {
      const { id, index } = node;
      const distance = this.#distances[index]!;
      if (distance === 0) continue;
      const cost = this.#tables[index]!.get(address);
      if (distance === UNKNOWN) {
        if (cost !== undefined) this.#fault("ghosts", () => `"${id}" has a route to "${address}"`);
        continue;
      }
      this.report.pairs++;
      const way = this.#way(node, address);
      if (Number.isNaN(way)) {
        this.#fault("loops", () => `packets of "${id}" for "${address}" go round`);
      } else if (cost === undefined || way === Infinity) {
        this.#fault("missing", () => `"${id}" has no route to "${address}", ${distance} hops away`);
      } else {
        this.#routes++;
        this.#stretches += way / distance;
        if (cost !== way) {
          this.#fault("lies", () => `"${id}" says ${cost} hops to "${address}", and it is ${way}`);
        }
      }
      for (const owner of owners) {
        for (const [service, capacity] of owner.offers) {
          this.#wanted[index]!.add(`${service}@${address} ${capacity}`);
        }
      }
    }
  }

  /** Hops by the next hops; `Infinity` if they lead elsewhere, `NaN` in a circle. */
  #way(from: SimulatedNode, address: string): number {
    const walk: number[] = [];
    let way = this.#ways[from.index]!;
    for (let node = from; way === UNKNOWN;) {
      this.#ways[node.index] = NaN; // Until the end is found: who comes by again, goes round.
      walk.push(node.index);
      const next = this.#next(node, address);
      if (next === null) way = Infinity;
      else way = this.#ways[(node = next).index]!;
    }
    for (const index of walk.reverse()) this.#ways[index] = way += 1;
    return way;
  }

  /** Who gets a packet if a node sends it. */
  #next(node: SimulatedNode, address: string): SimulatedNode | null {
    const link = node.mesh.nextHop?.(address) ?? null;
    if (link === null) return null;
    const { links, segments } = this.#network;
    const end = links.end(link);
    if (end === undefined) {
      return segments?.works(node, link) ? segments.far(node, link)!.node : null;
    }
    return links.works(end) ? end.far.node : null;
  }

  #checkGhosts(owners: Map<string, SimulatedNode[]>, disputed: ReadonlySet<string>): void {
    for (const node of this.#nodes) {
      for (const address of this.#tables[node.index]!.keys()) {
        if (owners.has(address) || disputed.has(address)) continue;
        this.#fault("ghosts", () => `"${node.id}" has a route to "${address}", which is gone`);
      }
    }
  }

  #checkServices(disputed: ReadonlySet<string>): void {
    for (const { id, index, mesh, options } of this.#nodes) {
      if (options.mesh?.stub) continue;
      const wanted = this.#wanted[index]!;
      for (const { service, address, capacity } of mesh.services()) {
        if (address === mesh.address || disputed.has(address)) continue;
        const name = `${service}@${address} ${capacity}`;
        if (!wanted.delete(name)) this.#fault("services", () => `"${id}" knows ${name}: not so`);
      }
      for (const name of wanted) this.#fault("services", () => `"${id}" does not know ${name}`);
    }
  }

  /** What one end was told last is what the other has heard. */
  #checkAgreement(near: SimulatedNode, link: number, far: SimulatedNode, farLink: number): void {
    if (near.mesh.neighbourKind?.(link) !== "modern") return;
    if (far.mesh.neighbourKind?.(farLink) !== "modern") return;
    const told = near.mesh.told?.(link) ?? new Map();
    const heard = far.mesh.heard?.(farLink) ?? new Map();
    for (const address of new Set([...told.keys(), ...heard.keys()])) {
      if (address === far.mesh.address) continue;
      const [said, kept] = [told.get(address), heard.get(address)];
      if (
        said && kept && said.cost === kept.cost && said.seq === kept.seq &&
        said.origin === kept.origin
      ) continue;
      this.#fault(
        "disagreements",
        () =>
          `"${near.id}" has told "${far.id}" of "${address}": ${
            JSON.stringify(said)
          }, which holds ` +
          JSON.stringify(kept),
      );
    }
  }
}

/** Those on a segment who hear each other, both ways round. */
function pairsOn({ ports }: Segment<SimulatedNode>): [Port<SimulatedNode>, Port<SimulatedNode>][] {
  const all = [...ports.values()];
  return all.flatMap((near) =>
    all.filter((far) => far !== near && far.side === near.side).map((far) =>
      [near, far] as [Port<SimulatedNode>, Port<SimulatedNode>]
    )
  );
}
