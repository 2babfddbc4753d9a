import assert from "node:assert/strict";
import { test } from "node:test";
import { type Packet, Router, type ServiceHandler } from "../../mod.ts";
import type { LegacyKind } from "../../src/testing/mod.ts";
import { ALL_CONTEXTS, freeContexts, texts, turns } from "../support/calls.ts";
import { OldPeer } from "../support/old_peer.ts";
import {
  CountingController,
  failureCode,
  join,
  rejection,
  SteppingClock,
} from "../support/routers.ts";

const KINDS: LegacyKind[] = ["node", "go", "python"];

/** Fallbacks that a router tells, in words. */
function fallbacks(router: Router): string[] {
  const told: string[] = [];
  router.addEventListener("fallback", ({ reason, service, address }) => {
    told.push(`${reason} ${service} at ${address}`);
  });
  return told;
}

/** A router, and an old peer that is its neighbour. */
async function neighbours(kind: LegacyKind = "node") {
  const clock = new SteppingClock();
  const a = new Router("a", { clock });
  const old = new OldPeer("o", clock, kind);
  old.join(a);
  old.offer("echo", (packet, reply) => reply(packet.text()));
  old.offer("silent");
  await clock.pass(60_000);
  assert.deepEqual(a.serviceAddresses("echo"), ["o"]);
  const told = fallbacks(a);
  const drops: string[] = [];
  a.addEventListener("drop", ({ error }) => drops.push(error.message));
  return { a, old, clock, told, drops };
}

/** All that a packet says. */
function fields(packet: Packet) {
  const { net, srv, src, dst, seq, ack, ctx, typ, trailer } = packet;
  return { net, srv, src, dst, seq, ack, ctx: ctx > 0, typ, trailer, text: packet.text() };
}

/** What an old peer has always been sent. */
function plain(srv: string, text: string, dst: string = "o") {
  return { net: 0, srv, src: "a", dst, seq: 0, ack: 0, ctx: true, typ: 0, trailer: null, text };
}

const large = (size: number) => "x".repeat(size);

// ── calls of ours ───────────────────────────────────────────────────────────

for (const kind of KINDS) {
  test(`An old neighbour ("${kind}") is sent plain packets, whatever kind of call it is`, {
    timeout: 20_000,
  }, async () => {
    const { a, old, clock, told, drops } = await neighbours(kind);
    async function* pieces() {
      yield* ["one", "two"];
    }
    const limit = { limit: 1 };
    const calls: [call: () => Promise<unknown>, result: unknown, sent: string[], why: string[]][] =
      [
        [() => a.request("echo", "x").then((reply) => reply.text()), "x", ["x"], []],
        [
          () => a.request("echo", "y", { reliable: true }).then((reply) => reply.text()),
          "y",
          ["y"],
          ["reliable"],
        ],
        [() => texts(a.stream("echo", "z", limit)), ["z"], ["z"], ["stream"]],
        [
          () => a.request("echo", large(40_000)).then((reply) => reply.data.length),
          40_000,
          [large(40_000)],
          ["payload"],
        ],
        [
          () => texts(a.stream("echo", large(40_000), { ...limit, reliable: true })),
          [large(40_000)],
          [large(40_000)],
          ["reliable"],
        ],
        [
          () => texts(a.stream("echo", pieces(), { limit: 2 })),
          ["one", "two"],
          ["one", "two"],
          ["upload"],
        ],
        [() => a.gather("echo", "g").then((replies) => replies.length), 1, ["g"], []],
      ];
    for (const [call, result, sent, why] of calls) {
      assert.deepEqual(await clock.until(call()), result);
      await clock.pass(40_000);
      assert.deepEqual(old.received.splice(0).map(fields), sent.map((text) => plain("echo", text)));
      assert.deepEqual(told.splice(0), why.map((reason) => `${reason} echo at o`));
    }
    assert.deepEqual([old.killed, old.delivered, drops], [false, [], []]);
    assert.equal(freeContexts(a), ALL_CONTEXTS);
  });
}

