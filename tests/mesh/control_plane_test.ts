import assert from "node:assert/strict";
import { test } from "node:test";
import { Packet } from "../../src/wire/mod.ts";
import { Script, sent } from "./script.ts";

// ── joining ─────────────────────────────────────────────────────────────────

test("Mesh queries a new neighbour at once, and sends nothing else unasked", () => {
  const me = new Script();
  me.offer("ping", 1);
  assert.deepEqual(me.mesh.linkUp(1, 0).map((effect) => effect.kind), ["transmit"]);
  assert.deepEqual(me.wait(0), []);
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

test("Mesh originates packets as every old peer expects them", () => {
  const me = new Script();
  me.offer("ping", 1);
  const effects = me.mesh.linkUp(1, 0).concat(me.mesh.receive(1, new Packet({ net: 3 }), 0));
  const fields = effects.map((effect) => {
    assert(effect.kind === "transmit");
    const { net, srv, src, dst, nxt, seq, ack, ctx, typ } = effect.packet;
    return [net, srv, src, dst, nxt, seq, ack, ctx, typ, effect.packet.data.length];
  });
  assert.deepEqual(fields, [
    [3, "", "", "", "", 0, 0, 0, 0, 0], // A query says nothing.
    [1, "", "me", "", "", 0, 0, 0, 0, 5], // A route always has its advertiser as src, and data.
    [2, "", "", "", "", 0, 0, 0, 0, 10], // A service advert has no byte too many.
  ]);
});

test("Mesh repeats an unanswered query, with its own route, less and less often, then stops", () => {
  const me = new Script();
  me.offer("ping", 1);
  me.mesh.linkUp(1, 0);
  const again = ["> 1: route me 1", "> 1: query"];
  const times: number[] = [];
  while (me.mesh.deadline() < Infinity) {
    me.now = me.mesh.deadline();
    times.push(me.now);
    assert.deepEqual(me.wait(0), again); // Never the services: they may circulate for ever.
  }
  assert.deepEqual(times, [1_000, 3_000, 7_000, 15_000, 31_000]);
});

test("Mesh does not repeat a query that was answered", () => {
  const me = new Script();
  me.mesh.linkUp(1, 0);
  me.route(1, "b", 1, "b");
  assert.deepEqual(me.wait(60_000), []);
});

// ── telling ─────────────────────────────────────────────────────────────────

test("Mesh tells its other neighbours of a new route at once, one hop further", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  assert.deepEqual(me.route(1, "x", 2, "b"), ["! route x 2 b", "> 2: route x 3"]);
});

test("Mesh tells no neighbour about itself, nor of routes that lead through it", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  me.route(1, "x", 2, "b");
  me.route(2, "b", 2, "c"); // c knows a way to b, too.
  me.now = 200;
  assert.deepEqual(me.query(1), ["> 1: route me 1", "> 1: route c 2"]);
  assert.deepEqual(me.query(2), ["> 2: route me 1", "> 2: route b 2", "> 2: route x 3"]);
});

test("Mesh tells no neighbour about itself, though another link leads there, too", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "b");
  me.now = 200;
  assert.deepEqual(me.query(1), ["> 1: route me 1"]);
  assert.deepEqual(me.query(2), ["> 2: route me 1"]);
});

test("Mesh does not tell again what a neighbour holds from it already", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  me.route(1, "x", 2, "b");
  me.service(1, "echo", "x", 5);
  assert.deepEqual(me.route(1, "x", 2, "b"), []);
  assert.deepEqual(me.service(1, "echo", "x", 5), []);
});

test("Mesh relays no withdrawal and no removal that changes nothing", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  assert.deepEqual(me.route(1, "nobody", 0, "b"), []);
  assert.deepEqual(me.service(1, "echo", "b", 0), []);
  assert.deepEqual(me.service(1, "echo", "nobody", 0), []);
});

test("Mesh takes and passes on a cost that rises, within what it has told", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  me.up(3, "d");
  me.route(1, "x", 4, "b"); // Told as 5.
  me.route(2, "x", 3, "c"); // Better; told to b and d as 4.
  assert.deepEqual(me.routes().at(-1), "x 3 c");
  assert.deepEqual(me.route(2, "x", 2, "c"), ["! route x 2 c", "> 1: route x 3", "> 3: route x 3"]);
});

