/**
 * A router between old peers and its own kind: what it tells each of the other.
 *
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Effect } from "../../src/mesh/effects.ts";
import { seededRandom } from "../../src/testing/mod.ts";
import { decodeRouteAdvert, Packet } from "../../src/wire/mod.ts";
import { LIFE, Script, sent } from "./script.ts";

/** me, with the old peer b on link 1, and m, of our kind, on link 2. */
function between(): Script {
  const me = new Script();
  me.up(1, "b");
  me.join(2, "m");
  me.wait(1_000);
  return me;
}

test("Mesh tells its own kind of an old peer by its own word, in a link frame", () => {
  const me = new Script();
  me.join(2, "m");
  me.wait(100);
  assert.deepEqual(sent(me.up(1, "b")), ["> 1: query", "> 1: route me 1", "> 1: route m 2"]);
  assert.deepEqual(me.wait(100), ["> 2: [route b 2 by us #1]"]);
  me.route(1, "x", 2, "b");
  assert.deepEqual(sent(me.wait(1_100)), ["> 2: [route x 3 by us #1]"]);
});

test("the sequence number of our word for an old peer rises when the way gets longer, and only then", () => {
  const me = between();
  const told = (cost: number): string[] => {
    me.route(1, "x", cost, "b");
    me.tell(2, (frame) => frame.ping(1)); // m is not silent.
    const lines = sent(me.wait(3_000)).filter((line) => line.includes(" x "));
    return lines.map((line) => line.replace(/; p[io]ng( 1)?/g, ""));
  };
  assert.deepEqual(told(4), ["> 2: [route x 5 by us #1]"]);
  assert.deepEqual(told(3), ["> 2: [route x 4 by us #1]"]);
  assert.deepEqual(told(6), ["> 2: [route x 7 by us #2]"]);
  assert.deepEqual(told(5), ["> 2: [route x 6 by us #2]"]);
  me.route(1, "x", 0, "b");
  assert.deepEqual(sent(me.wait(3_000)), ["> 2: [retract x]"]);
  assert.deepEqual(told(5), ["> 2: [route x 6 by us #2]"]);
  me.route(1, "x", 0, "b");
  me.wait(3_000);
  assert.deepEqual(told(9), ["> 2: [route x 10 by us #3]"]);
});

test("Mesh gives a fresher word for an old peer to whoever of its kind asks for one", () => {
  const me = between();
  const by = me.mesh.inspect("b")!.origin;
  me.tell(2, (frame) => frame.seqRequest("b", by, 2, 9));
  assert.deepEqual(sent(me.wait(100)), ["> 2: [route b 2 by us #2]"]);
  me.tell(2, (frame) => frame.seqRequest("b", by, 2, 9));
  assert.deepEqual(sent(me.wait(100)), ["> 2: [route b 2 by us #2]"]);
  me.tell(2, (frame) => frame.seqRequest("b", by, 60_000, 9)); // From nowhere: not more than one.
  me.wait(100);
  const seq = me.mesh.told(2).get("b")!.seq;
  assert(seq === 2 || seq === 3, `${seq}`);
});

test("Mesh does not take its own word for an old peer from others", () => {
  const me = between();
  const by = me.mesh.inspect("b")!.origin;
  me.tell(2, (frame) => {
    frame.route("b", 1, 900, by);
    frame.route("x", 1, 900, by);
  });
  me.down(1);
  me.wait(10_000);
  assert.deepEqual(me.routes(), ["m 1 m"]);
});

test("Mesh passes services on both ways, those of old peers with versions of its own", () => {
  const me = between();
  assert.deepEqual(me.service(1, "echo", "b", 5), ["! service echo@b 5"]);
  assert.deepEqual(me.wait(100), ["> 2: [service echo@b 5 v1]"]);
  me.service(1, "echo", "b", 6);
  assert.deepEqual(me.wait(100), ["> 2: [service echo@b 6 v2]"]);
  me.service(1, "echo", "b", 0);
  assert.deepEqual(me.wait(100), ["> 2: [service echo@b 0 v3]"]);
  assert.deepEqual(me.tell(2, (frame) => frame.service("m", "time", 3, LIFE, 1)), [
    "! service time@m 3",
    "> 1: service time@m 3",
  ]);
  assert.deepEqual(me.tell(2, (frame) => frame.service("m", "time", 0, LIFE, 2)), [
    "! service time@m 0",
    "> 1: route m 0",
    "> 1: route m 2",
  ]);
});

test("an old peer that turns out to be of our kind is told all anew, in frames", () => {
  const me = between();
  me.offer("ping", 1);
  me.route(1, "x", 2, "b");
  me.wait(2_000);
  const lines = me.hello(1, "b", { session: "00000000000000aa" });
  assert.deepEqual(sent(lines).filter((line) => line.startsWith("> 1: [")), [
    "> 1: [route me 1 by 1000; route m 2 by 1000 #1; service ping@me 1 v1]",
  ]);
  assert.equal(me.mesh.neighbourKind(1), "modern");
  assert.deepEqual([...me.mesh.heard(1)], []); // What it said before counts no more.
  me.tell(1, (frame) => frame.route("b", 1, 7, LIFE));
  assert.deepEqual(me.routes().sort(), ["b 1 b", "m 1 m"]);
  assert.deepEqual(sent(me.wait(2_500)).filter((line) => line.startsWith("> 2")), [
    "> 2: [route b 2 by 1000 #7; retract x]",
  ]);
});

