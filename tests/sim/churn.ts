/**
 * Many small networks to which everything happens that can, with every check on.
 *
 * @module
 */

import {
  checkScenario,
  fullMesh,
  geometric,
  grid,
  line,
  randomDegree,
  randomScenario,
  ring,
  scaleFree,
  star,
  type Topology,
  tree,
} from "../../src/testing/mod.ts";

/** Shapes by name; each seed takes the next. */
export const SHAPES: readonly [name: string, make: (seed: number) => Topology][] = [
  ["ring", () => ring(8)],
  ["random graph", (seed) => randomDegree(14, 4, seed)],
  ["grid", () => grid(4, 3)],
  ["tree", (seed) => tree(10, seed)],
  ["full mesh", () => fullMesh(6)],
  ["scale-free graph", (seed) => scaleFree(14, 2, seed)],
  ["geometric graph", (seed) => geometric(14, 5, seed)],
  ["star", () => star(7)],
  ["line", () => line(8)],
];

/**
 * Runs scenarios.
 *
 * @param tell Told of each that fails, with the steps that it takes.
 * @returns How many fail.
 */
export function churn(
  seeds: number,
  events: number,
  tell: (line: string) => void,
  first: number = 1,
): number {
  let failed = 0;
  for (let seed = first; seed < first + seeds; seed++) {
    const [name, make] = SHAPES[seed % SHAPES.length]!;
    try {
      checkScenario(randomScenario(seed, { topology: make(seed), events }));
    } catch (error) {
      failed++;
      tell(`${name}: ${(error as Error).message}`);
    }
  }
  return failed;
}
