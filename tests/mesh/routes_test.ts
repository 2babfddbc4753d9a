/** Which offers of our own kind are used, and who is told what, when. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Meters } from "../../src/mesh/rate_limits.ts";
import { FlapDamper } from "../../src/mesh/flap_damper.ts";
import { RouteTable } from "../../src/mesh/route_table.ts";
import { hashName, precedes } from "../../src/mesh/sequence.ts";
import { Neighbour } from "../../src/mesh/state.ts";
import type { LinkFrameWriter } from "../../src/wire/mod.ts";
import { retractX, two, wayToX, X, x } from "./own_kind.ts";
import { LIFE, live, Script, sent } from "./script.ts";

// ── feasible or not ─────────────────────────────────────────────────────────

/** Names that come before ours and after it. */
const comesBefore = (name: string) => precedes(hashName(name), name, hashName("me"), "me");
const NAMES = Array.from({ length: 100 }, (_, i) => `n${i}`);
const BEFORE = NAMES.find(comesBefore)!;
const AFTER = NAMES.find((name) => !comesBefore(name))!;

/** What we have told of x: cost 4, number 7. Then b leaves, and c offers this. */
const OFFERS: [cost: number, seq: number, name: string, used: boolean, why: string][] = [
  [3, 7, "c", true, "nearer than we have ever said that we are"],
  [4, 7, BEFORE, true, "as near as we have said, by a neighbour that comes before us"],
  [4, 7, AFTER, false, "as near as we have said, by a neighbour that comes after us"],
  [5, 7, "c", false, "further than we have said: it may come from us"],
  [9, 8, "c", true, "further, but by a newer word"],
  [2, 6, "c", false, "nearer, but by an older word"],
  [9, 65_535, "c", false, "by a word that is older, going round"],
];

for (const [cost, seq, name, used, why] of OFFERS) {
  test(`an offer ${why} is ${used ? "used" : "not used"}`, () => {
    const me = new Script();
    me.join(1, "b");
    me.join(2, name);
    me.wait(200);
    me.tell(1, x(3));
    me.wait(200); // Told to the other at cost 4.
    me.tell(2, x(cost, seq));
    me.tell(1, retractX);
    assert.equal(wayToX(me), used ? `x ${cost} ${name}` : "none");
  });
}

test("an update that makes the offer in use unfeasible unselects it at once", () => {
  const me = two();
  me.tell(1, x(2));
  me.wait(200);
  assert.deepEqual(me.tell(1, x(5)), ["! route x held"]);
  assert.deepEqual(me.wait(10), ["> 2: [retract x]"]);
});

test("an offer that is not feasible is never used, not even for want of another", () => {
  const me = two();
  me.tell(1, x(2));
  me.wait(200);
  me.tell(2, x(7));
  me.down(1);
  me.wait(60_000);
  assert.equal(wayToX(me), "none");
  assert.equal(me.mesh.reaches("x"), false);
});

test("how near we have said that we are falls with what we tell, and never rises", () => {
  const me = two();
  const feasible = () => me.mesh.inspect("x")!.feasible.map(({ cost }) => cost);
  me.tell(1, x(7));
  me.wait(200);
  assert.deepEqual(feasible(), [8]);
  me.tell(1, x(3));
  me.wait(200);
  assert.deepEqual(feasible(), [4]);
  me.mesh.linkUp(3, me.now, { cost: 10 });
  me.hello(3, "d");
  me.tell(3, x(2)); // Nearer to x, over a long link.
  me.tell(1, retractX);
  me.wait(200);
  assert.equal(me.mesh.told(2).get("x")?.cost, 12);
  assert.deepEqual(feasible(), [4]);
});

test("how near we have said that we are is remembered while it is used, and 200 s longer", () => {
  const me = two();
  me.tell(1, x(2));
  live(me, 500_000, [1, 2]);
  assert.equal(me.mesh.inspect("x")!.feasible.length, 1);
  me.tell(1, retractX);
  live(me, 140_000, [1, 2]);
  assert.equal(me.mesh.inspect("x")!.feasible.length, 1);
  live(me, 130_000, [1, 2]);
  assert.equal(me.mesh.inspect("x"), null);
});

