/**
 * Whether somebody is still there: old peers, which know no ping, are asked for their tables; and no
 * link is idle for long, whichever way its traffic goes.
 *
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { legacyRouter, type LinkSettings, SimulatedNetwork } from "../../src/testing/mod.ts";
import { Packet } from "../../src/wire/mod.ts";
import { Script } from "./script.ts";

/** Lets time pass, and says when something happened that these words are part of, in ms. */
function times(me: Script, duration: number, words: string): number[] {
  const found: number[] = [];
  for (const end = me.now + duration; me.now < end;) {
    for (const line of me.wait(10)) if (line.includes(words)) found.push(me.now);
  }
  return found;
}

/** me, and the old peer b on link 1, which has answered once; it was heard at 0. */
function withOld(settings: LinkSettings = { keepalive: 25_000 }, throttled = false): Script {
  const me = new Script({ throttled });
  me.up(1, "b", settings);
  return me;
}

const QUERY = "> 1: query";

test("an old peer is asked for its tables after 25 s of silence, and no sooner", () => {
  const me = withOld();
  assert.deepEqual(times(me, 24_990, "query"), []);
  assert.deepEqual(me.wait(10), [QUERY]);
  for (let i = 0; i < 20; i++) {
    me.wait(20_000);
    me.hear(1, { srv: "s", src: "b", dst: "me" }); // Anything will do.
    assert.deepEqual(me.wait(4_990).filter((line) => line.startsWith("close")), []);
  }
  me.hear(1, { net: 255, data: "help" });
  const asked = times(me, 24_990, "query");
  assert(asked.length <= 1, `${asked}`); // For an audit, perhaps.
});

test("an old peer that answers no query any more is gone after 55 s: three queries, 10 s apart", () => {
  const me = withOld();
  me.join(2, "c");
  me.alive.add(2);
  me.tell(2, (frame) => frame.route("b", 2, 1, 0x8000_0001));
  const start = me.now;
  const lines: [number, string][] = [];
  while (me.now < start + 60_000) {
    for (const line of me.wait(10)) {
      if (/query|^close|route b/.test(line)) lines.push([me.now, line]);
    }
  }
  assert.deepEqual(lines.slice(0, 5), [
    [25_000, QUERY],
    [35_000, QUERY],
    [45_000, QUERY],
    [55_000, "close 1"],
    [55_000, "! route b 2 c"],
  ]);
});

test("the error of a link that is closed for silence says how long, and in spite of what", () => {
  const me = withOld();
  while (me.now < 60_000) {
    me.now = me.mesh.deadline();
    for (const effect of me.mesh.tick(me.now)) {
      if (effect.kind !== "close") continue;
      assert.equal(effect.error.code, "ERR_CHANNEL_CLOSED");
      assert.equal(
        effect.error.message,
        "Cannot keep channel: nothing was heard for 55 s, in spite of 3 queries",
      );
      return;
    }
  }
  assert.fail("it is not closed");
});

test("an answer to the last query is early enough", () => {
  const me = withOld();
  for (let i = 0; i < 5; i++) {
    const start = me.now;
    const asked = times(me, 54_000, "query").map((at) => at - start);
    assert.deepEqual(asked, [25_000, 35_000, 45_000]);
    for (let answer = 0; answer < 3; answer++) me.route(1, "b", 1, "b"); // To each, at last.
  }
  assert.equal(me.mesh.neighbourKind(1), "legacy");
});

test("an old peer that has told nothing of its tables is asked, too, but never closed", () => {
  const me = new Script();
  me.link(1, { keepalive: 25_000 });
  const asked = times(me, 600_000, "query");
  assert.equal(me.mesh.neighbourKind(1), "legacy");
  assert(asked.length >= 24 && asked.length <= 30, `${asked}`);
  assert(asked.slice(-10).every((at, i, all) => i === 0 || at - all[i - 1]! >= 5_000));
});

test("an old peer that loses some queries, and so answers fewer than it was sent, is never closed", () => {
  const me = withOld();
  me.wait(36_000); // It has lost one,
  me.route(1, "b", 1, "b"); // and answers the second.
  assert.deepEqual(times(me, 3_600_000, "close"), []);
});

test("an old peer is sent one query every 5 s at most, whatever the keepalive", () => {
  for (const keepalive of [1, 1_000, 5_000, 7_000]) {
    const me = withOld({ keepalive });
    let last = me.now;
    for (let i = 0; i < 100; i++) {
      if (me.wait(500).includes(QUERY)) {
        assert(me.now - last >= 5_000, `${keepalive}: after ${me.now - last} ms`);
        last = me.now;
        me.route(1, "b", 1, "b");
      }
    }
    const silent = me.now;
    const [end] = times(me, 60_000, "close");
    const taken = end! - silent;
    assert(taken >= 15_000 && taken <= 4 * Math.max(keepalive, 5_000) + 500, `${taken} ms`);
  }
});

