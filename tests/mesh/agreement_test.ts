/** Whether both sides of a link still agree on what was told, and what is done if they do not. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { legacyRouter, seededRandom, SimulatedNetwork } from "../../src/testing/mod.ts";
import { decodeLinkFrame, type LinkFrameWriter } from "../../src/wire/mod.ts";
import { two, wayToX, X, x } from "./own_kind.ts";
import { LIFE, live, Script, sent } from "./script.ts";

/** A neighbour tells many routes. */
function tellMany(me: Script, count: number): void {
  for (let i = 0; i < count; i += 50) {
    me.tell(1, (frame) => {
      for (let k = i; k < i + 50; k++) frame.route(`x${k}`, 2, 7, X);
    });
  }
}

/** A neighbour tells more than anybody should. */
function flood(me: Script): void {
  for (let i = 0; i < 300; i++) {
    me.tell(1, (frame) => {
      for (let k = 0; k < 100; k++) frame.route("x0", 2 + k % 2, 7, X);
    });
  }
}

/** A neighbour says that it has told so many routes. */
const digest = (me: Script, routes: number) =>
  me.tell(
    1,
    (frame) => frame.digest({ routes, routesHash: [1, 1], services: 0, servicesHash: [0, 0] }),
  );

test("what has been told is summed up every half minute", () => {
  const me = two();
  me.tell(1, (frame) => frame.route("x", 2, 7, X) && frame.service("x", "echo", 5, X, 1));
  const digests = live(me, 60_000, [1, 2]).filter((line) => line.includes("digest"));
  assert.deepEqual([...new Set(digests)].sort(), ["> 1: [digest 2 0]", "> 2: [digest 3 1]"]);
  assert(digests.length >= 3 && digests.length <= 5, `${digests.length} digests`);
});

/** The digest of what we have told c, after b has told this. */
function summary(write: (frame: LinkFrameWriter) => unknown): string {
  const me = two();
  me.tell(1, x(2));
  me.tell(1, write);
  me.wait(200);
  me.tell(2, (frame) => frame.resync(3));
  return me.frame(2, 1).slice(-27).join(); // It comes last.
}

test("a digest differs if anything differs that was told, and a removal is as good as nothing", () => {
  const service = (load: number, version: number) => (frame: LinkFrameWriter) =>
    frame.service("x", "echo", load, X, version);
  const summaries = [
    summary(() => {}),
    summary(x(1)),
    summary(x(2, 9)),
    summary((frame) => frame.route("x", 2, 7, X + 1)),
    summary((frame) => frame.route("y", 2, 7, X)),
    summary(service(5, 1)),
    summary(service(6, 1)),
    summary(service(5, 2)),
  ];
  assert.equal(new Set(summaries).size, summaries.length);
  assert.equal(summary(service(0, 3)), summaries[0]);
});

test("a digest that agrees again was only late: none is asked for after the next that differs", () => {
  const me = new Script();
  me.mesh.linkUp(1, 0);
  me.hello(1, "b");
  const digest = (routes: number) =>
    me.tell(
      1,
      (frame) => frame.digest({ routes, routesHash: [0, 0], services: 0, servicesHash: [0, 0] }),
    );
  digest(1);
  digest(0);
  digest(1);
  assert.deepEqual(me.wait(20).filter((line) => line.includes("resync")), []);
});

test("services that a neighbour leaves out when it tells all again are gone", () => {
  const me = two();
  me.tell(1, (frame) => frame.route("x", 2, 7, X) && frame.service("x", "echo", 5, X, 1));
  me.tell(1, (frame) => frame.service("b", "ping", 1, LIFE, 1));
  const digest = { routes: 9, routesHash: [1, 2], services: 9, servicesHash: [1, 2] } as const;
  for (let i = 0; i < 2; i++) me.tell(1, (frame) => frame.digest(digest));
  me.tell(1, (frame) => frame.route("b", 1, 1, LIFE) && frame.route("x", 2, 7, X));
  me.tell(1, (frame) => frame.service("b", "ping", 1, LIFE, 1));
  assert.deepEqual(me.tell(1, (frame) => frame.resync(0)), ["! service echo@x 0"]);
  assert.deepEqual(me.services(), ["ping@b 1"]);
});