// ── choosing ────────────────────────────────────────────────────────────────

test("Mesh keeps every neighbour's offer, and uses the next one at once when a link is lost", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  me.route(1, "x", 2, "b");
  me.route(2, "x", 2, "c"); // Told to c as 3, so its 2 is feasible.
  assert.deepEqual(me.down(1).filter((line) => line.includes(" x ")), ["! route x 2 c"]);
  assert.deepEqual(me.routes(), ["c 1 c", "x 2 c"]);
});

test("Mesh sends no withdrawal to a neighbour only because it now leads there", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  me.route(1, "x", 4, "b"); // Told to c.
  assert.deepEqual(sent(me.route(2, "x", 2, "c")), ["> 1: route x 3"]);
});

test("Mesh does not use an offer that may lead through itself: it withdraws, asks, and listens", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  me.route(1, "x", 1, "b"); // Told to c as 2.
  me.route(2, "x", 3, "c"); // May well be our own route, coming back.
  assert.deepEqual(me.down(1), [
    "! route b 0",
    "> 2: route b 0",
    "! route x 0",
    "> 2: route x 0",
  ]);
  assert.deepEqual(me.routes(), ["c 1 c"]);
  assert.deepEqual(me.wait(49), []);
  assert.deepEqual(me.wait(1), ["> 2: query"]);
  assert.deepEqual(me.route(2, "x", 3, "c"), ["! route x 3 c"]); // Heard afresh: it is real.
});

test("Mesh asks nobody if the offer it doubted is withdrawn meanwhile", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  me.route(1, "x", 1, "b");
  me.route(2, "x", 3, "c");
  me.down(1);
  me.route(2, "x", 0, "c");
  assert.deepEqual(me.wait(60_000), []);
});

test("Mesh asks a neighbour once for all that it doubts", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  for (const x of ["x", "y", "z"]) {
    me.route(1, x, 1, "b");
    me.route(2, x, 3, "c");
  }
  me.down(1);
  assert.deepEqual(me.wait(900), ["> 2: query"]);
});

test("Mesh prefers the lower cost, and of equals the one in use", () => {
  const me = new Script();
  for (const [link, name] of [[1, "b"], [2, "c"], [3, "d"]] as const) me.up(link, name);
  me.route(1, "x", 3, "b");
  me.route(2, "x", 3, "c");
  assert.equal(me.routes().at(-1), "x 3 b");
  me.route(3, "x", 2, "d");
  assert.equal(me.routes().at(-1), "x 2 d");
});

test("Mesh keys offers by the link, whatever address an advert claims", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  me.route(1, "x", 2, "b");
  // A withdrawal that c relays, with the src of whoever began it.
  me.route(2, "x", 0, "b");
  assert.deepEqual(me.routes(), ["b 1 b", "c 1 c", "x 2 b"]);
});

test("Mesh neither keeps nor advertises a distance beyond 64 hops", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  assert.deepEqual(me.route(1, "w", 63, "b"), ["! route w 63 b", "> 2: route w 64"]);
  assert.deepEqual(me.route(1, "x", 64, "b"), ["! route x 64 b"]);
  assert.deepEqual(me.route(1, "y", 65, "b"), []);
  assert.deepEqual(me.route(1, "z", 65_535, "b"), []);
  assert.deepEqual(me.routes().slice(2), ["w 63 b", "x 64 b"]);
  assert.deepEqual(me.route(1, "w", 65, "b").slice(0, 2), ["! route w 0", "> 2: route w 0"]);
});

test("Mesh ignores routes to itself", () => {
  const me = new Script();
  me.up(1, "b");
  assert.deepEqual(me.route(1, "me", 3, "b"), []);
  assert.deepEqual(me.routes(), ["b 1 b"]);
});