test("An old neighbour is told nothing when a call to it is given up", {
  timeout: 20_000,
}, async () => {
  const { a, old, clock, told } = await neighbours();
  const controller = new CountingController();
  const { signal } = controller;
  const ends: string[] = [];
  const end = (what: string, call: Promise<unknown>) =>
    failureCode(call).then((code) => ends.push(`${what}: ${code}`));
  const source = new ReadableStream<string>();
  const all = [
    end("timeout", a.request("silent", "1", { timeout: 1_000 })),
    end("reliable", a.request("silent", "2", { timeout: 2_000, reliable: true })),
    end("idle", texts(a.stream("silent", "3", { idle: 3_000 }))),
    end("upload", a.request("silent", source, { timeout: 4_000 })),
    end("abort", a.request("silent", "5", { signal, timeout: Infinity })),
  ];
  const replies = a.stream("silent", "6");
  await clock.until(Promise.all(all.slice(0, 4)));
  controller.abort(Object.assign(new Error("enough"), { code: "ENOUGH" }));
  await all[4];
  await replies.cancel();
  await clock.pass(60_000);
  assert.deepEqual(ends, [
    "timeout: TimeoutError",
    "reliable: TimeoutError",
    "idle: TimeoutError",
    "upload: TimeoutError",
    "abort: ENOUGH",
  ]);
  assert.deepEqual(
    old.received.map(fields),
    ["1", "2", "3", "5", "6"].map((text) => plain("silent", text)),
  );
  assert.deepEqual(
    told,
    ["reliable", "stream", "upload", "stream"].map((why) => `${why} silent at o`),
  );
  assert.equal(freeContexts(a), ALL_CONTEXTS);
});

test("An old neighbour's replies are a stream until they cease, and wait while nobody reads", {
  timeout: 20_000,
}, async () => {
  const { a, old, clock, drops } = await neighbours();
  old.offer("many", (packet, reply) => {
    for (let i = 0; i < Number(packet.text()); i++) reply(String(i));
  });
  await clock.rest();
  const got: string[] = [];
  const reading = (async () => {
    for await (const packet of a.stream("many", "20", { idle: 2_000 })) got.push(packet.text());
  })();
  assert.equal(await clock.until(failureCode(reading)), "TimeoutError");
  assert.deepEqual(got, Array.from({ length: 20 }, (_, i) => String(i)));
  const reader = a.stream("many", "1100").getReader(); // More than may wait.
  await turns();
  assert.equal(drops.length, 1_100 - 1_024);
  assert.match(drops[0]!, /too many replies wait to be read/);
  for (let i = 0; i < 1_024; i++) assert.equal((await reader.read()).value!.text(), String(i));
  await reader.cancel();
});

test("An old neighbour is sent what a packet can hold, and the call fails if it is more", {
  timeout: 10_000,
}, async () => {
  const { a, old, clock, told } = await neighbours();
  const most = await clock.until(a.request("echo", large(65_535)));
  assert.equal(most.data.length, 65_535);
  old.received.length = 0;
  assert.equal(await failureCode(a.request("echo", large(65_536))), "ERR_PACKET_FIELD");
  assert.deepEqual(old.received, []);
  assert.deepEqual(told, ["payload echo at o", "payload echo at o"]);
});

test("An old neighbour's reply is taken with the fields that are its application's own", {
  timeout: 10_000,
}, async () => {
  const { a, old, clock } = await neighbours();
  old.offer("fields", ({ src: dst, ctx }) => {
    old.send({ dst, ctx, data: "mine", seq: 7, ack: 0x5810_0001, typ: 9 });
  });
  await clock.rest();
  const { seq, ack, typ, ...reply } = await clock.until(a.request("fields"));
  assert.deepEqual([seq, ack, typ, reply.src], [7, 0x5810_0001, 9, "o"]);
});

