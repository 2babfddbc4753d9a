/**
 * Networks in which some routers are old ones: whether they come to rest, and on what.
 *
 * @module
 */

import {
  type LegacyKind,
  LegacyRouter,
  legacyRouter,
  randomDegree,
  seededRandom,
  type Topology,
} from "../../src/testing/mod.ts";
import { Experiment } from "./measure.ts";
import { figure, markdown } from "./report.ts";

const NODES = 50;

/** Cuts and deaths in each network. */
const EVENTS = 3;

/** Old routers are waited for this long, in ms. */
const WATCHED = 10_000;

/** Which part of the nodes is old, and how. */
const MIXTURES: readonly [part: number, kind: LegacyKind][] = [
  [0.2, "go"],
  [0.5, "go"],
  [0.8, "go"],
  [0.1, "node"],
  [0.2, "node"],
  [0.3, "node"],
  [0.2, "python"],
];

/** A table of mixtures, each measured with so many seeds. */
export function mixedTable(seeds: number, tell: (line: string) => void): string {
  const rows = MIXTURES.map(([part, kind]) => {
    const title = `${100 * part} % ${kind}`;
    tell(`random-${NODES}, ${title}`);
    return row(title, part, kind, seeds);
  });
  return markdown([
    ...["", "runs", "storms", "in nets with a cycle of old ones"],
    ...["lasting loops", "ghosts after a death", "routes missing at rest", "ended routers"],
    ...["records per node and cut", "outage mean", "outage max", "worst stretch"],
  ], rows);
}

function row(title: string, part: number, kind: LegacyKind, seeds: number): string[] {
  let [storms, cyclic, loops, ghosts, missing, killed] = [0, 0, 0, 0, 0, 0];
  const records: number[] = [];
  const means: number[] = [];
  let [outage, stretch] = [0, 1];
  for (let seed = 1; seed <= seeds; seed++) {
    const topology = randomDegree(NODES, 4, seed);
    const random = seededRandom(seed ^ 0x01d);
    const old = new Set(Array.from({ length: NODES }, (_, i) => i).filter(() => random() < part));
    const router = (node: number) => old.has(node) ? legacyRouter(kind) : undefined;
    const experiment = new Experiment({
      ...{ name: title, nodes: NODES, topology, seed, events: EVENTS, partitions: 0 },
      ...{ router, watched: WATCHED },
    });
    try {
      experiment.coldStart();
      for (let i = 0; i < EVENTS; i++) experiment.cutOne();
      for (let i = 0; i < EVENTS; i++) experiment.endOne();
    } catch {
      storms++; // Or it never comes to rest, which is the same.
      if (hasCycle(topology, old)) cyclic++;
      continue;
    }
    experiment.end();
    const result = experiment.result();
    loops += result.persistentLoops;
    ghosts += result.ghostsAfterDeath;
    missing += result.missing;
    records.push(result.cutRecords);
    means.push(result.cutOutageMean);
    outage = Math.max(outage, result.cutRestored);
    stretch = Math.max(stretch, result.stretch);
    for (const { mesh } of experiment.network.nodes.values()) {
      if (mesh instanceof LegacyRouter && mesh.killed) killed++;
    }
  }
  const mean = (values: number[]) =>
    values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  return [
    ...[title, `${seeds}`, `${storms}`, `${cyclic}`, `${loops}`, `${ghosts}`, `${missing}`],
    ...[`${killed}`, figure(mean(records), { key: "cutRecords" })],
    ...[figure(mean(means), { key: "cutRestored", unit: "ms" })],
    ...[figure(outage, { key: "cutRestored", unit: "ms" }), stretch.toFixed(2)],
  ];
}

/** Whether some of the nodes form a cycle of three or more among themselves. */
export function hasCycle(topology: Topology, nodes: Set<number>): boolean {
  const leader = new Map([...nodes].map((node) => [node, node]));
  const find = (node: number): number => {
    const up = leader.get(node)!;
    return up === node ? node : find(up);
  };
  for (const [a, b] of topology) {
    if (!nodes.has(a) || !nodes.has(b)) continue;
    if (find(a) === find(b)) return true;
    leader.set(find(a), find(b));
  }
  return false;
}