test("Mesh takes a neighbour's word about itself only at cost 1, or 256 from an ESP8266", () => {
  const me = new Script();
  me.up(1);
  assert.deepEqual(me.route(1, "esp", 256, "esp"), ["! route esp 1 esp"]);
  me.up(2, "b");
  assert.deepEqual(me.route(2, "b", 4, "b"), []); // Node peers hear of a way back to themselves.
  assert.deepEqual(me.route(2, "b", 256, "b"), []);
  assert.deepEqual(me.routes(), ["esp 1 esp", "b 1 b"]);
});

// ── withdrawals ─────────────────────────────────────────────────────────────

test("Mesh withdraws a lost route from those whom it had told, and from nobody else", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  me.up(3, "x"); // x hears of the others, never of itself.
  me.down(2);
  assert.deepEqual(me.route(1, "y", 2, "b"), ["! route y 2 b", "> 3: route y 3"]);
  assert.deepEqual(me.route(1, "y", 0, "b"), ["! route y 0", "> 3: route y 0"]);
});

test("Mesh offers its own route to a neighbour that has lost it, a moment later", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  me.service(1, "echo", "b", 5);
  assert.deepEqual(me.route(2, "b", 0, "c"), []); // Old peers forget b's services, too.
  assert.deepEqual(me.wait(10), ["> 2: route b 2", "> 2: service echo@b 5"]);
});

test("Mesh does not offer back what it loses itself in that moment: it withdraws it", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  me.route(1, "x", 2, "b");
  me.route(2, "x", 0, "c"); // c may have sent this before it heard our offer: it may hold it.
  assert.deepEqual(me.route(1, "x", 0, "b"), ["! route x 0", "> 2: route x 0"]);
  assert.deepEqual(me.wait(60_000), []);
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

test("Mesh advertises itself again when it is withdrawn: services to who forgot them", () => {
  const me = new Script();
  me.offer("ping", 1);
  me.up(1, "b");
  me.up(2, "c");
  assert.deepEqual(me.route(1, "me", 0, "b"), []);
  assert.deepEqual(me.route(1, "me", 0, "b"), []);
  assert.deepEqual(me.wait(99), []);
  assert.deepEqual(me.wait(1), ["> 1: route me 1", "> 2: route me 1", "> 1: service ping@me 1"]);
  assert.deepEqual(me.wait(60_000), []);
});

test("Mesh forgets the services of a neighbour that withdraws and advertises itself unasked", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  me.service(1, "echo", "b", 5);
  assert.deepEqual(me.route(1, "b", 0, "b"), []);
  assert.deepEqual(me.route(1, "b", 1, "b"), ["! service echo@b 0", "> 2: service echo@b 0"]);
  assert.deepEqual(me.wait(60_000), []);
});

// ── services ────────────────────────────────────────────────────────────────

test("Mesh tells every neighbour of its own services, and of every change", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  const all = (capacity: number) => [
    `! service ping@me ${capacity}`,
    `> 1: service ping@me ${capacity}`,
    `> 2: service ping@me ${capacity}`,
  ];
  assert.deepEqual(me.offer("ping", 1), all(1));
  assert.deepEqual(me.offer("ping", 7), all(7));
  assert.deepEqual(me.offer("ping", 7), []);
  assert.deepEqual(me.offer("ping", 0), all(0));
  assert.deepEqual(me.offer("ping", 0), []);
});

test("Mesh believes a service from the neighbour that leads to its host, and passes it on", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  me.route(1, "x", 2, "b");
  assert.deepEqual(me.service(1, "echo", "x", 5), ["! service echo@x 5", "> 2: service echo@x 5"]);
  assert.deepEqual(me.service(2, "echo", "x", 9), []); // Old news on a detour.
  assert.deepEqual(me.services(), ["echo@x 5"]);
  assert.deepEqual(me.service(1, "echo", "x", 0), ["! service echo@x 0", "> 2: service echo@x 0"]);
});

