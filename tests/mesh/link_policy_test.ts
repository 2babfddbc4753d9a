/**
 * Policies of links: what a neighbour may tell us, and what it may know and use of us. A test for
 * each filter with our own kind and with old peers, and networks in which both sides have to agree
 * though much is hidden.
 *
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { LinkPolicy } from "../../src/mesh/link_policy.ts";
import { Mesh } from "../../src/mesh/mesh.ts";
import {
  type Effect,
  Invariants,
  type LinkSettings,
  randomDegree,
  seededRandom,
  SimulatedNetwork,
} from "../../src/testing/mod.ts";
import { decodeHello, LinkFrameWriter, Packet } from "../../src/wire/mod.ts";
import { over } from "./old_peers.ts";
import { LIFE, Script, sent } from "./script.ts";

/** The origin of "x", a router further away. */
const X = 500;

/** me, the neighbour g under a policy on link 1, and c, of our kind, on link 2, at rest. */
function scene(policy: LinkPolicy, kind: "modern" | "legacy" = "modern"): Script {
  const me = new Script();
  if (kind === "modern") me.join(1, "g", {}, { policy });
  else me.up(1, "g", { policy });
  me.join(2, "c");
  for (const link of [1, 2]) me.alive.add(link);
  me.wait(2_000);
  return me;
}

const ways = (me: Script): string[] => me.routes().map((route) => route.split(" ")[0]!).sort();

// ── filters ─────────────────────────────────────────────────────────────────

test("A policy holds for a link as it was when it came up, whatever becomes of its lists", () => {
  const me = new Script();
  const names = ["g", "h", "i", "lamp"];
  const policy: LinkPolicy = { advertises: names };
  const tell = (link: number, name: string) => me.tell(link, (frame) => frame.route(name, 2, 1, X));
  me.join(1, "g", {}, { policy });
  me.join(2, "h", {}, { policy: { advertises: [...names] } });
  names[3] = "door";
  me.join(3, "i", {}, { policy });
  for (const link of [1, 2]) tell(link, "door");
  tell(3, "lamp");
  assert.deepEqual(ways(me), ["g", "h", "i"]);
  tell(3, "door");
  tell(2, "lamp");
  assert.deepEqual(ways(me), ["door", "g", "h", "i", "lamp"]);
});

test("A filter is a list of names, of which some end in *, or a function; one that throws has said no", () => {
  const told = (advertises: LinkPolicy["advertises"]): string[] => {
    const me = new Script();
    me.join(1, "g", {}, { policy: { advertises } });
    for (const name of ["sensor.1", "sensor.", "sensor", "lamp", "*", "g.lamp"]) {
      me.tell(1, (frame) => frame.route(name, 2, 1, X));
    }
    return ways(me);
  };
  assert.deepEqual(told(undefined), ["*", "g", "g.lamp", "lamp", "sensor", "sensor.", "sensor.1"]);
  assert.deepEqual(told([]), []);
  assert.deepEqual(told(["sensor.*", "lamp"]), ["lamp", "sensor.", "sensor.1"]);
  assert.deepEqual(told(["*"]), ["*", "g", "g.lamp", "lamp", "sensor", "sensor.", "sensor.1"]);
  assert.deepEqual(told((name) => name.length === 4), ["lamp"]);
  const throwing = (name: string) => {
    if (name === "lamp") throw new Error("broken");
    return true;
  };
  assert(!told(throwing).includes("lamp"));
  assert.deepEqual(told((() => "yes") as unknown as () => boolean), []);
});

test("Mesh.linkUp() refuses a filter that is none, and then there is no link", () => {
  const mesh = new Mesh("me", seededRandom(1));
  for (const filter of ["lamp", 5, null, [5], {}]) {
    for (const name of ["advertises", "offers", "hears", "sees", "calls"]) {
      assert.throws(
        () => mesh.linkUp(1, 0, { policy: { [name]: filter } as LinkPolicy }),
        new TypeError(`Cannot use policy: ${name} is neither a function nor a list of names`),
      );
    }
  }
  assert.equal(mesh.neighbourKind(1), "gone");
});

// ── advertises ──────────────────────────────────────────────────────────────

