/**
 * Segments: many routers on one bus, in virtual time.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  checkIdle,
  checkQuiet,
  Invariants,
  seededRandom,
  type SegmentOptions,
  SimulatedNetwork,
} from "../../src/testing/mod.ts";
import { Packet } from "../../src/wire/packet.ts";

const BUS = "bus";

function names(count: number, prefix: string = "n"): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}

/** A network with some routers on one bus, which has come to rest. */
function onBus(
  ids: string[],
  options: SegmentOptions = {},
  seed: number = 1,
): { network: SimulatedNetwork; publications: () => number; deliveries: () => number } {
  const network = new SimulatedNetwork({ random: seededRandom(seed) });
  const segment = network.segments.get(BUS, options);
  for (const id of ids) {
    network.join(id, BUS, options);
    network.run(40); // Each comes when those before it have been greeted.
  }
  network.settle();
  return {
    network,
    publications: () => segment.publications,
    deliveries: () => segment.deliveries,
  };
}

function service(network: SimulatedNetwork, id: string, name: string): string[] {
  return network.nodes.get(id)!.mesh.instances(name);
}

describe("A segment", () => {
  test("makes everybody on it a neighbour of everybody else", () => {
    const { network } = onBus(names(5));
    for (const { mesh } of network.nodes.values()) {
      assert.deepEqual(mesh.routes().map(({ cost }) => cost), [1, 1, 1, 1]);
    }
    checkQuiet(network);
  });

  test("costs 600 publications at most to join one by one, for 32 routers", () => {
    const { publications } = onBus(names(32));
    assert(publications() <= 600, `${publications()} publications`);
  });

  test("costs no more than the square of the routers when they double", () => {
    const small = onBus(names(32)).publications();
    const large = onBus(names(64)).publications();
    assert(large <= 4 * small, `${small} → ${large} publications`);
  });

  test("costs about two publications a router if all come at the same time", () => {
    const network = new SimulatedNetwork({ random: seededRandom(1) });
    for (const id of names(32)) network.join(id, BUS);
    network.settle();
    checkQuiet(network);
    assert(network.segments.get(BUS).publications <= 100);
  });

  test("takes three publications at most for one more service, and tells everybody", () => {
    const { network, publications } = onBus(names(32));
    const before = publications();
    network.offer("n3", "ping", 7);
    network.run(1_000);
    assert(publications() - before <= 3, `${publications() - before} publications`);
    for (const id of network.nodes.keys()) assert.deepEqual(service(network, id, "ping"), ["n3"]);
  });

  test("says nothing of it to who heard it there: news go round once", () => {
    const { network, publications } = onBus(names(8));
    network.connect("n0", "outside");
    network.settle();
    const before = publications();
    network.offer("outside", "far", 1);
    network.run(100);
    assert(publications() - before <= 3, `${publications() - before} publications`);
    assert.deepEqual(service(network, "n7", "far"), ["outside"]);
    checkQuiet(network);
  });

  test("brings packets from one to another, and not to the others", () => {
    const { network } = onBus(names(4));
    network.offer("n2", "ping", 1);
    network.settle();
    network.forget();
    network.send("n0", new Packet({ srv: "ping", data: "x" }));
    network.run(100);
    const carried = network.sent.filter(({ packet }) => packet.net === 0);
    assert.deepEqual(carried.map(({ from, to }) => [from, to]), [["n0", "n2"]]);
    const { effects } = network.nodes.get("n2")!;
    assert.equal(effects.filter(({ kind }) => kind === "deliver").length, 1);
  });

  test("lets a call be answered that comes as soon as its service is known", () => {
    const { network } = onBus(["a"]);
    network.connect("a", "behind");
    network.settle();
    network.forget();
    network.node("new");
    network.offer("new", "ping", 1);
    network.join("new", BUS);
    const { mesh } = network.nodes.get("a")!;
    while (mesh.instances("ping").length === 0) network.run(1);
    network.send("a", new Packet({ srv: "ping", data: "x" }));
    network.run(2);
    network.send("new", new Packet({ dst: "a", ctx: 1 }));
    network.send("new", new Packet({ dst: "behind", ctx: 1 }));
    network.run(100);
    assert.deepEqual(
      network.sent.filter(({ packet }) => packet.net === 0).map(({ from, to }) => [from, to]),
      [["a", "new"], ["new", "a"], ["new", "a"], ["a", "behind"]],
    );
  });

  test("joins what hangs on its routers, by shortest ways", () => {
    const { network } = onBus(["a", "b", "c"]);
    network.connect("a", "a1");
    network.connect("a1", "a2");
    network.connect("b", "b1");
    network.connect("b1", "c"); // Two ways from the bus to b1.
    network.offer("a2", "deep", 1);
    network.settle();
    checkQuiet(network);
    assert.deepEqual(service(network, "b1", "deep"), ["a2"]);
  });

  test("is one of two ways when routers have a link of their own, too", () => {
    const { network } = onBus(["a", "b", "c"]);
    network.connect("a", "b");
    network.settle();
    checkQuiet(network);
    network.part("b", BUS);
    network.settle();
    checkQuiet(network);
    assert.equal(network.nodes.get("c")!.mesh.routes().length, 2);
    network.join("b", BUS);
    network.settle();
    checkQuiet(network);
  });

  test("joins another segment through a router that is on both", () => {
    const { network } = onBus(["a", "b", "both"]);
    for (const id of ["both", "x", "y"]) network.join(id, "other");
    network.offer("y", "ping", 1);
    network.settle();
    checkQuiet(network);
    assert.deepEqual(service(network, "a", "ping"), ["y"]);
  });
});