test("Mesh uses a service only while its host can be reached", () => {
  const me = new Script();
  me.up(1, "b");
  assert.deepEqual(me.service(1, "echo", "x", 5), []); // Before its host's route: kept, not used.
  assert.deepEqual(me.services(), []);
  assert.deepEqual(me.route(1, "x", 2, "b"), ["! route x 2 b", "! service echo@x 5"]);
  assert.deepEqual(me.route(1, "x", 0, "b"), ["! route x 0", "! service echo@x 0"]);
  me.wait(50);
  assert.deepEqual(me.route(1, "x", 2, "b"), ["! route x 2 b"]); // Forgotten with the route.
});

test("Mesh takes over the services that the new next hop tells when a route moves", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  me.up(3, "d");
  me.route(1, "x", 2, "b");
  me.service(1, "old", "x", 1);
  me.service(1, "both", "x", 1);
  me.route(2, "x", 2, "c");
  me.service(2, "both", "x", 1);
  me.service(2, "new", "x", 1);
  assert.deepEqual(me.down(1).filter((line) => line.includes("x")), [
    "! route x 2 c",
    "! service old@x 0",
    "! service new@x 1",
    "> 3: service old@x 0",
    "> 3: service new@x 1",
  ]);
});

test("Mesh ignores what others say of its own services", () => {
  const me = new Script();
  me.offer("ping", 1);
  me.up(1, "b");
  assert.deepEqual(me.service(1, "ping", "me", 0), []);
  assert.deepEqual(me.service(1, "pong", "me", 1), []);
  assert.deepEqual(me.services(), ["ping@me 1"]);
});

test("Mesh keeps no room for what others say of its own services", () => {
  const me = new Script({ maxServices: 1 });
  me.up(1, "b");
  me.service(1, "pong", "me", 1);
  assert.deepEqual(me.service(1, "echo", "b", 1), ["! service echo@b 1"]);
});

test("Mesh takes service adverts with a src, padded, or from a router that miscounts", () => {
  const me = new Script();
  me.up(1, "b");
  const padded = Uint8Array.of(1, 98, 2, 101, 101, 0, 5, 0, 0, 0);
  assert.deepEqual(me.hear(1, { net: 2, src: "b", data: padded }), ["! service ee@b 5"]);
  const miscounted = Uint8Array.of(1, 98, 1, 0xc3, 0xa9, 0, 7); // "é" counted as one.
  assert.deepEqual(me.hear(1, { net: 2, data: miscounted }), ["! service é@b 7"]);
});

test('MeshOptions.removal "silent" sends nothing when a service goes', () => {
  const me = new Script({ removal: "silent" });
  me.offer("ping", 1);
  me.up(1, "b");
  me.up(2, "c");
  me.service(1, "echo", "b", 5);
  assert.deepEqual(me.offer("ping", 0), ["! service ping@me 0"]);
  assert.deepEqual(me.service(1, "echo", "b", 0), ["! service echo@b 0"]);
});

test('MeshOptions.removal "reannounce" withdraws the host and advertises what is left', () => {
  const me = new Script({ removal: "reannounce" });
  me.offer("ping", 1);
  me.offer("time", 2);
  me.up(1, "b");
  me.up(2, "c");
  me.service(1, "echo", "b", 5);
  me.service(1, "log", "b", 6);
  assert.deepEqual(me.offer("ping", 0), [
    "! service ping@me 0",
    "> 1: route me 0",
    "> 1: route me 1",
    "> 1: service time@me 2",
    "> 2: route me 0",
    "> 2: route me 1",
    "> 2: service time@me 2",
  ]);
  assert.deepEqual(me.service(1, "echo", "b", 0), [
    "! service echo@b 0",
    "> 2: route b 0",
    "> 2: route b 2",
    "> 2: service log@b 6",
  ]);
});

test("a removal is told also while a neighbour may have forgotten the host", () => {
  const me = new Script({ removal: "reannounce" });
  me.up(1, "b");
  me.up(2, "c");
  me.service(1, "echo", "b", 5);
  me.service(1, "log", "b", 6);
  me.route(2, "b", 0, "c");
  assert.deepEqual(sent(me.service(1, "echo", "b", 0)), [
    "> 2: route b 0",
    "> 2: route b 2",
    "> 2: service log@b 6",
  ]);
});