test("a service that a neighbour leaves out as it has not heard of it yet is no removal", () => {
  const me = two();
  me.tell(1, (frame) => frame.route("x", 2, 7, X));
  me.tell(2, (frame) => frame.service("x", "echo", 5, X, 1)); // By the longer way, but faster.
  assert.deepEqual(me.services(), ["echo@x 5"]);
  for (let i = 0; i < 2; i++) digest(me, 9);
  me.tell(1, (frame) => frame.route("b", 1, 1, LIFE) && frame.route("x", 2, 7, X));
  assert.deepEqual(me.tell(1, (frame) => frame.resync(0)), ["! service echo@x 0"]);
  assert.deepEqual(me.wait(200).filter((line) => line.includes("echo@x 0")), []);
  me.down(2);
  me.join(2, "d"); // Whoever comes now is told of no removal, either.
  assert.deepEqual(me.wait(200).filter((line) => line.includes("echo")), []);
  assert.deepEqual(me.tell(1, (frame) => frame.service("x", "echo", 5, X, 1)), [
    "! service echo@x 5",
  ]);
});

test("a neighbour whose digest differs twice is asked to tell all again", () => {
  const me = two();
  me.tell(1, x(2));
  const other = {
    routes: 1,
    routesHash: [1, 2],
    services: 0,
    servicesHash: [0, 0],
  } as const;
  me.tell(1, (frame) => frame.digest(other));
  assert.deepEqual(me.wait(20).filter((line) => line.includes("resync")), []);
  me.tell(1, (frame) => frame.digest(other));
  assert.deepEqual(me.wait(20).filter((line) => line.includes("resync")), ["> 1: [resync 3]"]);
  // It tells all again: what it leaves out is gone at the end, and not before.
  me.tell(1, (frame) => frame.digest(other) && frame.route("b", 1, 1, LIFE));
  assert.deepEqual(me.routes(), ["b 1 b", "c 1 c", "x 2 b"]);
  me.tell(1, (frame) => frame.resync(0));
  assert.deepEqual(me.routes(), ["b 1 b", "c 1 c"]);
});

test("who asks is told all again, and then what that comes to; not more often than every 5 s", () => {
  const me = two();
  me.tell(1, x(2));
  me.wait(200);
  me.tell(2, (frame) => frame.resync(3));
  assert.deepEqual(me.wait(20), [
    "> 2: [route me 1 by 1000; route b 2 by 1000 #1; route x 3 by 500 #7; resync 0; digest 3 0]",
  ]);
  for (let i = 0; i < 10; i++) me.tell(2, (frame) => frame.resync(3));
  assert.deepEqual(me.wait(4_900), []);
  assert.equal(me.wait(200).filter((line) => line.includes("resync 0")).length, 1); // Not lost.
  assert.deepEqual(me.wait(4_000), []);
});

test("our own route is refreshed about every ten minutes, and others' words are passed on then", () => {
  const me = two();
  me.tell(1, x(2));
  me.wait(200);
  const lines = live(me, 720_000, [1, 2]).filter((line) => line.includes("route"));
  assert(lines.some((line) => line.startsWith("> 1") && line.includes("route me 1")));
  assert.deepEqual(lines.filter((line) => line.includes("route x")), []);
  me.tell(1, x(2, 8));
  const passedOn = me.wait(100).filter((line) => !line.includes("digest"));
  assert.deepEqual(passedOn, ["> 2: [route x 3 by 500 #8]"]);
});

test("our own route, and that of an old peer for which we speak, are refreshed again and again", () => {
  const me = new Script();
  me.join(1, "b");
  me.up(2, "old");
  me.wait(1_000);
  const lines = live(me, 1_500_000, [1]).filter((line) => line.startsWith("> 1"));
  for (const route of ["me 1 by 1000", "old 2 by us"]) {
    const times = lines.filter((line) => line.includes(`route ${route}`)).length;
    assert(times >= 2 && times <= 4, `${route}: ${times}`);
  }
});

test("an offer that is confirmed in time is kept", () => {
  const me = two();
  me.tell(1, x(2));
  live(me, 1_500_000, [1, 2]);
  me.tell(1, x(2, 8));
  live(me, 1_500_000, [1, 2]);
  assert.equal(wayToX(me), "x 2 b");
});

test("an offer that is not confirmed for 35 minutes is forgotten", () => {
  const me = two();
  me.tell(1, x(2));
  live(me, 2_040_000, [1, 2]);
  assert.equal(wayToX(me), "x 2 b");
  live(me, 180_000, [1, 2]);
  assert.equal(wayToX(me), "none");
});

