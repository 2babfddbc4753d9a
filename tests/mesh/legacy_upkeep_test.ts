/**
 * The rules of the border to old peers, a test for each, in their order: B9 to B13, how a router
 * stands their withdrawals, finds out what they do not say, and keeps their storms out.
 *
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeRouteAdvert } from "../../src/wire/mod.ts";
import { betweenOldPeers, heard, over } from "./old_peers.ts";
import { LIFE, Script } from "./script.ts";

test("B9: a withdrawal by an old peer deletes only its own offer, goes no further, and is answered with our route after 0.5 s, then 1 s … 64 s, and after 30 s of calm after 0.5 s again", () => {
  const me = betweenOldPeers();
  me.up(3, "d");
  me.route(2, "x", 3, "c");
  assert.deepEqual(heard(me, 2), { c: 1, x: 3 });
  /** c withdraws x; how long until it hears of it again. */
  const withdraw = (): number => {
    const start = me.now;
    assert.deepEqual(me.route(2, "x", 0, "b"), []); // With the `src` of whoever began it.
    assert.deepEqual(heard(me, 2), { c: 1 });
    assert.equal(me.routes()[2], "x 2 b");
    while (me.now - start < 100_000) {
      me.now = me.mesh.deadline();
      const lines = me.wait(0).filter((line) => line.includes(" x "));
      if (lines.length === 0) continue;
      assert.deepEqual(lines, ["> 2: route x 3"]);
      return me.now - start;
    }
    return Infinity;
  };
  const waits = Array.from({ length: 9 }, withdraw);
  assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 64_000]);
  me.wait(30_001);
  assert.equal(withdraw(), 500);
});

test("B9: for 0.5 s after a withdrawal no old peer is offered the destination; our kind is", () => {
  const me = betweenOldPeers();
  me.up(3, "d");
  me.join(4, "m");
  me.wait(1_000);
  me.route(2, "x", 0, "c");
  me.route(1, "x", 1, "b"); // Nearer: they would be told at once.
  me.query(3);
  const lines = me.wait(499).filter((line) => line.includes(" x "));
  assert.deepEqual(lines, ["> 4: [route x 2 by us #1]"]);
  assert.deepEqual(me.wait(1), ["> 2: route x 2", "> 3: route x 2"]);
});

test("B9: a withdrawal counts however often it is said, before and after our answer", () => {
  const me = betweenOldPeers();
  me.route(2, "x", 0, "c");
  me.wait(10);
  me.route(2, "x", 0, "c"); // A ring of old peers says everything twice.
  assert.deepEqual(me.wait(490), ["> 2: route x 3"]);
  me.wait(100);
  me.route(2, "x", 0, "c"); // Now it has lost what we have just told it.
  assert.deepEqual(me.wait(1_000), ["> 2: route x 3"]);
});

test("B10: an old peer that withdraws us hears of us and our services 100 ms later, the others of us", () => {
  const me = new Script();
  me.offer("ping", 1);
  me.up(1, "b");
  me.up(2, "c");
  assert.deepEqual(me.route(1, "me", 0, "b"), []);
  assert.deepEqual(me.wait(99), []);
  assert.deepEqual(me.wait(1), ["> 1: route me 1", "> 2: route me 1", "> 1: service ping@me 1"]);
  assert.deepEqual(me.wait(10), []);
  assert.deepEqual(me.route(1, "me", 0, "b"), []); // It has lost that, too.
  assert.deepEqual(me.wait(100), [
    "> 1: route me 1",
    "> 2: route me 1",
    "> 1: service ping@me 1",
  ]);
  assert.deepEqual(me.wait(60_000), []);
});

test("B10: however often we are withdrawn, we answer ten times a second at most", () => {
  const me = new Script();
  me.up(1, "b");
  let answers = 0;
  for (let i = 0; i < 1_000; i++) {
    me.route(1, "me", 0, "b");
    me.route(1, "me", 3, "b"); // So that it is no mere repetition.
    answers += me.wait(1).length;
  }
  assert(answers >= 9 && answers <= 10, `${answers} answers`);
});

test("B11: sequence number, acknowledgement and context of an old peer's adverts mean nothing", () => {
  const me = betweenOldPeers();
  me.join(3, "m");
  me.wait(100);
  const init = { net: 1, seq: 77, ack: 0x8123_4567, ctx: 9 };
  me.hear(1, { ...init, src: "b", data: encodeRouteAdvert({ address: "y", cost: 2 }) });
  assert.deepEqual(over(3, me.wait(2_000)), ["> 3: [route y 3 by us #1]"]);
  assert.equal(me.mesh.heard(1).get("y")!.seq, 0);
  const ours = me.mesh.inspect("x")!.origin;
  assert.equal(me.mesh.inspect("y")!.origin, ours);
  // However old it may look, it is news.
  me.hear(1, { ...init, seq: 1, src: "b", data: encodeRouteAdvert({ address: "y", cost: 3 }) });
  assert.equal(me.routes().find((line) => line.startsWith("y")), "y 3 b");
  me.hear(1, { ...init, src: "m", data: encodeRouteAdvert({ address: "y", cost: 0 }) });
  assert.deepEqual(me.routes(), ["b 1 b", "c 1 c", "x 2 b", "m 1 m"]);
});