test("a neighbour of our kind that turns out to be old loses its frames, and is told as old peers are", () => {
  const me = between();
  me.tell(2, (frame) => frame.route("x", 2, 1, LIFE));
  me.wait(100);
  const lines = me.query(2);
  assert.equal(me.mesh.neighbourKind(2), "legacy");
  assert.deepEqual(lines.filter((line) => line.startsWith("> 2")), [
    "> 2: route me 1",
    "> 2: route b 2",
  ]);
  assert.deepEqual(me.routes(), ["b 1 b"]);
});

test("a packet for an old peer loses its trailer, and gets one on its way to our kind", () => {
  const me = between();
  const carry = (link: number, init: ConstructorParameters<typeof Packet>[0]): Packet => {
    const packet = new Packet(init);
    packet.trailer = { hops: 9, instance: 5, counter: 6 };
    const [effect] = me.mesh.receive(link, packet, me.now);
    assert(effect?.kind === "transmit");
    return effect.packet;
  };
  const old = carry(2, { src: "m", dst: "b", seq: 1, ack: 2, ctx: 3, typ: 4, data: "d" });
  assert.equal(old.trailer, null);
  assert.equal(old.nxt, "b");
  // What is its application's own goes all the way.
  assert.deepEqual([old.seq, old.ack, old.ctx, old.typ, old.text()], [1, 2, 3, 4, "d"]);
  assert(carry(1, { src: "b", dst: "m" }).trailer!.hops > 0);
  me.mesh.send(new Packet({ dst: "b" }), me.now).forEach((effect) => {
    assert(effect.kind === "transmit" && effect.packet.trailer === null);
  });
});

test("a host that goes further away than old peers can follow is not offered to them again", () => {
  const me = between();
  me.tell(2, (frame) => {
    frame.route("x", 2, 1, LIFE);
    frame.service("x", "echo", 5, LIFE, 1);
    frame.service("x", "log", 5, LIFE, 1);
  });
  assert.deepEqual(sent(me.tell(2, (frame) => frame.route("x", 100, 2, LIFE))), []);
  assert.deepEqual(me.tell(2, (frame) => frame.service("x", "echo", 0, LIFE, 2)), [
    "! service echo@x 0",
    "> 1: route x 0",
  ]);
  assert.deepEqual(sent(me.tell(2, (frame) => frame.route("x", 2, 3, LIFE))), [
    "> 1: route x 3",
    "> 1: service log@x 5",
  ]);
});

test("old peers are never sent what they cannot take, whatever happens", () => {
  const random = seededRandom(11);
  const below = (limit: number) => Math.floor(limit * random());
  const me = new Script();
  const OLD = [1, 2, 3];
  const check = (effects: Effect[]): void => {
    for (const effect of effects) {
      if (effect.kind !== "transmit" || !OLD.includes(effect.link)) continue;
      const { net, seq, ack, ctx, typ, trailer, data } = effect.packet;
      assert(net >= 1 && net <= 3, `net ${net}`);
      assert.deepEqual([seq, ack, ctx, typ, trailer], [0, 0, 0, 0, null]);
      if (net === 1) assert(decodeRouteAdvert(data).cost <= 64);
      if (net === 2) assert(data.at(-1)! + data.at(-2)! > 0, "load 0 ends Python routers");
    }
  };
  const { mesh } = me;
  for (const name of ["s", "t"]) check(mesh.offer(name, 1, me.now));
  for (const link of OLD) check(mesh.linkUp(link, me.now));
  for (const link of OLD) check(mesh.receive(link, new Packet({ net: 3 }), me.now));
  me.join(4, "m");
  me.join(5, "n");
  const hear = me.hear.bind(me);
  me.hear = (link, packet) => {
    check(mesh.receive(link, new Packet(packet), me.now));
    return [];
  };
  let routes = 0;
  for (let i = 0; i < 20_000; i++) {
    const link = 1 + below(5);
    const name = `x${below(12)}`;
    const cost = [0, 1, 2, 5, 62, 63, 64, 65, 100, 65_000][below(10)]!;
    if (link > 3) {
      const origin = below(2) ? LIFE : 0x8000_0000 + below(3);
      if (below(3)) me.tell(link, (frame) => frame.route(name, cost, 1 + below(5), origin));
      else me.tell(link, (frame) => frame.service(name, "s", below(3), origin, 1 + below(9)));
    } else if (below(4)) me.route(link, name, cost, `old${link}`);
    else if (below(2)) me.service(link, "s", name, below(3));
    else me.query(link);
    me.now += below(100);
    for (const link of OLD) assert.equal(mesh.neighbourKind(link), "legacy");
    check(mesh.tick(me.now));
    routes += mesh.routes().length;
  }
  me.hear = hear;
  assert(routes > 100_000, "nothing has happened");
});