test("advertises: no other address of a neighbour of our kind is believed, used, passed on or searched", () => {
  const me = scene({ advertises: ["g", "lamp"] });
  const lines = me.tell(1, (frame) => {
    frame.route("x", 2, 1, X);
    frame.route("y", 2, 1, X);
    frame.route("lamp", 2, 1, X);
    frame.service("x", "s", 1, X, 1);
    frame.service("lamp", "s", 1, X, 1);
  });
  assert.deepEqual(lines, [
    "drop ERR_CHANNEL_REFUSED", // Once.
    "! route lamp 2 g",
    "! service s@lamp 1",
  ]);
  assert.deepEqual(sent(me.wait(1_000)), ["> 2: [route lamp 3 by 500 #1; service s@lamp 1 v1]"]);
  assert.deepEqual(ways(me), ["c", "g", "lamp"]);
  assert.deepEqual(me.send({ dst: "x", srv: "s" }), ["drop ERR_NO_ROUTE"]);
  me.tell(2, (frame) => frame.seqRequest("x", X, 9, 9)); // c looks for it through us.
  assert.deepEqual(over(1, me.wait(1_000)), []);
});

test("advertises: a later life that a neighbour makes up does not void the way that others know", () => {
  const me = scene({ advertises: ["g"] });
  me.tell(2, (frame) => frame.route("x", 3, 1, X) && frame.service("x", "s", 1, X, 1));
  me.tell(1, (frame) => {
    frame.route("x", 1, 1, X + 9);
    frame.service("x", "s", 0, X, 2);
    frame.service("x", "t", 1, X, 1);
  });
  assert.deepEqual([me.routes().at(-1), me.services()], ["x 3 c", ["s@x 1"]]);
});

test("advertises: what a neighbour may not offer takes no room in the table", () => {
  const me = new Script({ maxRoutes: 4 });
  me.join(1, "g", {}, { policy: { advertises: ["g"] } });
  for (let i = 0; i < 50; i++) me.tell(1, (frame) => frame.route(`x${i}`, 2, 1, X));
  me.join(2, "c");
  assert.deepEqual(me.tell(2, (frame) => frame.route("y", 2, 1, X)), ["! route y 2 c"]);
});

test("advertises: a neighbour whose own name it leaves out is nobody", () => {
  for (const kind of ["modern", "legacy"] as const) {
    const me = scene({ advertises: ["guest.*"] }, kind);
    assert.deepEqual(ways(me), ["c"]);
    assert.deepEqual(me.send({ dst: "g", srv: "s" }), ["drop ERR_NO_ROUTE"]);
  }
});

test("advertises: a claim to our own address is told, and not taken up", () => {
  const me = scene({ advertises: ["g"] });
  const { origin } = me.mesh.told(2).get("me")!;
  const lines: string[] = [];
  for (let i = 1; i < 10; i++) {
    lines.push(...me.tell(1, (frame) => frame.route("me", 1, 1, LIFE + i)), ...me.wait(100));
  }
  assert.deepEqual(lines.filter((line) => line.startsWith("!")), ["! conflict me"]);
  assert.equal(me.mesh.told(2).get("me")!.origin, origin);
});

test("advertises: of an old peer, too, no other address and no service there is believed or passed on", () => {
  const me = scene({ advertises: ["g", "lamp"] }, "legacy");
  const lines = [
    ...me.route(1, "x", 2, "g"),
    ...me.service(1, "s", "x", 1),
    ...me.route(1, "lamp", 2, "g"),
    ...me.service(1, "s", "lamp", 1),
    ...me.wait(2_000),
  ];
  assert.deepEqual(lines.filter((line) => !line.includes("digest")), [
    "drop ERR_CHANNEL_REFUSED",
    "! route lamp 2 g",
    "! service s@lamp 1",
    "> 2: [route lamp 3 by us #1; service s@lamp 1 v1]",
  ]);
  assert.deepEqual(me.services(), ["s@lamp 1"]);
});

test("advertises: an old peer that is nearer to what we lose, and that we do not believe, keeps its own way", () => {
  for (const near of [true, false]) {
    const me = scene({ advertises: ["g"] }, "legacy");
    me.tell(2, (frame) => frame.route("x", 5, 1, X));
    me.wait(1_000);
    if (near) me.route(1, "x", 2, "g");
    me.tell(2, (frame) => frame.route("x", 0, 0, 0));
    const withdrawn = me.wait(3_000).includes("> 1: route x 0");
    assert.equal(withdrawn, !near); // It deletes a route whoever withdraws it.
  }
});

// ── stub ────────────────────────────────────────────────────────────────────

