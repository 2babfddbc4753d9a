/** Who may come in by a key: the handshake, and what attackers and old peers make of it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ChannelError,
  type ChannelSide,
  createChannelPair,
  type LinkOptions,
  Packet,
  Router,
  type RouterOptions,
} from "../../mod.ts";
import { Dialer } from "../../src/runtime/net.ts";
import { ManualClock } from "../../src/testing/mod.ts";
import { LinkKey } from "../../src/router/link_key.ts";
import { CHALLENGE, encodeLinkAuth, linkProofInput, REFUSAL } from "../../src/wire/link_auth.ts";
import { challengeOf, helloOf, introduction, routeOf, Stranger } from "../support/auth.ts";
import { type ForeignChannel, next, record, turn } from "../support/routers.ts";

const timeout = 20_000;
const KEY = "the key of the network";
const LATE = "the neighbour takes too long to prove who it is";
const REQUIRE = { networkKey: KEY } as const;
const PREFER = { networkKey: KEY, auth: "prefer" } as const;

/** A router "a" whose time the test moves, and all that it tells. */
function alone(options: RouterOptions = REQUIRE) {
  const clock = new ManualClock();
  const router = new Router("a", { clock, ...options });
  return { router, clock, told: record(router) };
}

/** What "a" tells of a neighbour that is refused. */
function refused(why: string): string {
  return `channel closed: Cannot accept channel: ${why}`;
}

/** What is left of a link that has been refused: nothing. */
function assertGone(stranger: ForeignChannel, router: Router, clock: ManualClock): void {
  assert.deepEqual([stranger.onPacket, stranger.onClose], [null, null]);
  assert.deepEqual([clock.pending, router.routes(), stranger.closes.length], [0, [], 1]);
}

/** Two routers over one channel, and what each is first told of it. */
async function meet(a: RouterOptions, b: RouterOptions, sides: (ChannelSide | undefined)[] = []) {
  const [here, there] = createChannelPair();
  [here.side, there.side] = sides;
  const routers = [new Router("a", a), new Router("b", b)] as const;
  const told = routers.map(record);
  const outcome = routers.map((router) => next(router, "channel"));
  routers[0].addChannel(here);
  routers[1].addChannel(there);
  const [first, second] = await Promise.all(outcome);
  return { routers, told, events: [first!, second!] as const, channels: [here, there] as const };
}

/** Every way for a channel to have sides. */
const SIDES: [what: string, sides: (ChannelSide | undefined)[]][] = [
  ["without sides", []],
  ["that a has opened", ["opened", "accepted"]],
  ["that b has opened", ["accepted", "opened"]],
  ["of which only a knows its side", ["accepted", undefined]],
];

for (const [what, sides] of SIDES) {
  test(`Routers with one key let each other in over a channel ${what}`, { timeout }, async () => {
    const { routers: [a, b], events } = await meet(
      REQUIRE,
      { networkKey: new TextEncoder().encode(KEY) },
      sides,
    );
    assert.deepEqual(events.map(({ open, identity }) => [open, identity]), [
      [true, { address: "b", certificate: null }],
      [true, { address: "a", certificate: null }],
    ]);
    b.registerService("greet", (packet, reply) => void reply(`hello ${packet.text()}`));
    await a.waitForService("greet");
    assert.equal((await a.request("greet", "world")).text(), "hello world");
    await Promise.all([a.close(), b.close()]);
  });

  test(`Routers with different keys refuse each other over a channel ${what}`, {
    timeout,
  }, async () => {
    for (const auth of ["require", "prefer"] as const) {
      const { routers, told, channels } = await meet(
        { networkKey: KEY, auth },
        { networkKey: `${KEY} `, auth },
        sides,
      );
      await Promise.all(channels.map(({ closed }) => closed));
      const does = refused("the neighbour does not know the key");
      const does_not = refused("the neighbour does not accept the key of this router");
      for (const lines of told) {
        assert.equal(lines.length, 1);
        assert.ok([does, does_not].includes(lines[0]!), lines[0]);
      }
      assert.ok(told.flat().includes(does));
      await Promise.all(routers.map((router) => router.close()));
    }
  });
}

test("A refusal is a ChannelError with the code ERR_CHANNEL_AUTH, on both sides", {
  timeout,
}, async () => {
  const { routers, events } = await meet(REQUIRE, { networkKey: "another" });
  for (const { open, reason, identity } of events) {
    const { name, code } = reason as ChannelError;
    assert.deepEqual([open, name, code, identity], [
      false,
      "ChannelError",
      "ERR_CHANNEL_AUTH",
      null,
    ]);
  }
  await Promise.all(routers.map((router) => router.close()));
});

