import assert from "node:assert/strict";
import { test } from "node:test";
import { Mesh } from "../../src/mesh/mesh.ts";
import { seededRandom } from "../../src/testing/mod.ts";
import { Packet } from "../../src/wire/mod.ts";
import { Script } from "./script.ts";

/** me – b – x, and me – c. */
function threeWays(): Script {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  me.route(1, "x", 2, "b");
  return me;
}

test("Mesh.send() sets src and the next hop", () => {
  const me = threeWays();
  assert.deepEqual(me.send({ dst: "x", srv: "s" }), ["> 1: srv=s src=me dst=x nxt=b"]);
  assert.deepEqual(me.send({ dst: "x", src: "behind-me" }), ["> 1: src=behind-me dst=x nxt=b"]);
});

test("Mesh.send() leaves nxt out while the neighbour has not said its name", () => {
  const me = new Script();
  me.up(1);
  me.route(1, "x", 2);
  assert.deepEqual(me.send({ dst: "x" }), ["> 1: src=me dst=x"]);
});

test("Mesh.send() delivers to ourselves", () => {
  const me = new Script();
  assert.deepEqual(me.send({ dst: "me", srv: "s" }), ["deliver srv=s src=me dst=me"]);
});

test("Mesh.send() without dst sends one copy to every instance, the local one first", () => {
  const me = threeWays();
  me.service(1, "s", "x", 1);
  me.service(2, "s", "c", 2);
  me.offer("s", 9);
  assert.deepEqual(me.send({ srv: "s", ctx: 7 }), [
    "deliver srv=s src=me dst=me ctx=7",
    "> 1: srv=s src=me dst=x nxt=b ctx=7",
    "> 2: srv=s src=me dst=c nxt=c ctx=7",
  ]);
});

test("Mesh.send() refuses what cannot be sent", () => {
  const me = threeWays();
  assert.deepEqual(me.send({ dst: "nobody" }), ["drop ERR_NO_ROUTE"]);
  assert.deepEqual(me.send({ srv: "nothing" }), ["drop ERR_NO_SERVICE"]);
  assert.deepEqual(me.send({ data: "to whom?" }), ["drop ERR_PACKET_FIELD"]);
  assert.deepEqual(me.send({ net: 3, dst: "x" }), ["drop ERR_PACKET_FIELD"]);
});

test("Mesh forwards a packet with its fields unchanged but for nxt", () => {
  const me = threeWays();
  const init = {
    dst: "x",
    src: "c",
    srv: "s",
    seq: 1,
    ack: 2,
    ctx: 40_000,
    typ: 3,
    nxt: "me",
    data: "d",
  };
  const [effect] = me.mesh.receive(2, new Packet(init), 0);
  assert(effect?.kind === "transmit" && effect.link === 1);
  assert.equal(effect.packet.toJson(), new Packet({ ...init, nxt: "b" }).toJson());
});

test("Mesh carries a packet whatever its nxt says, as Go peers set it to the destination", () => {
  const me = threeWays();
  assert.deepEqual(me.hear(2, { dst: "x", src: "c", nxt: "x" }), ["> 1: src=c dst=x nxt=b"]);
  assert.deepEqual(me.hear(2, { dst: "x", src: "c" }), ["> 1: src=c dst=x nxt=b"]);
});

test("Mesh delivers a packet for us whatever its nxt says", () => {
  const me = threeWays();
  for (const nxt of ["", "me", "nobody"]) {
    const expected = `deliver srv=s src=c dst=me ${nxt && `nxt=${nxt} `}ctx=1`;
    assert.deepEqual(me.hear(2, { dst: "me", src: "c", srv: "s", ctx: 1, nxt }), [expected]);
  }
});

test("Mesh resolves a packet without dst from a link to every instance, and keeps its src", () => {
  const me = threeWays();
  me.service(1, "log", "x", 1);
  me.offer("log", 1);
  assert.deepEqual(me.hear(2, { srv: "log", src: "sketch" }), [
    "deliver srv=log src=sketch dst=me",
    "> 1: srv=log src=sketch dst=x nxt=b",
  ]);
});