test("how near we have said that we are is remembered by each origin", () => {
  const me = two();
  const o = (cost: number, origin: number) => (frame: LinkFrameWriter) =>
    frame.route("o", cost, 1, 0x8000_0000 + origin);
  for (const origin of [1, 2]) {
    me.tell(1, o(2, origin));
    me.wait(200); // Told as 3.
  }
  me.tell(2, o(4, 2));
  me.tell(1, (frame) => frame.route("o", 0, 0, 0));
  assert.equal(me.mesh.nextHop("o"), null);
});

test("a failover to another feasible offer costs no search and no time", () => {
  const me = two();
  me.tell(1, x(2));
  me.tell(2, x(2));
  me.wait(200);
  assert.deepEqual(me.down(1).filter((line) => line.includes(" x ")), ["! route x 2 c"]);
});

test("of equal offers the one in use is kept; a better one is taken", () => {
  const me = two();
  me.join(3, "d");
  me.tell(1, x(3));
  me.tell(2, x(3));
  assert.equal(wayToX(me), "x 3 b");
  me.tell(3, x(2));
  assert.equal(wayToX(me), "x 2 d");
});

for (const [first, second] of [["b", "c"], ["c", "b"]] as const) {
  test(`of equal offers the one in use is kept when it is told again, be it of "${first}"`, () => {
    const me = new Script();
    me.join(1, second);
    me.join(2, first);
    me.tell(2, x(3));
    me.tell(1, x(3));
    me.tell(2, x(3, 8));
    assert.equal(wayToX(me), `x 3 ${first}`);
  });
}

test("a native route is preferred to one that is told on somebody's behalf", () => {
  const me = two();
  me.tell(1, (frame) => frame.route("x", 2, 1, 0x8000_0001));
  assert.equal(wayToX(me), "x 2 b");
  me.tell(2, x(5));
  assert.equal(wayToX(me), "x 5 c");
});

test("a hop may cost more than one", () => {
  const me = new Script();
  me.mesh.linkUp(1, 0, { cost: 10 });
  me.hello(1, "b");
  me.tell(1, (frame) => frame.route("b", 1, 1, LIFE));
  me.join(2, "c");
  assert.deepEqual(me.routes(), ["b 10 b", "c 1 c"]);
  me.tell(1, x(2));
  me.tell(2, x(9));
  assert.equal(wayToX(me), "x 9 c");
});

// ── telling ─────────────────────────────────────────────────────────────────

test("nobody is told of itself, nor of a route that leads through it", () => {
  const me = two();
  me.tell(1, x(2));
  assert.deepEqual(me.wait(200), ["> 2: [route x 3 by 500 #7]"]);
  assert.deepEqual([...me.mesh.told(1).keys()].sort(), ["c", "me"]);
});

test("nobody is told of a route that leads through another link to itself", () => {
  const me = two();
  me.join(3, "b");
  me.wait(200);
  me.tell(3, x(2));
  assert.deepEqual(me.wait(50), ["> 2: [route x 3 by 500 #7]"]);
});

test("of two routers of one name, each is told what the other leads to", () => {
  const me = new Script();
  me.join(1, "b");
  me.join(2, "b", { instance: LIFE + 5 });
  me.wait(200);
  me.tell(1, x(2));
  assert.deepEqual(me.wait(50), ["> 2: [route x 3 by 500 #7]"]);
});

test("whoever becomes our next hop is told once that we do not lead there any more", () => {
  const me = two();
  me.tell(1, x(3));
  me.wait(200);
  me.tell(2, x(2));
  assert.deepEqual(me.wait(200).sort(), ["> 1: [route x 3 by 500 #7]", "> 2: [retract x]"]);
  assert.deepEqual(me.wait(200), []);
});

test("what is known already is not told again", () => {
  const me = two();
  me.tell(1, x(2));
  me.wait(200);
  me.tell(1, x(2));
  me.tell(1, x(2, 8)); // A newer word alone is no news to those who have not asked.
  assert.deepEqual(me.wait(1_000), []);
});