test("RouterOptions.networkKey and LinkOptions.key are refused if they are of no use", () => {
  const bad: [options: object, message: string][] = [
    [{ networkKey: "" }, "Cannot use key: it is empty"],
    [{ networkKey: new Uint8Array(0) }, "Cannot use key: it is empty"],
    [{ networkKey: 5 }, "Cannot use key: it is no text or bytes"],
    [{ auth: "maybe" }, 'Cannot use auth "maybe": it is neither "require" nor "prefer"'],
  ];
  for (const [options, message] of bad) {
    assert.throws(() => new Router("a", options as RouterOptions), { name: "TypeError", message });
    const { networkKey: key, auth } = options as RouterOptions;
    const link = { key, auth } as LinkOptions;
    const { router, clock } = alone({});
    const [channel] = createChannelPair();
    assert.throws(() => router.addChannel(channel, link), { name: "TypeError", message });
    assert.deepEqual([clock.pending, channel.onPacket], [0, null]);
    router.addChannel(channel); // It is not attached.
    assert.throws(() => new Dialer(router, () => channel, { link }), { message });
  }
});

test("LinkOptions.key stands in place of the router's own, and null for none", {
  timeout,
}, async () => {
  const { router } = alone();
  const other = new Stranger(router, { link: { key: "for this link" } });
  await other.prove("for this link");
  await other.until(() => other.others.length > 0);
  const none = new Stranger(router, { link: { key: null } });
  assert.deepEqual([none.messages, none.others.length], [[], 1]); // At once.
  const own = new Stranger(router);
  await own.prove("for this link");
  await own.until(() => own.isClosed);
  const prefers = new Stranger(router, { link: { auth: "prefer" } });
  assert.equal(prefers.challenge.flags, 0);
  await router.close();
});

// ── before the proof ────────────────────────────────────────────────────────

test("Router knows nothing of a neighbour, and says nothing, before it has proved itself", {
  timeout,
}, async () => {
  const { router, clock, told } = alone();
  const calls: string[] = [];
  router.registerService("secret", (packet) => void calls.push(packet.text()));
  told.length = 0;
  const stranger = new Stranger(router);
  stranger.say(
    ...introduction("b"),
    new Packet({ net: 3 }),
    new Packet({ srv: "secret", dst: "a", src: "b", data: "early" }),
  );
  await turn();
  assert.deepEqual([calls, told, router.routes(), stranger.others], [[], [], [], []]);
  assert.deepEqual(stranger.messages.map(({ kind }) => kind), ["challenge"]);
  assert.equal(clock.pending, 1); // The time that it has.
  await stranger.prove(KEY);
  await stranger.until(() => stranger.others.length > 0);
  await turn();
  // From here on it is a neighbour, and nothing that it has said is lost.
  assert.deepEqual(calls, ["early"]);
  assert.deepEqual(told, ["channel open", "route b: 1 via b"]);
  assert.deepEqual(stranger.messages.map(({ kind }) => kind), ["challenge", "proof"]);
  await router.close();
});

test("Router refuses who says too much before it has proved itself", { timeout }, async () => {
  const floods = [
    Array.from({ length: 64 }, () => helloOf("b")),
    Array.from({ length: 20 }, () => new Packet({ srv: "x", data: new Uint8Array(1_000) })),
    Array.from({ length: 40 }, () => new Packet({ srv: "x".repeat(255), src: "y".repeat(255) })),
  ];
  for (const flood of floods) {
    const { router, clock, told } = alone();
    const stranger = new Stranger(router);
    stranger.say(...flood.slice(0, flood.length / 2));
    assert.equal(stranger.isClosed, false);
    stranger.say(...flood, ...flood);
    assert.deepEqual(told, [refused("the neighbour says too much before it is let in")]);
    assertGone(stranger, router, clock);
    await router.close();
  }
});

test("Router gives up a neighbour that says nothing after five seconds, with ERR_CHANNEL_CLOSED", () => {
  const { router, clock, told } = alone();
  const stranger = new Stranger(router);
  clock.advance(4_999);
  assert.deepEqual([told, stranger.isClosed], [[], false]);
  const reasons: unknown[] = [];
  router.addEventListener("channel", ({ reason }) => reasons.push((reason as ChannelError).code));
  clock.advance(1);
  assert.deepEqual(told, [refused("nothing was heard for 5000 ms")]);
  assert.deepEqual(reasons, ["ERR_CHANNEL_CLOSED"]); // It may answer another time.
  assertGone(stranger, router, clock);
});

