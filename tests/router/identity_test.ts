/** Who may come in by a certificate: the neighbour's address must be one of its names. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Packet, type PeerCertificate, Router } from "../../mod.ts";
import type { LinkOptions } from "../../src/router/link_options.ts";
import { ManualClock } from "../../src/testing/mod.ts";
import { REFUSAL } from "../../src/wire/link_auth.ts";
import { introduction, routeOf, Stranger } from "../support/auth.ts";
import { record } from "../support/routers.ts";

const timeout = 20_000;
const CERTIFICATE: PeerCertificate = { names: ["b", "b.example.org"], fingerprint: "AA:BB" };
const OPEN = ["channel open", "route b: 1 via b"];

/** A router "a", and somebody with a certificate for "b" on a link of these options. */
function meet(link: LinkOptions, peer: PeerCertificate | undefined = CERTIFICATE) {
  const clock = new ManualClock();
  const router = new Router("a", { clock });
  const told = record(router);
  const identities: unknown[] = [];
  router.addEventListener("channel", ({ open, identity }) => open && identities.push(identity));
  const stranger = new Stranger(router, { ...(peer && { peer }), link });
  return { clock, router, told, stranger, identities };
}

function refused(name: string): string {
  return `channel closed: Cannot accept channel: the neighbour calls itself "${name}", and may not`;
}

test("LinkOptions.identity lets a neighbour in whose certificate names its address", async () => {
  for (const address of CERTIFICATE.names) {
    const { router, told, stranger, identities } = meet({ identity: true });
    assert.deepEqual([told, stranger.sent.length], [[], 1]); // We say who we are, but are not open.
    stranger.say(...introduction(address));
    assert.deepEqual(told, ["channel open", `route ${address}: 1 via ${address}`]);
    assert.deepEqual(identities, [{ address: "", certificate: CERTIFICATE }]);
    await router.close();
  }
});

test("LinkOptions.identity closes the link to a neighbour of another address, and both know", async () => {
  for (const address of ["c", "B", "b.example", "*", ""]) {
    const { router, told, stranger, clock } = meet({ identity: true });
    if (address === "") stranger.say(routeOf("c"));
    else stranger.say(...introduction(address));
    assert.deepEqual(told, [refused(address || "c")]);
    assert.deepEqual(stranger.messages, [{ kind: "refusal", reason: REFUSAL.address }]);
    assert.deepEqual([router.routes(), clock.pending, stranger.onPacket], [[], 0, null]);
    await router.close();
  }
});

test("A router that is refused for its address is told so", async () => {
  const { router, told, stranger } = meet({});
  stranger.say(...introduction("b"));
  stranger.tell({ kind: "refusal", reason: REFUSAL.address });
  const why = "the neighbour does not accept the address of this router";
  assert.deepEqual(told, [...OPEN, `channel closed: Cannot accept channel: ${why}`, "route b: 0"]);
  await router.close();
});

test("LinkOptions.identity may be a function, of the names and the address", async () => {
  const calls: unknown[] = [];
  const { router, told, stranger } = meet({
    identity: (names, address) => calls.push([names, address]) > 0,
  });
  stranger.say(...introduction("anything"));
  assert.deepEqual(told, ["channel open", "route anything: 1 via anything"]);
  assert.deepEqual(calls, [[CERTIFICATE.names, "anything"]]);
  await router.close();
});

for (
  const [what, identity] of [
    ["says no", () => false],
    ["throws", () => {
      throw new Error("no");
    }],
  ] as const
) {
  test(`LinkOptions.identity closes the link if its function ${what}`, async () => {
    const { router, told, stranger } = meet({ identity });
    stranger.say(...introduction("b"));
    assert.deepEqual(told, [refused("b")]);
    await router.close();
  });
}

test("LinkOptions.identity holds back whatever comes before the name, and loses nothing", async () => {
  const { router, told, stranger } = meet({ identity: true });
  const calls: string[] = [];
  router.registerService("x", (packet) => void calls.push(packet.text()));
  told.length = 0;
  stranger.say(
    new Packet({ net: 3 }),
    new Packet({ src: "b", dst: "a", srv: "x", data: "early" }),
    routeOf("c", "d", 0), // A withdrawal keeps the name of whoever began it.
    routeOf("a", "d", 2), // And our own name is not the neighbour's.
  );
  assert.deepEqual([calls, told, router.routes(), stranger.sent.length], [[], [], [], 1]);
  stranger.say(routeOf("b"));
  assert.deepEqual([calls, told.slice(0, 1)], [["early"], ["channel open"]]);
  assert.ok(router.routes().some(({ address, cost }) => address === "b" && cost === 1));
  assert.ok(stranger.others.length > 1); // Its query was answered.
  await router.close();
});

test("LinkOptions.identity holds a neighbour to its names for as long as the link lives", async () => {
  for (const lie of [routeOf("c"), ...introduction("c").slice(0, 1)]) {
    const { router, told, stranger } = meet({ identity: true });
    stranger.say(...introduction("b"));
    stranger.say(lie);
    assert.deepEqual(told, [...OPEN, refused("c"), "route b: 0"]);
    await router.close();
  }
});

test("LinkOptions.identity gives a neighbour five seconds to say its name", async () => {
  const { router, clock, told, stranger } = meet({ identity: true });
  clock.advance(4_999);
  assert.deepEqual(told, []);
  clock.advance(1);
  const why = "the neighbour does not say its name";
  assert.deepEqual(told, [`channel closed: Cannot accept channel: ${why}`]);
  assert.deepEqual([clock.pending, stranger.onPacket], [0, null]);
  await router.close();
});

test("LinkOptions.identity refuses a channel whose certificate nobody tells, and says so", async () => {
  const clock = new ManualClock();
  const router = new Router("a", { clock });
  const told = record(router);
  const stranger = new Stranger(router, { link: { identity: true } });
  const why = "no certificate of the neighbour's is known here, and so not who it is";
  assert.deepEqual(told, [`channel closed: Cannot accept channel: ${why}`]);
  assert.deepEqual([stranger.sent, clock.pending, stranger.onPacket], [[], 0, null]);
  await router.close();
});

test("LinkOptions.identity and a key must both be right", { timeout }, async () => {
  const KEY = "the key of the network";
  for (const [address, key] of [["b", KEY], ["c", KEY], ["b", "wrong"]] as const) {
    const { router, told, stranger, identities } = meet({ identity: true, key: KEY });
    const mine = stranger.ask({ address });
    await stranger.prove(key, mine);
    stranger.say(...introduction(address));
    await stranger.until(() => stranger.isClosed || stranger.others.length > 0);
    if (address === "c") assert.deepEqual(told, [refused("c")]);
    else if (key !== KEY) assert.match(told[0]!, /does not know the key$/);
    else {
      await stranger.until(() => told.length > 1);
      assert.deepEqual([told, identities], [OPEN, [{ address: "b", certificate: CERTIFICATE }]]);
    }
    await router.close();
  }
});

test("Without LinkOptions.identity a certificate is told, and refuses nobody", async () => {
  const { router, told, stranger, identities } = meet({});
  stranger.say(...introduction("anything"));
  assert.deepEqual(told, ["channel open", "route anything: 1 via anything"]);
  assert.deepEqual(identities, [{ address: "", certificate: CERTIFICATE }]);
  await router.close();
});