test("a change that is undone before it is told is not told", () => {
  const me = two();
  me.tell(1, x(2));
  me.wait(200);
  me.tell(1, x(5, 8));
  me.tell(1, x(2, 9));
  assert.deepEqual(me.wait(1_000), []);
});

test("a hundred routes that come together go on in one frame", () => {
  const me = two();
  me.tell(1, (frame) => {
    for (let i = 0; i < 100; i++) frame.route(`node-${i}`, 2, 1, 500);
  });
  const frames = sent(me.wait(200));
  assert.equal(frames.length, 1);
  assert.equal(frames[0]!.split(";").length, 100);
});

test("more than fits one frame goes out in several", () => {
  const me = two();
  for (let k = 0; k < 5; k++) {
    me.tell(1, (frame) => {
      for (let i = 0; i < 80; i++) assert(frame.route(`${i}-${k}`.padEnd(40, "x"), 2, 1, 500));
    });
  }
  const frames = sent(me.wait(200));
  assert(frames.length > 1);
  assert.equal(frames.join(";").split(";").length, 400);
});

/** Names that share nothing at their beginnings. */
const LONG_NAMES = Array.from({ length: 300 }, (_, i) => `${i}`.padStart(3, "0").padEnd(40, "x"));

/** Has b say something about each of many names, a few in a frame. */
function about(me: Script, write: (frame: LinkFrameWriter, name: string) => boolean): void {
  for (let i = 0; i < LONG_NAMES.length; i += 20) {
    me.tell(1, (frame) => {
      for (const name of LONG_NAMES.slice(i, i + 20)) assert(write(frame, name));
    });
  }
}

const count = (lines: string[], what: string) => lines.join().split(what).length - 1;

test("whatever it is that does not fit one frame goes out in several, and all of it", () => {
  const me = two();
  about(me, (frame, name) => frame.route(name, 2, 7, X));
  me.wait(500);
  about(me, (frame, name) => frame.service(name, "s".repeat(100), 1, X, 1));
  assert.equal(count(me.wait(500), "service "), 300);
  me.tell(2, (frame) => {
    for (let i = 0; i < 1_000; i++) frame.ping(i);
  });
  me.tell(2, (frame) => {
    for (let i = 0; i < 500; i++) frame.ping(i);
  });
  assert.equal(count(me.wait(500), "pong "), 1_085); // As many as fitted the frame that asked.
  me.join(3, "d");
  about(me, (frame, name) => frame.route(name, 9, 7, X));
  const lines = me.wait(200);
  assert.equal(count(lines.filter((line) => line.startsWith("> 2")), "retract "), 300);
  assert.equal(count(lines, "request "), 300);
});

test("of thousands of routes some go out at a time, and the rest after a while", () => {
  const me = two();
  for (let i = 0; i < 9_000; i += 100) {
    me.tell(1, (frame) => {
      for (let k = i; k < i + 100; k++) frame.route(`x${k}`, 2, 7, X);
    });
  }
  me.wait(5_000);
  assert.equal(count(me.join(3, "d"), "route x"), 4_096 - 3);
  assert.equal(count(me.wait(5_000).filter((line) => line.startsWith("> 3")), "route x"), 4_907);
});

test("even what is urgent goes out every 5 ms at most", () => {
  const me = two();
  let frames = 0;
  for (let i = 0; i < 100; i++) {
    me.tell(1, (frame) => frame.ping(i));
    frames += me.wait(1).length;
  }
  assert(frames >= 15 && frames <= 21, `${frames} frames in 100 ms`);
});

test("good news goes out within 15 ms, but not more often than every 50 ms", () => {
  const me = two();
  me.tell(1, (frame) => frame.route("x0", 2, 1, 500));
  assert.deepEqual(me.wait(4.9), []);
  assert.equal(me.wait(10.2).length, 1);
  let frames = 0;
  for (let i = 1; i <= 20; i++) {
    me.tell(1, (frame) => frame.route(`x${i}`, 2, 1, 500));
    frames += me.wait(10).length;
  }
  assert(frames >= 3 && frames <= 4, `${frames} frames in 200 ms`);
});

test("bad news goes out within 2 ms, even right after a frame", () => {
  const me = two();
  me.tell(1, x(2));
  me.wait(200);
  me.tell(1, retractX);
  assert.deepEqual(me.wait(2.1), ["> 2: [retract x]"]);
});

