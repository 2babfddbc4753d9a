/**
 * The talk with old peers, beside the rules of the border: joining, telling, bounds.
 *
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeHello, Packet } from "../../src/wire/mod.ts";
import { learn, two } from "./old_peers.ts";
import { LIFE, log, Script, sent } from "./script.ts";

// ── joining ─────────────────────────────────────────────────────────────────

test("Mesh queries a new neighbour at once, and sends nothing else unasked", () => {
  const me = new Script();
  me.offer("ping", 1);
  assert.deepEqual(log(me.mesh.linkUp(1, 0)), ["> 1: query"]);
  assert.deepEqual(me.wait(999), []);
});

test("Mesh answers a query with itself, then its routes, then its services", () => {
  const me = new Script();
  me.offer("ping", 3);
  me.up(1, "b");
  me.service(1, "echo", "b", 5);
  assert.deepEqual(me.up(2), [
    "> 2: query",
    "> 2: route me 1",
    "> 2: route b 2",
    "> 2: service ping@me 3",
    "> 2: service echo@b 5",
  ]);
});

test("Mesh answers a repeated query in full again, but not faster than every 100 ms", () => {
  const me = new Script();
  me.offer("ping", 1);
  me.up(1, "b");
  const answer = ["> 1: route me 1", "> 1: service ping@me 1"];
  assert.deepEqual(me.query(1), []);
  assert.deepEqual(me.query(1), []);
  assert.deepEqual(me.wait(100), answer);
  assert.deepEqual(me.wait(400), []);
  assert.deepEqual(me.query(1), answer);
});

test("Mesh answers who asks again and again twenty times, and then every 5 s", () => {
  const me = new Script();
  me.up(1, "b");
  const answers = (duration: number) => {
    const lines: string[] = [];
    for (let i = 0; i < duration; i += 10) lines.push(...me.query(1), ...me.wait(10));
    return lines.filter((line) => line === "> 1: route me 1").length;
  };
  const [first, later] = [answers(5_000), answers(60_000)];
  assert(first >= 18 && first <= 20, `${first} answers in 5 s`);
  assert(later >= 11 && later <= 13, `${later} answers in a minute`);
  me.wait(100_000);
  const soon = answers(1_000);
  assert(soon >= 9 && soon <= 11, `${soon} answers when it was calm`);
});

test("Mesh originates packets as every old peer expects them", () => {
  const me = new Script();
  me.offer("ping", 1);
  const effects = me.mesh.linkUp(1, 0).concat(me.mesh.receive(1, new Packet({ net: 3 }), 0));
  const packets = effects.map((effect) => {
    assert(effect.kind === "transmit");
    return effect.packet;
  });
  const fields = packets.map(({ net, srv, src, dst, nxt, seq, ack, ctx, typ, trailer }) => {
    return [net, srv, src, dst, nxt, seq, ack, ctx, typ, trailer];
  });
  assert.deepEqual(fields, [
    [3, "", "", "", "", 0, 0, 0, 0, null],
    [1, "", "me", "", "", 0, 0, 0, 0, null], // A route always has its advertiser as src.
    [2, "", "", "", "", 0, 0, 0, 0, null],
  ]);
  const [query, route, service] = packets;
  assert.equal(decodeHello(query!.data)!.address, "me"); // Old peers do not look at it.
  assert(query!.toBinary().length <= 250, "a microcontroller cannot take it");
  assert.deepEqual([route!.data.length, service!.data.length], [5, 10]); // No byte too many.
});

test("Mesh repeats an unanswered query, with its own route, less and less often, then stops", () => {
  const me = new Script();
  me.offer("ping", 1);
  me.link(1);
  const times: number[] = [];
  for (; me.now < 80_000; me.now++) { // Until the first audit.
    const lines = me.wait(0);
    if (lines.length === 0) continue;
    assert.deepEqual(lines, ["> 1: route me 1", "> 1: query"]); // Services may circulate for ever.
    times.push(me.now);
  }
  assert.deepEqual(times, [1_000, 3_000, 7_000, 15_000, 31_000]);
});

test("Mesh does not repeat a query that was answered", () => {
  for (const answer of ["route", "service"] as const) {
    const me = new Script();
    me.link(1);
    if (answer === "route") me.route(1, "b", 1, "b");
    else me.service(1, "s", "b", 1);
    assert.deepEqual(me.wait(80_000), []);
  }
});

// ── telling ─────────────────────────────────────────────────────────────────

test("Mesh tells no neighbour about itself, nor of routes that lead through it", () => {
  const me = two();
  learn(me, 1, "x", 2, "b");
  me.route(2, "b", 2, "c"); // c knows a way to b, too.
  me.wait(200);
  assert.deepEqual(me.query(1), ["> 1: route me 1", "> 1: route c 2"]);
  assert.deepEqual(me.query(2), ["> 2: route me 1", "> 2: route b 2", "> 2: route x 3"]);
});

test("Mesh tells no neighbour about itself, nor what it has said, though over another link", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "b");
  assert.deepEqual(learn(me, 1, "x", 2, "b"), ["! route x 2 b"]);
  assert.deepEqual(me.query(1), ["> 1: route me 1"]);
  assert.deepEqual(me.query(2), ["> 2: route me 1"]);
});

test("Mesh does not tell again what a neighbour holds from it already", () => {
  const me = two();
  learn(me, 1, "x", 2, "b");
  me.service(1, "echo", "x", 5);
  assert.deepEqual(me.route(1, "x", 2, "b"), []);
  assert.deepEqual(me.service(1, "echo", "x", 5), []);
  assert.deepEqual(me.wait(10_000), []);
});

test("Mesh relays no withdrawal and no removal that changes nothing", () => {
  const me = two();
  assert.deepEqual(me.route(1, "nobody", 0, "b"), []);
  assert.deepEqual(me.service(1, "echo", "b", 0), []);
  assert.deepEqual(me.service(1, "echo", "nobody", 0), []);
  assert.deepEqual(me.wait(10_000), []);
});

test("Mesh sends no withdrawal to a neighbour only because it now leads there", () => {
  const me = two();
  learn(me, 1, "x", 4, "b"); // Told to c.
  me.down(1);
  me.wait(3_000);
  me.up(1, "b");
  assert.deepEqual(sent(learn(me, 2, "x", 2, "c")), ["> 1: route x 3"]);
  assert.deepEqual(me.wait(10_000), []);
});

test("Mesh keys offers by the link, whatever address an advert claims", () => {
  const me = two();
  learn(me, 1, "x", 2, "b");
  me.route(2, "x", 0, "b"); // A withdrawal that c relays, with the src of whoever began it.
  assert.deepEqual(me.routes(), ["b 1 b", "c 1 c", "x 2 b"]);
  assert.deepEqual(me.send({ dst: "b" }), ["> 1: src=me dst=b nxt=b"]);
});

test("Mesh tells old peers of no distance beyond 64 hops, and of no name that some cannot read", () => {
  const me = new Script();
  me.up(1, "b");
  me.join(2, "m");
  const name = "n".repeat(127);
  me.tell(2, (frame) => {
    frame.route("v", 63, 1, LIFE);
    frame.route("w", 64, 1, LIFE);
    frame.route("x", 60_000, 1, LIFE);
    frame.route(name, 2, 1, LIFE);
    frame.route(`${name}n`, 2, 1, LIFE);
    frame.route("é".repeat(64), 2, 1, LIFE);
  });
  assert.equal(me.mesh.routes().length, 8);
  me.wait(200);
  const told = [...me.mesh.told(1)].map(([address, { cost }]) => `${address} ${cost}`);
  assert.deepEqual(told.sort(), ["m 2", "me 1", `${name} 3`, "v 64"]);
  assert.deepEqual(me.query(1).length, 4);
});

test("Mesh ignores routes to itself", () => {
  const me = new Script();
  me.up(1, "b");
  assert.deepEqual(me.route(1, "me", 3, "b"), []);
  assert.deepEqual(me.wait(10_000), []);
  assert.deepEqual(me.routes(), ["b 1 b"]);
});

test("Mesh keeps a neighbour that withdraws itself while its link is up, and asks it", () => {
  const me = new Script();
  me.up(1, "b");
  me.wait(1_000);
  assert.deepEqual(me.route(1, "b", 0, "b"), []);
  assert.deepEqual(me.route(1, "b", 0, "b"), []);
  assert.deepEqual(me.routes(), ["b 1 b"]);
  assert.deepEqual(me.wait(100), ["> 1: query"]);
});

// ── bounds and nonsense ─────────────────────────────────────────────────────

test("MeshOptions.maxRoutes bounds the destinations; those known stay", () => {
  const me = new Script({ maxRoutes: 2 });
  me.up(1, "b");
  me.route(1, "x", 2, "b");
  assert.deepEqual(me.route(1, "y", 2, "b"), ["drop ERR_CHANNEL_PROTOCOL"]);
  assert.deepEqual(me.routes(), ["b 1 b", "x 2 b"]);
  me.route(1, "x", 0, "b");
  assert.deepEqual(me.route(1, "y", 2, "b"), ["! route y 2 b"]);
});

test("MeshOptions.maxServices bounds each old peer's services; those known stay", () => {
  const me = new Script({ maxServices: 2 });
  me.up(1, "b");
  me.service(1, "s1", "b", 1);
  me.service(1, "s2", "b", 1);
  assert.deepEqual(me.service(1, "s3", "b", 1), ["drop ERR_CHANNEL_PROTOCOL"]);
  assert.deepEqual(me.service(1, "s1", "b", 4), ["! service s1@b 4"]);
  me.service(1, "s2", "b", 0);
  me.wait(1_000);
  assert.deepEqual(me.service(1, "s3", "b", 1), ["! service s3@b 1"]);
});

test("Mesh minds no flood of repetitions, as cycles of old peers send them for ever", () => {
  const me = two();
  me.service(1, "s", "b", 1);
  const lines: string[] = [];
  for (let i = 0; i < 50_000; i++) {
    lines.push(...me.service(1, "s", "b", 1), ...me.service(1, "gone", "b", 0));
    lines.push(...me.route(1, "nobody", 0, "b"), ...me.route(1, "b", 1, "b"));
    if (i % 50 === 0) lines.push(...me.wait(1));
  }
  assert.deepEqual(lines, []);
});

test("Mesh drops net-state packets that make no sense, and nothing else happens", () => {
  const me = two();
  const nonsense = [
    { net: 1 }, // no data
    { net: 1, data: Uint8Array.of(1, 98, 0) }, // half a cost
    { net: 1, data: Uint8Array.of(1, 98, 0, 1, 0) }, // a byte too many
    { net: 1, data: Uint8Array.of(0, 0, 1) }, // no address
    { net: 2 },
    { net: 2, data: Uint8Array.of(1) },
    { net: 2, data: Uint8Array.of(1, 98, 1, 101) }, // no capacity
    { net: 2, data: Uint8Array.of(1, 98, 0, 0, 1) }, // no service
    { net: 3, data: "ALNX\u0001" }, // a hello that says nothing
    { net: 9, data: "?" }, // unknown
  ];
  for (const packet of nonsense) {
    assert.match(me.hear(1, packet).join("; "), /^drop ERR_PACKET_(TRUNCATED|FIELD)$/);
  }
  assert.deepEqual(me.hear(1, { net: 4, dst: "c" }), []); // Might be of our kind: hello comes yet.
  assert.deepEqual(me.wait(10_000), []);
  assert.deepEqual(me.routes(), ["b 1 b", "c 1 c"]);
  assert.deepEqual(me.services(), []);
});

test("Mesh reports a peer's error packet, and neither answers nor dispatches it", () => {
  const me = new Script();
  me.up(1, "b");
  const packet = { net: 255, src: "b", dst: "me", srv: "ping", ctx: 1, data: "out of cheese" };
  assert.deepEqual(me.hear(1, packet), ["drop ERR_CHANNEL_PEER"]);
});

test("Mesh ignores what still arrives over a link that is down", () => {
  const me = new Script();
  me.up(1, "b");
  me.down(1);
  assert.deepEqual(me.route(1, "x", 1, "b"), []);
  assert.deepEqual(me.down(1), []);
  assert.deepEqual(me.wait(1_000_000), []);
});