test("Router.request() retries with another instance if an old one is silent", {
  timeout: 10_000,
}, async () => {
  const { a, clock } = await neighbours();
  const b = new Router("b", { clock });
  b.registerService("silent", () => "not silent", { capacity: 5 });
  join(a, b);
  await clock.rest();
  assert.equal((await clock.until(a.request("silent", "", { retries: 1 }))).src, "b");
});

// ── calls of theirs ─────────────────────────────────────────────────────────

const SERVED: [what: string, ServiceHandler, replies: string[], drops: number][] = [
  ["calls reply", (_packet, reply) => void reply("one"), ["one"], 0],
  [
    "calls reply more than once, then end",
    (_packet, reply, call) => {
      reply("one");
      call.end();
      reply("two");
    },
    ["one", "two"],
    0,
  ],
  ["returns a payload", () => "one", ["one"], 0],
  ["promises a payload", () => Promise.resolve("one"), ["one"], 0],
  [
    "is a generator",
    async function* () {
      yield* ["one", "two", "three"];
    },
    ["one", "two", "three"],
    0,
  ],
  ["is an async function that returns nothing", async () => {}, [], 0],
  ["only ends", (_packet, _reply, call) => call.end(), [], 0],
  [
    "throws",
    () => {
      throw new Error("no");
    },
    [],
    1,
  ],
  [
    "is a generator that throws",
    async function* () {
      yield "one";
      throw new Error("no");
    },
    ["one"],
    1,
  ],
];

for (const kind of KINDS) {
  test(`An old neighbour ("${kind}") is answered in plain packets, however a handler answers`, {
    timeout: 20_000,
  }, async () => {
    for (const [what, handler, replies, failures] of SERVED) {
      const { a, old, clock, drops } = await neighbours(kind);
      const there = a.registerService("s", handler);
      await clock.rest();
      old.send({ dst: "a", srv: "s", ctx: 77, data: "question" });
      await clock.pass(1_000);
      assert.deepEqual(
        old.delivered.map((packet) => ({ ...fields(packet), ctx: packet.ctx })),
        replies.map((text) => ({ ...plain("", text), ctx: 77 })),
        what,
      );
      assert.deepEqual([there.calls, drops.length, old.killed], [0, failures, false], what);
    }
  });
}

test("An old neighbour that gives no context is not answered unasked", {
  timeout: 10_000,
}, async () => {
  const { a, old, clock } = await neighbours();
  a.registerService("value", () => "one");
  a.registerService("promise", () => Promise.resolve("one"));
  await clock.rest();
  for (const srv of ["value", "promise"]) old.send({ dst: "a", srv });
  await clock.pass(1_000);
  assert.deepEqual(old.delivered, []);
});

test("ServiceCall of an old neighbour: one payload, any number of replies, and fields of its own", {
  timeout: 10_000,
}, async () => {
  const { a, old, clock } = await neighbours();
  const seen: unknown[] = [];
  a.registerService("s", async ({ seq, ack, typ }, _reply, call) => {
    const body: string[] = [];
    for await (const piece of call.body) body.push(new TextDecoder().decode(piece));
    seen.push({ seq, ack, typ, streaming: call.streaming, body, aborted: call.signal.aborted });
  });
  await clock.rest();
  old.send({ dst: "a", srv: "s", ctx: 5, seq: 1, ack: 2, typ: 3, data: "x" });
  await turns();
  assert.deepEqual(seen, [
    { seq: 1, ack: 2, typ: 3, streaming: true, body: ["x"], aborted: false },
  ]);
});