test("who always has news has to wait longer and longer, up to a second", () => {
  const me = two();
  let frames = 0;
  for (let i = 0; i < 3_000; i++) {
    me.tell(1, (frame) => frame.route(`x${i}`, 2, 1, 500));
    frames += sent(me.wait(10)).filter((line) => line.includes("route")).length;
  }
  assert(frames < 90, `${frames} frames in 30 s`); // 600 at 50 ms each.
  assert(frames > 30);
});

test("who has had no news for a while need not wait long for the next", () => {
  const me = two();
  for (let i = 0; i < 2_000; i++) {
    me.tell(1, (frame) => frame.route(`x${i}`, 2, 1, 500));
    me.wait(10);
  }
  me.wait(5_000);
  for (const name of ["y", "z"]) {
    me.tell(1, (frame) => frame.route(name, 2, 1, 500));
    assert.equal(sent(me.wait(70)).filter((line) => line.includes(`route ${name}`)).length, 1);
  }
});

test("a route that changes all the time is told at most once a second", () => {
  const me = two();
  let told = 0;
  for (let i = 0; i < 100; i++) {
    me.tell(1, x(2 + i % 2, 8 + i));
    told += me.wait(100).filter((line) =>
      line.includes("route x")
    ).filter((line) => line.startsWith(">")).length;
  }
  assert(told >= 10 && told <= 30, `told ${told} times in 10 s`);
  assert.equal(me.mesh.told(2).get("x")?.cost, me.mesh.inspect("x")!.cost + 1);
});

test("options.stub: a leaf tells of nobody but itself", () => {
  const me = new Script({ stub: true });
  me.offer("ping", 1);
  me.join(1, "b");
  me.tell(1, x(2));
  assert.deepEqual(sent(me.join(2, "c")).at(-1), "> 2: [route me 1 by 1000; service ping@me 1 v1]");
  assert.deepEqual(me.wait(1_000), []);
  assert.deepEqual(me.routes(), ["b 1 b", "x 2 b", "c 1 c"]); // It hears all the same.
});

test("options.hidden: a router that does not tell of itself", () => {
  const me = new Script({ hidden: true });
  me.join(1, "b");
  assert.deepEqual(sent(me.join(2, "c")).at(-1), "> 2: [route b 2 by 1000 #1]");
});

test("options.maxRoutes bounds the destinations; those known stay", () => {
  const me = new Script({ maxRoutes: 2 });
  me.join(1, "b");
  me.tell(1, x(2));
  assert.deepEqual(me.tell(1, (frame) => frame.route("y", 2, 1, 1)), ["drop ERR_CHANNEL_PROTOCOL"]);
  assert.deepEqual(me.tell(1, (frame) => frame.route("z", 2, 1, 1)), []); // Told once.
  assert.deepEqual(me.routes(), ["b 1 b", "x 2 b"]);
  me.tell(1, retractX);
  me.tell(1, (frame) => frame.route("y", 2, 1, 1));
  assert.deepEqual(me.routes(), ["b 1 b", "y 2 b"]);
});

test("no more than twice as many destinations as may be offered are remembered", () => {
  const me = new Script({ maxRoutes: 3 });
  me.join(1, "b");
  me.join(2, "c");
  const names = Array.from({ length: 20 }, (_, i) => `x${i}`);
  for (const name of names) {
    me.tell(1, (frame) => frame.route(name, 2, 7, X));
    me.wait(100);
    me.tell(1, (frame) => frame.route(name, 0, 0, 0));
    me.wait(600);
  }
  const remembered = ["b", "c", ...names].filter((name) => me.mesh.inspect(name) !== null);
  assert(remembered.length <= 6, `${remembered}`);
});

test("a destination that somebody still has to be told is lost is not forgotten for want of room", () => {
  const me = new Script({ maxRoutes: 3 });
  me.join(1, "b");
  me.join(2, "c");
  me.tell(1, x(2));
  me.wait(200);
  me.tell(1, retractX);
  for (let i = 0; i < 4; i++) {
    me.tell(1, (frame) => frame.route(`y${i}`, 2, 7, X));
    me.tell(1, (frame) => frame.route(`y${i}`, 0, 0, 0));
  }
  assert.deepEqual(me.wait(20), ["> 2: [retract x]"]);
});

