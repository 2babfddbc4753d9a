/**
 * What is measured, and in what.
 *
 * @module
 */

import type { CreateRouter, Topology } from "../../src/testing/mod.ts";

/** A network to measure in. */
export interface Subject {
  name: string;
  nodes: number;
  topology: Topology;
  seed: number;
  /** Links to cut, and nodes to end, one after the other. */
  events: number;
  /** Partitions. */
  partitions: number;
  /** How many nodes advertise themselves; all unless it is said. */
  origins?: number;
  /** Makes the router of a node that is no mesh core. */
  router?: (node: number) => CreateRouter | undefined;
  /** For how long ways are watched after an event, in ms. */
  watched?: number;
}

/** Figures by name: records by node, times in ms; times are the longest, costs are averages. */
export interface Measured {
  coldRecords: number;
  coldFrames: number;
  coldReachable: number;
  coldOptimal: number;
  /** Time of one core for each record that it receives, by itself, in µs. */
  recordTime: number;
  cutRecords: number;
  cutRestored: number;
  cutOptimal: number;
  cutOutageMean: number;
  deathRecords: number;
  deathClean: number;
  restartRecords: number;
  partitionRecords: number;
  healRecords: number;
  loops: number;
  /** Feasible distances that rose. */
  rises: number;
  /** Ghosts, missing routes, circles and disagreements at every rest, added up. */
  faults: number;
  ghostsAfterDeath: number;
  missing: number;
  persistentLoops: number;
  stretch: number;
  probes: number;
  probesLost: number;
  /** Control traffic by neighbour and second when nothing happens. */
  idleBytes: number;
  /** Memory of one core for each of its destinations, in bytes. */
  heap: number;
  /** The first faults in words. */
  words: string[];
}