test("Router gives up a neighbour that asks for a proof and never gives one", () => {
  for (const options of [REQUIRE, PREFER]) {
    const { router, clock, told } = alone(options);
    const stranger = new Stranger(router, { side: "accepted" });
    clock.advance(1_000);
    stranger.ask({ flags: CHALLENGE.opened });
    clock.advance(5_000);
    stranger.say(helloOf("b")); // Nobody listens.
    assert.deepEqual(told, [refused(LATE)]);
    assert.deepEqual(stranger.of("proof"), []);
    assertGone(stranger, router, clock);
  }
});

test("Router holds at most 512 that wait to be let in: who has waited longest goes", {
  timeout,
}, async () => {
  const { router, clock, told } = alone();
  const waiting = () => clock.pending;
  const crowd = Array.from({ length: 600 }, () => {
    const stranger = new Stranger(router, { side: "accepted" });
    stranger.ask({ flags: CHALLENGE.opened });
    return stranger;
  });
  assert.equal(waiting(), 512);
  assert.deepEqual(crowd.map(({ isClosed }) => isClosed), crowd.map((_, i) => i < 88));
  assert.deepEqual([...new Set(told)], [refused("too many others wait to be let in")]);
  // Who knows the key comes in all the same, and whom we have called is not driven out.
  const called = new Stranger(router, { side: "opened" });
  const friend = new Stranger(router, { side: "accepted" });
  const mine = challengeOf({ flags: CHALLENGE.opened });
  await friend.prove(KEY, mine);
  await friend.until(() => friend.others.length > 0);
  for (let i = 0; i < 512; i++) new Stranger(router, { side: "accepted" });
  assert.deepEqual([called.isClosed, friend.isClosed], [false, false]);
  clock.advance(5_000);
  assert.deepEqual([called.isClosed, friend.isClosed], [true, false]);
  await router.close();
  assert.equal(clock.pending, 0);
});

// ── attacks ─────────────────────────────────────────────────────────────────

test("Router refuses a proof made with another key, and has made no proof of its own for it", {
  timeout,
}, async () => {
  const { router, clock, told } = alone();
  const stranger = new Stranger(router, { side: "accepted" });
  const mine = stranger.ask({ flags: CHALLENGE.opened });
  await stranger.prove("guessed", mine);
  await stranger.until(() => stranger.isClosed);
  assert.deepEqual(told, [refused("the neighbour does not know the key")]);
  assert.deepEqual(stranger.messages.slice(1), [{ kind: "refusal", reason: REFUSAL.key }]);
  assertGone(stranger, router, clock);
});

/** Every call of Web Crypto's HMAC until the promise settles. */
async function countingHmacs(run: () => Promise<void>): Promise<string[]> {
  const { subtle } = crypto;
  const calls: string[] = [];
  const prototype = Object.getPrototypeOf(subtle);
  const { sign, verify } = prototype;
  prototype.sign = function (...args: unknown[]) {
    calls.push("sign");
    return sign.apply(this, args);
  };
  prototype.verify = function (...args: unknown[]) {
    calls.push("verify");
    return verify.apply(this, args);
  };
  try {
    await run();
  } finally {
    Object.assign(prototype, { sign, verify });
  }
  return calls;
}

test("A wrong proof costs one HMAC, however often it is said", { timeout }, async () => {
  const { router } = alone();
  const stranger = new Stranger(router, { side: "accepted" });
  const mac = new Uint8Array(32);
  const calls = await countingHmacs(async () => {
    const challenge = stranger.ask({ flags: CHALLENGE.opened });
    for (let i = 0; i < 20; i++) stranger.tell({ kind: "proof", challenge, mac });
    await stranger.until(() => stranger.isClosed);
    await turn();
  });
  assert.deepEqual(calls, ["verify"]);
});

test("Router makes four proofs for one neighbour at most", { timeout }, async () => {
  const { router, told } = alone();
  const stranger = new Stranger(router);
  const calls = await countingHmacs(async () => {
    for (let i = 0; i < 20; i++) stranger.ask({ nonce: new Uint8Array(20).fill(i) });
    await stranger.until(() => stranger.isClosed);
    await turn();
  });
  assert.deepEqual(calls, ["sign", "sign", "sign", "sign"]);
  assert.equal(told.length, 1);
});