test("who takes the place of a destination that was forgotten is told like any other", () => {
  const me = new Script({ maxRoutes: 3 });
  me.join(1, "b");
  me.join(2, "c");
  me.wait(200);
  for (let i = 0; i < 9; i++) {
    me.tell(1, (frame) => frame.route(`x${i}`, 2, 7, X)); // About to be told,
    me.tell(1, (frame) => frame.route(`x${i}`, 0, 0, 0)); // and gone.
  }
  me.tell(1, x(2));
  assert.deepEqual(me.wait(20), ["> 2: [route x 3 by 500 #7]"]);
});

test("of many origins of one destination, those used last are remembered", () => {
  const me = two();
  for (let i = 1; i <= 6; i++) {
    me.tell(1, (frame) => frame.route("o", 2, 1, 0x8000_0000 + i));
    me.wait(2_000);
  }
  const origins = me.mesh.inspect("o")!.feasible.map(({ origin }) => origin - 0x8000_0000);
  assert.deepEqual(origins, [1, 4, 5, 6]);
});

test("the number of a destination that is forgotten is given to another", () => {
  const neighbour = new Neighbour(1, {}, new Meters({}, 1, 0), 0);
  const table = new RouteTable("me", new Map([[1, neighbour]]), -1, () => Infinity, 10);
  const { id } = table.find("x")!;
  table.sweep(0);
  assert.equal(table.get("x"), undefined);
  assert.equal(table.find("y")!.id, id);
});

test("what there is no room for does not keep us from hearing the rest of a frame", () => {
  const me = new Script({ maxRoutes: 2 });
  me.join(1, "b");
  me.tell(1, x(2));
  me.tell(1, (frame) => frame.route("y", 2, 1, 1) && frame.route("x", 0, 0, 0));
  assert.deepEqual(me.routes(), ["b 1 b"]);
});

test("what there was no room for is asked for when there is room", () => {
  const me = new Script({ maxRoutes: 2 });
  me.join(1, "b");
  me.tell(1, x(2));
  me.tell(1, (frame) => frame.route("y", 2, 1, 1));
  const digest = { routes: 3, routesHash: [1, 2], services: 0, servicesHash: [0, 0] } as const;
  me.tell(1, (frame) => frame.digest(digest));
  assert.deepEqual(me.wait(20).filter((line) => line.includes("resync")), []);
  me.tell(1, (frame) => frame.route("y", 2, 1, 1) && frame.route("x", 0, 0, 0));
  me.tell(1, (frame) => frame.digest(digest));
  assert.deepEqual(me.wait(20).filter((line) => line.includes("resync")), ["> 1: [resync 3]"]);
});

test("a neighbour that takes only small frames is sent small ones", () => {
  const me = new Script();
  me.join(1, "b");
  me.join(2, "c", { maxFrame: 600 });
  me.tell(1, (frame) => {
    for (let i = 0; i < 80; i++) assert(frame.route(`${i}`.padEnd(40, "x"), 2, 1, 500));
  });
  const frames = sent(me.wait(200)).filter((line) => line.includes("route"));
  assert(frames.length >= 6, `${frames.length} frames`);
  assert.equal(frames.join(";").split(";").length, 81); // And b itself.
});

test("a neighbour that tells more than anybody should is not followed, and asked again", () => {
  const me = new Script({ maxRoutes: 100, maxServices: 100 });
  me.join(1, "b");
  const lines: string[] = [];
  for (let i = 0; i < 250; i++) {
    lines.push(...me.tell(1, (frame) => {
      for (let k = 0; k < 100; k++) frame.route("x", 2 + k % 2, 7, X);
    }));
  }
  assert.equal(lines.filter((line) => line.startsWith("drop")).length, 1);
  assert(me.wait(1_100).some((line) => line.includes("resync 3")));
});

