/**
 * What it costs routers of our kind to join, to offer, to withdraw and to lose a link, in packets,
 * and that it ends.
 *
 * A packet here is a hello or a link frame, whatever it holds; pings and digests, which come though
 * nothing happens, do not count. The bounds are what the best of the old implementations needs for
 * the same event among those that complete it, measured over links of 1 ms. `null` is an event
 * that none was measured for.
 *
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom, SimulatedNetwork, Traffic } from "../../src/testing/mod.ts";
import type { MeshOptions } from "../../src/mesh/options.ts";

type Links = readonly (readonly [string, string])[];

const TRIANGLE: Links = [["a", "b"], ["b", "c"], ["c", "a"]];
const RING_4: Links = [["a", "b"], ["b", "c"], ["c", "d"], ["d", "a"]];
const RING_6: Links = [["a", "b"], ["b", "c"], ["c", "d"], ["d", "e"], ["e", "f"], ["f", "a"]];
const MESH_4: Links = [["a", "b"], ["a", "c"], ["a", "d"], ["b", "c"], ["b", "d"], ["c", "d"]];
const LINE_3: Links = [["a", "b"], ["b", "c"]];
const LINE_4: Links = [["a", "b"], ["b", "c"], ["c", "d"]];
const LINE_20: Links = Array.from({ length: 19 }, (_, i) => [`n${i}`, `n${i + 1}`] as const);
const TAIL: Links = [["a", "t"]];

function connect(network: SimulatedNetwork, links: Links): void {
  for (const [a, b] of links) network.connect(a, b);
}

/** A network that has come to rest. */
function settled(links: Links, mesh: MeshOptions = {}): SimulatedNetwork {
  const network = new SimulatedNetwork({ mesh });
  connect(network, links);
  network.settle();
  network.forget();
  return network;
}

/** How many packets were sent that say anything new. */
function cost(network: SimulatedNetwork): number {
  const traffic = new Traffic();
  return network.sent.filter(({ packet }) => traffic.count(packet, 0)).length;
}

/** Every node has a route to every other that is connected to it, at the shortest distance. */
function assertConverged(network: SimulatedNetwork, links: Links): void {
  const names = [...network.nodes.keys()].sort();
  for (const from of names) {
    const distance = new Map([[from, 0]]);
    for (const [name, hops] of distance) {
      for (const [a, b] of links.flatMap(([a, b]) => [[a, b], [b, a]] as const)) {
        if (a === name && !distance.has(b) && network.nodes.has(b)) distance.set(b, hops + 1);
      }
    }
    distance.delete(from);
    const routes = network.node(from).mesh.routes().map(({ address, cost }) => [address, cost]);
    assert.deepEqual(new Map(routes as [string, number][]).size, routes.length);
    assert.deepEqual(
      Object.fromEntries(routes),
      Object.fromEntries(distance),
      `routes of ${from}`,
    );
  }
}

/** Where a service can be seen, its own host included. */
function seenBy(network: SimulatedNetwork, service: string): string[] {
  return [...network.nodes].filter(([, { mesh }]) => mesh.instances(service).length > 0)
    .map(([name]) => name).sort();
}

const shapes: {
  name: string;
  links: Links;
  join: number | null;
  joinWithService: number | null;
  offerFromTail: number | null;
  cutTail: number | null;
  remove: number | null;
}[] = [
  {
    name: "a triangle",
    links: TRIANGLE,
    join: 18,
    joinWithService: 24,
    offerFromTail: 9,
    cutTail: 4,
    remove: 6,
  },
  {
    name: "a ring of 4",
    links: RING_4,
    join: 28,
    joinWithService: 33,
    offerFromTail: 11,
    cutTail: null,
    remove: null,
  },
  {
    name: "a full mesh of 4",
    links: MESH_4,
    join: null,
    joinWithService: null,
    offerFromTail: 15,
    cutTail: 9,
    remove: null,
  },
];

/** Nobody was measured: it ends, and costs no more than a few packets a link and node. */
function bound(limit: number | null, links: Links): number {
  return limit ?? 2 * links.length * (new Set(links.flat()).size + 1);
}