test("Router asks with another number on each link, of bytes that hurt no old peer", () => {
  const { router } = alone();
  const numbers = new Set<string>();
  for (let i = 0; i < 200; i++) {
    const { challenge, sent } = new Stranger(router);
    numbers.add(String(challenge.nonce));
    assert.ok(sent[0]!.toBinary().slice(2).every((byte) => byte < 0x80)); // Control word aside.
    assert.ok(new Set(challenge.nonce).size > 5);
    assert.deepEqual([sent[0]!.src, sent[0]!.dst, sent[0]!.srv, sent[0]!.net], ["", "", "", 4]);
  }
  assert.equal(numbers.size, 200);
});

test("Router refuses a handshake that was recorded from an earlier link", { timeout }, async () => {
  for (const side of ["accepted", "opened", undefined] as const) {
    const { router, told } = alone();
    const options = side === undefined ? {} : { side };
    const earlier = new Stranger(router, options);
    const words: Packet[] = [];
    const listen = earlier.onPacket!;
    earlier.onPacket = (packet) => {
      words.push(packet.copy());
      listen(packet);
    };
    await earlier.prove(KEY, earlier.ask());
    earlier.say(...introduction("b"));
    await earlier.until(() => earlier.others.length > 0);
    await turn();
    assert.deepEqual(told, ["channel open", "route b: 1 via b"]);
    router.removeChannel(earlier);
    told.length = 0;
    const replayed = new Stranger(router, options);
    replayed.say(...words);
    await replayed.until(() => replayed.isClosed);
    assert.deepEqual([told, router.routes(), replayed.others], [
      [refused("the neighbour does not know the key")],
      [],
      [],
    ]);
    await router.close();
  }
});

test("Router does not take its own words for a neighbour's", () => {
  for (const side of ["accepted", "opened", undefined] as const) {
    const { router, clock, told } = alone();
    const mirror = new Stranger(router, side === undefined ? {} : { side });
    mirror.say(...mirror.sent);
    assert.deepEqual(told, [refused('the neighbour calls itself "a", as this router')]);
    assert.deepEqual(mirror.messages.slice(1), [{ kind: "refusal", reason: REFUSAL.address }]);
    assertGone(mirror, router, clock);
  }
});

test("Router does not take a proof of its own that a parallel link has had from it", {
  timeout,
}, async () => {
  const { router, told } = alone();
  const own = refused('the neighbour calls itself "a", as this router');
  const first = new Stranger(router);
  // Asked on a second link what it has asked on the first one, it proves nothing.
  const second = new Stranger(router);
  second.tell({ kind: "challenge", challenge: first.challenge });
  await turn();
  assert.deepEqual([told, second.of("proof")], [[own], []]);
  // Asked the same by somebody of another name, it does; but that is no proof for the first link.
  const third = new Stranger(router);
  third.ask({ nonce: first.challenge.nonce });
  await third.until(() => third.of("proof").length > 0);
  const { mac, challenge } = third.of("proof")[0]!;
  first.tell({ kind: "proof", challenge, mac });
  assert.deepEqual(told, [own, own]);
  const fourth = new Stranger(router);
  fourth.tell({ kind: "proof", challenge: challengeOf({ nonce: challenge.nonce }), mac });
  await fourth.until(() => fourth.isClosed);
  assert.deepEqual(told, [own, own, refused("the neighbour does not know the key")]);
  await router.close();
});

test("Router refuses a neighbour with the key that has its own address", { timeout }, async () => {
  const { router, told } = alone();
  const twin = new Stranger(router, { side: "accepted" });
  await twin.prove(KEY, challengeOf({ address: "a" }));
  assert.deepEqual(told, [refused('the neighbour calls itself "a", as this router')]);
  await router.close();
});

/** What somebody may do with a proof that "b" has made for "a", or for somebody else. */
const MISUSES: [what: string, mine: object, theirs: object][] = [
  ["another address", { address: "c" }, {}],
  ["the other side of the connection", { flags: CHALLENGE.opened }, {}],
  ["another number of its own", { nonce: new Uint8Array(20) }, {}],
  ["a number of somebody else's", {}, { nonce: new Uint8Array(20) }],
  ["the address of somebody else", {}, { address: "c" }],
];
for (const [what, mine, theirs] of MISUSES) {
  test(`A proof is no good with ${what}`, { timeout }, async () => {
    const { router, told } = alone();
    const stranger = new Stranger(router);
    const meant = challengeOf({ ...stranger.challenge, ...theirs });
    const input = linkProofInput(challengeOf(), meant);
    const mac = await new LinkKey(KEY).sign(input);
    stranger.tell({ kind: "proof", challenge: challengeOf(mine), mac });
    await stranger.until(() => stranger.isClosed || stranger.others.length > 0);
    assert.deepEqual(told, [refused("the neighbour does not know the key")]);
    await router.close();
  });
}

