/**
 * A seeded share of what `deno task sim --churn` runs, and what only small networks can show.
 *
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  checkIdle,
  checkQuiet,
  type CreateRouter,
  type Effect,
  fullMesh,
  Invariants,
  type LinkId,
  Mesh,
  type MeshOptions,
  randomDegree,
  randomScenario,
  ring,
  runScenario,
  type Scenario,
  seededRandom,
  shrink,
  SimulatedNetwork,
  type Topology,
} from "../../src/testing/mod.ts";
import { churn, SHAPES } from "./churn.ts";
import { Experiment } from "./measure.ts";

const SEEDS_PER_SHAPE = 3;
const EVENTS = 25;

SHAPES.forEach(([name], shape) => {
  test(`A network in the shape of a ${name} keeps every promise, whatever happens to it`, () => {
    const failures: string[] = [];
    for (let round = 1; round <= SEEDS_PER_SHAPE; round++) {
      churn(1, EVENTS, (line) => failures.push(line), round * SHAPES.length + shape);
    }
    assert.deepEqual(failures, []);
  });
});

/** Every order of some things. */
function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, i) =>
    permutations(items.toSpliced(i, 1)).map((rest) => [item, ...rest])
  );
}

for (const [name, topology] of [["ring", ring(4)], ["full mesh", fullMesh(4)]] as const) {
  test(`A ${name} of 4 converges in whichever of the 24 orders its nodes start`, () => {
    for (const order of permutations([0, 1, 2, 3])) {
      for (const pause of [0, 3, 300]) {
        const random = seededRandom(1);
        const network = new SimulatedNetwork({ random, delay: () => 5 + 10 * random() });
        const invariants = new Invariants(network);
        start(network, topology, order, pause);
        network.settle();
        checkQuiet(network);
        invariants.checkTold();
        checkIdle(network);
      }
    }
  });
}

/** Starts nodes one by one; each is linked to those of its neighbours that run. */
function start(
  network: SimulatedNetwork,
  topology: Topology,
  order: number[],
  pause: number,
): void {
  for (const node of order) {
    network.start(`n${node}`);
    for (const [a, b] of topology.filter((link) => link.includes(node))) {
      const other = `n${a === node ? b : a}`;
      if (network.nodes.has(other)) network.connect(`n${node}`, other);
    }
    network.run(pause);
  }
}

test("runScenario() comes to the same for the same seed, and to something else for another", () => {
  const scenario = randomScenario(5, { topology: randomDegree(10, 4, 5), events: 20 });
  const report = runScenario(scenario);
  assert.deepEqual(runScenario(scenario), report);
  assert.notDeepEqual(runScenario({ ...scenario, seed: 6 }), report);
});

/** A core that, once it has lost a link, says that it sends everything over the last it got. */
class Liar extends Mesh {
  #links: LinkId[] = [];
  #lies: boolean = false;

  override linkUp(link: LinkId, now: number): Effect[] {
    this.#links.push(link);
    return super.linkUp(link, now);
  }

  override linkDown(link: LinkId, now: number): Effect[] {
    this.#links = this.#links.filter((one) => one !== link);
    this.#lies = true;
    return super.linkDown(link, now);
  }

  override nextHop(address: string): LinkId | null {
    const link = super.nextHop(address);
    return this.#lies && link !== null ? this.#links.at(-1) ?? null : link;
  }
}

test("shrink() finds the one step that it takes to see a broken core", () => {
  const create: CreateRouter = (...args: [string, () => number, MeshOptions]) => new Liar(...args);
  const healthy: Scenario = {
    ...randomScenario(2, { topology: fullMesh(5), events: 15, kinds: ["mend", "service", "join"] }),
    router: (node) => node === 3 ? create : undefined,
  };
  runScenario(healthy); // It does not matter that it could lie.
  const cut = { kind: "cut", a: 3, b: 4, wait: 500 } as const;
  const broken = { ...healthy, steps: healthy.steps.toSpliced(7, 0, cut) };
  const { scenario, error } = shrink(broken);
  assert.deepEqual(scenario.steps, [cut]);
  assert.match(error!.message, /^seed 2, at [\d.]+ ms: /);
});

test("A cut loses no packet but those that were on the link", () => {
  for (let seed = 1; seed <= 5; seed++) {
    const topology = randomDegree(20, 4, seed);
    const experiment = new Experiment({
      ...{ name: "random-20", nodes: 20, topology, seed, events: 0, partitions: 0 },
    });
    experiment.coldStart();
    for (let i = 0; i < 3; i++) experiment.probe();
    const { probes, probesLost } = experiment.result();
    assert(probes > 5_000, `${probes} probes`);
    assert.equal(probesLost, 0, `seed ${seed}`);
  }
});
