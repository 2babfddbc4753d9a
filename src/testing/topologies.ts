/**
 * Shapes of networks: which of the nodes 0, 1, 2 … are linked. All of them are connected, and none
 * has a link twice.
 *
 * @module
 */

import { below, seededRandom, shuffled } from "./seeded_random.ts";

/** The links of a network, as pairs of node numbers. */
export type Topology = [number, number][];

/** Adds links, none of them twice. */
class Pairs {
  readonly list: Topology = [];
  readonly #known: Set<string> = new Set();

  /** Adds a link; `false` if it is there, or leads back to its node. */
  add(a: number, b: number): boolean {
    const key = a < b ? `${a}-${b}` : `${b}-${a}`;
    if (a === b || this.#known.has(key)) return false;
    this.#known.add(key);
    this.list.push([a, b]);
    return true;
  }
}

/** One after the other. */
export function line(nodes: number): Topology {
  return Array.from({ length: Math.max(0, nodes - 1) }, (_, i) => [i, i + 1]);
}

/** One after the other, and the last is linked to the first. */
export function ring(nodes: number): Topology {
  return nodes < 3 ? line(nodes) : [...line(nodes), [nodes - 1, 0]];
}

/** A rectangle in which each is linked to those beside, above and below it. */
export function grid(width: number, height: number = width): Topology {
  const links: Topology = [];
  for (let i = 0; i < width * height; i++) {
    if (i % width < width - 1) links.push([i, i + 1]);
    if (i + width < width * height) links.push([i, i + width]);
  }
  return links;
}

/** A random tree: each is linked to one of those before it. */
export function tree(nodes: number, seed: number = 1): Topology {
  const random = seededRandom(seed);
  return Array.from({ length: Math.max(0, nodes - 1) }, (_, i) => [below(random, i + 1), i + 1]);
}

/** All others are linked to the first. */
export function star(nodes: number): Topology {
  return Array.from({ length: Math.max(0, nodes - 1) }, (_, i) => [0, i + 1]);
}

/** Each is linked to each. */
export function fullMesh(nodes: number): Topology {
  const links: Topology = [];
  for (let a = 0; a < nodes; a++) for (let b = a + 1; b < nodes; b++) links.push([a, b]);
  return links;
}

/**
 * A random network in which the nodes have so many links on average: a ring in random order, so
 * that it is connected, and links between random nodes.
 */
export function randomDegree(nodes: number, degree: number = 4, seed: number = 1): Topology {
  const random = seededRandom(seed);
  const order = shuffled(random, Array.from({ length: nodes }, (_, i) => i));
  const pairs = new Pairs();
  for (const [a, b] of ring(nodes)) pairs.add(order[a]!, order[b]!);
  const wanted = Math.min(Math.round(nodes * degree / 2), nodes * (nodes - 1) / 2);
  while (pairs.list.length < wanted) pairs.add(below(random, nodes), below(random, nodes));
  return pairs.list;
}

/**
 * Nodes at random places of a square, linked to those that are near; what that leaves apart is
 * linked where it is nearest.
 *
 * @param degree How many links a node has on average, in the middle of the square.
 */
export function geometric(nodes: number, degree: number = 8, seed: number = 1): Topology {
  const random = seededRandom(seed);
  const places = Array.from({ length: nodes }, () => [random(), random()] as const);
  const distance = (a: number, b: number) =>
    Math.hypot(places[a]![0] - places[b]![0], places[a]![1] - places[b]![1]);
  const reach = Math.sqrt(degree / (Math.PI * nodes));
  const pairs = new Pairs();
  for (const [a, b] of fullMesh(nodes)) if (distance(a, b) < reach) pairs.add(a, b);
  for (;;) {
    const inside = reachable(nodes, pairs.list, 0);
    if (inside.size === nodes) return pairs.list;
    let best: [number, number] | null = null;
    for (const a of inside) {
      for (let b = 0; b < nodes; b++) {
        if (!inside.has(b) && (!best || distance(a, b) < distance(...best))) best = [a, b];
      }
    }
    pairs.add(...best!);
  }
}

/** A few nodes with many links (Barabási and Albert): who has links gets more. */
export function scaleFree(nodes: number, links: number = 2, seed: number = 1): Topology {
  const random = seededRandom(seed);
  const pairs = new Pairs();
  for (const [a, b] of fullMesh(Math.min(nodes, links + 1))) pairs.add(a, b);
  const ends = pairs.list.flat(); // A node is in it once for each of its links.
  for (let node = links + 1; node < nodes; node++) {
    const before = pairs.list.length;
    while (pairs.list.length < before + links) pairs.add(node, ends[below(random, ends.length)]!);
    for (const pair of pairs.list.slice(before)) ends.push(...pair);
  }
  return pairs.list;
}

/** The neighbours of each node. */
export function adjacency(nodes: number, links: Topology): number[][] {
  const neighbours: number[][] = Array.from({ length: nodes }, () => []);
  for (const [a, b] of links) {
    neighbours[a]!.push(b);
    neighbours[b]!.push(a);
  }
  return neighbours;
}

/** The nodes that links lead to from one, nearest first. */
export function reachable(nodes: number, links: Topology, from: number): Set<number> {
  const neighbours = adjacency(nodes, links);
  const found = new Set([from]);
  for (const node of found) for (const neighbour of neighbours[node]!) found.add(neighbour);
  return found;
}
