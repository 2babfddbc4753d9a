/** Application packets among our own kind: hop limits, packets that wait, packets that go round. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Agenda } from "../../src/mesh/agenda.ts";
import type { Effect } from "../../src/mesh/effects.ts";
import { Mesh } from "../../src/mesh/mesh.ts";
import { seededRandom } from "../../src/testing/mod.ts";
import { Packet, type PacketInit } from "../../src/wire/mod.ts";
import { retractX, X, x } from "./own_kind.ts";
import { Script, sent } from "./script.ts";

/** Neighbours b and c, and x behind b, at rest. */
function withX(cost: number = 2): Script {
  const me = new Script();
  me.join(1, "b");
  me.join(2, "c");
  me.tell(1, x(cost));
  me.wait(200);
  return me;
}

/** What comes of a packet that c sends. */
function carried(me: Script, init: PacketInit, link: number = 2): Effect[] {
  const packet = new Packet({ dst: "x", src: "c", srv: "s", ...init });
  return me.mesh.receive(link, packet, me.now);
}

const hopsOf = ([effect]: Effect[]) => effect?.kind === "transmit" ? effect.packet.trailer : null;
const withHops = (hops: number, counter: number = 0) => ({
  trailer: { hops, instance: counter && 9, counter },
});

// ── hop limit ───────────────────────────────────────────────────────────────

test("a packet that sets out may go twice as far as its way is long, and eight hops", () => {
  const me = withX(5);
  const packet = new Packet({ dst: "x" });
  assert.deepEqual(hopsOf(me.mesh.send(packet, me.now)), { hops: 18, instance: 0, counter: 0 });
});

test("a packet may go 255 hops at most, however long its way is", () => {
  const me = withX(200);
  assert.equal(hopsOf(me.mesh.send(new Packet({ dst: "x" }), me.now))?.hops, 255);
});

test("the number of a packet stays with it on its way", () => {
  const me = withX();
  assert.deepEqual(hopsOf(carried(me, withHops(9, 5))), { hops: 8, instance: 9, counter: 5 });
});

test("each router takes one hop off, and lets nobody set a limit far beyond the way", () => {
  const me = withX(5);
  assert.equal(hopsOf(carried(me, withHops(9)))?.hops, 8);
  assert.equal(hopsOf(carried(me, withHops(255)))?.hops, 26);
});

test("a packet without a limit, from an old peer, is given one", () => {
  const me = withX(5);
  me.up(3, "old");
  assert.equal(hopsOf(carried(me, {}, 3))?.hops, 18);
});

test("a packet whose limit is used up goes no further, but is delivered where it is for", () => {
  const me = withX();
  const [drop] = carried(me, withHops(1));
  assert(drop?.kind === "drop");
  assert.match(drop.error.message, /forwarded too often on its way to "x"/);
  assert.equal(carried(me, { dst: "me", ...withHops(1) })[0]?.kind, "deliver");
});

test("an old peer is sent no trailer", () => {
  const me = withX();
  me.up(3, "old");
  const [effect] = carried(me, { dst: "old", ...withHops(9, 5) });
  assert(effect?.kind === "transmit" && effect.link === 3);
  assert.equal(effect.packet.trailer, null);
});

test("an application cannot set a trailer", () => {
  const me = withX();
  const packet = new Packet({ dst: "x", ...withHops(255, 7) });
  assert.deepEqual(hopsOf(me.mesh.send(packet, me.now)), { hops: 12, instance: 0, counter: 0 });
});

// ── going round ─────────────────────────────────────────────────────────────

test("a packet is not sent back to an old peer that it came from, but by another way", () => {
  const me = new Script();
  me.join(1, "b");
  me.up(3, "old");
  me.wait(2_000);
  me.route(3, "y", 2, "old");
  me.wait(2_000);
  assert.equal(carried(me, { dst: "y" }, 3)[0]?.kind, "drop");
  me.tell(1, (frame) => frame.route("y", 4, 1, 1));
  assert.deepEqual(me.routes().at(-1), "y 4 b");
});

test("a packet takes another way without a loop rather than back where it came from", () => {
  const me = withX();
  me.tell(2, x(2));
  const [effect] = carried(me, withHops(9), 1); // b leads to x itself, but has sent it here.
  assert(effect?.kind === "transmit" && effect.link === 2);
});

test("a packet takes no other way that may lead back here", () => {
  const me = withX();
  me.tell(2, x(6));
  const [effect] = carried(me, withHops(9), 1);
  assert(effect?.kind === "transmit" && effect.link === 1);
});

test("a packet that was under way while the route turned round may go back", () => {
  const me = withX();
  const [effect] = carried(me, withHops(9), 1);
  assert(effect?.kind === "transmit" && effect.link === 1);
  assert.equal(effect.packet.trailer?.hops, 8);
});

