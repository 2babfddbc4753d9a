/**
 * Names that several go by: a neighbour keeps its own while its link lives, whatever others say, and
 * a router that comes back over another link gets it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SimulatedNetwork } from "../../src/testing/mod.ts";
import { type Hello, type LinkFrameWriter, Packet } from "../../src/wire/mod.ts";
import { LIFE, live, Script, sent } from "./script.ts";

/**
 * me, with b, of our kind, on link 1, c on link 2, and the old peer d on link 3, at rest.
 *
 * @param alive Whether b and c answer.
 */
function scene(alive: boolean = true): Script {
  const me = new Script();
  for (const link of alive ? [1, 2] : []) me.alive.add(link);
  me.join(1, "b");
  me.join(2, "c");
  me.up(3, "d");
  me.wait(1_000);
  return me;
}

/** Over which link a packet for an address goes; `null` if it goes nowhere for now. */
function wayOf(me: Script, address: string): number | null {
  const lines = sent(me.send({ dst: address, srv: "s" }));
  const [line] = lines.filter((one) => !one.includes("["));
  return line === undefined ? null : Number(/^> (\d+)/.exec(line)![1]);
}

/** Answers the ping that is due to a neighbour. */
function prove(me: Script, link: number): string[] {
  const token = me.ping(link);
  return me.tell(link, (frame) => frame.pong(token));
}

const conflicts = (lines: string[]): string[] => lines.filter((line) => line.includes("conflict"));

const closed = (lines: string[]): string[] => lines.filter((line) => line.startsWith("close"));

test("a second link to a router is used when the first is gone, though neither was in use", () => {
  const me = new Script();
  for (const link of [1, 2, 3]) me.alive.add(link);
  me.join(1, "b", {}, { cost: 5 });
  me.join(2, "c");
  me.tell(2, (frame) => frame.route("b", 2, 1, LIFE));
  assert.equal(me.mesh.nextHop("b"), 2);
  me.join(3, "b"); // It does not say that it is the same.
  me.wait(1_000);
  assert.equal(me.mesh.nextHop("b"), 2);
  me.down(1);
  assert.equal(me.mesh.nextHop("b"), 3);
});

// ── who claims what is a neighbour's ────────────────────────────────────────

/** What somebody of our kind may say of b. */
const LIES: [what: string, lie: (frame: LinkFrameWriter) => unknown][] = [
  ["that it is b", (frame) => frame.route("b", 1, 1, LIFE)],
  ["that it is b, by a newer word", (frame) => frame.route("b", 1, 30_000, LIFE)],
  ["that it leads to a later life of b", (frame) => frame.route("b", 2, 1, LIFE + 9)],
  ["that it is the last life of b", (frame) => frame.route("b", 1, 1, 0x7fff_ffff)],
  ["that it speaks for b", (frame) => frame.route("b", 1, 1, 0x8000_0001)],
  ["that b is gone", (frame) => frame.route("b", 0, 0, 0)],
  ["that b is gone, after a way there", (frame) => {
    frame.route("b", 2, 1, LIFE);
    frame.route("b", 0, 0, 0);
  }],
];

for (const [what, lie] of LIES) {
  test(`a neighbour of our kind that says ${what} gets nothing that is for b`, () => {
    const me = scene();
    for (let i = 0; i < 20; i++) {
      me.tell(2, lie);
      assert.equal(me.mesh.nextHop("b"), 1);
      assert.equal(wayOf(me, "b") ?? 1, 1);
      me.wait(300);
    }
    assert.equal(me.mesh.inspect("b")!.cost, 1);
  });
}

test("an old peer that says it is a neighbour, leads there at 1, or withdraws it, gets nothing that is for that", () => {
  for (const [address, link] of [["b", 1], ["e", 4]] as const) {
    const me = scene();
    me.up(4, "e");
    me.wait(1_000);
    for (let i = 0; i < 50; i++) {
      me.route(3, address, 1, "d");
      me.route(3, address, 0, address);
      me.route(3, address, 1, address);
      me.route(3, address, 0, "");
      assert.equal(me.mesh.nextHop(address), link);
      me.route(3, "d", 1, "d");
      me.route(link, "e", 1, "e");
      me.wait(100);
      assert.equal(wayOf(me, address) ?? link, link);
    }
  }
});

test("an old peer that leads to a neighbour at 1 has the application told: only that may say so", () => {
  for (const [cost, told] of [[1, ["! conflict b"]], [2, []]] as const) {
    const me = scene();
    assert.deepEqual(conflicts([...me.route(3, "b", cost, "d"), ...me.wait(4_000)]), told);
  }
});

