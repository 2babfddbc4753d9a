/** Lives of one address: restarts, clocks that are wrong, and two routers of one name. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom, SimulatedNetwork } from "../../src/testing/mod.ts";
import type { LinkFrameWriter } from "../../src/wire/mod.ts";
import { two } from "./own_kind.ts";
import { LIFE, Script, sent } from "./script.ts";

test("what an earlier life of a router said is void as soon as the next one is heard of", () => {
  const me = two();
  me.tell(1, (frame) => frame.route("x", 2, 7, 500) && frame.service("x", "old", 1, 500, 9));
  assert.deepEqual(me.services(), ["old@x 1"]);
  me.tell(2, (frame) => frame.route("x", 5, 1, 501) && frame.service("x", "new", 1, 501, 1));
  assert.deepEqual(me.routes().at(-1), "x 5 c");
  assert.deepEqual(me.services(), ["new@x 1"]);
  me.tell(1, (frame) => frame.service("x", "old", 1, 500, 10));
  assert.deepEqual(me.services(), ["new@x 1"]);
});

test("a router that comes back with a clock that is behind is told to begin a later life", () => {
  const me = two();
  me.tell(1, (frame) => frame.route("x", 2, 7, 500));
  me.tell(1, (frame) => frame.route("x", 0, 0, 0));
  me.tell(1, (frame) => frame.route("x", 2, 1, 400));
  assert.deepEqual(me.routes(), ["b 1 b", "c 1 c"]);
  assert.deepEqual(sent(me.wait(60)).at(-1), "> 1: [request x by 500 #0 255 hops]");
});

test("asked for a later life of ours, we begin one", () => {
  const me = two();
  me.offer("ping", 1);
  me.wait(200);
  me.tell(1, (frame) => frame.seqRequest("me", LIFE + 70, 1, 9));
  const lines = sent(me.wait(100)).filter((line) => !line.includes("digest"));
  assert.deepEqual(lines.sort(), [
    "> 1: [route me 1 by 1071; service ping@me 1 v1]",
    "> 2: [route me 1 by 1071; service ping@me 1 v1]",
  ]);
});

test("asked for any word of a later life, we begin one, too", () => {
  const me = two();
  me.tell(1, (frame) => frame.seqRequest("me", LIFE + 70, 0, 9));
  me.wait(60);
  assert.equal(me.mesh.told(1).get("me")!.origin, LIFE + 71);
});

test("a request that we have never given cause for begins a later life, too", () => {
  const me = two();
  const { seq } = me.mesh.told(1).get("me")!;
  me.tell(1, (frame) => frame.seqRequest("me", LIFE, (seq + 100) % 65_535 + 1, 9));
  assert.equal(sent(me.wait(60)).length, 2);
  assert.equal(me.mesh.told(1).get("me")!.origin, LIFE + 1);
});

test("asked for any word of the life that we are in, we give it and begin no other", () => {
  const me = two();
  const before = me.mesh.told(1).get("me")!;
  me.tell(1, (frame) => frame.seqRequest("me", LIFE, 0, 9));
  assert.deepEqual(sent(me.wait(60)), ["> 1: [route me 1 by 1000]"]);
  assert.deepEqual(me.mesh.told(1).get("me"), before);
});

test("our own route coming back by a detour is no second router", () => {
  const me = two();
  const { seq } = me.mesh.told(1).get("me")!;
  assert.deepEqual(me.tell(2, (frame) => frame.route("me", 3, seq, LIFE)), []);
  assert.deepEqual(me.tell(2, (frame) => frame.route("me", 3, 1, LIFE - 100)), []);
  assert.deepEqual(sent(me.wait(100)), []);
});

test("somebody of our name is contradicted twice, told to the application, then left alone; we keep the name", () => {
  const me = two();
  const claim = (origin: number) => me.tell(2, (frame) => frame.route("me", 3, 1, origin));
  assert.deepEqual(claim(2_000), []);
  assert.deepEqual(sent(me.wait(20)).sort(), [
    "> 1: [route me 1 by 2001]",
    "> 2: [route me 1 by 2001]",
  ]);
  assert.deepEqual(claim(2_002), ["! conflict me"]);
  me.wait(100);
  assert.deepEqual(claim(2_004), ["! conflict me"]);
  for (const origin of [2_006, 2_008]) assert.deepEqual(claim(origin), []);
  assert.deepEqual(sent(me.wait(1_000)), []);
  assert.equal(me.mesh.told(1).get("me")!.origin, 2_003);
});

test("who left its name to two has the last word when it is asked for one, 10 s after the last claim", () => {
  const me = two();
  for (const origin of [2_000, 2_002, 2_004]) {
    me.tell(2, (frame) => frame.route("me", 3, 1, origin));
    me.wait(50);
  }
  const ask = (): number => {
    me.tell(1, (frame) => frame.seqRequest("me", 2_004, 0, 9)); // b knows of no way there any more.
    me.wait(60);
    return me.mesh.told(1).get("me")!.origin;
  };
  assert.equal(ask(), 2_003);
  me.wait(9_000);
  assert.equal(ask(), 2_003);
  me.tell(2, (frame) => frame.route("me", 3, 9, 2_004)); // It is still there.
  me.wait(9_000);
  assert.equal(ask(), 2_003);
  me.wait(1_000);
  assert.equal(ask(), 2_005);
});

test("rounds long ago do not count: a router may come back more than three times in its life", () => {
  const me = two();
  for (let i = 0; i < 5; i++) {
    assert.deepEqual(me.tell(2, (frame) => frame.route("me", 3, 1, 2_000 + 10 * i)), []);
    for (let k = 0; k < 13; k++) {
      me.wait(5_000);
      for (const link of [1, 2]) me.tell(link, (frame) => frame.pong(0));
    }
  }
});

test("a neighbour hears of a later life of its own name that is not its own, and keeps the name here", () => {
  const me = two();
  me.tell(2, (frame) => frame.route("b", 4, 3, LIFE + 50)); // Somebody else, far away.
  assert.deepEqual(me.routes(), ["b 1 b", "c 1 c"]);
  assert.deepEqual(
    sent(me.wait(60)).filter((line) => line.startsWith("> 1")),
    ["> 1: [request b by 1050 #3 255 hops; ping]"],
  );
});

test("a neighbour is told of a newer word of its own name that it has not given", () => {
  const me = new Script();
  me.join(2, "c");
  me.tell(2, (frame) => frame.route("b", 4, 30, LIFE));
  me.wait(200);
  assert(me.join(1, "b").some((line) => line.includes("route b 5 by 1000 #30")));
});

test("a neighbour is not told of the services of another router of its name", () => {
  const me = new Script();
  me.join(2, "c");
  const service = (name: string) => (frame: LinkFrameWriter) =>
    frame.service("b", name, 1, LIFE + 50, 1);
  me.tell(2, (frame) => frame.route("b", 4, 3, LIFE + 50) && service("s")(frame));
  me.wait(200);
  const lines = me.join(1, "b"); // Of an earlier life.
  lines.push(...me.wait(200));
  me.tell(2, service("t"));
  lines.push(...me.wait(200));
  assert.deepEqual(lines.filter((line) => line.includes("service")), []);
  assert.equal(me.mesh.told(1).get("b")?.origin, LIFE + 50);
  me.tell(1, (frame) => frame.resync(3));
  assert.match(sent(me.wait(20)).join(), /; digest 3 0\]$/);
});

test("of two ways with numbers far apart, the one behind is asked for the other's, every 5 s", () => {
  const me = two();
  me.tell(1, (frame) => frame.route("x", 2, 7, 500));
  const lines: string[] = [];
  for (let i = 0; i < 40; i++) {
    me.tell(2, (frame) => frame.route("x", 3, 107, 500));
    lines.push(...sent(me.wait(100)).filter((line) => line.includes("#107 ")));
  }
  assert.deepEqual(lines.filter((line) => line.includes("request")), [
    "> 1: [request x by 500 #107 255 hops]",
  ]);
});

test("a neighbour whose own number is far behind is asked again when its digest comes", () => {
  const me = new Script();
  me.join(2, "c");
  me.tell(2, (frame) => frame.route("b", 4, 101, LIFE));
  me.wait(200);
  me.join(1, "b");
  me.wait(6_000);
  const hash = [0, 0] as const;
  me.tell(
    1,
    (frame) => frame.digest({ routes: 1, routesHash: hash, services: 0, servicesHash: hash }),
  );
  assert.deepEqual(sent(me.wait(20)), ["> 1: [request b by 1000 #101 255 hops]"]);
});

test("there is no life after the last one that fits", () => {
  const me = two();
  me.tell(2, (frame) => frame.seqRequest("me", 0x7fff_ffff, 1, 9));
  me.wait(60);
  assert.equal(me.mesh.told(1).get("me")!.origin, 0x7fff_ffff);
});

test("an address that begins one life after another is told to the application", () => {
  const me = two();
  const lines: string[] = [];
  for (let life = 1; life <= 6; life++) {
    lines.push(...me.tell(1, (frame) => frame.route("x", 2, 1, 500 + life)));
    me.wait(1_000);
  }
  assert.deepEqual(lines.filter((line) => line.includes("conflict")), ["! conflict x"]);
});

for (const copies of [2, 5]) {
  test(`of ${copies} routers of one name, one keeps it, all are told, and the mesh comes to rest`, () => {
    const random = seededRandom(copies);
    const network = new SimulatedNetwork({ random, delay: () => 1 + 10 * random() });
    for (let i = 0; i < 8; i++) network.connect(`n${i}`, `n${(i + 1) % 8}`);
    network.settle();
    for (let i = 0; i < copies; i++) {
      network.start(`twin${i}`, { address: "twin" });
      network.connect(`twin${i}`, `n${Math.floor(8 * i / copies)}`);
    }
    network.run(30_000);
    const conflicts = [...network.nodes.values()].filter(({ effects }) =>
      effects.some(({ kind }) => kind === "conflict")
    ).map(({ id }) => id);
    assert(conflicts.filter((id) => id.startsWith("twin")).length >= copies - 1, `${conflicts}`);
    network.forget();
    network.run(20_000);
    const ways = new Set(
      network.sent.filter(({ packet }) => packet.net === 4).map(({ packet }) => packet.data[0]),
    );
    assert.deepEqual([...ways].filter((op) => op === 1 || op === 3), []); // No route, no request.
    for (let i = 0; i < 8; i++) {
      assert(network.node(`n${i}`).mesh.reaches("twin"), `n${i} does not reach it`);
    }
  });
}