test("Nobody can make two listeners prove themselves to each other", { timeout }, async () => {
  const a = alone();
  const b = { clock: new ManualClock(), router: new Router("b", { ...REQUIRE }) };
  const told = record(b.router);
  const [toA, toB] = [
    new Stranger(a.router, { side: "accepted" }),
    new Stranger(b.router, { side: "accepted" }),
  ];
  // Word for word: both notice.
  toA.tell({ kind: "challenge", challenge: toB.challenge });
  toB.tell({ kind: "challenge", challenge: toA.challenge });
  const why = "the neighbour has accepted a connection, too: somebody is in between";
  assert.deepEqual([a.told, told], [[refused(why)], [refused(why)]]);
  // As if each had been called: neither proves anything.
  const again = [
    new Stranger(a.router, { side: "accepted" }),
    new Stranger(b.router, { side: "accepted" }),
  ] as const;
  const calls = await countingHmacs(async () => {
    for (const [one, other, address] of [[...again, "b"], [again[1], again[0], "a"]] as const) {
      one.ask({ nonce: other.challenge.nonce, address, flags: CHALLENGE.opened });
    }
    await turn();
  });
  assert.deepEqual(calls, []);
  assert.deepEqual(again.map((stranger) => stranger.of("proof")), [[], []]);
  await Promise.all([a.router.close(), b.router.close()]);
});

const GARBAGE: [what: string, data: number[]][] = [
  ["a challenge that is cut off", [0x0c, 0, 26, 1, 0]],
  ["a challenge that is too large", [0x0c, 3, 0xe8, ...new Array(1_000).fill(1)]],
  ["a challenge of version 0", [0x0c, 0, 24, 0, 0, ...new Array(20).fill(7), 1, 98]],
  ["a challenge without an address", [0x0c, 0, 23, 1, 0, ...new Array(20).fill(7), 0]],
  ["an empty proof", [0x0d, 0, 0]],
  ["a proof that goes on", [0x0d, 0, 0, 0]],
  ["an empty refusal", [0x0e, 0, 0]],
];
for (const [what, data] of GARBAGE) {
  test(`Router refuses at once who says ${what}`, () => {
    for (const options of [REQUIRE, PREFER]) {
      const { router, clock, told } = alone(options);
      const stranger = new Stranger(router);
      stranger.say(new Packet({ net: 4, data: Uint8Array.from(data) }));
      assert.deepEqual(told, [refused("what the neighbour says cannot be read")]);
      assert.deepEqual(stranger.of("refusal"), [{ kind: "refusal", reason: REFUSAL.malformed }]);
      assertGone(stranger, router, clock);
    }
  });

  test(`Router without a key does not mind who says ${what}`, async () => {
    const { router, told } = alone({});
    const stranger = new Stranger(router);
    stranger.say(new Packet({ net: 4, data: Uint8Array.from(data) }), ...introduction("b"));
    assert.deepEqual(told, ["channel open", "route b: 1 via b"]);
    await router.close();
  });
}

test("Router holds whatever else is said until time is up, and then refuses for good", () => {
  const { router, clock, told } = alone();
  const stranger = new Stranger(router);
  stranger.say(
    new Packet({ net: 4, data: Uint8Array.of(4, 0, 4, 0, 0, 0, 7) }),
    new Packet({ net: 255, data: "no" }),
    new Packet({ net: 77 }),
    new Packet({}),
  );
  clock.advance(5_000);
  assert.deepEqual(told, [refused("the neighbour proves no key")]);
  assertGone(stranger, router, clock);
});

test("A neighbour that has proved one address may not say hello by another", {
  timeout,
}, async () => {
  for (const lie of [helloOf("c"), routeOf("c"), helloOf("a")]) {
    const { router, told } = alone();
    const stranger = new Stranger(router);
    await stranger.prove(KEY);
    stranger.say(...introduction("b"));
    await stranger.until(() => stranger.others.length > 0);
    await turn();
    stranger.say(lie);
    const name = lie.net === 1 ? "c" : lie.data.includes(99) ? "c" : "a";
    assert.deepEqual(told.slice(0, 2), ["channel open", "route b: 1 via b"]);
    assert.ok(told.includes(refused(`the neighbour calls itself "${name}", and may not`)), name);
    assert.deepEqual([router.routes(), stranger.isClosed], [[], true]);
    await router.close();
  }
});

// ── old peers, and routers without a key ────────────────────────────────────

