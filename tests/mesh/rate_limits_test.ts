/** How much a neighbour may say in a second, and what becomes of the rest. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { LinkLimits } from "../../src/mesh/rate_limits.ts";
import { X } from "./own_kind.ts";
import { live, log, Script } from "./script.ts";

/** me, with the old peers b, whose link has these limits, and c. */
function bounded(limits: LinkLimits): Script {
  const me = new Script();
  log(me.mesh.linkUp(1, me.now, { limits }));
  me.query(1);
  me.route(1, "b", 1, "b");
  me.up(2, "c");
  me.wait(2_000);
  return me;
}

/** What the meshes here take at once. */
const BURST = 60_000;

/** Only what was dropped. */
const drops = (lines: string[]) => lines.filter((line) => line.startsWith("drop"));

/** Says something so often a second, for so many seconds. */
function pour(me: Script, rate: number, seconds: number, say: (i: number) => string[]): string[] {
  const lines: string[] = [];
  for (let i = 0; i < 50 * seconds; i++) {
    for (let k = 0; k < rate / 50; k++) lines.push(...say(i * rate + k));
    lines.push(...me.wait(20));
  }
  return lines;
}

test("a cold start of 10,000 routes with a service each is taken in whole, twice at once", () => {
  const me = bounded({});
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 9_990; i++) {
      assert.deepEqual(drops(me.route(1, `x${i}`, 3, "b")), []);
      assert.deepEqual(drops(me.service(1, "echo", `x${i}`, 1)), []);
    }
  }
  assert.deepEqual(drops(me.wait(10_000)), []);
  assert.deepEqual([me.mesh.routes().length, me.mesh.services().length], [9_992, 9_990]);
});

test("LinkLimits.adverts are what an old peer may tell, and what is beyond is told by the second", () => {
  const me = bounded({ adverts: 100 });
  const lines: string[] = [];
  for (let i = 0; i < BURST + 5_000; i++) lines.push(...me.route(1, "b", 1, "b"));
  lines.push(...me.route(1, "news", 2, "b"));
  assert.deepEqual(drops(lines), ["drop ERR_CHANNEL_PROTOCOL"]);
  assert.deepEqual(me.route(2, "other", 1, "c"), []); // Others are heard as ever.
  assert.deepEqual(drops(me.wait(999)), []);
  const [told, ...more] = drops(me.wait(1));
  assert.match(told!, /^drop ERR_CHANNEL_PROTOCOL x\d{4}$/);
  assert.deepEqual(more, []);
  const dropped = Number(told!.split("x")[1]) + 1;
  assert(dropped >= 4_700 && dropped <= 5_001, `${dropped} dropped`); // A few were earned before.
  assert.deepEqual(drops(me.wait(60_000)), []);
});

test("who was not heard for a flood is asked again, once and when there is room for the answer", () => {
  const me = bounded({ adverts: 100 });
  for (let i = 0; i < BURST + 5_000; i++) me.route(1, "b", 1, "b");
  me.route(1, "news", 2, "b"); // Nobody hears it.
  let seconds = 0;
  for (; !me.wait(1_000).includes("> 1: query"); seconds++) {
    if (seconds < 5) { for (let k = 0; k < 500; k++) me.route(1, "b", 1, "b"); }
  }
  assert.equal(seconds, 15); // The flood was over after 5 s; there is room for 1,004 after 15 s.
  const answer = [...me.route(1, "b", 1, "b"), ...me.route(1, "news", 2, "b")];
  assert.deepEqual(drops(answer), []);
  assert.equal(me.wait(20_000).includes("> 1: query"), false);
  assert.deepEqual(me.routes(), ["b 1 b", "c 1 c", "news 2 b"]);
});

test("LinkLimits.withdrawals are counted by themselves", () => {
  const me = bounded({ withdrawals: 1 });
  const lines: string[] = [];
  for (let i = 0; i < BURST + 100; i++) {
    lines.push(...i % 2 ? me.route(1, `x${i}`, 0) : me.service(1, `s${i}`, "b", 0));
  }
  assert.deepEqual(drops([...lines, ...me.wait(1_000)]), [
    "drop ERR_CHANNEL_PROTOCOL",
    "drop ERR_CHANNEL_PROTOCOL x99",
  ]);
  assert.deepEqual(me.service(1, "s", "b", 1), ["! service s@b 1", "> 2: service s@b 1"]);
});