test("a neighbour that tells more services than anybody should is not followed either", () => {
  const me = new Script({ maxRoutes: 100, maxServices: 100 });
  me.join(1, "b");
  me.tell(1, x(2));
  const lines: string[] = [];
  for (let i = 0; i < 250; i++) {
    lines.push(...me.tell(1, (frame) => {
      for (let k = 0; k < 100; k++) frame.service("x", "echo", 1, X, 100 * i + k);
    }));
  }
  assert.equal(lines.filter((line) => line.startsWith("drop")).length, 1);
  assert(me.wait(1_100).some((line) => line.includes("resync 3")));
});

// ── leaving, and links that come and go ─────────────────────────────────────

test("Mesh.leave() says goodbye to our own kind, and nothing to old peers", () => {
  const me = new Script();
  me.join(1, "b");
  me.up(2, "old");
  me.wait(200);
  const effects = me.mesh.leave(me.now);
  assert.deepEqual(effects.map((effect) => effect.kind === "transmit" && effect.link), [1]);
});

test("a neighbour that says goodbye is gone at once, though its link is up", () => {
  const me = two();
  me.tell(1, x(2));
  me.wait(200);
  me.tell(2, (frame) => frame.bye(0));
  assert.deepEqual(me.routes(), ["b 1 b", "x 2 b"]);
  assert.deepEqual(me.wait(10), ["> 1: [retract c]"]);
  assert.deepEqual(me.tell(2, x(1)), []); // It says no more.
});

test("a router whose links come and go is used, but not passed on, until it has calmed down", () => {
  const me = new Script();
  me.join(2, "c");
  let link = 10;
  for (let i = 0; i < 3; i++) {
    me.join(link, "b", { session: `000000000000001${i}` });
    me.wait(1_000);
    assert(me.mesh.told(2).has("b"), `passed on after ${i} losses`);
    me.down(link++);
    me.wait(1_000);
  }
  me.join(link, "b", { session: "0000000000000020" });
  me.wait(500);
  assert.deepEqual(me.routes(), ["c 1 c", "b 1 b"]);
  assert(!me.mesh.told(2).has("b"));
  me.wait(2_000);
  assert(me.mesh.told(2).has("b"));
  assert.deepEqual(me.down(link).filter((line) => line.startsWith("> 2")), []);
  assert.deepEqual(me.wait(5), ["> 2: [retract b]"]); // Bad news is never held back.
});

test("a bad link is not preferred while there is another way", () => {
  const me = new Script();
  me.join(2, "c");
  let link = 10;
  for (let i = 0; i < 3; i++) {
    me.join(link, "b", { session: `000000000000001${i}` });
    me.down(link++);
  }
  me.join(link, "b", { session: "0000000000000020" });
  me.tell(2, x(3));
  me.tell(link, x(2));
  assert.equal(wayToX(me), "x 3 c");
  me.wait(3_000);
  assert.equal(wayToX(me), "x 2 b");
});

test("what is better than a bad link, once that has calmed down, is asked for then", () => {
  const me = new Script();
  me.join(2, "c");
  me.join(3, "d");
  let link = 10;
  for (let i = 0; i < 3; i++) {
    me.join(link, "b", { session: `000000000000001${i}` });
    me.down(link++);
  }
  me.join(link, "b", { session: "0000000000000020" });
  me.tell(2, x(3, 8));
  me.tell(link, x(2, 8)); // Can be trusted, but the link cannot.
  me.wait(200);
  me.tell(3, (frame) => frame.seqRequest("x", X, 9, 9));
  me.wait(20);
  me.tell(2, x(3, 9)); // Told to d: what b says is too old now.
  assert.deepEqual(me.wait(1_000).filter((line) => line.includes("request")), []);
  assert.deepEqual(me.wait(2_000).filter((line) => line.includes("request")), [
    "> 13: [request x by 500 #10 255 hops]",
  ]);
});

test("a router is not damped for more than a minute or so, and a thousand are remembered", () => {
  const damper = new FlapDamper();
  for (let i = 0; i < 20; i++) damper.lost("b", i);
  assert.equal(damper.dampedUntil("b", 20), 64_019);
  for (let i = 0; i < 1_000; i++) damper.lost(`n${i}`, 20);
  assert.equal(damper.dampedUntil("b", 20), 0);
});