test("a packet of an old peer that comes again over another link goes no further", () => {
  const me = withX();
  me.up(3, "old");
  me.up(4, "older");
  assert.equal(carried(me, { data: "1" }, 3)[0]?.kind, "transmit");
  assert.equal(carried(me, { data: "2" }, 4)[0]?.kind, "transmit");
  const [drop] = carried(me, { data: "1" }, 4);
  assert(drop?.kind === "drop");
  assert.match(drop.error.message, /come back/);
});

test("an old peer may say the same eight times in two seconds, and again after that", () => {
  const me = withX();
  me.up(3, "old");
  const kinds = Array.from({ length: 10 }, () => carried(me, { data: "tick" }, 3)[0]?.kind);
  assert.deepEqual(kinds, [...Array(8).fill("transmit"), "drop", "drop"]);
  me.wait(2_001);
  assert.equal(carried(me, { data: "tick" }, 3)[0]?.kind, "transmit");
});

test("packets are numbered where routers speak for others, and stopped when they go round", () => {
  const me = withX();
  me.tell(1, (frame) => frame.route("o", 2, 1, 0x8000_0001));
  const numbers = [1, 2].map(() => hopsOf(me.mesh.send(new Packet({ dst: "o" }), me.now))?.counter);
  assert.deepEqual(numbers, [1, 2]);
  const passes = Array.from({ length: 5 }, () => carried(me, withHops(9, 77))[0]?.kind);
  assert.deepEqual(passes, ["transmit", "transmit", "transmit", "drop", "drop"]);
});

test("routers that began in the same second number their packets so that they can be told apart", () => {
  const instances = [1, 2, 3].map((seed) => {
    const mesh = new Mesh(`n${seed}`, seededRandom(seed), { incarnation: 1_000 });
    const me = new Script();
    Object.assign(me, { mesh });
    me.join(1, "b");
    me.tell(1, (frame) => frame.route("o", 2, 1, 0x8000_0001));
    return hopsOf(mesh.send(new Packet({ dst: "o" }), me.now))?.instance;
  });
  assert.equal(new Set(instances).size, 3);
});

// ── waiting ─────────────────────────────────────────────────────────────────

/** x is lost, and looked for. */
function starved(): Script {
  const me = withX();
  me.tell(2, x(6));
  me.tell(1, retractX);
  return me;
}

test("packets wait while a route is looked for, and go on in order when it is found", () => {
  const me = starved();
  assert.deepEqual(me.send({ dst: "x", ctx: 1 }), []);
  me.wait(100);
  assert.deepEqual(me.send({ dst: "x", ctx: 2 }), []);
  assert.deepEqual(carried(me, { ctx: 3, ...withHops(9) }, 1), []);
  const lines = me.tell(2, x(6, 8)).filter((line) => line.startsWith(">"));
  assert.deepEqual(lines, [
    "> 2: src=me dst=x nxt=c ctx=1",
    "> 2: src=me dst=x nxt=c ctx=2",
    "> 2: srv=s src=c dst=x nxt=c ctx=3",
  ]);
});

test("a packet waits for a second at most", () => {
  const me = starved();
  me.send({ dst: "x", ctx: 1 });
  assert.deepEqual(me.wait(990).filter((line) => line.startsWith("drop")), []);
  assert.deepEqual(me.wait(20).filter((line) => line.startsWith("drop")), ["drop ERR_NO_ROUTE"]);
});

test("each packet waits for a second, whenever the one before it came", () => {
  const me = starved();
  const drops = (duration: number) => me.wait(duration).filter((line) => line.startsWith("drop"));
  me.send({ dst: "x", ctx: 1 });
  me.wait(600);
  me.send({ dst: "x", ctx: 2 });
  assert.deepEqual(drops(390), []);
  assert.equal(drops(20).length, 1);
  assert.deepEqual(drops(580), []);
  assert.equal(drops(20).length, 1);
});

/** How many large packets may still wait. */
function room(me: Script): number {
  let waiting = 0;
  while (me.send({ dst: "x", data: new Uint8Array(60_000) }).length === 0) waiting++;
  return waiting;
}

test("what has gone on, or waited in vain, leaves its room to others, and no more than that", () => {
  const me = starved();
  assert.equal(room(me), 17);
  me.tell(2, x(6, 8));
  me.wait(100);
  me.tell(2, x(9, 8));
  me.send({ dst: "x" });
  me.wait(600);
  assert.equal(room(me), 17);
  me.wait(500); // The small one is gone.
  assert.equal(room(me), 0);
  me.wait(600);
  assert.equal(room(me), 17);
});

test("when there is no hope any more, what waits is dropped at once", () => {
  const me = starved();
  me.send({ dst: "x", ctx: 1 });
  me.tell(2, retractX);
  assert.deepEqual(me.wait(501).filter((line) => /^drop|^! route x/.test(line)), [
    "! route x 0",
    "drop ERR_NO_ROUTE",
  ]);
});