test("stub: nothing but a leaf's own address and services is believed, and nothing goes through it", () => {
  for (const kind of ["modern", "legacy"] as const) {
    const me = scene({ stub: true }, kind);
    if (kind === "modern") {
      me.tell(1, (frame) => {
        frame.route("x", 2, 1, X);
        frame.service("g", "s", 1, LIFE, 1);
        frame.service("x", "s", 1, X, 1);
      });
    } else {
      me.route(1, "x", 2, "g");
      me.service(1, "s", "g", 1);
      me.service(1, "s", "x", 1);
    }
    me.wait(2_000);
    assert.deepEqual([ways(me), me.services()], [["c", "g"], ["s@g 1"]]);
    assert.deepEqual(me.hear(2, { dst: "x", src: "c", srv: "s" }), ["drop ERR_NO_ROUTE"]);
    assert.equal(over(1, me.hear(2, { dst: "g", src: "c", srv: "s" })).length, 1);
  }
});

test("stub: a leaf brings no packets of others, and is told of everything all the same", () => {
  for (const kind of ["modern", "legacy"] as const) {
    const me = scene({ stub: true }, kind);
    assert.deepEqual([...me.mesh.told(1).keys()], ["me", "c"]);
    const packet = { dst: "me", srv: "s" };
    assert.deepEqual(me.hear(1, { ...packet, src: "c" }), ["drop ERR_CHANNEL_REFUSED"]);
    assert.deepEqual(me.hear(1, { ...packet, src: "g" }), ["deliver srv=s src=g dst=me"]);
    assert.deepEqual(me.hear(1, packet), ["deliver srv=s dst=me"]); // As microcontrollers do.
  }
});

// ── sees ────────────────────────────────────────────────────────────────────

/** me with services of its own and of x, behind c. */
function withServices(policy: LinkPolicy, kind: "modern" | "legacy"): Script {
  const me = scene(policy, kind);
  for (const service of ["open", "secret"]) me.offer(service, 3);
  me.tell(2, (frame) => {
    frame.route("x", 2, 1, X);
    frame.service("x", "open", 5, X, 1);
    frame.service("x", "secret", 5, X, 1);
  });
  return me;
}

for (const kind of ["modern", "legacy"] as const) {
  test(`sees: a service that ${kind === "modern" ? "a neighbour of our kind" : "an old peer"} must not see is in nothing that it is sent`, () => {
    const me = withServices({ sees: ["open"] }, kind);
    const lines = me.wait(1_000);
    me.offer("secret", 4);
    me.tell(2, (frame) => frame.service("x", "secret", 6, X, 2));
    lines.push(...me.wait(1_000));
    me.offer("secret", 0);
    me.tell(2, (frame) => frame.service("x", "secret", 0, X, 3));
    lines.push(...me.wait(1_000));
    me.offer("secret", 7);
    lines.push(...kind === "modern" ? me.tell(1, (frame) => frame.resync(3)) : me.query(1));
    lines.push(...me.wait(1_000), ...me.down(2), ...me.wait(3_000));
    const said = over(1, lines).join();
    assert(said.includes("open@me 3") && said.includes("open@x 5"), said);
    assert(!said.includes("secret"), said);
    assert(!said.includes("route me 0") && !said.includes("route x 0, > 1: route x 3"), said);
  });
}

test("sees: a function is told the host, too", () => {
  const me = withServices(
    { sees: (service, host) => service === "secret" && host === "x" },
    "modern",
  );
  const said = over(1, me.wait(1_000)).join();
  assert.deepEqual(said.match(/service \w+@\w+/g), ["service secret@x"]);
});

test("sees: a neighbour that is kept from services is told so, and only then", () => {
  for (const [policy, role] of [[{ sees: ["open"] }, 16], [{ offers: [] }, 0]] as const) {
    const mesh = new Mesh("me", seededRandom(1));
    const [effect] = mesh.linkUp(1, 0, { policy });
    assert(effect?.kind === "transmit");
    assert.equal(decodeHello(effect.packet.data)!.role, role);
  }
});

// ── calls ───────────────────────────────────────────────────────────────────

