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
    network.sent.map(({ at, from, to, packet }) => [at - start, from, to, packet.text()]),
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