test("a withdrawal of a neighbour, sprayed by an old peer, does not keep the other old ones from it", () => {
  const me = scene();
  for (let i = 0; i < 40; i++) {
    me.route(3, "b", 0, "b");
    me.route(3, "b", 5, "d"); // So that it is no mere repetition.
    me.wait(50);
  }
  me.up(4, "e");
  const lines = me.wait(600);
  assert(lines.includes("> 4: route b 2"), lines.join());
});

test("a second router that says hello by a neighbour's name gets nothing, and both ends are told", () => {
  for (const hello of [{}, { instance: LIFE + 5 }, { instance: LIFE - 5 }] as Partial<Hello>[]) {
    const me = scene();
    const lines = me.join(4, "b", hello);
    lines.push(...me.wait(10));
    for (let i = 0; i < 10; i++) {
      assert.equal(wayOf(me, "b"), 1);
      lines.push(...me.wait(400));
      me.tell(4, (frame) => frame.pong(0));
    }
    assert.deepEqual(conflicts(lines), ["! conflict b"]);
    assert.deepEqual(closed(lines), []);
    const told = sent(lines).filter((line) => line.startsWith("> 4: "));
    if (hello.instance === LIFE - 5) {
      assert(told.some((line) => line.includes("route b 2 by 1000")));
    }
    lines.length = 0;
    lines.push(...me.down(1), ...me.wait(60)); // Now it is free; an earlier life is asked for a later.
    if (hello.instance !== LIFE - 5) assert.equal(me.mesh.nextHop("b"), 4);
    else assert(lines.some((line) => /^> 4: .*request b by 1000 #0/.test(line)), lines.join());
  }
});

test("an old peer by the name of a neighbour of our kind gets nothing, and the application is told", () => {
  const me = scene();
  const lines = me.up(4, "b");
  lines.push(...me.wait(10_000));
  assert.deepEqual(conflicts(lines), ["! conflict b"]);
  assert.equal(wayOf(me, "b"), 1);
});

test("a router of our kind by the name of an old peer gets nothing, and the application is told", () => {
  const me = scene();
  me.wait(5_000); // It is not asked more often.
  const lines = me.join(4, "d");
  assert.deepEqual(lines.filter((line) => line.startsWith("> 3")), ["> 3: query"]);
  me.route(3, "d", 1, "d");
  lines.push(...live(me, 30_000, [4]));
  assert.deepEqual(conflicts(lines), ["! conflict d"]);
  assert.equal(wayOf(me, "d"), 3);
});

test("who takes a neighbour's name does not slow its links down, however often it comes and goes", () => {
  const me = scene();
  for (let i = 0; i < 5; i++) {
    me.join(4, "b");
    me.wait(100);
    me.down(4);
  }
  me.down(1);
  me.join(1, "b");
  me.tell(2, (frame) => frame.route("b", 2, 9, LIFE));
  assert.equal(me.mesh.nextHop("b"), 1); // Not damped.
});

test("a longer way to a neighbour is a matter of cost, as ever; one that ends before it is a lie", () => {
  const me = new Script();
  me.link(1, { cost: 5 });
  me.hello(1, "b");
  me.tell(1, (frame) => frame.route("b", 1, 1, LIFE));
  me.join(2, "c");
  me.tell(2, (frame) => frame.route("b", 1, 1, LIFE));
  assert.equal(me.mesh.nextHop("b"), 1);
  for (const origin of [LIFE + 9, LIFE - 9, 0x8000_0001]) { // Nor are other words than its own.
    me.tell(2, (frame) => frame.route("b", 2, 1, origin));
    assert.equal(me.mesh.nextHop("b"), 1);
  }
  me.tell(2, (frame) => frame.route("b", 2, 1, LIFE));
  assert.equal(me.mesh.nextHop("b"), 2);
});

test("a neighbour that is starved of is asked itself, not those who lie about it", () => {
  const me = new Script();
  for (const link of [1, 2, 3]) me.alive.add(link);
  me.link(1, { cost: 5 });
  me.hello(1, "b");
  me.tell(1, (frame) => frame.route("b", 1, 1, LIFE));
  me.join(2, "c");
  me.join(3, "m");
  me.tell(2, (frame) => frame.route("b", 2, 9, LIFE));
  me.tell(3, (frame) => frame.route("b", 1, 1, LIFE + 9));
  me.wait(5_000);
  me.tell(2, (frame) => frame.route("b", 0, 0, 0));
  const requests = sent(me.wait(3_000)).filter((line) => line.includes("request b"));
  assert(requests.length > 1);
  assert(requests.every((line) => line.startsWith("> 1")), requests.join());
});

test("an old peer that goes by another name from now on has left the first one to others", () => {
  const me = scene();
  me.route(3, "e", 1, "e");
  me.tell(2, (frame) => frame.route("d", 2, 1, LIFE));
  assert.equal(me.mesh.nextHop("d"), 2);
  me.tell(2, (frame) => frame.route("d", 0, 0, 0));
  me.up(4, "d");
  assert.equal(me.mesh.nextHop("d"), 4);
  assert.equal(me.mesh.nextHop("e"), 3);
});

test("two routers of one name, each with its neighbour, come to rest with their services", () => {
  const network = new SimulatedNetwork();
  network.connect("a", "b");
  network.connect("b", "c");
  for (const [id, to] of [["one", "a"], ["two", "c"]] as const) {
    network.start(id, { address: "twin" });
    network.connect(id, to);
    network.offer(id, `of ${id}`, 1);
    network.run(3_000);
  }
  const ops = () => {
    const frames = network.sent.splice(0).filter(({ packet }) => packet.net === 4);
    return new Set(frames.map(({ packet }) => packet.data[0]!));
  };
  network.run(200_000);
  assert(!ops().has(7)); // Nobody had to be told all again.
  network.run(200_000);
  assert.deepEqual([...ops()].sort(), [4, 5, 6]); // Pings and digests alone.
  const services = (id: string) => network.node(id).mesh.services().map(({ service }) => service);
  assert.deepEqual([services("a"), services("c")], [["of one"], ["of two"]]);
});

test("a conflict about a neighbour's name is told every 10 s at most", () => {
  const me = scene();
  const lines: string[] = [];
  for (let i = 0; i < 300; i++) {
    lines.push(...me.tell(2, (frame) => frame.route("b", 1, 1, LIFE + 1 + i)), ...me.wait(50));
  }
  const told = conflicts(lines).length;
  assert(told >= 1 && told <= 2, `${told} times`);
});

test("a neighbour hears of a later life under its name once a second at most, and of the latest", () => {
  const me = scene();
  const lines: string[] = [];
  for (let i = 0; i < 40; i++) {
    me.tell(2, (frame) => frame.route("b", 2, 7, LIFE + 1 + i));
    lines.push(...me.wait(50));
  }
  const requests = sent([...lines, ...me.wait(1_100)]).filter((line) => line.includes("request"));
  assert(requests.length >= 3 && requests.length <= 4, requests.join());
  assert.match(requests.at(-1)!, /^> 1: .*request b by 1040 #7 255 hops/);
});

test("an old peer that says it is us is told to the application, and changes nothing", () => {
  const me = scene();
  const lines = [...me.route(3, "me", 1, "me"), ...me.route(3, "me", 1, "me")];
  assert.deepEqual(lines, ["! conflict me"]);
  assert.deepEqual(me.send({ dst: "me", srv: "s" }), ["deliver srv=s src=me dst=me"]);
  assert.deepEqual(me.route(3, "me", 4, "d"), []); // A way back, such as old peers tell, is none.
});

test("somebody who claims our address without end does not silence us", () => {
  const me = scene();
  for (let i = 0; i < 50; i++) {
    me.tell(2, (frame) => frame.route("me", 1, 1, LIFE + 10 * (i + 1)));
    me.wait(1_000);
    assert(me.mesh.told(1).has("me"));
  }
  assert.deepEqual(me.send({ dst: "me", srv: "s" }), ["deliver srv=s src=me dst=me"]);
});

test("two that are taken for one life part, though one of them contradicts no more", () => {
  const me = scene();
  const claim = (origin: number) => me.tell(2, (frame) => frame.route("me", 3, 1, origin));
  for (const origin of [2_000, 2_002, 2_004]) claim(origin);
  me.wait(100);
  const life = () => me.mesh.told(1).get("me")!.origin;
  assert.equal(life(), 2_003);
  const { seq } = me.mesh.told(1).get("me")!;
  const same = () => me.tell(2, (frame) => frame.seqRequest("me", life(), seq % 65_535 + 9, 9));
  same();
  me.wait(100);
  assert.equal(life(), 2_004);
  const after = me.mesh.told(1).get("me")!.seq;
  me.tell(2, (frame) => frame.seqRequest("me", 2_004, after % 65_535 + 9, 9)); // At once again: no.
  me.wait(100);
  assert.equal(life(), 2_004);
});

// ── who comes back ──────────────────────────────────────────────────────────

test("packets for a neighbour that comes over a second link wait, and go over the first if it answers", () => {
  const me = scene(false);
  me.join(4, "b");
  assert.equal(wayOf(me, "b"), null);
  const lines = prove(me, 1);
  assert.deepEqual(sent(lines).filter((line) => line.includes("srv=s")), [
    "> 1: srv=s src=me dst=b nxt=b",
  ]);
  assert.equal(wayOf(me, "b"), 1);
});

test("packets for a neighbour go over its second link if the first does not answer within 1 s", () => {
  const me = scene(false);
  me.join(4, "b");
  assert.equal(wayOf(me, "b"), null);
  assert.deepEqual(me.wait(995).filter((line) => line.includes("srv=s")), []);
  assert.deepEqual(me.wait(10).filter((line) => line.includes("srv=s")), [
    "> 4: srv=s src=me dst=b nxt=b",
  ]);
  assert.equal(wayOf(me, "b"), 4);
  assert.deepEqual(closed(me.wait(1_980)), []);
  assert.deepEqual(closed(me.wait(40)), ["close 1"]);
  assert.equal(me.mesh.nextHop("b"), 4);
});

test("a neighbour that answers late has its name back", () => {
  const me = scene(false);
  me.join(4, "b");
  const token = me.ping(1);
  me.wait(1_500);
  assert.equal(wayOf(me, "b"), 4);
  me.tell(1, (frame) => frame.pong(token));
  assert.equal(wayOf(me, "b"), 1);
});

test("a neighbour that is known to be slow is given twice as long as it takes", () => {
  const me = scene(false);
  me.wait(10_000);
  const first = me.ping(1);
  me.wait(1_200);
  me.tell(1, (frame) => frame.pong(first));
  me.tell(2, (frame) => frame.pong(0));
  me.join(4, "b");
  me.wait(2_300);
  assert.equal(me.mesh.nextHop("b"), 1);
  me.wait(200);
  assert.equal(me.mesh.nextHop("b"), 4);
  assert.deepEqual(closed(me.wait(1_000)), []);
  assert.deepEqual(closed(me.wait(200)), ["close 1"]);
});

test("a link that has left a ping unanswered for 3 s is closed as soon as its router comes over another", () => {
  const me = scene(false);
  me.wait(14_000);
  assert.deepEqual(closed(me.join(4, "b")), ["close 1"]);
  assert.equal(wayOf(me, "b"), 4);
});

test("a router that was restarted is reached over its new link, and its old life is void", () => {
  const me = scene(false);
  me.tell(1, (frame) => frame.service("b", "old", 1, LIFE, 9));
  me.join(4, "b", { instance: LIFE + 50 });
  me.tell(4, (frame) => frame.service("b", "new", 1, LIFE + 50, 1));
  assert.deepEqual(me.services(), ["old@b 1"]);
  me.wait(1_010);
  assert.deepEqual([wayOf(me, "b"), me.services()], [4, ["new@b 1"]]);
  me.wait(2_000);
  me.tell(2, (frame) => frame.route("b", 2, 9, LIFE)); // What others remember of the old one.
  me.down(4);
  assert.equal(me.mesh.nextHop("b"), null);
});

test("a router that was restarted elsewhere is reached there once its old link proves dead", () => {
  const me = scene(false);
  me.tell(2, (frame) => frame.route("b", 2, 1, LIFE + 50));
  assert.equal(me.mesh.nextHop("b"), 1);
  const lines = me.wait(3_010);
  assert(lines.includes("close 1"));
  assert.equal(me.mesh.nextHop("b"), 2);
  assert.deepEqual(conflicts(lines), []);
});

test("a neighbour in doubt that turns out to be old is judged as old peers are", () => {
  const me = scene(false);
  const lines = me.join(4, "b");
  me.alive.add(4);
  me.wait(500);
  me.query(1);
  me.route(1, "b", 1, "b");
  lines.push(...live(me, 10_000, [2, 4]));
  assert.deepEqual(closed(lines), []);
  assert.equal(wayOf(me, "b"), 4); // It has had the name since.
});

test("an old peer that comes over a second link is reached there once the first leaves a query unanswered", () => {
  const me = new Script();
  me.up(1, "d");
  me.wait(5_000);
  const lines = me.up(2, "d");
  assert(lines.includes("> 1: query"));
  assert.equal(wayOf(me, "d"), 1);
  lines.push(...me.wait(4_900));
  assert.equal(wayOf(me, "d"), 1);
  lines.push(...me.wait(200));
  assert.equal(wayOf(me, "d"), 2);
  lines.push(...me.wait(10_000));
  assert.deepEqual(closed(lines), ["close 1"]);
  assert.deepEqual(conflicts(lines), []);
});

test("what an old peer has answered before somebody else took its name proves nothing", () => {
  const me = new Script();
  me.up(1, "d", { keepalive: 25_000 });
  me.wait(25_000);
  me.route(1, "d", 1, "d");
  me.wait(6_000);
  const lines = [...me.up(2, "d"), ...me.wait(5_100)];
  assert.equal(wayOf(me, "d"), 2);
  assert.deepEqual(conflicts(lines), []);
});

test("an old peer that answers keeps its name, also if it was late", () => {
  const me = new Script();
  me.up(1, "d");
  me.wait(5_000);
  const lines = [...me.up(2, "d"), ...me.wait(5_100)];
  assert.equal(wayOf(me, "d"), 2);
  lines.push(...me.route(1, "d", 1, "d"), ...me.wait(5_000));
  assert.equal(wayOf(me, "d"), 1);
  assert.deepEqual(conflicts(lines), ["! conflict d"]);
  assert.deepEqual(closed(lines), []);
});

// ── who is one router on two links ──────────────────────────────────────────

test("two links to one router are told apart from two routers by what it says on the first", () => {
  const me = new Script();
  me.link(1, { cost: 9 });
  const own = me.hello(1, "b");
  me.tell(1, (frame) => frame.route("b", 1, 1, LIFE));
  assert(own.length > 0);
  me.join(4, "b");
  prove(me, 1);
  assert.equal(me.mesh.nextHop("b"), 1);
  me.hello(1, "b", { also: "4".padStart(16, "0") }); // The session that it has said on link 4.
  assert.equal(me.mesh.nextHop("b"), 4); // The cheaper one.
  assert.deepEqual(conflicts(live(me, 20_000, [1, 4])), []);
});

test("what a router says of its second link may come before that does", () => {
  const me = scene(false);
  me.hello(1, "b", { also: "4".padStart(16, "0") });
  const lines = me.join(4, "b");
  lines.push(...prove(me, 1), ...live(me, 20_000, [1, 2, 4]));
  assert.deepEqual(conflicts(lines), []);
});

test("a router that says of another's link that it is its own must be the one that has the name", () => {
  const me = scene(false);
  me.join(4, "b");
  prove(me, 1);
  me.hello(4, "b", { also: "1".padStart(16, "0") }); // The second one says so.
  me.hello(2, "c", { also: "4".padStart(16, "0") }); // Somebody else says so.
  assert.equal(wayOf(me, "b"), 1);
  me.down(1);
  me.join(1, "b", { session: "00000000000000aa" });
  assert.equal(me.mesh.nextHop("b"), 4);
});

for (const skew of [0, 1, 40]) {
  test(`two links between two live routers, made ${skew} ms apart, are no conflict, and both are used`, () => {
    const network = new SimulatedNetwork({ delay: () => 5 });
    network.connect("a", "b", { delay: () => 20, settings: [{ cost: 5 }, { cost: 5 }] });
    network.connect("b", "c");
    network.settle();
    network.run(skew);
    network.connect("a", "b", { delay: () => 3 });
    network.run(10_000);
    const [a, b] = [network.node("a"), network.node("b")];
    const [, second] = [...network.links.of(a)];
    assert.equal(a.mesh.nextHop!("b"), second!.link);
    assert.equal(b.mesh.nextHop!("a"), second!.far.link);
    network.disconnect("a", "c");
    const told = [...network.nodes.values()].flatMap(({ effects }) => effects);
    assert.deepEqual(told.filter(({ kind }) => kind === "conflict" || kind === "close"), []);
  });
}

test("a link that was cut without notice gives way to the next one within 1.1 s, and nothing is lost", () => {
  const network = new SimulatedNetwork({ delay: () => 5 });
  network.connect("a", "b");
  network.settle();
  network.disconnect("a", "b", "second"); // Only b notices,
  network.connect("b", "a"); // and is back at once.
  network.run(100);
  const { effects } = network.node("b");
  for (let i = 0; i < 20; i++) {
    network.send("a", new Packet({ dst: "b", srv: "s" }));
    network.run(100);
  }
  const arrived = effects.filter(({ kind }) => kind === "deliver").length;
  assert.equal(arrived, 20);
  network.run(5_000);
  assert.equal(network.links.of(network.node("a")).length, 1);
});