for (const kind of ["modern", "legacy"] as const) {
  const who = kind === "modern" ? "a neighbour of our kind" : "an old peer";

  test(`calls: a packet of ${who} for another service is dropped, counted and told, here and beyond`, () => {
    const me = withServices({ calls: (service, host) => service === "open" && host !== "c" }, kind);
    const bring = (dst: string, srv: string) => me.hear(1, { dst, srv, src: "g", ctx: 7 });
    const outcomes = ["me", "x", "c"].map((dst) =>
      ["open", "secret"].map((srv) => bring(dst, srv))
    );
    assert.deepEqual(outcomes.map((all) => all.map((lines) => lines.at(-1)!.split(" ")[0])), [
      ["deliver", "drop"],
      [">", "drop"],
      ["drop", "drop"],
    ]);
    assert.deepEqual(outcomes[0]![1], ["drop ERR_CHANNEL_REFUSED"]);
  });

  test(`calls: replies of ${who}, which are for no service, pass`, () => {
    const me = withServices({ calls: [] }, kind);
    assert.deepEqual(me.hear(1, { dst: "me", src: "g", ctx: 7 }), ["deliver src=g dst=me ctx=7"]);
    assert.equal(over(2, me.hear(1, { dst: "x", src: "g", ctx: 7 })).length, 1);
  });

  test(`calls: a multicast of ${who} goes to the instances that it may call, and is refused if those are none`, () => {
    const me = withServices({ calls: (_, host) => host === "x" }, kind);
    const multicast = (srv: string) => me.hear(1, { srv, src: "g" });
    const lines = multicast("open");
    assert.deepEqual(lines.filter((line) => line.includes("srv=")), [
      "> 2: srv=open src=g dst=x nxt=c",
    ]);
    me.down(2);
    me.wait(1_000);
    assert.deepEqual(multicast("open"), ["drop ERR_CHANNEL_REFUSED"]);
    assert.deepEqual(multicast("unknown"), ["drop ERR_NO_SERVICE"]);
  });
}

test("calls: without it, a neighbour may call what it sees", () => {
  const me = withServices({ sees: ["open"] }, "modern");
  const packet = { dst: "me", src: "g" };
  assert.deepEqual(me.hear(1, { ...packet, srv: "secret" }), ["drop ERR_CHANNEL_REFUSED"]);
  assert.deepEqual(me.hear(1, { ...packet, srv: "open" }), ["deliver srv=open src=g dst=me"]);
  const other = withServices({ sees: [], calls: ["secret"] }, "modern");
  assert.deepEqual(other.hear(1, { ...packet, srv: "secret" }), [
    "deliver srv=secret src=g dst=me",
  ]);
});

test("what a packet is refused for is said in words", () => {
  const me = withServices({ calls: [], hears: ["me"] }, "modern");
  const message = (packet: ConstructorParameters<typeof Packet>[0]): string => {
    const [effect] = me.mesh.receive(1, new Packet(packet), me.now);
    assert(effect?.kind === "drop");
    return effect.error.message;
  };
  const why = 'the policy of the link does not let "g" send it';
  assert.equal(
    message({ dst: "me", srv: "s", src: "g" }),
    `Cannot carry packet for "s" at "me": ${why}`,
  );
  assert.equal(message({ dst: "c", src: "g", ctx: 5 }), `Cannot carry packet to "c": ${why}`);
});

// ── offers ──────────────────────────────────────────────────────────────────

test("offers: another service on a neighbour's side is not believed, nor passed on", () => {
  for (const kind of ["modern", "legacy"] as const) {
    const me = scene({ offers: (service, host) => service === "open" && host === "x" }, kind);
    const lines: string[] = [];
    for (const host of ["g", "x"]) {
      if (kind === "modern") {
        const origin = host === "g" ? LIFE : X;
        if (host === "x") me.tell(1, (frame) => frame.route("x", 2, 1, X));
        lines.push(...me.tell(1, (frame) => {
          frame.service(host, "open", 1, origin, 1);
          frame.service(host, "secret", 1, origin, 1);
        }));
      } else {
        if (host === "x") me.route(1, "x", 2, "g");
        for (const service of ["open", "secret"]) lines.push(...me.service(1, service, host, 1));
      }
    }
    lines.push(...me.wait(2_000));
    assert.deepEqual(me.services(), ["open@x 1"]);
    assert.equal(lines.filter((line) => line.startsWith("drop")).length, 1);
    assert.deepEqual(over(2, lines).join().match(/service \w+@\w+/g), ["service open@x"]);
  }
});