test("Mesh sends no packet back over the link that it came from", () => {
  const me = threeWays();
  assert.deepEqual(me.hear(1, { dst: "x", src: "b" }), ["drop ERR_NO_ROUTE"]);
});

test("Mesh does not carry its own packet a second time", () => {
  const me = threeWays();
  assert.deepEqual(me.hear(2, { dst: "x", src: "me" }), ["drop ERR_NO_ROUTE"]);
});

test("Mesh drops a packet that no route or service is there for", () => {
  const me = threeWays();
  assert.deepEqual(me.hear(2, { dst: "nobody", src: "c" }), ["drop ERR_NO_ROUTE"]);
  assert.deepEqual(me.hear(2, { srv: "nothing", src: "c" }), ["drop ERR_NO_SERVICE"]);
  assert.deepEqual(me.hear(2, {}), ["drop ERR_NO_SERVICE"]);
});

test("Mesh.select() prefers ourselves, then the lowest capacity", () => {
  const me = threeWays();
  assert.equal(me.mesh.select("s"), null);
  me.service(1, "s", "x", 5);
  assert.equal(me.mesh.select("s"), "x");
  me.service(2, "s", "c", 3);
  assert.equal(me.mesh.select("s"), "c");
  assert.deepEqual(me.mesh.instances("s"), ["c", "x"]);
  me.offer("s", 60_000);
  assert.equal(me.mesh.select("s"), "me");
  assert.deepEqual(me.mesh.instances("s"), ["me", "c", "x"]);
});

test("Mesh.select() spreads calls evenly over equals", () => {
  const me = new Script();
  const counts: Record<string, number> = {};
  for (const [link, name] of [[1, "a"], [2, "b"], [3, "c"]] as const) {
    me.up(link, name);
    me.service(link, "s", name, 1);
    counts[name] = 0;
  }
  for (let i = 0; i < 3_000; i++) counts[me.mesh.select("s")!]!++;
  for (const count of Object.values(counts)) assert(count > 900 && count < 1_100, `${count}`);
});

test("Mesh.reaches() is true of ourselves and of routes that can be used", () => {
  const me = threeWays();
  assert.deepEqual(["me", "b", "x", "y"].map((to) => me.mesh.reaches(to)), [
    true,
    true,
    true,
    false,
  ]);
  me.down(1);
  assert.equal(me.mesh.reaches("x"), false);
});

test("Mesh survives 40,000 random net-state packets from three neighbours", () => {
  const random = seededRandom(7);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const mesh = new Mesh("me", random, { maxRoutes: 50, maxServices: 50 });
  const names = Array.from({ length: 80 }, (_, i) => `n${i}`).concat("me");
  const links = [1, 2, 3];
  let next = 4;
  let now = 0;
  for (const link of links) mesh.linkUp(link, now);
  for (let i = 0; i < 40_000; i++) {
    now += 10 * random();
    const at = Math.floor(3 * random());
    const name = pick(names);
    const size = name.length;
    const text = [...name].map((char) => char.charCodeAt(0));
    const data = random() < 0.5
      ? Uint8Array.of(size, ...text, 0, pick([0, 1, 2, 3, 64, 65, 255]))
      : Uint8Array.of(size, ...text, 1, 115, 0, pick([0, 1, 2]));
    if (random() < 0.001) {
      mesh.linkDown(links[at]!, now);
      links[at] = next++;
      mesh.linkUp(links[at]!, now);
    }
    mesh.receive(links[at]!, new Packet({ net: pick([1, 2, 3]), src: pick(names), data }), now);
    mesh.tick(now);
  }
  assert(mesh.routes().length <= 50);
  for (const link of links) mesh.linkDown(link, now);
  assert.deepEqual([mesh.routes(), mesh.services()], [[], []]);
});