for (const shape of shapes) {
  const { name, links } = shape;
  const withTail = [...links, ...TAIL];

  test(`a join of ${name} comes to rest within ${bound(shape.join, links)} packets`, () => {
    const network = new SimulatedNetwork();
    connect(network, links);
    network.settle();
    assert(cost(network) <= bound(shape.join, links), `${cost(network)} packets`);
    assertConverged(network, links);
  });

  test(`a join of ${name} that has a service already comes to rest as cheaply`, () => {
    const network = new SimulatedNetwork();
    network.offer("a", "ping", 1);
    connect(network, links);
    network.settle();
    const limit = bound(shape.joinWithService, links);
    assert(cost(network) <= limit, `${cost(network)} packets`);
    assert.deepEqual(seenBy(network, "ping"), [...network.nodes.keys()].sort());
  });

  test(`a registration, change and removal on ${name} with a tail come to rest`, () => {
    const network = settled(withTail);
    const limit = bound(shape.offerFromTail, links);
    for (const capacity of [1, 5, 0]) {
      network.offer("t", "ping", capacity);
      network.settle();
      assert(cost(network) <= limit, `${cost(network)} packets for ${capacity}`);
      assert.deepEqual(seenBy(network, "ping"), capacity ? [...network.nodes.keys()].sort() : []);
      network.forget();
    }
  });

  test(`a removal on ${name} comes to rest`, () => {
    const network = settled(links);
    network.offer("a", "ping", 1);
    network.settle();
    network.forget();
    network.offer("a", "ping", 0);
    network.settle();
    assert(cost(network) <= bound(shape.remove, links), `${cost(network)} packets`);
    assert.deepEqual(seenBy(network, "ping"), []);
  });

  test(`cutting the tail off ${name} comes to rest, and nobody remembers it`, () => {
    const network = settled(withTail);
    network.disconnect("a", "t");
    network.settle();
    assert(cost(network) <= bound(shape.cutTail, links), `${cost(network)} packets`);
    assertConverged(network, links);
  });

  test(`${name} with a tail comes to rest after each join and leave, in any order of packets`, () => {
    for (let seed = 1; seed <= 50; seed++) {
      const random = seededRandom(seed);
      const network = new SimulatedNetwork({ random, delay: () => 1 + 20 * random() });
      connect(network, withTail);
      network.offer("t", "ping", 1);
      network.settle();
      assertConverged(network, withTail);
      assert.deepEqual(seenBy(network, "ping"), [...network.nodes.keys()].sort(), `seed ${seed}`);

      network.disconnect("a", "b");
      network.settle();
      const cut = withTail.filter((link) => link.join() !== "a,b");
      assertConverged(network, cut);
      assert.deepEqual(seenBy(network, "ping"), [...network.nodes.keys()].sort(), `seed ${seed}`);

      network.connect("a", "b");
      network.settle();
      assertConverged(network, withTail);

      network.kill("t");
      network.settle();
      assertConverged(network, links);
      assert.deepEqual(seenBy(network, "ping"), [], `seed ${seed}`);
    }
  });
}

for (
  const [name, links, limit] of [
    ["a triangle", TRIANGLE, 10],
    ["a ring of 4", RING_4, 22],
    ["a ring of 6", RING_6, 58],
  ] as const
) {
  test(`cutting a link of ${name} leaves every pair a shortest way, within ${limit} packets`, () => {
    const network = settled(links);
    network.disconnect("a", "b");
    network.settle();
    assert(cost(network) <= limit, `${cost(network)} packets`);
    assertConverged(network, links.slice(1));
  });

  test(`the death of a node of ${name} leaves the others connected and no ghost`, () => {
    const network = settled(links);
    network.kill("b");
    network.settle();
    assert(cost(network) <= limit, `${cost(network)} packets`);
    assertConverged(network, links);
  });
}

test("cutting the end off a line of 4 costs one packet for each node that is left but one", () => {
  const network = settled(LINE_4);
  network.kill("d");
  network.settle();
  assert.equal(cost(network), 2);
  assertConverged(network, LINE_4);
});

test("a removal on a line of 3 costs one packet a link", () => {
  const network = settled(LINE_3);
  network.offer("a", "ping", 1);
  network.settle();
  network.forget();
  network.offer("a", "ping", 0);
  network.settle();
  assert.equal(cost(network), 2);
});

test("a line of 20, joined at once, costs each link each route once", () => {
  const network = new SimulatedNetwork();
  network.offer("n0", "ping", 1);
  connect(network, LINE_20);
  network.settle();
  assertConverged(network, LINE_20);
  assert.equal(seenBy(network, "ping").length, 20);
  const { queries, routes, services, requests } = network.traffic;
  const records = { queries: 38, routes: 380, services: 19, requests: 0 };
  assert.deepEqual({ queries, routes, services, requests }, records);
  assert(cost(network) <= 437, `${cost(network)} packets`);
});

test("a line of 20, a join every 20 ms, comes to rest as cheaply", () => {
  const network = new SimulatedNetwork();
  network.offer("n0", "ping", 1);
  for (const [a, b] of LINE_20) {
    network.connect(a, b);
    network.run(20);
  }
  network.settle();
  assertConverged(network, LINE_20);
  assert.equal(seenBy(network, "ping").length, 20);
  assert(cost(network) <= 437, `${cost(network)} packets`);
});

for (const removal of ["announce", "silent", "reannounce"] as const) {
  test(`a removal reaches all of our kind, and takes nothing else along, with "${removal}"`, () => {
    const links = [...MESH_4, ...TAIL];
    const network = settled(links, { removal });
    network.offer("t", "ping", 1);
    network.offer("t", "time", 1);
    network.settle();
    network.forget();
    network.offer("t", "ping", 0);
    network.settle();
    assertConverged(network, links);
    assert.deepEqual(seenBy(network, "time"), ["a", "b", "c", "d", "t"]);
    assert.deepEqual(seenBy(network, "ping"), []);
    assert.equal(network.traffic.routes, 0);
  });
}

test("links that come and go at random leave every pair a shortest way, and no ghost", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seededRandom(seed);
    const network = new SimulatedNetwork({ random, delay: () => 1 + 10 * random() });
    const links = [...MESH_4, ...TAIL, ["b", "e"], ["e", "f"], ["f", "t"]] as const;
    connect(network, links);
    network.settle();
    const down = new Set<string>();
    for (let step = 0; step < 30; step++) {
      const [a, b] = links[Math.floor(random() * links.length)]!;
      if (down.delete(`${a}${b}`)) network.connect(a, b);
      else {
        down.add(`${a}${b}`);
        network.disconnect(a, b);
      }
      network.run(40 * random());
    }
    network.settle();
    network.run(80_000); // Links that came and went too often are not preferred for a while.
    network.settle();
    assertConverged(network, links.filter(([a, b]) => !down.has(`${a}${b}`)));
  }
});