test("offers: of a service that others vouch for a neighbour may bring news; through it, it is not used", () => {
  const me = scene({ offers: [] });
  me.tell(2, (frame) => frame.route("x", 3, 1, X) && frame.service("x", "s", 5, X, 1));
  assert.deepEqual(me.services(), ["s@x 5"]);
  me.tell(1, (frame) => frame.service("x", "s", 7, X, 2));
  assert.deepEqual(me.services(), ["s@x 7"]);
  assert.deepEqual(me.tell(1, (frame) => frame.route("x", 2, 1, X)), [
    "! route x 2 g",
    "! service s@x 0",
  ]);
  me.tell(1, (frame) => frame.service("x", "s", 9, X, 3));
  assert.deepEqual(me.services(), []);
  assert.deepEqual(me.tell(1, (frame) => frame.route("x", 0, 0, 0)).slice(-1), ["! service s@x 9"]);
  me.tell(1, (frame) => frame.service("x", "s", 0, X, 4));
  assert.deepEqual(me.services(), []);
});

// ── hears ───────────────────────────────────────────────────────────────────

for (const kind of ["modern", "legacy"] as const) {
  const who = kind === "modern" ? "a neighbour of our kind" : "an old peer";

  test(`hears: ${who} is told of no other address, nor of services there`, () => {
    const me = withServices({ hears: ["me"] }, kind);
    const lines = me.wait(1_000);
    lines.push(...kind === "modern" ? me.tell(1, (frame) => frame.resync(3)) : me.query(1));
    me.tell(2, (frame) => frame.service("x", "open", 6, X, 2));
    lines.push(...me.wait(1_000), ...me.down(2), ...me.wait(3_000));
    const said = over(1, lines).join();
    assert(said.includes("open@me"), said);
    assert(!/ [cx] |@[cx]/.test(said), said);
    assert.deepEqual([...me.mesh.told(1).keys()], ["me"]);
  });

  test(`hears: packets of ${who} to another address are refused, replies included`, () => {
    const me = withServices({ hears: ["me"] }, kind);
    for (const packet of [{ srv: "open" }, { ctx: 7 }, {}]) {
      assert.deepEqual(me.hear(1, { dst: "x", src: "g", ...packet }), ["drop ERR_CHANNEL_REFUSED"]);
    }
    assert.deepEqual(me.hear(1, { srv: "open", src: "g" }), ["deliver srv=open src=g dst=me"]);
  });
}

test("hears: a neighbour may even be kept from us", () => {
  for (const kind of ["modern", "legacy"] as const) {
    const me = withServices({ hears: ["x"] }, kind);
    me.wait(1_000);
    assert.deepEqual([...me.mesh.told(1).keys()], ["x"]);
    assert.deepEqual(me.hear(1, { dst: "me", srv: "s", src: "g" }), ["drop ERR_CHANNEL_REFUSED"]);
  }
});

test("hears: what a neighbour may not hear of, it cannot look for through us", () => {
  const me = withServices({ hears: ["me"] }, "modern");
  me.tell(1, (frame) => {
    frame.seqRequest("x", X, 9, 9);
    frame.seqRequest("nobody", X, 9, 9);
  });
  assert.deepEqual(sent(me.wait(500)).filter((line) => line.includes("request")), []);
});

// ── both sides ──────────────────────────────────────────────────────────────

/** Settings of both ends of a link. */
function both(one: LinkPolicy, other: LinkPolicy = {}): { settings: [LinkSettings, LinkSettings] } {
  return { settings: [{ policy: one }, { policy: other }] };
}

/** What passes between routers in ten minutes of rest, but for fresh words and upkeep. */
function restless(network: SimulatedNetwork): string[] {
  network.settle();
  const routes = () => [...network.nodes.values()].map(({ mesh }) => mesh.routes());
  const before = routes();
  network.forget();
  network.run(470_000); // The first fresh words come later.
  assert.deepEqual(routes(), before);
  return network.sent.filter(({ packet }) =>
    packet.net === 4 && ![4, 5, 6].includes(packet.data[0]!)
  )
    .map(({ at, from, to, packet }) => `${at} ${from} > ${to}: ${packet.data}`);
}

const POLICIES: LinkPolicy[] = [
  { advertises: ["guest"] },
  { stub: true },
  { sees: ["open"] },
  { offers: ["open"] },
  { hears: ["hub"] },
  { advertises: ["guest"], sees: ["open"], offers: [], hears: ["hub", "far"] },
];

