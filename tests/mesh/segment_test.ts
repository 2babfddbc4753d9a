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
import { PacketError } from "../../src/errors.ts";
import type { Effect } from "../../src/mesh/effects.ts";
import { Mesh } from "../../src/mesh/mesh.ts";
import { type Hello, LinkFrameWriter, ROLE } from "../../src/wire/mod.ts";
import { NET_LINK, NET_QUERY } from "../../src/wire/limits.ts";
import { Packet } from "../../src/wire/packet.ts";
import { helloOf } from "../support/hellos.ts";

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

const LINK = 1;

/** One router on a segment, to which somebody says whatever they like. */
class Victim {
  now: number = 0;
  readonly mesh: Mesh = new Mesh("me", seededRandom(1), { incarnation: 1 });
  /** What it has sent. */
  sent: Packet[] = [];
  /** The most bytes that it has sent at the same time. */
  most: number = 0;
  closed: boolean = false;

  constructor() {
    this.#take(this.mesh.segmentUp(LINK, this.now));
    this.wait(2_000);
    this.sent = [];
  }

  says(peer: number, packet: Packet): void {
    this.#take(this.mesh.receiveFrom(LINK, peer, packet, this.now));
  }

  /** Somebody says hello. */
  hello(peer: number, session: number, more: Partial<Hello> = {}): void {
    const data = helloOf(peer, `r${peer}`, {
      role: ROLE.shared,
      session: session.toString(16).padStart(16, "0"),
      ...more,
    });
    this.says(peer, new Packet({ net: NET_QUERY, data }));
  }

  /** Something comes that is no message. */
  garbage(): void {
    const error = new PacketError("ERR_PACKET_FIELD", "Cannot read message", 0);
    this.#take(this.mesh.unreadable(LINK, error, this.now));
  }

  wait(duration: number): void {
    const end = this.now + duration;
    for (let at; (at = this.mesh.deadline()) <= end;) {
      this.now = Math.max(at, this.now);
      this.#take(this.mesh.tick(this.now));
    }
    this.now = end;
  }