test("Router that requires a key refuses an old peer, and tells it nothing", () => {
  const { router, clock, told } = alone();
  router.registerService("secret", () => {});
  told.length = 0;
  const old = new Stranger(router);
  old.say(new Packet({ net: 3 }), routeOf("old"));
  clock.advance(4_999);
  old.say(new Packet({ net: 3 }), new Packet({ src: "old", srv: "secret", dst: "a" }));
  assert.deepEqual([told, router.routes(), old.sent.length], [[], [], 1]);
  clock.advance(1);
  assert.deepEqual(told, [refused("the neighbour proves no key")]);
  assert.deepEqual([old.others, old.sent.every(({ net, src }) => net === 4 && src === "")], [
    [],
    true, // Which it does not look at.
  ]);
  assertGone(old, router, clock);
});

test("Router that prefers a key lets an old peer in as soon as it speaks, and loses nothing", () => {
  const { router, told } = alone(PREFER);
  const old = new Stranger(router);
  assert.deepEqual([told, old.sent.length], [[], 1]);
  old.say(new Packet({ net: 3 }), routeOf("old"));
  assert.deepEqual(told, ["channel open", "route old: 1 via old"]);
  assert.ok(old.others.some(({ net }) => net === 1)); // It was answered.
});

test("Router that prefers a key lets a silent neighbour in after two seconds, as nobody", () => {
  const { router, clock, told } = alone(PREFER);
  const identities: unknown[] = [];
  router.addEventListener("channel", ({ identity }) => identities.push(identity));
  const silent = new Stranger(router);
  clock.advance(1_999);
  assert.deepEqual([told, silent.sent.length], [[], 1]);
  clock.advance(1);
  assert.deepEqual([told, identities], [["channel open"], [null]]);
  assert.deepEqual(silent.others.map(({ net }) => net), [3]); // It is asked who it is.
  silent.say(routeOf("old"));
  assert.deepEqual(told, ["channel open", "route old: 1 via old"]);
});

test("Router that prefers a key refuses a wrong one, also if it comes after other words", {
  timeout,
}, async () => {
  const { router, told } = alone(PREFER);
  const first = new Stranger(router);
  await first.prove("wrong");
  first.say(helloOf("b"));
  await first.until(() => first.isClosed);
  assert.deepEqual(told, [refused("the neighbour does not know the key")]);
  told.length = 0;
  const later = new Stranger(router);
  later.say(...introduction("b"));
  assert.deepEqual(told, ["channel open", "route b: 1 via b"]);
  later.ask();
  await later.prove("wrong");
  await later.until(() => later.isClosed);
  assert.deepEqual(told.slice(2), [
    refused("the neighbour does not know the key"),
    "route b: 0",
  ]);
  await router.close();
});

test("Router that prefers a key lets nobody in who has asked for a proof and gives none", {
  timeout,
}, async () => {
  const { router, clock, told } = alone(PREFER);
  const stranger = new Stranger(router);
  stranger.ask();
  await stranger.until(() => stranger.of("proof").length > 0);
  await turn();
  stranger.say(helloOf("b"), routeOf("b"));
  clock.advance(4_999);
  assert.deepEqual([told, stranger.others], [[], []]);
  clock.advance(1);
  assert.deepEqual(told, [refused(LATE)]);
  assertGone(stranger, router, clock);
});

test("Nothing that a neighbour says makes a router that requires a key do without", {
  timeout,
}, async () => {
  const { router, clock, told } = alone();
  for (const flags of [0, CHALLENGE.opened, CHALLENGE.accepted, 0xf8]) {
    const stranger = new Stranger(router);
    stranger.ask({ flags });
    await stranger.until(() => stranger.of("proof").length > 0);
    stranger.say(helloOf("b"));
    stranger.tell({ kind: "refusal", reason: REFUSAL.noKey });
    await stranger.until(() => stranger.isClosed);
    assert.deepEqual([stranger.others, router.routes(), clock.pending], [[], [], 0]);
  }
  assert.deepEqual([...new Set(told)], [refused("the neighbour has no key")]);
});