// ── bounds and nonsense ─────────────────────────────────────────────────────

test("MeshOptions.maxRoutes bounds the destinations; those known stay", () => {
  const me = new Script({ maxRoutes: 2 });
  me.up(1, "b");
  me.route(1, "x", 2, "b");
  assert.deepEqual(me.route(1, "y", 2, "b"), ["drop ERR_CHANNEL_PROTOCOL"]);
  assert.deepEqual(me.routes(), ["b 1 b", "x 2 b"]);
  me.route(1, "x", 0, "b");
  me.wait(50);
  assert.deepEqual(me.route(1, "y", 2, "b"), ["! route y 2 b"]);
});

test("MeshOptions.maxServices bounds each neighbour's services; those known stay", () => {
  const me = new Script({ maxServices: 2 });
  me.up(1, "b");
  me.service(1, "s1", "b", 1);
  me.service(1, "s2", "b", 1);
  assert.deepEqual(me.service(1, "s3", "b", 1), ["drop ERR_CHANNEL_PROTOCOL"]);
  assert.deepEqual(me.service(1, "s1", "b", 4), ["! service s1@b 4"]);
  me.service(1, "s2", "b", 0);
  assert.deepEqual(me.service(1, "s3", "b", 1), ["! service s3@b 1"]);
});

test("Mesh follows no flood of changes: it says so once, and starts over when it ends", () => {
  const me = new Script();
  me.up(1, "b");
  me.route(1, "x", 2, "b");
  const lines: string[] = [];
  for (let i = 0; i < 25_000; i++) lines.push(...me.service(1, "s", "b", 1 + (i & 1)));
  assert.equal(lines.filter((line) => line.startsWith("drop")).length, 1);
  assert(lines.length < 20_100, `${lines.length} effects`);
  assert.deepEqual(me.wait(1_000), ["! route x 0", "> 1: query"]);
  assert.deepEqual(me.routes(), ["b 1 b"]); // The neighbour itself is there all the time.
  assert.deepEqual(me.service(1, "s", "b", 9), ["! service s@b 9"]);
});

test("Mesh minds no flood of repetitions, as cycles of old peers send them for ever", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  me.service(1, "s", "b", 1);
  const lines: string[] = [];
  for (let i = 0; i < 50_000; i++) {
    lines.push(...me.service(1, "s", "b", 1), ...me.service(1, "gone", "b", 0));
    lines.push(...me.route(1, "nobody", 0, "b"), ...me.route(1, "b", 1, "b"));
  }
  assert.deepEqual(lines, []);
});

test("Mesh believes nobody but the destination itself for 50 ms after a route is lost", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  me.route(1, "x", 1, "b");
  me.down(1);
  assert.deepEqual(me.route(2, "x", 4, "c"), []); // It may rest on what we told before.
  assert.deepEqual(me.up(3, "x").slice(-2), ["! route x 1 x", "> 2: route x 2"]);
  me.down(3);
  me.route(2, "x", 4, "c");
  assert.deepEqual(me.wait(49), []);
  assert.deepEqual(me.wait(1), ["! route x 4 c"]);
});

test("Mesh drops net-state packets that make no sense, and nothing else happens", () => {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  const nonsense = [
    { net: 1 }, // no data
    { net: 1, data: Uint8Array.of(1, 98, 0) }, // half a cost
    { net: 1, data: Uint8Array.of(1, 98, 0, 1, 0) }, // a byte too many
    { net: 1, data: Uint8Array.of(0, 0, 1) }, // no address
    { net: 2 },
    { net: 2, data: Uint8Array.of(1) },
    { net: 2, data: Uint8Array.of(1, 98, 1, 101) }, // no capacity
    { net: 2, data: Uint8Array.of(1, 98, 0, 0, 1) }, // no service
    { net: 9, data: "?" }, // unknown
    { net: 4, dst: "c" },
  ];
  for (const packet of nonsense) {
    assert.match(me.hear(1, packet).join("; "), /^drop ERR_PACKET_(TRUNCATED|FIELD)$/);
  }
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
  assert.deepEqual(me.wait(60_000), []);
});