test("A generator that an old neighbour has called is ended when the neighbour is gone", {
  timeout: 10_000,
}, async () => {
  const { a, old, clock } = await neighbours();
  const log: string[] = [];
  const there = a.registerService("ticks", async function* () {
    try {
      for (let i = 0;; i++) {
        yield String(i);
        await new Promise<void>((resolve) => void clock.schedule(clock.now() + 1_000, resolve));
      }
    } finally {
      log.push("finally");
    }
  });
  const channel = old.join(a); // A second link, and the one that is cut.
  await clock.rest();
  old.send({ dst: "a", srv: "ticks", ctx: 3 });
  await clock.pass(3_500);
  assert.deepEqual([old.delivered.length, there.calls, log], [4, 1, []]);
  a.removeChannel(channel);
  await clock.pass(2_000);
  assert.deepEqual([there.calls, log], [1, []]);
  await clock.until(a.close());
  await clock.pass(2_000);
  assert.deepEqual([there.calls, log], [0, ["finally"]]);
});

// ── behind old peers ────────────────────────────────────────────────────────

/** "a", the old peer "o", and what is behind it. */
async function behind(kind: LegacyKind, far: "old" | "own") {
  const clock = new SteppingClock();
  const a = new Router("a", { clock });
  const old = new OldPeer("o", clock, kind);
  old.join(a);
  const [other, b] = [new OldPeer("b", clock, kind), new Router("b", { clock })];
  if (far === "old") old.joinOld(other);
  else old.join(b);
  other.offer("echo", (packet, reply) => reply(packet.text()));
  b.registerService("echo", (packet) => packet.data);
  await clock.pass(60_000);
  assert.deepEqual(a.serviceAddresses("echo"), ["b"]);
  return { a, b, old, other, clock, told: fallbacks(a) };
}

for (const kind of KINDS) {
  test(
    `An old peer behind an old one ("${kind}") is asked once whether it is one, and only if it matters`,
    {
      timeout: 30_000,
    },
    async () => {
      const { a, other, clock, told } = await behind(kind, "old");
      const limit = { limit: 1 };
      const received = () => other.received.splice(0).map((packet) => fields(packet));
      assert.equal((await clock.until(a.request("echo", "x"))).text(), "x");
      assert.deepEqual([received(), told], [[plain("echo", "x", "b")], []]);
      const start = clock.now();
      assert.deepEqual(await clock.until(texts(a.stream("echo", "y", limit))), ["y"]);
      assert(Math.abs(clock.now() - start - 1_000) < 50, `after ${clock.now() - start} ms`);
      assert.deepEqual(received(), [plain("aln.x", "", "b"), plain("echo", "y", "b")]);
      assert.deepEqual(told.splice(0), ["stream echo at b"]);
      for (let i = 0; i < 3; i++) {
        const before = clock.now();
        assert.equal((await clock.until(a.request("echo", "z", { reliable: true }))).text(), "z");
        assert(clock.now() - before < 50);
        assert.deepEqual(received(), [plain("echo", "z", "b")]);
        assert.deepEqual(told.splice(0), ["reliable echo at b"]);
      }
      await clock.pass(600_000); // It may have been replaced by one of our kind.
      assert.deepEqual(await clock.until(texts(a.stream("echo", "y", limit))), ["y"]);
      assert.deepEqual(received(), [plain("aln.x", "", "b"), plain("echo", "y", "b")]);
      assert.deepEqual([other.killed, freeContexts(a)], [false, ALL_CONTEXTS]);
    },
  );

  test(`A router of our kind behind an old peer ("${kind}") is found to be one, and all works`, {
    timeout: 30_000,
  }, async () => {
    const { a, b, old, clock, told } = await behind(kind, "own");
    const log: string[] = [];
    b.registerService("count", async function* (_packet, _reply, { signal }) {
      signal.addEventListener("abort", () => log.push(signal.reason.name));
      for (let i = 0; i < 300; i++) yield String(i);
    });
    b.registerService("join", async (_packet, _reply, { body }) => {
      const pieces: string[] = [];
      for await (const piece of body) pieces.push(new TextDecoder().decode(piece));
      return pieces.join("");
    });
    b.registerService("fails", () => Promise.reject(new Error("no")));
    await clock.pass(60_000);
    const upTo = Array.from({ length: 300 }, (_, i) => String(i));
    assert.deepEqual(await clock.until(texts(a.stream("count"))), upTo);
    assert.equal(old.received.filter(({ srv }) => srv === "aln.x").length, 1);
    async function* pieces() {
      yield* ["x", "y", "z"];
    }
    assert.equal((await clock.until(a.request("join", pieces()))).text(), "xyz");
    const payload = new Uint8Array(300_000).fill(5);
    assert.deepEqual(
      (await clock.until(a.request("echo", payload, { timeout: 60_000 }))).data,
      payload,
    );
    assert.equal((await clock.until(a.request("echo", "r", { reliable: true }))).text(), "r");
    assert.equal(await failureCode(clock.until(a.request("fails"))), "ERR_CALL_HANDLER");
    assert.equal(await failureCode(a.request("none", "", { dst: "b" })), "ERR_NO_SERVICE");
    for await (const packet of a.stream("count")) if (packet.text() === "5") break;
    await clock.pass(1_000);
    assert.deepEqual(log, ["AbortError"]);
    assert.equal(old.received.filter(({ srv }) => srv === "aln.x").length, 1);
    assert.deepEqual([told, old.killed], [[], false]);
    assert.deepEqual([freeContexts(a), freeContexts(b)], [ALL_CONTEXTS, ALL_CONTEXTS]);
  });
}

