import assert from "node:assert/strict";
import { test } from "node:test";
import { Packet } from "../../mod.ts";
import { seededRandom, SimulatedNetwork } from "../../src/testing/mod.ts";

/** Joins, offers and cuts a few times; what was sent, in words. */
function run(seed: number): string[] {
  const random = seededRandom(seed);
  const network = new SimulatedNetwork({ random, delay: () => 1 + Math.floor(random() * 20) });
  network.connect("a", "b");
  network.connect("b", "c");
  network.connect("c", "a");
  network.offer("c", "ping", 1);
  network.settle();
  network.kill("c");
  network.settle();
  return network.sent.map(({ at, from, to, packet }) => `${at} ${from} ${to} ${packet.toJson()}`);
}

test("seededRandom() repeats itself for the same seed, and is uniform over [0, 1)", () => {
  const [one, two, other] = [seededRandom(1), seededRandom(1), seededRandom(2)];
  const numbers = Array.from({ length: 10_000 }, one);
  assert.deepEqual(numbers, Array.from({ length: 10_000 }, two));
  assert.notDeepEqual(numbers, Array.from({ length: 10_000 }, other));
  assert(numbers.every((number) => number >= 0 && number < 1));
  const mean = numbers.reduce((sum, number) => sum + number) / numbers.length;
  assert(Math.abs(mean - 0.5) < 0.02, `mean ${mean}`);
});

test("SimulatedNetwork gives the same run for the same seed, and another for another", () => {
  assert.deepEqual(run(3), run(3));
  assert.notDeepEqual(run(3), run(4));
});

test("SimulatedNetwork carries packets over several hops, and tells what happened", () => {
  const network = new SimulatedNetwork({ delay: () => 5 });
  network.connect("a", "b");
  network.connect("b", "c");
  network.offer("c", "ping", 7);
  network.settle();
  assert.deepEqual(network.node("a").mesh.services(), [
    { service: "ping", address: "c", capacity: 7 },
  ]);
  const start = network.now;
  network.forget();
  network.node("c").effects.length = 0;
  network.send("a", new Packet({ dst: "c", srv: "ping", data: "hi" }));
  assert.equal(network.settle(), 5); // From the first hop to the last; each takes as long again.
  assert.deepEqual(
    network.sent.filter(({ packet }) => packet.net === 0)
      .map(({ at, from, to, packet }) => [at - start, from, to, packet.text()]),
    [[0, "a", "b", "hi"], [5, "b", "c", "hi"]],
  );
  assert.deepEqual(network.node("c").effects.map(({ kind }) => kind), ["deliver"]);
});

test("SimulatedNetwork.disconnect() and kill() are noticed at once, and lose what is on its way", () => {
  const network = new SimulatedNetwork();
  network.connect("a", "b");
  network.connect("b", "c");
  network.settle();
  network.send("b", new Packet({ dst: "c", data: "lost" }));
  network.node("c").effects.length = 0;
  network.disconnect("b", "c");
  network.settle();
  assert.deepEqual(network.node("a").mesh.routes(), [{ address: "b", cost: 1, via: "b" }]);
  assert(network.node("c").effects.every(({ kind }) => kind !== "deliver"));
  network.kill("b");
  network.settle();
  assert.deepEqual(network.node("a").mesh.routes(), []);
});

test("SimulatedNetwork.settle() refuses to wait for ever", () => {
  const network = new SimulatedNetwork({ delay: () => 10 });
  network.connect("a", "b");
  assert.throws(() => network.settle(5), new Error("Cannot settle: still busy after 5 ms"));
});

/** Addresses that a node reaches. */
function reached(network: SimulatedNetwork, id: string): string[] {
  return network.node(id).mesh.routes().map(({ address }) => address).sort();
}

test("SimulatedNetwork counts what is sent, and remembers it only if it should", () => {
  const network = new SimulatedNetwork({ record: false, encode: false });
  network.connect("a", "b");
  network.offer("a", "ping", 1);
  network.settle();
  const { traffic } = network;
  assert.equal(traffic.routes, 2);
  assert.equal(traffic.services, 1);
  assert(traffic.queries >= 2 && traffic.bytes > 20 && traffic.packets >= traffic.frames);
  assert.deepEqual([network.sent, network.node("a").effects], [[], []]);
  network.forget();
  assert.equal(network.traffic.packets, 0);
});

