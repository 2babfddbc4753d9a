/**
 * The models of old routers, beside what was measured with the originals: packets sent over links
 * of 1 ms.
 *
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type LegacyKind,
  type LegacyRouter,
  legacyRouter,
  SimulatedNetwork,
  StormError,
} from "../../src/testing/mod.ts";
import { encodeServiceAdvert, Packet } from "../../src/wire/mod.ts";

type Links = [string, string][];

const TRIANGLE: Links = [["a", "b"], ["b", "c"], ["c", "a"]];
const RING_4: Links = [["a", "b"], ["b", "c"], ["c", "d"], ["d", "a"]];
const RING_6: Links = [["a", "b"], ["b", "c"], ["c", "d"], ["d", "e"], ["e", "f"], ["f", "a"]];
const MESH_4: Links = [...RING_4, ["a", "c"], ["b", "d"]];
const LINE_20: Links = Array.from({ length: 19 }, (_, i) => [`n${i}`, `n${i + 1}`]);

function build(kind: LegacyKind, links: Links, host: string | null = null): SimulatedNetwork {
  const network = new SimulatedNetwork({ record: false });
  for (const id of new Set(links.flat())) network.start(id, { create: legacyRouter(kind) });
  if (host !== null) network.offer(host, "ping", 1);
  for (const [a, b] of links) network.connect(a, b);
  return network;
}

/** Packets that it takes to come to rest. */
function join(kind: LegacyKind, links: Links, host: string | null = null): number {
  const network = build(kind, links, host);
  network.settle();
  return network.traffic.packets;
}

/** Packets that it takes to come to rest after a cut, with all nodes reaching all. */
function cut(kind: LegacyKind, links: Links): number {
  const network = build(kind, links);
  network.settle();
  network.forget();
  network.disconnect("a", "b");
  network.settle();
  for (const { mesh } of network.nodes.values()) {
    assert.equal(mesh.routes().length, network.nodes.size - 1);
  }
  return network.traffic.packets;
}

const COUNTS: Record<LegacyKind, Record<string, number | number[]>> = {
  node: { join: [18, 32], joinWithService: [24, 40], line: 437, cut: [12, 25, 65] },
  go: { join: [18, 28], joinWithService: [22, 33], line: 437, cut: [10, 22, 58] },
  python: { join: [24, 36], joinWithService: [30, 43], line: 473, cut: [11, 24, 62] },
};

for (const kind of ["node", "go", "python"] as const) {
  test(`LegacyRouter "${kind}" takes as many packets as the original does, or close to it`, () => {
    assert.deepEqual({
      join: [join(kind, TRIANGLE), join(kind, RING_4)],
      joinWithService: [join(kind, TRIANGLE, "a"), join(kind, RING_4, "a")],
      line: join(kind, LINE_20, "n0"),
      cut: [cut(kind, TRIANGLE), cut(kind, RING_4), cut(kind, RING_6)],
    }, COUNTS[kind]);
  });
}

test('LegacyRouter "node" melts down in a full mesh that somebody else tells of a service', () => {
  assert.throws(
    () => join("node", [...MESH_4, ["a", "t"]], "t"),
    new StormError('"a" has sent 50000 packets, without end'),
  );
});

test('LegacyRouter "go" never stops passing on that a service is gone, in a triangle', () => {
  const network = build("go", [...TRIANGLE, ["a", "t"]], "t");
  network.settle();
  network.offer("t", "ping", 0);
  network.run(2_000);
  assert(network.traffic.packets > 3_000, `${network.traffic.packets} packets`);
});

test('LegacyRouter "python" ends at what it does not understand, for good', () => {
  const gone = encodeServiceAdvert({ address: "x", service: "s", capacity: 0 });
  for (const packet of [new Packet({ net: 2, data: gone }), new Packet({ typ: 1, data: "x" })]) {
    const network = build("python", [["a", "b"]]);
    network.settle();
    network.forget();
    network.inject("a", "b", packet);
    network.inject("a", "b", new Packet({ net: 3 }));
    network.settle();
    assert.equal((network.node("b").mesh as LegacyRouter).killed, true);
    assert.equal(network.traffic.packets, 2);
  }
});

test('LegacyRouter "go" takes whoever sends it data for a neighbour, and drops trailers', () => {
  const network = build("go", [["a", "b"], ["b", "c"]]);
  network.settle();
  const trailer = { hops: 3, instance: 0, counter: 0 };
  network.inject("a", "b", new Packet({ src: "x", dst: "c", data: "hi", trailer }));
  network.settle();
  assert.deepEqual(network.node("b").mesh.routes().filter(({ address }) => address === "x"), [
    { address: "x", cost: 1, via: "x" },
  ]);
});
