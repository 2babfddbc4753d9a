/** How neighbours of our own kind find each other out, and what passes between them before. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CAP, decodeHello, encodeHello, Packet } from "../../src/wire/mod.ts";
import { LIFE, Script, sent } from "./script.ts";

test("the first packet on a link is a query whose data says who we are", () => {
  const me = new Script();
  const [effect, ...rest] = me.mesh.linkUp(1, 0);
  assert(effect?.kind === "transmit");
  assert.deepEqual(rest, []);
  const { net, src, dst, srv, nxt, seq, ack, ctx, typ, trailer, data } = effect.packet;
  assert.deepEqual([net, src, dst, srv, nxt, seq, ack, ctx, typ], [3, "", "", "", "", 0, 0, 0, 0]);
  assert.equal(trailer, null);
  const hello = decodeHello(data)!;
  assert.deepEqual([hello.address, hello.instance, hello.seen], ["me", LIFE, ""]);
  assert.equal(hello.caps, CAP.seq | CAP.bulk | CAP.hops | CAP.digest);
  assert(data.length <= 180, "small peers must be able to hold it");
});

test("a hello is answered at once with all we know, in one link frame", () => {
  const me = new Script();
  me.offer("ping", 3);
  me.join(1, "b");
  me.tell(1, (frame) => frame.route("x", 2, 7, 500) && frame.service("x", "echo", 5, 500, 1));
  assert.deepEqual(me.join(2, "c"), [
    "> 2: query",
    "> 2: [route me 1 by 1000; route b 2 by 1000 #1; route x 3 by 500 #7; " +
    "service ping@me 3 v1; service echo@x 5 v1]",
    "! route c 1 c",
  ]);
});

test("no link frame goes to a neighbour that has not said hello", () => {
  const me = new Script();
  me.offer("ping", 1);
  const lines = [...me.up(1), ...me.join(2, "c"), ...me.wait(20_000)];
  const first = lines.filter((line) => line.startsWith("> 1:"));
  assert(first.length > 3);
  assert.deepEqual(first.filter((line) => line.includes("[")), []);
});

test("a neighbour that cannot take link frames is treated as an old peer", () => {
  const me = new Script();
  me.mesh.linkUp(1, 0);
  assert.deepEqual(me.hello(1, "b", { caps: CAP.seq }), ["> 1: route me 1"]);
  assert.equal(me.mesh.neighbourKind(1), "legacy");
});

test("a link that can carry text or bytes goes over to bytes once the neighbour reads them", () => {
  const me = new Script();
  const [effect] = me.mesh.linkUp(1, 0, {}, true);
  assert(effect?.kind === "transmit");
  const caps = CAP.seq | CAP.bulk | CAP.hops | CAP.digest;
  assert.equal(decodeHello(effect.packet.data)!.caps, caps | CAP.binary);
  const format = (lines: string[]) => lines.filter((line) => line.startsWith("format"));
  assert.deepEqual(format(me.hello(1, "b", { caps: caps | CAP.binary })), ["format 1 binary"]);
  // The same once more, a new beginning, one that reads text alone, and an old peer.
  assert.deepEqual(format(me.hello(1, "b", { caps: caps | CAP.binary })), []);
  me.wait(1_000);
  const session = "00000000000000ff";
  assert.deepEqual(format(me.hello(1, "b", { caps: caps | CAP.binary, session })), []);
  me.wait(1_000);
  assert.deepEqual(format(me.hello(1, "b", { caps })), ["format 1 text"]);
  me.wait(1_000);
  assert.deepEqual(format(me.hello(1, "b", { caps: caps | CAP.binary, session })), [
    "format 1 binary",
  ]);
  const [first, ...rest] = me.hear(1, { net: 3 });
  assert.deepEqual([first, format(rest)], ["format 1 text", []]);
});

test("a link that cannot choose is not told to", () => {
  const me = new Script();
  me.mesh.linkUp(1, 0);
  const lines = me.hello(1, "b", { caps: 0xffff_ffff });
  assert.deepEqual(lines.filter((line) => line.startsWith("format")), []);
});

test("a neighbour is sent neither hop limits nor digests that it cannot take", () => {
  const me = new Script();
  me.join(1, "b", { caps: CAP.seq | CAP.bulk });
  const [effect] = me.mesh.send(new Packet({ dst: "b" }), 0);
  assert(effect?.kind === "transmit");
  assert.equal(effect.packet.trailer, null);
  const lines: string[] = [];
  for (let i = 0; i < 20; i++) {
    lines.push(...me.wait(5_000));
    me.tell(1, (frame) => frame.pong(0));
  }
  assert.deepEqual(lines, []);
});

test("a neighbour that takes only absurdly small frames is sent such as any record fits in", () => {
  const me = new Script();
  assert(me.join(1, "b", { maxFrame: 1 }).includes("> 1: [route me 1 by 1000]"));
});

test("a neighbour is old after a second without a hello, and ours from its hello on", () => {
  const me = new Script();
  me.mesh.linkUp(1, 0);
  me.wait(999);
  assert.equal(me.mesh.neighbourKind(1), "open");
  me.wait(1);
  assert.equal(me.mesh.neighbourKind(1), "legacy");
  assert.deepEqual(me.hello(1, "b"), ["> 1: [route me 1 by 1000]", "> 1: query"]);
  assert.equal(me.mesh.neighbourKind(1), "modern");
});

test("what an old peer has told is forgotten when it turns out to be of our kind", () => {
  const me = new Script();
  me.up(1, "b");
  me.route(1, "x", 3, "b");
  assert.deepEqual(me.routes(), ["b 1 b", "x 3 b"]);
  me.hello(1, "b");
  assert.deepEqual(me.routes(), []);
});

test("a neighbour that asks as old peers do is an old peer from then on", () => {
  const me = new Script();
  me.join(1, "b");
  assert.deepEqual(me.query(1).at(-1), "> 1: route me 1");
  assert.equal(me.mesh.neighbourKind(1), "legacy");
  assert.deepEqual(me.routes(), []);
});

test("a neighbour that starts anew behind the same link is told all again, and greeted", () => {
  const me = new Script();
  me.join(1, "b");
  me.tell(1, (frame) => frame.route("x", 2, 7, 500));
  me.wait(200);
  const lines = me.hello(1, "b", { session: "00000000000000ff", instance: LIFE + 5 });
  assert.deepEqual(sent(lines), ["> 1: [route me 1 by 1000]", "> 1: query"]);
  assert.deepEqual(me.routes(), []);
});

test("hello is said again until the neighbour is known to hear us", () => {
  const me = new Script();
  me.mesh.linkUp(1, 0);
  me.hello(1, "b");
  assert.deepEqual(me.wait(3_000), ["> 1: query", "> 1: query"]);
  me.tell(1, (frame) => frame.route("b", 1, 1, LIFE));
  assert.deepEqual(me.wait(6_000), []);
});

test("a repeated hello that has not seen ours is answered with ours", () => {
  const me = new Script();
  me.join(1, "b");
  assert.deepEqual(me.hello(1, "b"), ["> 1: query"]);
});

test("who speaks to us as to an old peer is told again that we are not one", () => {
  const me = new Script();
  me.join(1, "b");
  me.wait(2_000);
  assert.deepEqual(me.route(1, "x", 2, "b"), ["> 1: query"]);
  assert.deepEqual(me.route(1, "y", 2, "b"), []); // Once a second is enough.
  assert.deepEqual(me.routes(), ["b 1 b"]);
});

test("a link frame before the hello is asked for again after it", () => {
  const me = new Script();
  me.mesh.linkUp(1, 0);
  assert.deepEqual(me.tell(1, (frame) => frame.route("b", 1, 1, LIFE)), []);
  assert.deepEqual(me.hello(1, "b"), ["> 1: [route me 1 by 1000; resync 3]"]);
});

test("fields, operations and versions that we do not know yet are skipped", () => {
  const me = new Script();
  me.mesh.linkUp(1, 0);
  const hello = encodeHello({
    caps: 0xffff_ffff,
    address: "b",
    instance: LIFE,
    session: "0000000000000001",
    keepalive: 0,
    dead: 0,
    role: 0,
    maxFrame: 0,
    maxRoutes: 0,
    seen: "",
    also: "",
  });
  hello[4] = 9; // A later version
  const later = Uint8Array.of(...hello, 0x55, 2, 1, 2); // with a field of its own.
  me.hear(1, { net: 3, data: later });
  assert.equal(me.mesh.neighbourKind(1), "modern");
  // An operation of tomorrow, then a route: op 1, 10 bytes; "x", cost 2, number 7, origin 500.
  const data = Uint8Array.of(0x77, 0, 3, 1, 2, 3, 1, 0, 12, 0, 0, 1, 120, 0, 2, 0, 7, 0, 0, 1, 244);
  assert.deepEqual(me.hear(1, { net: 4, data }), ["! route x 2 b"]);
});

test("a broken hello or link frame is dropped, and the link lives", () => {
  const me = new Script();
  me.join(1, "b");
  assert.deepEqual(me.hear(1, { net: 3, data: Uint8Array.of(0x41, 0x4c, 0x4e, 0x58, 1, 2) }), [
    "drop ERR_PACKET_TRUNCATED",
  ]);
  assert.deepEqual(me.hear(1, { net: 4, data: Uint8Array.of(1, 0, 9, 0) }), [
    "drop ERR_PACKET_TRUNCATED",
  ]);
  assert.deepEqual(me.routes(), ["b 1 b"]);
});

test("a link that leads back to ourselves is closed", () => {
  const me = new Script();
  const own = me.mesh.linkUp(1, 0)[0]!;
  assert(own.kind === "transmit");
  me.mesh.linkUp(2, 0);
  const { data } = own.packet;
  const effects = me.mesh.receive(2, new Packet({ net: 3, data }), 0);
  assert.deepEqual(effects.map(({ kind }) => kind), ["close"]);
  assert.equal(me.mesh.neighbourKind(2), "gone");
});

test("a link to another router of our name is kept", () => {
  const me = new Script();
  assert.deepEqual(me.join(1, "me").filter((line) => line.startsWith("close")), []);
  assert.equal(me.mesh.neighbourKind(1), "modern");
});

// ── the same router twice ───────────────────────────────────────────────────

test("an older link to the same router that does not answer within 3 s is closed", () => {
  const me = new Script();
  me.join(1, "b");
  me.join(2, "b");
  assert.deepEqual(me.wait(2_990).filter((line) => line.startsWith("close")), []);
  assert.deepEqual(me.wait(20).filter((line) => line.startsWith("close")), ["close 1"]);
});

test("two live links to one router are both kept", () => {
  const me = new Script();
  me.join(1, "b");
  me.join(2, "b");
  const token = me.ping(1);
  me.tell(1, (frame) => frame.pong(token));
  assert.deepEqual(me.wait(9_000).filter((line) => line.startsWith("close")), []);
  assert.equal(me.mesh.neighbourKind(1), "modern");
});

test("a number that nobody has asked for proves nothing", () => {
  const me = new Script();
  me.join(1, "b");
  me.join(2, "b");
  const token = me.ping(1);
  me.tell(1, (frame) => frame.pong((token ^ 1) >>> 0));
  assert.deepEqual(me.wait(3_010).filter((line) => line.startsWith("close")), ["close 1"]);
});

test("a router that has begun a new life on its link is known by it on the next link", () => {
  const me = new Script();
  me.join(1, "b");
  me.tell(1, (frame) => frame.route("b", 1, 1, LIFE + 7));
  me.join(2, "b", { instance: LIFE + 7 });
  assert(me.wait(10).some((line) => line.startsWith("> 1: ") && line.includes("ping")));
});

// ── liveness ────────────────────────────────────────────────────────────────

test("a silent neighbour is pinged every 10 s, and let go after 30 s", () => {
  const me = new Script();
  me.join(1, "b");
  assert.deepEqual(me.wait(9_990), []);
  assert.deepEqual(me.wait(100), ["> 1: [ping]"]);
  assert.deepEqual(me.wait(19_800).filter((line) => !line.includes("ping")), []);
  assert.deepEqual(me.wait(200), ["close 1", "! route b 0"]);
});

test("what we send ourselves does not make a silent neighbour look alive", () => {
  const me = new Script();
  me.join(1, "b");
  const lines: string[] = [];
  for (let i = 0; i < 300; i++) {
    me.send({ dst: "b", srv: "s" });
    lines.push(...me.wait(101));
  }
  assert(lines.includes("close 1"));
});

test("a neighbour that sends anything at all is not pinged", () => {
  const me = new Script();
  me.join(1, "b");
  const lines: string[] = [];
  for (let i = 0; i < 20; i++) {
    lines.push(...me.wait(3_000));
    me.hear(1, { dst: "me", srv: "s", src: "b" });
  }
  assert.deepEqual(lines.filter((line) => line.includes("ping") || line.includes("close")), []);
});

test("a neighbour whose timers are throttled may be silent for 90 s", () => {
  const me = new Script();
  me.join(1, "b", { role: 4 });
  assert.deepEqual(me.wait(89_000).filter((line) => line.startsWith("close")), []);
  assert.deepEqual(me.wait(1_100).filter((line) => line.startsWith("close")), ["close 1"]);
});

test("a ping is answered with the same number", () => {
  const me = new Script();
  me.join(1, "b");
  me.tell(1, (frame) => frame.ping(77));
  assert.deepEqual(me.wait(20), ["> 1: [pong 77]"]);
});

// ── hostile neighbours ──────────────────────────────────────────────────────

test("who begins anew all the time is told all at most every 100 ms", () => {
  const me = new Script();
  me.join(1, "b");
  let greetings = 0;
  for (let i = 0; i < 200; i++) {
    const lines = me.hello(1, "b", { session: i.toString(16).padStart(16, "1") });
    greetings += lines.filter((line) => line.includes("route me")).length;
    me.wait(10);
  }
  assert(greetings <= 20, `${greetings} greetings in 2 s`);
});

test("however often a neighbour begins anew, it is watched once", () => {
  const me = new Script();
  me.join(1, "b");
  for (let i = 0; i < 20; i++) {
    me.tell(1, (frame) => frame.bye(0));
    me.wait(200);
    me.hello(1, "b");
  }
  me.wait(200);
  let digests = 0;
  for (let i = 0; i < 24; i++) {
    me.tell(1, (frame) => frame.pong(0));
    digests += me.wait(5_000).filter((line) => line.includes("digest")).length;
  }
  assert(digests >= 3 && digests <= 5, `${digests} digests in 120 s`);
});

test("nobody who takes another's name can have its link closed while that answers", () => {
  const me = new Script();
  me.join(2, "c");
  me.mesh.linkUp(1, 0);
  let answers: { at: number; token: number }[] = [];
  for (let i = 0; i < 100; i++) {
    me.hello(1, "c", { session: i.toString(16).padStart(16, "1") });
    for (const end = me.now + 50; me.mesh.deadline() <= end;) {
      me.now = Math.max(me.now, me.mesh.deadline());
      for (const effect of me.mesh.tick(me.now)) {
        assert(effect.kind !== "close" || effect.link !== 2, "a live link was closed");
        if (effect.kind !== "transmit" || effect.link !== 2 || effect.packet.net !== 4) continue;
        const { data } = effect.packet;
        if (data[0] !== 4) continue; // No ping.
        const token = new DataView(data.buffer, data.byteOffset).getUint32(3);
        answers.push({ at: me.now + 100, token }); // It takes its time.
      }
    }
    me.now += 10;
    for (const { token } of answers.filter(({ at }) => at <= me.now)) {
      me.tell(2, (frame) => frame.pong(token));
    }
    answers = answers.filter(({ at }) => at > me.now);
  }
});