test("nothing is left of links that are gone: no route, no timer", () => {
  const me = two();
  me.tell(1, (frame) => frame.route("x", 2, 7, X) && frame.service("x", "echo", 5, X, 1));
  me.up(3, "old");
  me.route(3, "y", 3, "old");
  me.wait(5_000);
  for (const link of [1, 2, 3]) me.down(link);
  assert.deepEqual([me.routes(), me.services()], [[], []]);
  me.wait(1_000_000);
  assert.equal(me.mesh.deadline(), Infinity);
  assert.equal(me.mesh.inspect("x"), null);
});

test("more than 4,096 routes are told again before the end is", () => {
  const me = new Script();
  me.join(1, "b");
  tellMany(me, 6_000);
  me.wait(5_000);
  me.join(2, "c");
  me.wait(10_000);
  me.tell(2, (frame) => frame.resync(3));
  const lines = sent(me.wait(5_000)).filter((line) => line.startsWith("> 2"));
  const end = lines.findIndex((line) => line.includes("resync 0"));
  const routes = (part: string[]) => part.join().split("route ").length - 1;
  assert.deepEqual([routes(lines.slice(0, end + 1)), routes(lines.slice(end + 1))], [6_002, 0]);
});

test("what was not heard for a flood is not taken for gone: it is asked for once more", () => {
  const me = new Script({ maxRoutes: 7_000, maxServices: 100 });
  me.join(1, "b");
  tellMany(me, 6_000);
  live(me, 20_000, [1]);
  flood(me);
  assert(live(me, 5_000, [1]).includes("> 1: [resync 3]"));
  flood(me);
  me.wait(100); // Some of the answer is heard, and where it ends; the rest is not.
  tellMany(me, 6_000);
  me.wait(100);
  me.tell(1, (frame) => frame.resync(0));
  assert.equal(me.routes().length, 6_001);
  assert(live(me, 10_000, [1]).includes("> 1: [resync 3]"));
});

test("a digest takes nothing away, not even while everything is being told again", () => {
  const me = new Script({ maxRoutes: 1_500, maxServices: 100 });
  me.join(1, "b");
  tellMany(me, 1_000);
  flood(me);
  me.wait(1_100); // We have asked.
  digest(me, 1_001);
  assert.equal(me.routes().length, 1_001);
});

test("a flood of digests costs no more than a few of them", () => {
  const me = new Script();
  me.join(1, "b");
  me.tell(1, x(2));
  let asked = 0;
  for (let i = 0; i < 1_000; i++) {
    digest(me, 9);
    asked += me.wait(10).filter((line) => line.includes("resync")).length;
  }
  assert(asked <= 8, `asked ${asked} times in 10 s`);
});

test("an old host that many of us speak for has its services everywhere, and nobody asks again", () => {
  for (const borders of [4, 8]) {
    const random = seededRandom(4);
    const network = new SimulatedNetwork({ random, delay: () => 1 + random() });
    network.start("old", { create: legacyRouter("go") });
    for (let i = 0; i < borders; i++) {
      network.connect("old", `b${i}`);
      network.connect(`b${i}`, "hub");
    }
    network.connect("hub", "far");
    network.offer("old", "s", 3);
    network.run(20_000);
    network.forget();
    network.run(100_000);
    let resyncs = 0;
    const nothing = () => {};
    for (const { packet } of network.sent.filter(({ packet }) => packet.net === 4)) {
      decodeLinkFrame(packet.data, {
        ...{ route: nothing, service: nothing, seqRequest: nothing, ping: nothing, pong: nothing },
        ...{ digest: nothing, bye: nothing, resync: () => void resyncs++ },
      });
    }
    const seen = ["hub", "far"].map((id) => network.node(id).mesh.services().length);
    assert.deepEqual([resyncs, ...seen], [0, 1, 1], `${borders} borders`);
  }
});

test("words by which nobody leads to a host do not push out those that are true", () => {
  const me = two();
  me.tell(1, (frame) => frame.route("x", 2, 7, X) && frame.service("x", "echo", 5, X, 1));
  live(me, 70_000, [1, 2]);
  for (let i = 0; i < 9; i++) {
    me.tell(2, (frame) => frame.service("x", "z", 1, 0x8000_0100 + i, 1));
  }
  me.tell(1, (frame) => frame.route("x", 0, 0, 0));
  me.wait(1_000);
  me.tell(1, x(2, 8));
  assert.deepEqual(me.services(), ["echo@x 5"]);
});