test("A call ends at its time or by its signal, also while its far end is being asked", {
  timeout: 20_000,
}, async () => {
  const { a, other, clock } = await behind("node", "old");
  const start = clock.now();
  const controller = new CountingController();
  const { signal } = controller;
  const ends: string[] = [];
  const end = (what: string, call: Promise<unknown>) =>
    failureCode(call).then((code) =>
      ends.push(`${what}: ${code} at ${Math.round(clock.now() - start)}`)
    );
  const unread = a.stream("echo", "5");
  const all = [
    end("request", a.request("echo", "1", { reliable: true, timeout: 300 })),
    end("stream", texts(a.stream("echo", "2", { timeout: 400 }))),
    end("abort", a.request("echo", "3", { reliable: true, signal })),
    end("abort stream", texts(a.stream("echo", "4", { signal }))),
  ];
  await clock.pass(100);
  await unread.cancel();
  controller.abort(new Error("enough"));
  await clock.until(Promise.all(all));
  assert.deepEqual(ends, [
    "abort: Error at 100",
    "abort stream: Error at 100",
    "request: TimeoutError at 300",
    "stream: TimeoutError at 400",
  ]);
  await clock.pass(5_000);
  assert.deepEqual(other.received.map(({ srv }) => srv), ["aln.x"]); // Nobody wants more.
  assert.deepEqual([freeContexts(a), controller.listening], [ALL_CONTEXTS, 0]);
});

test("Many calls to one far end ask it once; each tells its own fallback", {
  timeout: 20_000,
}, async () => {
  const { a, other, clock, told } = await behind("node", "old");
  const calls = Array.from({ length: 10 }, (_, i) => a.request("echo", `${i}`, { reliable: true }));
  const replies = await clock.until(Promise.all(calls));
  assert.deepEqual(replies.map((reply) => reply.text()), Array.from("0123456789"));
  assert.equal(other.received.filter(({ srv }) => srv === "aln.x").length, 1);
  assert.equal(told.length, 10);
});

test(
  "Every router answers who asks whether it is of our kind, and no other asks for that service",
  {
    timeout: 10_000,
  },
  async () => {
    const { a, old, clock } = await neighbours();
    old.send({ dst: "a", srv: "aln.x", ctx: 9 });
    await turns();
    assert.deepEqual(old.delivered.map((packet) => packet.text()), ["1"]);
    assert.deepEqual(a.services().filter(({ service }) => service === "aln.x"), []);
    await clock.rest();
    assert.deepEqual(
      await rejection(a.request("aln.x")).then((error) => (error as { code: string }).code),
      "ERR_NO_SERVICE",
    );
  },
);