for (const policy of POLICIES) {
  test(`under ${JSON.stringify(policy)} both sides come to rest, and no digest has anything told again`, () => {
    const network = new SimulatedNetwork();
    network.connect("hub", "far");
    network.connect("hub", "guest", both(policy));
    network.connect("guest", "behind");
    for (const id of ["hub", "far", "guest", "behind"]) {
      for (const service of ["open", "secret"]) network.offer(id, service, 3);
    }
    assert.deepEqual(restless(network), []);
  });
}

test("under filters of services a neighbour that hears of them elsewhere comes to rest, too, and keeps them", () => {
  for (const policy of [{ sees: ["open"] }, { sees: [] }, { offers: ["open"] }] as LinkPolicy[]) {
    const network = new SimulatedNetwork();
    network.connect("host", "near", both({}));
    network.connect("host", "other");
    network.connect("near", "guest", both(policy));
    network.connect("other", "guest");
    for (const service of ["open", "secret"]) network.offer("host", service, 3);
    assert.deepEqual(restless(network), []);
    const known = network.node("guest").mesh.services().map(({ service }) => service).sort();
    assert.deepEqual(known, ["open", "secret"]);
    network.inject("guest", "near", resync()); // Even if it wants all again.
    network.run(10_000);
    assert.equal(network.node("guest").mesh.services().length, 2);
  }
});

/** A digest of no services. */
const NO_SERVICES = { services: 0, servicesHash: [0, 0] } as const;

/** A request to be told all again. */
function resync(): Packet {
  return new Packet({ net: 4, data: Uint8Array.of(7, 0, 1, 3) });
}

test("a neighbour that offers more than is kept of what it may not offer is not asked for it again and again", () => {
  const me = scene({ advertises: ["g"] });
  for (let part = 0; part < 11; part++) {
    for (let i = 0; i < 1_000; i++) {
      me.tell(1, (frame) => frame.route(`x${part}.${i}`, 2, 1, X));
    }
    me.wait(1_000);
  }
  const lines: string[] = [];
  for (let i = 0; i < 10; i++) {
    const hash = [1, 2] as const;
    const digest = { routes: 11_001, routesHash: hash, services: 0, servicesHash: hash };
    me.tell(1, (frame) => frame.digest(digest));
    lines.push(...me.wait(30_000));
  }
  assert.deepEqual(lines.filter((line) => line.includes("resync")), []);
});

test("what a neighbour that hides services does not tell again is not forgotten", () => {
  const me = new Script();
  me.join(1, "g", { role: 16 });
  me.join(2, "c");
  me.tell(2, (frame) => frame.route("x", 3, 1, X) && frame.service("x", "s", 5, X, 1));
  me.tell(1, (frame) => frame.route("x", 2, 1, X));
  const hash = [1, 2] as const;
  for (let i = 0; i < 2; i++) {
    me.tell(1, (frame) => frame.digest({ ...{ routes: 9, routesHash: hash }, ...NO_SERVICES }));
  }
  assert(over(1, me.wait(100)).join().includes("resync 3"));
  me.tell(1, (frame) => {
    frame.route("g", 1, 1, LIFE);
    frame.route("x", 2, 1, X);
    frame.resync(0);
  });
  assert.deepEqual(me.services(), ["s@x 5"]);
});

test("what a neighbour does not offer any more, against its policy, is asked for once", () => {
  const network = new SimulatedNetwork();
  network.connect("hub", "guest", both({ advertises: ["guest"] }));
  network.settle();
  const frame = new LinkFrameWriter();
  frame.route("x", 2, 1, X);
  network.inject("guest", "hub", new Packet({ net: 4, data: frame.finish() }));
  network.forget();
  network.run(400_000);
  const resyncs = network.sent.filter(({ from, packet }) =>
    from === "hub" && packet.net === 4 && packet.data[0] === 7
  );
  assert.equal(resyncs.length, 1);
});

test("what a neighbour has forgotten to take back is found by its digest, believed or not", () => {
  const me = scene({ advertises: ["g", "x"] });
  me.tell(1, (frame) => frame.route("x", 2, 1, X) && frame.route("y", 2, 1, X));
  const hash = [1, 2] as const;
  const digest = { routes: 1, routesHash: hash, services: 0, servicesHash: hash };
  for (let i = 0; i < 2; i++) {
    me.tell(1, (frame) => frame.digest(digest));
    me.wait(1_000);
  }
  me.tell(1, (frame) => {
    frame.route("g", 1, 1, LIFE);
    frame.resync(0);
  });
  assert.deepEqual(ways(me), ["c", "g"]);
});

