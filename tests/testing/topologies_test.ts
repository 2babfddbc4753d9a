import assert from "node:assert/strict";
import { test } from "node:test";
import {
  fullMesh,
  geometric,
  grid,
  line,
  randomDegree,
  ring,
  scaleFree,
  star,
  type Topology,
  tree,
} from "../../src/testing/mod.ts";

const SHAPES: [name: string, nodes: number, links: number | null, make: () => Topology][] = [
  ["line", 10, 9, () => line(10)],
  ["ring", 10, 10, () => ring(10)],
  ["grid", 12, 17, () => grid(4, 3)],
  ["tree", 10, 9, () => tree(10, 3)],
  ["star", 10, 9, () => star(10)],
  ["fullMesh", 10, 45, () => fullMesh(10)],
  ["randomDegree", 50, 100, () => randomDegree(50, 4, 3)],
  ["geometric", 50, null, () => geometric(50, 3, 3)],
  ["scaleFree", 50, 97, () => scaleFree(50, 2, 3)],
];

for (const [name, nodes, links, make] of SHAPES) {
  test(`${name}() makes one network of ${nodes} nodes, no link twice, the same each time`, () => {
    const topology = make();
    assert.deepEqual(make(), topology);
    if (links !== null) assert.equal(topology.length, links);
    const keys = topology.map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`);
    assert.equal(new Set(keys).size, topology.length);
    assert(topology.every(([a, b]) => a !== b && a < nodes && b < nodes));
    const found = new Set([0]);
    for (const node of found) {
      for (const [a, b] of topology) {
        if (a === node) found.add(b);
        if (b === node) found.add(a);
      }
    }
    assert.equal(found.size, nodes);
  });
}

test("randomDegree(), tree(), geometric() and scaleFree() make others for other seeds", () => {
  assert.notDeepEqual(randomDegree(20, 4, 1), randomDegree(20, 4, 2));
  assert.notDeepEqual(tree(20, 1), tree(20, 2));
  assert.notDeepEqual(geometric(20, 4, 1), geometric(20, 4, 2));
  assert.notDeepEqual(scaleFree(20, 2, 1), scaleFree(20, 2, 2));
});