for (const [what, sides] of SIDES) {
  test(`A router without a key is refused, and both know why, over a channel ${what}`, {
    timeout,
  }, async () => {
    const { routers, told, channels } = await meet(REQUIRE, {}, sides);
    await Promise.all(channels.map(({ closed }) => closed));
    assert.deepEqual(told, [
      [refused("the neighbour has no key")],
      ["channel open", refused("the neighbour wants a key, and there is none here")],
    ]);
    await Promise.all(routers.map((router) => router.close()));
  });

  test(`A router that prefers a key lets one without in at once, over a channel ${what}`, {
    timeout,
  }, async () => {
    const { routers: [a, b], events } = await meet(PREFER, {}, sides);
    assert.deepEqual(events.map(({ open, identity }) => [open, identity]), [
      [true, null],
      [true, null],
    ]);
    b.registerService("x", (_packet, reply) => void reply("y"));
    await a.waitForService("x");
    assert.equal((await a.request("x")).text(), "y");
    await Promise.all([a.close(), b.close()]);
  });

  test(`A router that prefers a key and one that requires it prove it over a channel ${what}`, {
    timeout,
  }, async () => {
    const { routers, events } = await meet(PREFER, REQUIRE, sides);
    assert.deepEqual(events.map(({ identity }) => identity?.address), ["b", "a"]);
    await Promise.all(routers.map((router) => router.close()));
  });
}

// ── beginning anew, and the end ─────────────────────────────────────────────

test("Routers find each other though one of them comes late, and has heard nothing", {
  timeout,
}, async () => {
  const a = new Router("a", { ...REQUIRE });
  const told = record(a);
  const early = new Stranger(a); // What "a" says first is lost.
  const b = new Router("b", { ...REQUIRE });
  const late = new Stranger(b);
  early.answer = (packet) => late.say(packet.copy());
  late.answer = (packet) => early.say(packet.copy());
  const open = next(a, "channel");
  early.say(...late.sent.map((packet) => packet.copy()));
  assert.equal((await open).open, true);
  b.registerService("x", () => {});
  await a.waitForService("x");
  assert.equal(told[0], "channel open");
  await Promise.all([a.close(), b.close()]);
});

test("A neighbour may begin anew on a channel that does not end, and proves itself again", {
  timeout,
}, async () => {
  const { router, told } = alone();
  const stranger = new Stranger(router);
  await stranger.prove(KEY, stranger.ask());
  stranger.say(...introduction("b"));
  await stranger.until(() => stranger.others.length > 0);
  const again = challengeOf({ nonce: new Uint8Array(20).fill(9) });
  stranger.tell({ kind: "challenge", challenge: again });
  await stranger.until(() => stranger.of("proof").length === 2);
  const [first, second] = stranger.of("challenge");
  assert.notDeepEqual(first!.challenge.nonce, second!.challenge.nonce);
  await turn();
  const calls: string[] = [];
  router.registerService("x", (packet) => void calls.push(packet.text()));
  told.length = 0;
  stranger.say(new Packet({ src: "b", dst: "a", srv: "x", data: "early" }));
  assert.deepEqual(calls, []);
  await stranger.prove(KEY, again, second!.challenge);
  stranger.say(new Packet({ src: "b", dst: "a", srv: "x", data: "late" }));
  while (calls.length < 2) await turn();
  assert.deepEqual([calls, told], [["early", "late"], []]); // Nobody need know.
  // And no proof is good for a second time.
  stranger.tell({ kind: "challenge", challenge: again });
  await stranger.prove(KEY, again, second!.challenge);
  await stranger.until(() => stranger.isClosed);
  assert.deepEqual(told, [
    refused("the neighbour does not know the key"),
    "route b: 0",
  ]);
  await router.close();
});

test("A neighbour that was let in without a key may prove one later", { timeout }, async () => {
  const { router, clock, told } = alone(PREFER);
  const stranger = new Stranger(router);
  clock.advance(2_000);
  stranger.say(...introduction("b"));
  stranger.ask();
  await stranger.prove(KEY); // Of what it was asked at first.
  stranger.say(helloOf("c")); // From now on it is held to its name.
  await stranger.until(() => stranger.isClosed);
  assert.deepEqual(told, [
    "channel open",
    "route b: 1 via b",
    refused('the neighbour calls itself "c", and may not'),
    "route b: 0",
  ]);
  assert.deepEqual(stranger.messages.map(({ kind }) => kind), ["challenge", "proof", "refusal"]);
  await router.close();
});

