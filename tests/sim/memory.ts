/**
 * How much memory routes take.
 *
 * @module
 */

import process from "node:process";
import { seededRandom, SimulatedNetwork } from "../../src/testing/mod.ts";
import type { Subject } from "./figures.ts";

/** Below so many nodes, what they remember is lost in what the runtime does. */
const MIN_NODES = 100;

/**
 * Memory that a core takes for each of its destinations, in bytes; `NaN` where the garbage cannot
 * be collected first.
 */
export function heap(subject: Subject): number {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined || subject.nodes < MIN_NODES) return NaN;
  const used = () => {
    gc();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const { nodes, topology, origins = nodes } = subject;
  const random = seededRandom(subject.seed);
  const network = new SimulatedNetwork({
    delay: () => 5 + 10 * random(),
    ...{ random, encode: false, record: false },
  });
  for (let i = 0; i < nodes; i++) {
    network.start(`n${i}`, i >= origins ? { mesh: { hidden: true } } : {});
  }
  for (const [a, b] of topology) network.connect(`n${a}`, `n${b}`);
  const before = used(); // Nodes and links are there; not what they learn.
  network.settle();
  return (used() - before) / (nodes * (origins - 1));
}