test("no more than a megabyte waits, and no more than 1,024 packets for one destination", () => {
  const me = starved();
  const data = new Uint8Array(60_000);
  let waiting = 0;
  while (me.send({ dst: "x", data }).length === 0) waiting++;
  assert.equal(waiting, Math.floor((1 << 20) / 60_064));
  const other = starved();
  waiting = 0;
  while (other.send({ dst: "x", data: "1" }).length === 0) waiting++;
  assert.equal(waiting, 1_024);
  const found = sent(other.tell(2, x(6, 8)));
  assert.equal(found.length, 1_024);
  other.wait(100);
  other.tell(2, x(9, 8)); // Lost again: there is room again.
  assert.deepEqual(other.send({ dst: "x" }), []);
});

test("however often packets wait and go on, few timers are left", () => {
  const { add, take } = Agenda.prototype;
  let timers = 0;
  Agenda.prototype.add = function (at, item) {
    timers++;
    add.call(this, at, item);
  };
  Agenda.prototype.take = function (now) {
    const item = take.call(this, now);
    if (item !== undefined) timers--;
    return item;
  };
  try {
    const me = withX();
    let seq = 8;
    for (let i = 0; i < 2_000; i++) {
      me.tell(1, x(2, seq++));
      me.tell(1, retractX);
      me.send({ dst: "x" });
      me.wait(5);
    }
    assert(timers < 300, `${timers} timers`);
  } finally {
    Object.assign(Agenda.prototype, { add, take });
  }
});

test("a packet to somebody whom nobody knows does not wait", () => {
  const me = withX();
  assert.deepEqual(me.send({ dst: "nobody" }), ["drop ERR_NO_ROUTE"]);
});

// ── leaves, and introductions ───────────────────────────────────────────────

test("options.stub: a leaf carries nothing for others", () => {
  const me = new Script({ stub: true });
  me.join(1, "b");
  me.join(2, "c");
  me.tell(1, x(2));
  assert.equal(carried(me, {})[0]?.kind, "drop");
  assert.equal(carried(me, { dst: "me" })[0]?.kind, "deliver");
  assert.deepEqual(me.send({ dst: "x" }), ["> 1: src=me dst=x nxt=b"]);
});

test("whoever is sent a packet is first told of its sender, so that it can answer", () => {
  const me = withX();
  me.join(3, "d");
  me.wait(200);
  me.join(4, "new");
  const lines = carried(me, { src: "new", ...withHops(9) }, 4);
  assert.deepEqual(lines.map((effect) => effect.kind === "transmit" && effect.packet.net), [4, 0]);
});

test("whoever knows the sender of a packet already is not told its news any sooner", () => {
  const me = withX();
  me.join(3, "d");
  me.tell(3, (frame) => frame.route("y", 2, 7, X));
  me.wait(200);
  me.tell(3, (frame) => frame.route("y", 4, 8, X));
  const lines = carried(me, { src: "y", ...withHops(9) }, 3);
  assert.deepEqual(lines.map((effect) => effect.kind === "transmit" && effect.packet.net), [0]);
});

// ── what is told of drops ───────────────────────────────────────────────────

test("whatever is not carried is told with its reason, and the link that it came over", () => {
  const dropped = (effects: Effect[]) =>
    effects.flatMap((effect) => effect.kind === "drop" ? [`${effect.reason} ${effect.link}`] : []);
  const me = withX();
  assert.deepEqual(dropped(carried(me, withHops(1))), ["hops 2"]);
  assert.deepEqual(dropped(carried(me, { dst: "nowhere", ...withHops(9) })), ["no-route 2"]);
  assert.deepEqual(dropped(carried(me, { dst: "", srv: "nothing" })), ["no-service 2"]);
  for (let i = 0; i < 3; i++) carried(me, withHops(9, 5));
  assert.deepEqual(dropped(carried(me, withHops(9, 5))), ["loop 2"]);
  me.up(3, "old");
  assert.deepEqual(dropped(carried(me, { dst: "old" }, 3)), ["loop 3"]);
  me.tell(2, x(3, 6)); // Of no use, but there is hope,
  me.tell(1, retractX);
  for (let i = 0; i < 1_024; i++) carried(me, withHops(9));
  assert.deepEqual(dropped(carried(me, withHops(9))), ["hold 2"]);
  me.tell(2, retractX); // and now there is none.
  const lost: string[] = [];
  for (let i = 0; i < 30; i++) lost.push(...dropped(me.mesh.tick(me.now += 100)));
  assert.deepEqual([lost.length, lost[0]], [1_024, "no-route 2"]);
  const own = me.mesh.send(new Packet({ dst: "nowhere" }), me.now);
  assert.deepEqual(dropped(own), ["no-route undefined"]);
  assert.deepEqual(dropped(me.mesh.send(new Packet({ net: 1 }), me.now)), ["field undefined"]);
});