  #take(effects: Effect[]): void {
    let size = 0;
    for (const effect of effects) {
      if (effect.kind === "transmit") {
        this.sent.push(effect.packet);
        size += effect.packet.data.length;
      }
      if (effect.kind === "close") this.closed = true;
    }
    this.most = Math.max(this.most, size);
  }
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

  for (const gap of [0, 1, 5, 20]) {
    test(`costs two messages at most for each pair that meets, when one comes every ${gap} ms`, () => {
      const network = new SimulatedNetwork({ random: seededRandom(1), record: false });
      const ids = names(64);
      for (const id of ids) {
        network.join(id, BUS);
        network.run(gap);
      }
      network.settle();
      checkQuiet(network);
      const { publications, deliveries } = network.segments.get(BUS);
      const pairs = ids.length * (ids.length - 1);
      assert(publications + deliveries <= 2 * pairs, `${publications} + ${deliveries} messages`);
    });
  }

  test("answers many who ask all at once if there is much to tell, and else one by one", () => {
    const { network } = onBus(names(64));
    for (let i = 0; i < 600; i++) network.offer("n0", `s${i}`, 1);
    network.settle();
    network.forget();
    for (const id of names(12, "late")) network.join(id, BUS);
    network.run(200);
    checkQuiet(network);
    const overheard = (from: string) =>
      network.sent.filter((one) => one.from === from && one.to === "n63" && one.packet.net === 4);
    assert(overheard("n0").length > 0);
    assert.equal(overheard("n1").length, 0);
  });

  test("is told a large table bit by bit: no queue overflows", () => {
    const me = new Victim();
    const name = "x".repeat(100);
    for (let i = 0; i < 20_000; i++) me.mesh.offer(name + i, 1, me.now);
    me.wait(60_000);
    me.most = 0;
    me.sent = [];
    for (let peer = 1; peer <= 3; peer++) me.hello(peer, peer);
    me.wait(2_000);
    const told = me.sent.reduce((sum, { data }) => sum + data.length, 0);
    assert(told > 3 * 20_000 * 100, `${told} bytes`);
    assert(me.most < 3 << 19, `${me.most} bytes at once`); // A queue holds 2 MiB of it.
  });

  test("is the same in all tables if there is more to tell than at once", () => {
    const network = new SimulatedNetwork({ random: seededRandom(1), record: false });
    for (const id of ["a", "b", "c"]) network.join(id, BUS);
    for (let i = 0; i < 12; i++) {
      network.connect("a", `host${i}`);
      for (let j = 0; j < 900; j++) network.offer(`host${i}`, `s${i}-${j}`, 1);
    }
    network.settle();
    network.join("d", BUS);
    network.run(100); // It is yet being told.
    network.offer("host3", "s3-7", 0);
    network.offer("host3", "new", 1);
    network.offer("host4", "s4-1", 9);
    network.disconnect("a", "host11");
    network.connect("a", "late");
    network.settle();
    checkQuiet(network);
    assert.equal(network.nodes.get("d")!.mesh.services().length, 11 * 900);
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

  for (const noticed of [true, false]) {
    test(`leads to what is behind a router that has left it, ${noticed ? "" : "un"}noticed`, () => {
      const { network } = onBus(["a", "b", "v"], { settings: { cost: 2 } });
      network.connect("a", "v");
      network.settle();
      network.connect("v", "behind"); // From a, it is nearer by their own link.
      network.settle();
      const { mesh } = network.nodes.get("b")!;
      const way = () => mesh.routes().filter(({ address }) => address === "behind");
      assert.deepEqual(way(), [{ address: "behind", cost: 3, via: "v" }]);
      network.part("v", BUS, noticed);
      network.run(60_000);
      assert.deepEqual(way(), [{ address: "behind", cost: 4, via: "a" }]);
    });
  }

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

describe("A router that is on a segment twice", () => {
  test("does not ask itself who it is again and again", () => {
    const { network, publications } = onBus(names(3));
    network.join("n0", BUS);
    network.run(10_000);
    const before = publications();
    network.run(60_000);
    // Four ways on, each of which is there still every 8 to 10 s.
    assert(publications() - before <= 36, `${publications() - before} publications`);
  });

  test("is reached there, and still when one of the two is gone", () => {
    const { network } = onBus(names(3));
    network.join("n0", BUS);
    network.run(10_000);
    const [first] = network.segments.of(network.nodes.get("n0")!);
    const { mesh } = network.nodes.get("n0")!;
    mesh.linkDown(first!.link, network.now);
    network.segments.remove(first!);
    network.run(60_000);
    for (const id of ["n1", "n2"]) {
      assert.deepEqual(network.nodes.get(id)!.mesh.routes().map(({ cost }) => cost), [1, 1]);
    }
    checkQuiet(network);
  });
});

describe("On a segment, whoever means ill", () => {
  test("does not drive others from it by what is no message", () => {
    const me = new Victim();
    me.hello(1, 1);
    for (let i = 0; i < 30_000; i++) {
      me.garbage();
      me.wait(0.5); // 2,000 a second.
    }
    assert.equal(me.closed, false);
    me.hello(1, 1, { role: ROLE.shared | ROLE.answering });
    assert.equal(me.mesh.members(LINK).length, 1);
  });

  test("is told all there is once a second at most", () => {
    for (const session of [() => 1, (i: number) => i]) {
      const me = new Victim();
      for (let i = 1; i <= 5_000; i++) {
        me.hello(1, session(i));
        me.wait(1);
      }
      me.wait(5_000);
      assert(me.sent.length <= 30, `${me.sent.length} packets`);
    }
  });

  test("has no router ask all of a name whether they live, time and again", () => {
    const me = new Victim();
    for (let peer = 1; peer <= 500; peer++) {
      me.hello(peer, peer, { address: "same" });
      me.wait(2);
    }
    assert(me.sent.length <= 1_500, `${me.sent.length} packets`);
    assert(me.mesh.members(LINK).length <= 16);
    me.wait(60_000);
    me.hello(1_000, 1_000, { address: "same" });
    assert.deepEqual(me.mesh.members(LINK).map(({ address }) => address), ["same"]);
  });

  test("is forgotten, however many numbers it goes by", () => {
    const me = new Victim();
    for (let peer = 1; peer <= 20_000; peer++) me.says(peer, new Packet({ srv: "x", data: "x" }));
    assert.equal(me.mesh.knows(LINK, 16_384), true);
    assert.equal(me.mesh.knows(LINK, 16_385), false);
    assert(me.sent.length <= 400, `${me.sent.length} packets`);
    me.wait(5_000);
    assert.equal(me.mesh.knows(LINK, 1), false);
    me.hello(20_001, 1);
    assert.equal(me.mesh.members(LINK).length, 1);
  });

  test("says goodbye for another, who is back by its next word", () => {
    const me = new Victim();
    const data = new LinkFrameWriter();
    data.route("r1", 1, 1, 7);
    const isHere = new Packet({ net: NET_LINK, data: data.finish() });
    me.hello(1, 1);
    me.says(1, isHere.copy());
    assert.equal(me.mesh.reaches("r1"), true);
    data.bye(0);
    me.says(1, new Packet({ net: NET_LINK, data: data.finish() }));
    assert.equal(me.mesh.members(LINK).length, 0);
    me.hello(1, 1, { role: ROLE.shared | ROLE.answering });
    me.says(1, isHere.copy());
    assert.equal(me.mesh.reaches("r1"), true);
  });

  test("is not heard while the engine is away", () => {
    const me = new Victim();
    me.mesh.segmentAway(LINK, me.now);
    me.hello(1, 1);
    me.wait(60_000);
    assert.deepEqual([me.sent.length, me.mesh.knows(LINK, 1)], [0, false]);
    me.mesh.segmentBack(LINK, me.now);
    me.hello(1, 1);
    assert.equal(me.mesh.members(LINK).length, 1);
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