/** Lets time pass until an audit of the only link begins; returns how long that took. */
function untilAudit(me: Script): number {
  const start = me.now;
  for (let lines: string[] = []; !lines.includes("> 1: query");) {
    assert(me.now - start < 200_000, "there is none");
    lines = me.wait(100);
    if (me.mesh.neighbourKind(2) === "modern") me.tell(2, (frame) => frame.ping(1)); // It lives.
  }
  return me.now - start;
}

test("B12: an old peer is audited every 120 s, a quarter more or less", () => {
  const me = new Script();
  me.up(1, "b");
  const pauses: number[] = [];
  for (let i = 0; i < 200; i++) {
    pauses.push(untilAudit(me));
    me.route(1, "b", 1, "b");
  }
  assert(pauses.every((pause) => pause >= 90_000 && pause <= 150_000), `${pauses}`);
  assert(Math.min(...pauses) < 95_000 && Math.max(...pauses) > 145_000, "they do not vary");
});

test("B12: what two audits in a row have missed is forgotten", () => {
  const me = new Script();
  me.up(1, "b");
  for (const x of ["x", "y"]) me.route(1, x, 2, "b");
  const audit = (...addresses: string[]): string[] => {
    untilAudit(me);
    me.route(1, "b", 1, "b");
    me.route(1, "me", 2, "b");
    const lines: string[] = [];
    for (const address of addresses) { // Some are slow: only 2 s of silence are an end.
      lines.push(...me.wait(1_500), ...me.route(1, address, 2, "b"));
    }
    return [...lines, ...me.wait(2_000)];
  };
  assert.deepEqual(audit("x"), []);
  assert.deepEqual(audit("x", "y"), []);
  assert.deepEqual(audit("x"), []);
  assert.deepEqual(audit("x"), ["! route y 0"]);
  assert.deepEqual(audit("x"), []);
});

test("B12: an audit offers what the old peer lacks, unless it has said nothing at all", () => {
  const me = new Script();
  me.offer("ping", 1);
  me.up(1, "b");
  me.join(2, "m");
  me.tell(2, (frame) => {
    frame.route("x", 2, 1, LIFE);
    frame.service("x", "echo", 5, LIFE, 1);
  });
  const audit = (...addresses: string[]): string[] => {
    untilAudit(me);
    for (const address of addresses) me.route(1, address, 2, "b");
    let lines = me.wait(1_899).filter((line) => line.startsWith("> 1"));
    if (addresses.length > 0) assert.deepEqual(lines, []);
    me.tell(2, (frame) => frame.ping(1));
    lines = me.wait(101).filter((line) => line.startsWith("> 1"));
    return lines;
  };
  assert.deepEqual(audit("me", "m", "x"), []);
  assert.deepEqual(audit("m"), [
    "> 1: route me 1",
    "> 1: service ping@me 1",
    "> 1: route x 3",
    "> 1: service echo@x 5",
  ]);
  assert.deepEqual(audit("me", "m", "x"), []);
  assert.deepEqual(audit(), []);
});

test("B13: a service or withdrawal that is repeated within 1 s is not even read", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  const broken = [
    { net: 2, data: Uint8Array.of(9, 98, 1, 115, 0, 1) },
    { net: 1, data: Uint8Array.of(9, 98, 0, 0) },
  ];
  for (const packet of broken) assert.match(me.hear(1, packet).join(), /^drop ERR_PACKET/);
  for (let i = 0; i < 9; i++) {
    me.wait(100);
    for (const packet of broken) assert.deepEqual(me.hear(1, packet), []);
  }
  for (const packet of broken) assert.match(me.hear(2, packet).join(), /^drop ERR_PACKET/);
  me.wait(100);
  for (const packet of broken) assert.match(me.hear(1, packet).join(), /^drop ERR_PACKET/);
  const offer = { net: 1, data: Uint8Array.of(9, 98, 0, 1) };
  for (let i = 0; i < 3; i++) assert.match(me.hear(1, offer).join(), /^drop ERR_PACKET/);
});

test("B13: an old peer may change 20,000 things at once and 500 a second; the rest is dropped, told once a second, and asked for", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  let taken = 0;
  let told = 0;
  const flood = (count: number) => {
    taken = 0;
    for (let i = 0; i < count; i++) {
      const [line = ""] = me.service(1, "s", "b", 1 + i % 50_000);
      if (line.startsWith("! service")) taken++;
      if (line.startsWith("drop")) told++;
    }
  };
  flood(25_000);
  assert(taken >= 19_990 && taken <= 20_000, `${taken} taken`);
  const rest = 25_000 - taken - 1;
  assert.equal(told, 1);
  assert.deepEqual(me.service(2, "s", "c", 7).slice(0, 1), ["! service s@c 7"]); // Others may.
  assert.deepEqual(me.wait(999), []);
  assert.deepEqual(me.wait(1), [`drop ERR_CHANNEL_PROTOCOL x${rest}`, "> 1: query"]);
  flood(2_000);
  assert(taken >= 490 && taken <= 500, `${taken} taken`);
  assert.equal(told, 1); // It was told less than a second ago.
  me.wait(10_000);
  assert.deepEqual(me.service(1, "s", "b", 60_000).slice(0, 1), ["! service s@b 60000"]);
});