test("a gateway keeps guests apart, and from its network, while its own side is not touched", () => {
  const guest: LinkPolicy = {
    stub: true,
    advertises: ["guest.*"],
    hears: ["gate"],
    sees: (service, host) => host === "gate" && service === "time",
    offers: [],
  };
  const network = new SimulatedNetwork();
  network.connect("gate", "inner");
  for (const id of ["guest.1", "guest.2", "eve"]) network.connect("gate", id, both(guest));
  for (const id of network.nodes.keys()) for (const s of ["time", "admin"]) network.offer(id, s, 1);
  network.settle();
  const names = (id: string) => network.node(id).mesh.routes().map(({ address }) => address).sort();
  assert.deepEqual(names("inner"), ["gate", "guest.1", "guest.2"]);
  for (const id of ["guest.1", "guest.2", "eve"]) assert.deepEqual(names(id), ["gate"]);
  const seen = network.node("guest.1").mesh.services();
  assert.deepEqual(
    seen.map(({ service, address }) => `${service}@${address}`).sort(),
    ["admin@guest.1", "time@gate", "time@guest.1"],
  );
  const arrivals = (): string[] =>
    [...network.nodes.values()].flatMap(({ id, effects }) =>
      effects.splice(0).filter((effect: Effect) => effect.kind === "deliver").map(() => id)
    );
  arrivals();
  for (const dst of ["gate", "inner", "guest.2"]) {
    for (const srv of ["time", "admin"]) {
      network.inject("guest.1", "gate", new Packet({ dst, srv, src: "guest.1" }));
    }
  }
  network.inject("guest.1", "gate", new Packet({ srv: "time", src: "guest.1" }));
  network.inject("guest.1", "gate", new Packet({ dst: "gate", srv: "time", src: "inner" }));
  network.run(100);
  assert.deepEqual(arrivals(), ["gate", "gate"]);
  network.send("inner", new Packet({ dst: "guest.2", srv: "time" }));
  network.send("inner", new Packet({ dst: "eve", srv: "time" }));
  network.run(100);
  assert.deepEqual(arrivals(), ["guest.2"]);
});

test("whatever filters there are, ways form no circle, and are the shortest of those that are allowed", () => {
  for (let seed = 1; seed <= 12; seed++) {
    const random = seededRandom(seed);
    const network = new SimulatedNetwork({ random, delay: () => 5 + 10 * random() });
    const invariants = new Invariants(network, { seed });
    const count = 16;
    const believes = new Map<string, Set<string>>(); // "who<of" → addresses.
    const connect = (a: string, b: string) => {
      const policy = (near: string, far: string): LinkPolicy => {
        const key = `${near}<${far}`;
        const names = believes.get(key) ?? new Set(
          Array.from({ length: count }, (_, i) => `n${i}`).filter(() => random() < 0.8),
        );
        believes.set(key, names);
        return { advertises: [...names] };
      };
      network.connect(a, b, both(policy(a, b), policy(b, a)));
    };
    const links = randomDegree(count, 4, seed).map(([a, b]) => [`n${a}`, `n${b}`] as const);
    for (const [a, b] of links) connect(a, b);
    network.settle();
    const cut = new Set<number>();
    for (let step = 0; step < 12; step++) {
      const at = Math.floor(random() * links.length);
      const [a, b] = links[at]!;
      if (cut.delete(at)) connect(a, b);
      else {
        cut.add(at);
        network.disconnect(a, b);
      }
      network.run(random() * 2_000);
    }
    network.settle(600_000, 70_000);
    for (let i = 0; i < count; i++) {
      const destination = `n${i}`;
      const distances = new Map([[destination, 0]]);
      for (const [id, distance] of distances) {
        for (const [j, [a, b]] of links.entries()) {
          if (cut.has(j) || (a !== id && b !== id)) continue;
          const other = a === id ? b : a;
          if (distances.has(other) || !believes.get(`${other}<${id}`)!.has(destination)) continue;
          distances.set(other, distance + 1);
        }
      }
      for (const { id, mesh } of network.nodes.values()) {
        const cost = mesh.routes().find(({ address }) => address === destination)?.cost;
        if (id !== destination) {
          assert.equal(cost, distances.get(id), `seed ${seed}: ${id} to ${destination}`);
        }
      }
    }
    invariants.stop();
    assert.equal(invariants.loops, 0);
  }
});