test("LinkLimits.packets are what a neighbour's applications may send, a second's worth at once", () => {
  for (const join of [(me: Script) => me.query(1), (me: Script) => me.hello(1, "b")]) {
    const me = new Script();
    log(me.mesh.linkUp(1, 0, { limits: { packets: 100 } }));
    join(me);
    const send = (count: number) => {
      let delivered = 0;
      const lines = [];
      for (let i = 0; i < count; i++) {
        const line = me.hear(1, { dst: "me", srv: "s", data: `${me.now} ${i}` });
        if (line[0]?.startsWith("deliver")) delivered++;
        else lines.push(...line);
      }
      return { delivered, lines };
    };
    assert.deepEqual(send(150), { delivered: 100, lines: ["drop ERR_CHANNEL_PROTOCOL"] });
    assert.deepEqual(drops(me.wait(500)), []);
    assert.deepEqual(send(100), { delivered: 50, lines: [] });
    assert.deepEqual(drops(me.wait(500)), ["drop ERR_CHANNEL_PROTOCOL x99"]);
    assert.deepEqual(drops(me.wait(5_000)), []);
    assert.deepEqual(send(101), { delivered: 100, lines: ["drop ERR_CHANNEL_PROTOCOL"] });
  }
});

test("packets without a limit are carried, however many", () => {
  const me = bounded({});
  for (let i = 0; i < 200_000; i++) {
    const lines = me.hear(1, { dst: "me", srv: "s", data: `${i}` });
    assert.equal(lines.length, 1);
    if (i % 10 === 0) me.now += 0.1;
  }
});

test("who floods us with changes is asked again when the flood is over, not in its midst", () => {
  const me = bounded({});
  let i = 0;
  const change = () => me.service(1, "s", "b", 1 + i++ % 50_000);
  for (let k = 0; k < 25_000; k++) change();
  const during = pour(me, 1_000, 5, change); // Twice what is followed.
  assert.equal(during.includes("> 1: query"), false);
  assert.equal(me.wait(900).includes("> 1: query"), false);
  assert.equal(me.wait(1_100).includes("> 1: query"), true);
});

test("of our own kind, what is lost of a frame that says too much is asked for", () => {
  const me = new Script();
  me.join(1, "b");
  me.wait(1_000);
  const tell = (name: string, count: number) =>
    me.tell(1, (frame) => {
      for (let k = 0; k < count; k++) frame.route(`${name}${k % 5}`, 2 + k % 2, 7, X);
    });
  for (let i = 1; i < BURST / 100; i++) assert.deepEqual(drops(tell("x", 100)), []);
  assert.deepEqual(drops(tell("y", 200)), ["drop ERR_CHANNEL_PROTOCOL"]); // The second half of it.
  assert(live(me, 20_000, [1]).includes("> 1: [resync 3]"));
});

test("of our own kind, frames beyond the limit are dropped whole, and all is asked for again", () => {
  const me = new Script();
  me.join(1, "b");
  me.join(2, "c");
  me.wait(1_000);
  const lines: string[] = [];
  for (let i = 0; i < 700; i++) {
    lines.push(...me.tell(1, (frame) => {
      for (let k = 0; k < 100; k++) frame.route("x", 2 + k % 2, 7, X);
    }));
  }
  lines.push(...me.tell(1, (frame) => frame.route("lost", 2, 7, X) && frame.ping(7)));
  assert.deepEqual(drops(lines), ["drop ERR_CHANNEL_PROTOCOL"]);
  const after = live(me, 30_000, [1, 2]);
  const asked = after.filter((line) => line.includes("resync"));
  assert.deepEqual(drops(after), ["drop ERR_CHANNEL_PROTOCOL x100"]); // Frames.
  assert.deepEqual(asked, ["> 1: [resync 3]"]);
  assert.equal(after.some((line) => line.includes("pong 7")), false); // Unread, all of it.
  me.tell(1, (frame) => frame.route("lost", 2, 7, X));
  assert(me.routes().includes("lost 2 b"));
});

