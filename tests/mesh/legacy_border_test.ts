/**
 * The rules of the border to old peers, a test for each, in their order: B1 to B8, which neighbour is
 * old, which of its offers are used, and when it is told. Links are of old peers where
 * {@linkcode Script.up} brings them up, and of our kind where {@linkcode Script.join} does.
 *
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { betweenOldPeers, heard, mixed, over } from "./old_peers.ts";
import { LIFE, Script } from "./script.ts";

/** A word of somebody of our kind on behalf of an old peer elsewhere. */
const PROXY = 0x8000_0007;

test("B1: a neighbour is old if it speaks without saying hello, or not at all for 1 s, until it does", () => {
  const me = new Script();
  const kinds = () => [1, 2, 3, 4, 5].map((link) => me.mesh.neighbourKind(link));
  for (const link of [1, 2, 3, 4]) me.mesh.linkUp(link, 0);
  assert.deepEqual(me.join(5, "m").slice(0, 2), ["> 5: query", "> 5: [route me 1 by 1000]"]);
  assert.deepEqual(me.query(1), ["> 1: route me 1", "> 1: route m 2"]);
  me.route(2, "c", 1, "c");
  me.service(3, "s", "d", 1);
  assert.deepEqual(kinds(), ["legacy", "legacy", "legacy", "open", "modern"]);
  me.wait(999);
  assert.equal(me.mesh.neighbourKind(4), "open");
  assert.deepEqual(over(4, me.wait(1)), ["> 4: route me 1", "> 4: query"]);
  assert.deepEqual(kinds(), ["legacy", "legacy", "legacy", "legacy", "modern"]);
  for (const link of [1, 2, 3, 4]) me.hello(link, `n${link}`);
  assert.deepEqual(kinds(), ["modern", "modern", "modern", "modern", "modern"]);
});

test("B2: an old peer is believed about itself at cost 1, or at 256 if that is its first word", () => {
  const me = new Script();
  me.up(1);
  assert.deepEqual(me.route(1, "esp", 256, "esp"), ["! route esp 1 esp"]);
  me.up(2, "b");
  assert.deepEqual(me.route(2, "b", 4, "b"), []); // A way back to itself, by way of others.
  assert.deepEqual(me.route(2, "b", 2, "b"), []);
  assert.deepEqual(me.route(2, "b", 256, "b"), []);
  me.up(3);
  assert.deepEqual(me.route(3, "c", 3, "c"), []);
  me.wait(10_000);
  assert.deepEqual(me.routes(), ["esp 1 esp", "b 1 b"]);
  assert.deepEqual(heard(me, 2), { b: 1 });
});

test("B3: an old peer itself is used at once, and told by our word; what it says of others is used last, up to 64 hops", () => {
  const me = new Script();
  me.join(2, "m");
  me.tell(2, (frame) => {
    frame.route("b", 2, 1, PROXY); // Others speak for b, too.
    frame.route("x", 40, 1, PROXY);
    frame.route("y", 50, 1, LIFE);
  });
  me.mesh.linkUp(1, me.now, { cost: 5 }); // A slow link, and still a surer way than any proxy's.
  me.query(1);
  assert.deepEqual(me.route(1, "b", 1, "b"), ["! route b 5 b"]);
  assert.deepEqual(over(2, me.wait(100)), ["> 2: [route b 6 by us #1]"]);
  for (const x of ["x", "y", "z"]) me.route(1, x, 2, "b");
  me.route(1, "near", 64, "b");
  me.route(1, "far", 65, "b");
  me.route(1, "beyond", 65_535, "b");
  me.wait(10_000);
  assert.deepEqual(me.routes().sort(), [
    "b 5 b",
    "m 1 m",
    "near 68 b",
    "x 40 m",
    "y 50 m",
    "z 6 b",
  ]);
});

test("B4: a way by an old peer may lead through us if it is no nearer than what it has from us", () => {
  for (const [cost, used] of [[5, false], [4, false], [3, true]] as const) {
    const me = new Script();
    me.up(1, "b");
    me.join(2, "m");
    assert.deepEqual(over(1, me.tell(2, (frame) => frame.route("x", 2, 1, LIFE))), [
      "> 1: route x 3",
    ]);
    me.route(1, "x", cost, "b");
    me.down(2); // Now b is the only one left, and B5 does not make us wait.
    assert.equal(me.routes().includes(`x ${cost} b`), used);
  }
});

test("B4: a way that may lead through us is not used until the old peer has nothing from us", () => {
  const me = betweenOldPeers();
  me.up(3, "d");
  me.route(2, "x", 4, "c"); // One more than c has from us: it may well be our own, coming back.
  me.route(3, "x", 3, "d"); // d has the same from us, but is nearer: by a way of its own.
  assert.deepEqual(me.down(1), ["! route b 0", "! route x 0"]);
  assert.deepEqual(me.wait(3_000).filter((line) => line.includes(" x")), [
    "> 2: route x 0",
    "! route x 3 d",
    "> 2: route x 4",
  ]);
  me.down(3);
  me.wait(10_000);
  me.route(2, "x", 5, "c"); // By then c holds nothing from us.
  assert.deepEqual(me.routes(), ["c 1 c", "x 5 c"]);
});