for (const keepalive of [0, Infinity]) {
  test(`an old peer is not asked for silence if keepalive is ${keepalive}`, () => {
    const me = withOld({ keepalive });
    assert.deepEqual(times(me, 89_000, "query"), []);
    const audits = times(me, 3_600_000, "query");
    assert(audits.length >= 20 && audits.length <= 40, `${audits.length} audits`);
    assert.equal(me.mesh.neighbourKind(1), "legacy");
  });
}

test("where our timers run late, an old peer has 25 s for each query", () => {
  const me = withOld({ keepalive: 25_000 }, true);
  assert.deepEqual(times(me, 99_000, "query"), [25_000, 50_000, 75_000]);
  assert.deepEqual(times(me, 2_000, "close"), [100_000]);
});

test("an audit takes no query of its own if the old peer is asked for silence", () => {
  const me = withOld();
  let queries = 0;
  for (let i = 0; i < 60_000; i++) {
    if (!me.wait(10).includes(QUERY)) continue;
    queries++;
    me.route(1, "b", 1, "b");
  }
  assert.equal(queries, 24); // In 600 s.
});

test("an old router that is there is never closed, and one that is cut off without notice is, in a minute", () => {
  for (const kind of ["go", "node", "python"] as const) {
    const network = new SimulatedNetwork();
    network.start("old", { create: legacyRouter(kind) });
    network.connect("old", "a");
    network.connect("a", "b");
    network.run(600_000);
    const { effects } = network.node("a");
    assert.deepEqual(effects.filter((effect) => effect.kind === "close"), [], kind);
    assert(network.node("b").mesh.reaches("old"));
    network.disconnect("old", "a", "neither");
    network.run(56_000);
    assert.deepEqual(effects.filter((effect) => effect.kind === "close").length, 1, kind);
    assert(!network.node("b").mesh.reaches("old"), kind);
  }
});

// ── our own kind ────────────────────────────────────────────────────────────

for (const kind of ["our own kind", "go", "node"] as const) {
  test(`an idle link to ${kind} carries something both ways every 30 s`, () => {
    const network = new SimulatedNetwork();
    network.start("b", kind === "our own kind" ? {} : { create: legacyRouter(kind) });
    network.connect("a", "b");
    network.run(600_000);
    assert.deepEqual(longPauses(network, 30_000), []);
  });
}

for (const [from, to] of [["a", "b"], ["b", "a"]] as const) {
  test(`a link to our own kind whose traffic all goes from ${from} to ${to} carries something the other way every 20 s, too`, () => {
    const network = new SimulatedNetwork();
    network.connect("a", "b");
    network.settle();
    for (let i = 0; i < 3_000; i++) {
      network.send(from, new Packet({ dst: to, srv: "s" }));
      network.run(100);
    }
    assert.deepEqual(longPauses(network, 20_000), []);
    network.silence(to, from);
    const { effects } = network.node(from);
    for (let i = 0; i < 310; i++) { // What it sends itself proves nothing.
      network.send(from, new Packet({ dst: to, srv: "s" }));
      network.run(100);
    }
    assert.equal(effects.filter((effect) => effect.kind === "close").length, 1);
  });
}

/** Where a link has carried nothing for longer than that. */
function longPauses({ sent, now }: SimulatedNetwork, limit: number): string[] {
  const found: string[] = [];
  for (const id of ["a", "b"]) {
    const times = [...sent.filter(({ from }) => from === id).map(({ at }) => at), now];
    for (const [i, at] of times.entries()) {
      if (at - (times[i - 1] ?? 0) > limit) found.push(`${id} until ${at}`);
    }
  }
  return found;
}

test("a neighbour of our kind that asks again and again, and does not hear us, is let go after 30 s", () => {
  const me = new Script();
  me.link(1);
  const lines: string[] = [];
  for (let i = 0; i < 32; i++) {
    lines.push(...me.hello(1, "b"), ...me.wait(1_000));
  }
  assert.equal(lines.filter((line) => line === "close 1").length, 1);
  const other = new Script();
  other.join(1, "b");
  for (let i = 0; i < 60; i++) {
    other.hello(1, "b"); // It repeats itself, but has heard us.
    other.wait(1_000);
  }
  assert.equal(other.mesh.neighbourKind(1), "modern");
});
