/**
 * The checks are no good unless they catch who breaks a promise.
 *
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  checkIdle,
  checkQuiet,
  inspectQuiet,
  Invariants,
  type LinkId,
  Mesh,
  type MeshOptions,
  type RouteDetails,
  type RouteInfo,
  SimulatedNetwork,
  type ToldRoute,
} from "../../src/testing/mod.ts";

/** What a broken core says instead of the truth. */
interface Faults {
  nextHop?: (address: string, truth: LinkId | null) => LinkId | null;
  routes?: (truth: RouteInfo[]) => RouteInfo[];
  feasible?: (truth: ToldRoute[]) => ToldRoute[];
  told?: (truth: Map<string, ToldRoute>) => Map<string, ToldRoute>;
  deadline?: number;
}

class Broken extends Mesh {
  readonly faults: Faults;

  constructor(faults: Faults, ...args: [string, () => number, MeshOptions]) {
    super(...args);
    this.faults = faults;
  }

  override nextHop(address: string): LinkId | null {
    const truth = super.nextHop(address);
    return this.faults.nextHop ? this.faults.nextHop(address, truth) : truth;
  }

  override routes(): RouteInfo[] {
    return this.faults.routes ? this.faults.routes(super.routes()) : super.routes();
  }

  override inspect(address: string): RouteDetails | null {
    const truth = super.inspect(address);
    if (truth === null || !this.faults.feasible) return truth;
    return { ...truth, feasible: this.faults.feasible(truth.feasible) };
  }

  override told(link: LinkId): Map<string, ToldRoute> {
    return this.faults.told ? this.faults.told(super.told(link)) : super.told(link);
  }

  override deadline(): number {
    return Math.min(super.deadline(), this.faults.deadline ?? Infinity);
  }
}

/** a – b – c, and b is broken. */
function build(faults: Faults): { network: SimulatedNetwork; invariants: Invariants } {
  const network = new SimulatedNetwork();
  network.start("b", { create: (...args) => new Broken(faults, ...args) });
  const invariants = new Invariants(network, { seed: 9 });
  network.connect("a", "b");
  network.connect("b", "c");
  return { network, invariants };
}

test("Invariants, checkQuiet() and checkIdle() have nothing to say of a sound network", () => {
  const { network, invariants } = build({});
  network.offer("c", "ping", 3);
  network.settle();
  const { pairs, stretch, faults } = checkQuiet(network);
  assert.deepEqual({ pairs, stretch, faults }, { pairs: 6, stretch: 1, faults: [] });
  invariants.checkTold();
  checkIdle(network);
});

test("Invariants catches packets that go round at once, with seed, time and way", () => {
  let links: LinkId[] = [];
  const { network } = build({
    nextHop: (address, truth) => address === "c" && truth !== null ? links[0]! : truth,
  });
  links = network.links.of(network.node("b")).map(({ link }) => link);
  assert.throws(
    () => network.settle(),
    /^Error: seed 9, at \d+\.\d{3} ms: packets for "c" go round: a → b → a$/,
  );
});

test("Invariants catches a feasible distance that rises", () => {
  let cost = 5;
  const { network } = build({
    feasible: () => [{ origin: 1, seq: 1, cost: cost++ }],
  });
  assert.throws(() => {
    network.settle();
    network.disconnect("b", "c");
    network.settle();
  }, /the feasible distance of "b" to "\w" by origin 1 rises from \d \(sequence 1\) to \d/);
});

test("Invariants.checkTold() catches a change that nobody was told of", () => {
  let lies = false;
  const { network, invariants } = build({ nextHop: (_, truth) => lies ? null : truth });
  network.settle();
  lies = true;
  assert.throws(() => invariants.checkTold(), /"b" has changed its route to "\w" and told nobody/);
});

test("checkQuiet() catches missing routes, ghosts, wrong costs and disagreements", () => {
  const cases: [Faults, RegExp][] = [
    [{ routes: () => [] }, /"b" has no route to "a", 1 hops away/],
    [
      { routes: (truth) => [...truth, { address: "x", cost: 2, via: "a" }] },
      /"b" has a route to "x", which is gone/,
    ],
    [
      { routes: (truth) => truth.map((route) => ({ ...route, cost: 3 })) },
      /"b" says 3 hops to "a", and it is 1/,
    ],
    [{ told: () => new Map() }, /"b" has told "a" of "b": undefined, which holds \{/],
  ];
  for (const [faults, message] of cases) {
    const { network } = build(faults);
    network.settle();
    assert.throws(() => checkQuiet(network, { seed: 9 }), message);
  }
});

test("checkQuiet() catches a service that is not known, or not there", () => {
  const { network } = build({});
  network.offer("c", "ping", 3);
  network.settle();
  (network.node("c").offers as Map<string, number>).set("ping", 4);
  assert.deepEqual(inspectQuiet(network).faults, [
    '"b" knows ping@c 3: not so',
    '"b" does not know ping@c 4',
    '"a" knows ping@c 3: not so',
    '"a" does not know ping@c 4',
  ]);
});

test("checkIdle() catches a timer that is left", () => {
  const { network } = build({ deadline: 1e12 });
  network.settle();
  assert.throws(() => checkIdle(network, { seed: 9 }), /"b" alone still has something to do$/);
});