test("B5: hearsay waits for 1 s, after a loss for 3 s, with one link not at all", () => {
  const me = new Script();
  me.up(1, "b");
  assert.deepEqual(me.route(1, "w", 2, "b"), ["! route w 2 b"]);
  me.up(2, "c");
  assert.deepEqual(me.route(1, "x", 2, "b"), []);
  assert.deepEqual(me.wait(999), []);
  assert.deepEqual(me.wait(1), ["! route x 2 b", "> 2: route x 3"]);
  me.up(3, "d");
  assert.deepEqual(me.route(1, "x", 0, "b"), ["! route x 0"]);
  me.wait(100);
  assert.deepEqual(me.route(3, "x", 2, "d"), []);
  me.wait(2_800);
  assert.deepEqual(me.routes().filter((line) => line.startsWith("x")), []);
  assert.equal(me.wait(100)[0], "! route x 2 d");
});

test("B5: hearsay in use gives way to a nearer word of our kind, and comes back only when that fails", () => {
  const me = mixed();
  const x = () => me.routes().find((line) => line.startsWith("x "));
  me.route(1, "x", 5, "b");
  me.wait(2_000);
  assert.equal(x(), "x 5 b");
  me.tell(3, (frame) => frame.route("x", 5, 1, PROXY)); // No nearer.
  assert.equal(x(), "x 5 b");
  me.tell(3, (frame) => frame.route("x", 4, 1, PROXY));
  assert.equal(x(), "x 4 m");
  me.route(1, "x", 2, "b");
  me.route(2, "x", 3, "c");
  me.wait(10_000);
  assert.equal(x(), "x 4 m");
  me.tell(3, (frame) => frame.route("x", 0, 0, 0));
  me.wait(2_999);
  assert.equal(x(), undefined);
  me.wait(1);
  assert.equal(x(), "x 2 b");
});

test("B6: an old peer is told what is new or nearer at once, and of a longer way nothing", () => {
  const me = mixed();
  const tell = (cost: number) => {
    const lines = me.tell(3, (frame) => frame.route("x", cost, 1, LIFE));
    return lines.concat(me.wait(20_000)).filter((line) => /^> [12]/.test(line));
  };
  assert.deepEqual(tell(5), ["> 1: route x 6", "> 2: route x 6"]);
  assert.deepEqual(tell(5), []);
  assert.deepEqual(tell(6), []); // They would not listen; the packets find their way.
  assert.deepEqual(tell(5), []); // They hold that.
  assert.deepEqual(tell(4), ["> 1: route x 5", "> 2: route x 5"]);
  assert.deepEqual(me.tell(3, (frame) => frame.route("x", 3, 1, LIFE)), [
    "! route x 3 m",
    "> 1: route x 4",
    "> 2: route x 4",
  ]);
});

test("B7: a loss is told after 1 s, once, to those who may rely on us; then nobody is offered it for 0.5 s", () => {
  const me = betweenOldPeers();
  me.up(3, "d");
  me.route(3, "x", 2, "d"); // Nearer than it has it from us.
  me.route(2, "x", 4, "c"); // By us, most likely.
  assert.deepEqual(me.route(1, "x", 0, "b"), ["! route x 0"]);
  assert.deepEqual(me.wait(999), []);
  assert.deepEqual(me.wait(1), ["> 2: route x 0"]);
  assert.deepEqual(heard(me, 2), { c: 1 }); // c has just deleted its own.
  me.up(4, "e");
  me.join(5, "x"); // There it is.
  assert(me.routes().includes("x 1 x"));
  assert.deepEqual(me.wait(499).filter((line) => /^> [1-4]/.test(line)), []);
  assert.deepEqual(me.wait(1).filter((line) => /^> [1-4]/.test(line)), [
    "> 1: route x 2",
    "> 2: route x 2",
    "> 3: route x 2",
    "> 4: route x 2",
  ]);
});

test("B7: a loss of less than 1 s is told to no old peer", () => {
  const me = mixed();
  me.tell(3, (frame) => frame.route("x", 3, 1, LIFE));
  me.tell(3, (frame) => frame.route("x", 0, 0, 0));
  me.wait(900);
  me.tell(3, (frame) => frame.route("x", 3, 2, LIFE));
  assert.deepEqual(me.wait(10_000).filter((line) => /^> [12]/.test(line)), []);
});

test("B8: a longer way by hearsay or by proxy is withdrawn after 1 s, and offered 0.5 s later; a native one is not", () => {
  const me = mixed();
  me.up(4, "d");
  me.route(1, "x", 2, "b");
  me.tell(3, (frame) => {
    frame.route("y", 2, 1, PROXY);
    frame.route("z", 2, 1, LIFE);
  });
  me.wait(2_000);
  assert.deepEqual(me.route(1, "x", 4, "b"), ["! route x 4 b"]);
  me.tell(3, (frame) => {
    frame.route("y", 5, 2, PROXY);
    frame.route("z", 5, 2, LIFE);
  });
  assert.deepEqual(over(2, me.wait(999)), []);
  const told = me.wait(1).filter((line) => !line.startsWith("> 3"));
  assert.deepEqual(told, [
    "> 2: route x 0",
    "> 4: route x 0",
    "> 1: route y 0",
    "> 2: route y 0",
    "> 4: route y 0",
  ]);
  assert.deepEqual(over(2, me.wait(499)), []);
  assert.deepEqual(over(2, me.wait(1)), ["> 2: route x 5", "> 2: route y 6"]);
  assert.deepEqual(over(2, me.wait(20_000)), []);
});