/** Every kind of flood: a hundred a second are allowed of it. */
const FLOODS: [string, LinkLimits, say: (me: Script, i: number) => string[]][] = [
  ["adverts", { adverts: 100 }, (me, i) => me.route(1, `x${i % 100}`, 2, "b")],
  ["repetitions", { adverts: 100 }, (me) => me.service(1, "s", "b", 1)],
  ["withdrawals", { withdrawals: 100 }, (me, i) => me.route(1, `x${i}`, 0)],
  ["what means nothing", {}, (me, i) => me.hear(1, { net: 77, data: `${i}` })],
  ["packets", { packets: 100 }, (me, i) => me.hear(1, { dst: "me", data: `${i}` })],
];

for (const [what, limits, say] of FLOODS) {
  test(`a neighbour that floods us with ${what} for 10 s is let go of, and no sooner`, () => {
    const me = bounded(limits);
    const closes = (factor: number, seconds: number) => {
      const from = me.now;
      let after = 0;
      pour(me, 100 * factor, seconds, (i) => {
        if (say(me, i).includes("close 1")) after ||= me.now - from;
        return [];
      });
      return after;
    };
    assert.equal(closes(9, 15), 0);
    assert.equal(closes(11, 9), 0);
    assert.equal(closes(1, 3), 0);
    const after = closes(11, 13);
    assert(after >= 9_000 && after <= 12_000, `closed after ${after} ms`);
    assert.deepEqual(me.routes().filter((route) => route.endsWith(" b")), []);
    assert.deepEqual(me.hear(1, { dst: "me" }), []);
  });
}

test("a neighbour of our kind that floods us for 10 s is let go of", () => {
  const me = new Script();
  me.join(1, "b");
  const lines: string[] = [];
  for (let i = 0; i < 12 * 50; i++) {
    for (let k = 0; k < 10; k++) { // 50,000 records a second
      lines.push(...me.tell(1, (frame) => {
        for (let n = 0; n < 100; n++) frame.route(`x${n}`.padEnd(9, "y"), 2 + k % 2, 7, X);
      }));
    }
    lines.push(...me.wait(20));
  }
  assert.deepEqual(lines.filter((line) => line.startsWith("close")), ["close 1"]);
});

test("what was dropped is told at the latest when the link goes down", () => {
  const me = bounded({ packets: 1 });
  for (let i = 0; i < 10; i++) me.hear(1, { dst: "me", data: `${i}` });
  assert.deepEqual(drops(me.down(1)), ["drop ERR_CHANNEL_PROTOCOL x8"]);
  assert.deepEqual(drops(me.wait(5_000)), []);
});

test("a full table is told at once, and then once a second how many found no room", () => {
  const me = new Script({ maxRoutes: 2, maxServices: 1 });
  me.up(1, "b");
  me.up(2, "c");
  const lines: string[] = [];
  for (let i = 0; i < 100; i++) lines.push(...me.route(1, `x${i}`, 2, "b"));
  for (let i = 0; i < 100; i++) lines.push(...me.service(2, `s${i}`, "c", 1));
  assert.deepEqual(drops(lines), ["drop ERR_CHANNEL_PROTOCOL", "drop ERR_CHANNEL_PROTOCOL"]);
  assert.deepEqual(drops(me.wait(1_000)), [
    "drop ERR_CHANNEL_PROTOCOL x99",
    "drop ERR_CHANNEL_PROTOCOL x98",
  ]);
  assert.deepEqual(drops(me.wait(10_000)), []);
});

test("of packets that mean nothing twenty a second are told one by one, and the rest in a sum", () => {
  const me = bounded({});
  const garbage = (count: number) => {
    const lines = [];
    for (let i = 0; i < count; i++) lines.push(...me.hear(1, { net: 77, data: `${i}` }));
    return lines;
  };
  const one = "drop ERR_PACKET_FIELD";
  assert.deepEqual(garbage(1_000), Array(20).fill(one));
  assert.deepEqual(me.hear(1, { net: 255, data: "ouch" }), ["drop ERR_CHANNEL_PEER"]);
  assert.deepEqual(drops(me.wait(1_000)), [`${one} x980`]);
  assert.deepEqual(garbage(30), []); // While it goes on.
  assert.deepEqual(drops(me.wait(1_000)), [`${one} x30`]);
  assert.deepEqual(drops(me.wait(2_000)), []);
  assert.deepEqual(garbage(3), Array(3).fill(one));
  assert.deepEqual(drops(me.wait(5_000)), []);
});