test("SimulatedNetwork with and without encoding comes to the same", () => {
  const bytes = [true, false].map((encode) => {
    const random = seededRandom(7);
    const network = new SimulatedNetwork({ random, encode, delay: (chance) => 5 + 10 * chance() });
    for (const [a, b] of [["a", "b"], ["b", "c"], ["c", "a"]] as const) network.connect(a, b);
    network.settle();
    return [network.traffic.bytes, network.now];
  });
  assert.deepEqual(bytes[0], bytes[1]);
});

test("SimulatedNetwork.disconnect() can leave one end, or both, in the dark", () => {
  for (
    const [notice, left, right] of [
      ["first", [], ["a"]],
      ["second", ["b"], []],
      ["neither", ["b"], ["a"]],
    ] as const
  ) {
    const network = new SimulatedNetwork();
    network.connect("a", "b");
    network.settle();
    network.disconnect("a", "b", notice);
    network.run(5_000);
    assert.deepEqual([reached(network, "a"), reached(network, "b")], [left, right], notice);
    network.run(60_000); // A neighbour that says nothing is given up in the end.
    assert.deepEqual([reached(network, "a"), reached(network, "b")], [[], []], notice);
  }
});

test("SimulatedNetwork.silence() lets nothing through in one direction, and tells nobody", () => {
  const network = new SimulatedNetwork();
  network.connect("a", "b");
  network.settle();
  network.silence("a", "b");
  network.send("a", new Packet({ dst: "b", data: "1" }));
  network.send("b", new Packet({ dst: "a", data: "2" }));
  network.run(1_000);
  const delivered = (id: string) =>
    network.node(id).effects.filter(({ kind }) => kind === "deliver");
  assert.deepEqual([delivered("a").length, delivered("b").length], [1, 0]);
  assert.equal(network.lostOnLinks, 1);
});

test("SimulatedNetwork loses and reorders packets as often as it is told to", () => {
  const random = seededRandom(3);
  const network = new SimulatedNetwork({ random, delay: (chance) => 1 + 50 * chance() });
  network.connect("a", "b", { loss: 0, reorder: 0.5 });
  network.settle();
  for (let i = 0; i < 100; i++) network.send("a", new Packet({ dst: "b", data: `${i}` }));
  network.run(1_000);
  const arrived = () =>
    network.node("b").effects.flatMap((effect) =>
      effect.kind === "deliver" ? [Number(effect.packet.text())] : []
    );
  assert.equal(arrived().length, 100);
  assert.notDeepEqual(arrived(), arrived().sort((a, b) => a - b));

  network.connect("a", "c", { loss: 0.5 });
  network.inject("a", "c", new Packet({ dst: "c", data: "x" }));
  for (let i = 0; i < 200; i++) network.inject("a", "c", new Packet({ dst: "c", data: "x" }));
  network.run(1_000);
  assert(Math.abs(network.lostOnLinks - 100) < 30, `${network.lostOnLinks} lost`);
});

test("SimulatedNetwork.leave() and restart() end a node in order and out of order", () => {
  const network = new SimulatedNetwork();
  network.connect("a", "b");
  network.connect("b", "c");
  network.settle();
  network.leave("c");
  network.settle();
  assert.deepEqual(reached(network, "a"), ["b"]);
  const { mesh } = network.node("b");
  network.run(1_000);
  network.restart("b");
  network.settle();
  assert.notEqual(network.node("b").mesh, mesh);
  assert.deepEqual([network.node("b").starts, reached(network, "a")], [2, ["b"]]);
});

test("SimulatedNetwork.start() makes nodes with any address, options and clock", () => {
  const network = new SimulatedNetwork();
  network.start("one", { address: "a", incarnation: 7 });
  network.start("two", { address: "a" });
  network.start("leaf", { mesh: { stub: true } });
  network.connect("leaf", "one");
  network.settle();
  assert.deepEqual(["one", "two"].map((id) => network.node(id).mesh.address), ["a", "a"]);
  assert.equal(network.node("leaf").mesh.inspect!("a")?.origin, 7);
  assert.throws(() => network.start("one"), new Error('Cannot start "one": it runs'));
});