/** How far a handshake may have come when the channel closes. */
const STAGES: [what: string, prepare: (stranger: Stranger) => Promise<void> | void][] = [
  ["when nothing was said", () => {}],
  ["when other things were said", (stranger) => stranger.say(helloOf("b"))],
  ["while a proof is being made", (stranger) => void stranger.ask()],
  ["while a proof is being checked", async (stranger) => {
    await stranger.prove(KEY);
    stranger.say(helloOf("b"));
  }],
];
for (const [what, prepare] of STAGES) {
  for (const how of ["removeChannel()", "close()", "the neighbour"] as const) {
    test(`Nothing is left of a handshake that ${how} ends ${what}`, { timeout }, async () => {
      const { router, clock, told } = alone();
      const stranger = new Stranger(router);
      await prepare(stranger);
      if (how === "removeChannel()") router.removeChannel(stranger);
      else if (how === "close()") await router.close();
      else stranger.close();
      const { length } = stranger.sent;
      // Web Crypto is done by then: it answers one after another.
      const other = alone();
      const friend = new Stranger(other.router);
      friend.ask();
      await friend.prove(KEY);
      await friend.until(() => friend.others.length > 0);
      const why = "the neighbour has closed it before it was let in";
      assert.deepEqual(told, [how === "the neighbour" ? refused(why) : "channel closed"]);
      assert.equal(stranger.sent.length, length);
      assertGone(stranger, router, clock);
      await Promise.all([router.close(), other.router.close()]);
    });
  }
}

test("A refusal that comes while Web Crypto is busy is told, though the channel closes", {
  timeout,
}, async () => {
  const { router, clock, told } = alone();
  const stranger = new Stranger(router);
  stranger.ask();
  stranger.tell({ kind: "refusal", reason: REFUSAL.key });
  stranger.close();
  assert.deepEqual(told, [refused("the neighbour does not accept the key of this router")]);
  assertGone(stranger, router, clock);
  await router.close();
});

test(
  "Router survives a channel that throws when it is asked for a proof",
  { timeout },
  async () => {
    const { router, clock, told } = alone();
    const [channel] = createChannelPair();
    channel.send = () => {
      throw new Error("no");
    };
    router.addChannel(channel);
    assert.deepEqual([told, clock.pending], [[refused("the channel threw")], 0]);
    await router.close();
  },
);

// ── links that come back ────────────────────────────────────────────────────

test("Dialer.connected() waits until both sides have let each other in", { timeout }, async () => {
  const [a, b] = [new Router("a"), new Router("b", { ...REQUIRE })];
  const [near, far] = createChannelPair();
  const order: string[] = [];
  const dialer = new Dialer(a, () => near, { link: { key: KEY } });
  dialer.addEventListener("status", ({ state }) => order.push(state));
  const connected = dialer.connected().then(() => order.push("it is"));
  await turn();
  assert.deepEqual([dialer.state, order], ["connecting", ["connecting"]]);
  b.addChannel(far);
  await connected;
  assert.deepEqual(order, ["connecting", "connected", "it is"]);
  await Promise.all([a.close(), b.close()]);
});

test("Dialer ends when its key is refused, by either side, and tries no more", {
  timeout,
}, async () => {
  for (const [mine, theirs] of [[KEY, "other"], [KEY, null], [null, KEY]] as const) {
    const [a, b] = [new Router("a"), new Router("b")];
    let attempts = 0;
    const dialer = new Dialer(a, () => {
      const [near, far] = createChannelPair();
      near.side = "opened";
      far.side = "accepted";
      attempts++;
      b.addChannel(far, { key: theirs });
      return near;
    }, { link: { key: mine } });
    const waiting = dialer.connected().then(() => "open", ({ code }) => code);
    assert.equal((await dialer.closed as ChannelError).code, "ERR_CHANNEL_AUTH");
    assert.deepEqual([await waiting, attempts], [mine === null ? "open" : "ERR_CHANNEL_AUTH", 1]);
    await Promise.all([a.close(), b.close()]);
  }
});

test("Dialer tries again when the other side says nothing", { timeout }, async () => {
  const clock = new ManualClock();
  const a = new Router("a", { clock, ...REQUIRE });
  const states: string[] = [];
  const dialer = new Dialer(a, () => createChannelPair()[0], { clock });
  dialer.addEventListener("status", ({ state, error }) => {
    states.push(`${state} ${(error as ChannelError | undefined)?.code ?? ""}`);
  });
  await turn();
  clock.advance(5_000);
  assert.deepEqual(states, ["connecting ", "waiting ERR_CHANNEL_CLOSED"]);
  await dialer.close();
  await a.close();
  assert.equal(clock.pending, 0);
});

test("Messages of the handshake are small", () => {
  const { router } = alone({ networkKey: KEY });
  const { sent } = new Stranger(router);
  assert.equal(sent[0]!.data.length, 3 + 2 + 20 + 2);
  const challenge = challengeOf();
  const proof = encodeLinkAuth({ kind: "proof", challenge, mac: new Uint8Array(32) });
  assert.equal(proof.length, sent[0]!.data.length + 32);
});