describe("On a segment, a neighbour that goes", () => {
  test("by its own word is gone at once", () => {
    const { network } = onBus(names(4));
    network.leave("n3");
    network.run(600); // A way round is looked for.
    for (const { mesh } of network.nodes.values()) assert.equal(mesh.reaches("n3"), false);
    network.settle();
    checkQuiet(network);
  });

  test("is gone at once if the engine says so, and nobody else is", () => {
    const { network } = onBus(names(4));
    network.kill("n3");
    network.run(600);
    for (const { id, mesh } of network.nodes.values()) {
      assert.equal(mesh.reaches("n3"), false, id);
      assert.equal(mesh.routes().length, 2);
    }
    network.settle();
    checkQuiet(network);
  });

  test("without a word is gone within 35 s", () => {
    const { network } = onBus(names(4));
    network.kill("n3", false);
    network.run(10_000);
    assert.equal(network.nodes.get("n0")!.mesh.reaches("n3"), true);
    network.run(25_000);
    for (const { mesh } of network.nodes.values()) assert.equal(mesh.reaches("n3"), false);
    checkQuiet(network);
  });

  test("and comes back is believed at once", () => {
    const { network } = onBus(names(4));
    network.offer("n3", "ping", 1);
    network.settle();
    network.restart("n3");
    network.run(200);
    for (const { mesh } of network.nodes.values()) {
      assert.deepEqual(mesh.instances("ping"), []);
      assert.equal(mesh.reaches("n3"), true);
    }
    network.settle();
    checkQuiet(network);
  });

  test("takes with it what only it led to", () => {
    const { network } = onBus(names(4));
    network.connect("n3", "behind");
    network.settle();
    assert.equal(network.nodes.get("n0")!.mesh.reaches("behind"), true);
    network.kill("n3");
    network.run(5_000);
    assert.equal(network.nodes.get("n0")!.mesh.reaches("behind"), false);
  });
});

describe("On a segment that loses messages", () => {
  for (const seed of [1, 2, 3, 4]) {
    test(`tables are the same in the end, seed ${seed}`, () => {
      const options = { loss: 0.3 };
      const { network } = onBus(names(8), options, seed);
      network.offer("n1", "ping", 3);
      network.offer("n1", "pong", 3);
      network.run(20_000);
      network.offer("n1", "pong", 0);
      network.run(30_000);
      options.loss = 0;
      network.run(60_000);
      checkQuiet(network, { seed });
    });
  }

  test("a join that nobody has heard is made up for when the segment works", () => {
    const options = { loss: 1 };
    const { network } = onBus(names(3), options);
    options.loss = 0;
    network.run(15_000);
    checkQuiet(network);
  });

  test("halves that do not hear each other find each other again", () => {
    const { network } = onBus(names(6));
    network.split(BUS, ["n0", "n1", "n2"]);
    network.run(60_000);
    checkQuiet(network);
    assert.equal(network.nodes.get("n0")!.mesh.reaches("n5"), false);
    network.split(BUS);
    network.run(30_000);
    checkQuiet(network);
  });
});

describe("Segments and links together", () => {
  for (const seed of [11, 12, 13, 14, 15, 16]) {
    test(`form no loop, whatever comes and goes, seed ${seed}`, () => {
      const random = seededRandom(seed);
      const network = new SimulatedNetwork({
        random,
        delay: (chance) => 5 + 10 * chance(),
        record: false,
      });
      const delay = (chance: () => number) => 5 + 10 * chance();
      const ids = names(12);
      for (const id of ids) network.node(id);
      const invariants = new Invariants(network, { seed });
      const pick = () => ids[Math.floor(random() * ids.length)]!;
      const on = (id: string, bus: string) =>
        [...network.segments.get(bus).ports.values()].some(({ node }) => node.id === id);
      const linked: Set<string> = new Set();
      for (let i = 0; i < 150; i++) {
        const [a, b] = [pick(), pick()].sort() as [string, string];
        const bus = random() < 0.5 ? "east" : "west";
        const what = random();
        if (what < 0.35) {
          if (on(a, bus)) network.part(a, bus, random() < 0.7);
          else network.join(a, bus, { delay, loss: 0.02 });
        } else if (what < 0.7 && a !== b) {
          const key = `${a} ${b}`;
          if (linked.delete(key)) network.disconnect(a, b);
          else {
            linked.add(key);
            network.connect(a, b);
          }
        } else if (what < 0.8) network.offer(a, "s", 1 + Math.floor(9 * random()));
        else if (what < 0.85) network.restart(a);
        else if (what < 0.9) network.split(bus, ids.filter(() => random() < 0.5));
        else if (what < 0.95) network.split(bus);
        network.run(300 * random());
      }
      for (const bus of ["east", "west"]) {
        network.split(bus);
        network.segments.get(bus).options.loss = 0;
      }
      network.run(150_000);
      checkQuiet(network, { seed });
      invariants.checkTold();
      assert.equal(invariants.loops, 0);
      checkIdle(network);
    });
  }
});
