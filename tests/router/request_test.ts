import assert from "node:assert/strict";
import { test } from "node:test";
import { ChannelError, Packet, type PacketData, Router, UnreachableError } from "../../mod.ts";
import { ManualClock, seededRandom } from "../../src/testing/mod.ts";
import {
  chain,
  CountingController,
  failureCode,
  ForeignChannel,
  join,
  next,
  record,
  rejection,
  turn,
} from "../support/routers.ts";

/** How many contexts a router can still open; all are closed again. */
function freeContexts(router: Router): number {
  const open: number[] = [];
  try {
    for (;;) open.push(router.registerContextHandler(() => {}));
  } catch {
    for (const ctx of open) router.releaseContext(ctx);
    return open.length;
  }
}

const ALL_CONTEXTS = 16_384;

/** Fails unless a call has left nothing behind. */
function nothingLeft(router: Router, clock: ManualClock, timers: number): void {
  assert.deepEqual(
    { contexts: freeContexts(router), timers: clock.pending },
    { contexts: ALL_CONTEXTS, timers },
  );
}

/** Two routers; `b` offers "echo", and "silent", which never replies. */
async function pair() {
  const made = await chain(["a", "b"]);
  const { routers: [a, b], clock } = made;
  b.registerService("echo", (packet, reply) => void reply(packet.data, { typ: packet.typ }));
  b.registerService("silent", () => {});
  await clock.pass(60_000); // Whatever the mesh still had to do is done.
  return { a: a, b: b, clock, idle: clock.pending, link: made.links[0]! };
}

test("Router.request() resolves with the reply", { timeout: 10_000 }, async () => {
  const { a, clock, idle } = await pair();
  const reply = await a.request("echo", "hello", { typ: 7 });
  assert.deepEqual(
    { src: reply.src, dst: reply.dst, srv: reply.srv, typ: reply.typ, text: reply.text() },
    { src: "b", dst: "a", srv: "", typ: 7, text: "hello" },
  );
  assert.deepEqual([reply.seq, reply.ack], [0, 0]); // What was there is for routers.
  nothingLeft(a, clock, idle);
});

test("Router.request() takes text, bytes, a buffer or nothing", { timeout: 10_000 }, async () => {
  const { a } = await pair();
  const asked: (PacketData | undefined)[] = [
    "é",
    Uint8Array.of(1, 0xc0),
    Uint8Array.of(2).buffer,
    undefined,
  ];
  const answered = await Promise.all(asked.map((data) => a.request("echo", data)));
  assert.deepEqual(answered.map(({ data }) => [...data]), [[0xc3, 0xa9], [1, 0xc0], [2], []]);
});

test("Router.request() ties each reply to its own question", { timeout: 10_000 }, async () => {
  const { a } = await pair();
  const questions = Array.from({ length: 500 }, (_, i) => `${i}`);
  const replies = await Promise.all(questions.map((question) => a.request("echo", question)));
  assert.deepEqual(replies.map((reply) => reply.text()), questions);
});

test("Router.request() calls a service of its own router", { timeout: 10_000 }, async () => {
  const clock = new ManualClock();
  const router = new Router("a", { clock });
  router.registerService("echo", (packet, reply) => void reply(`${packet.src}: ${packet.text()}`));
  assert.equal((await router.request("echo", "me")).text(), "a: me");
  nothingLeft(router, clock, 0);
});

test("Router.request() asks the instance that dst names", { timeout: 10_000 }, async () => {
  const { routers: [a, b, c], clock } = await chain(["a", "b", "c"]);
  for (const router of [b, c]) {
    router.registerService("who", (_packet, reply) => void reply(router.address));
  }
  await clock.rest();
  const answers = await Promise.all(["b", "c", "b"].map((dst) => a.request("who", "", { dst })));
  assert.deepEqual(answers.map((answer) => answer.text()), ["b", "c", "b"]);
});

test("Router.request() fails at once when nobody offers the service", {
  timeout: 10_000,
}, async () => {
  const { a, clock, idle } = await pair();
  const error = await rejection(a.request("nothing"));
  assert.deepEqual(
    error,
    new UnreachableError(
      "ERR_NO_SERVICE",
      'Cannot call "nothing": nobody offers it',
      "nothing",
    ),
  );
  nothingLeft(a, clock, idle);
});

test("Router.request() fails at once when no route leads to dst", { timeout: 10_000 }, async () => {
  const { a, clock, idle } = await pair();
  const error = await rejection(a.request("echo", "", { dst: "z" }));
  assert.deepEqual(
    error,
    new UnreachableError("ERR_NO_ROUTE", 'Cannot send packet: no route leads to "z"', "z"),
  );
  nothingLeft(a, clock, idle);
});

test("Router.request() fails at once when the last channel is lost while it waits", {
  timeout: 10_000,
}, async () => {
  const { a, clock, link } = await pair();
  const lost = rejection(a.request("silent"));
  await turn();
  const before = clock.now();
  a.removeChannel(link[0]);
  assert.deepEqual(
    await lost,
    new UnreachableError("ERR_NO_ROUTE", 'Cannot get a reply: the route to "b" is lost', "b"),
  );
  assert.equal(clock.now(), before);
  await turn();
  nothingLeft(a, clock, 0);
});

test("Router.request() fails soon when the route is lost elsewhere while it waits", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b, c], clock, links } = await chain(["a", "b", "c"]);
  c.registerService("silent", () => {});
  b.registerService("silent too", () => {});
  await clock.rest();
  const lost = rejection(a.request("silent"));
  const kept = a.request("silent too");
  await turn();
  const before = clock.now();
  b.removeChannel(links[1]![0]);
  assert.deepEqual(
    await clock.until(lost),
    new UnreachableError(
      "ERR_NO_ROUTE",
      'Cannot get a reply: the route to "c" is lost',
      "c",
    ),
  );
  assert(clock.now() - before < 1_000, `after ${clock.now() - before} ms`);
  const timedOut = rejection(kept);
  clock.advance(5_000);
  assert.equal((await timedOut as Error).name, "TimeoutError");
  assert.equal(freeContexts(a), ALL_CONTEXTS);
});

test("Router.request() is answered late while another way is looked for: no loss is told", {
  timeout: 10_000,
}, async () => {
  const { routers, clock, links } = await chain(["a", "b", "c", "d", "e", "f"]);
  const [a, b, c, , , f] = routers;
  join(f, a); // A ring: the other way to c is longer than what a has told others.
  c.registerService("ping", (_packet, reply) => void reply("pong"));
  await clock.rest();
  const told: string[] = [];
  a.addEventListener("route", ({ address, cost, via }) => {
    if (address === "c") told.push(`${cost} via ${via}`);
  });
  a.addEventListener("service", ({ service, capacity }) => told.push(`${service}: ${capacity}`));
  const cut = clock.now();
  b.removeChannel(links[1][0]);
  while (a.routes().some(({ address }) => address === "c")) await clock.pass(1);
  assert.deepEqual([a.serviceAddresses("ping"), told], [["c"], []]);
  const call = a.request("ping");
  await turn();
  assert.deepEqual(told, []);
  assert.equal((await clock.until(call)).text(), "pong");
  assert(clock.now() - cut < 1_000, `after ${clock.now() - cut} ms`);
  await clock.rest();
  assert.deepEqual(told, ["4 via f"]);
});

test("Router.request() fails at its timeout, and not before", { timeout: 10_000 }, async () => {
  const { a, clock, idle } = await pair();
  let settled = false;
  const error = rejection(a.request("silent", "", { timeout: 300 })).finally(() => settled = true);
  await clock.pass(299);
  assert.equal(settled, false);
  clock.advance(1);
  const reason = await error as DOMException;
  assert(reason instanceof DOMException);
  assert.deepEqual(
    [reason.name, reason.message],
    ["TimeoutError", 'Cannot wait longer: "b" has not replied within 300 ms'],
  );
  nothingLeft(a, clock, idle);
});

test("Router.request() waits five seconds unless told otherwise", { timeout: 10_000 }, async () => {
  const { a, clock } = await pair();
  let settled = false;
  const error = rejection(a.request("silent")).finally(() => settled = true);
  await clock.pass(4_999);
  assert.equal(settled, false);
  clock.advance(1);
  assert.equal((await error as DOMException).name, "TimeoutError");
});

test("Router.request() that has ended takes no reply any more, and the service is told", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock } = await pair();
  let answer: (() => unknown) | undefined;
  b.registerService("slow", (_packet, reply) => void (answer = () => reply("late")));
  await clock.rest();
  const told = record(a);
  const error = rejection(a.request("slow", "", { timeout: 10 }));
  await turn();
  clock.advance(10);
  await error;
  await turn();
  assert.equal(answer!(), "ERR_CALL_LOST: Cannot reply: the call has ended");
  await turn();
  assert.deepEqual(told, []);
});

test("Router.request() takes the first of several replies, and the service is told", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock } = await pair();
  const outcomes: unknown[] = [];
  b.registerService("twice", (_packet, reply) => {
    outcomes.push(reply("one"), reply("two"));
  });
  await clock.rest();
  assert.equal((await a.request("twice")).text(), "one");
  assert.deepEqual(outcomes, [null, "ERR_CALL_LOST: Cannot reply: the call has ended"]);
});

test("Router.request() sends nothing when its signal has aborted already", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock, idle } = await pair();
  let called = 0;
  b.registerService("count", () => void called++);
  await clock.rest();
  const reason = new Error("never mind");
  const controller = new CountingController();
  controller.abort(reason);
  const { signal } = controller;
  assert.equal(await rejection(a.request("count", "", { signal })), reason);
  await turn();
  assert.deepEqual({ called, listening: controller.listening }, { called: 0, listening: 0 });
  nothingLeft(a, clock, idle);
});

test("Router.request() ends with the reason of its signal", { timeout: 10_000 }, async () => {
  const { a, clock, idle } = await pair();
  const controller = new CountingController();
  const error = rejection(a.request("silent", "", { signal: controller.signal }));
  await turn();
  assert.equal(controller.listening, 1);
  const reason = new Error("enough");
  controller.abort(reason);
  assert.equal(await error, reason);
  assert.equal(controller.listening, 0);
  nothingLeft(a, clock, idle);
});

test("Router.request() leaves nothing on its signal, however it ends", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock, link } = await pair();
  const controller = new CountingController();
  const { signal } = controller;
  const ends: unknown[] = [];
  const end = async (call: Promise<unknown>) => {
    ends.push(await call.then(() => "reply", (error) => error.code || error.name));
    assert.equal(controller.listening, 0, `after ${ends.at(-1)}`);
  };
  await end(a.request("echo", "", { signal }));
  await end(a.request("nothing", "", { signal }));
  await end(a.request("echo", "", { signal, dst: "z" }));
  await end(a.request("echo", "", { signal, typ: 256 }));
  const late = a.request("silent", "", { signal });
  const ended = end(late);
  clock.advance(5_000);
  await ended;
  const unroutable = end(a.request("silent", "", { signal }));
  b.removeChannel(link[1]);
  await unroutable;
  join(a, b);
  await clock.until(a.waitForService("silent"));
  const closed = end(a.request("silent", "", { signal }));
  await a.close();
  await closed;
  await end(a.request("echo", "", { signal }));
  // A DOMException has a code of its own, a number.
  assert.deepEqual(ends.map((code) => code === 23 ? "TimeoutError" : code), [
    "reply",
    "ERR_NO_SERVICE",
    "ERR_NO_ROUTE",
    "ERR_PACKET_FIELD",
    "TimeoutError",
    "ERR_NO_ROUTE",
    "ERR_CHANNEL_CLOSED",
    "ERR_CHANNEL_CLOSED",
  ]);
});

test("Router.request() fails when a value does not fit", { timeout: 10_000 }, async () => {
  const { a, clock, idle } = await pair();
  const codes = await Promise.all([
    failureCode(a.request("echo", "", { typ: 256 })),
    failureCode(a.request("echo", new Uint8Array(65_536), { typ: 256 })),
    failureCode(a.request("echo", 7 as never)),
    failureCode(a.request("x".repeat(256), "", { dst: "b" })),
  ]);
  assert.deepEqual(codes, Array(4).fill("ERR_PACKET_FIELD"));
  nothingLeft(a, clock, idle);
});

test("Router.request() fails when the channel is full", { timeout: 10_000 }, async () => {
  const { a, clock, idle } = await pair();
  while (a.send({ dst: "b", srv: "silent", data: new Uint8Array(30_000) }) === null);
  const error = await rejection(a.request("echo", new Uint8Array(30_000)));
  assert.deepEqual(
    error,
    new ChannelError(
      "ERR_CHANNEL_FULL",
      "Cannot send packet: the channel's queue is full",
    ),
  );
  nothingLeft(a, clock, idle);
});

test("Router.request() fails when too many contexts are open", { timeout: 10_000 }, async () => {
  const { a, clock, idle } = await pair();
  const open = Array.from({ length: ALL_CONTEXTS }, () => a.registerContextHandler(() => {}));
  const error = await rejection(a.request("echo"));
  assert(error instanceof RangeError);
  assert.equal(error.message, "Cannot open context: all 16384 are in use");
  for (const ctx of open) a.releaseContext(ctx);
  assert.equal((await a.request("echo", "again")).text(), "again");
  nothingLeft(a, clock, idle);
});

test("Router.request() fails when the router closes, and afterwards", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock } = await pair();
  const waiting = failureCode(a.request("silent"));
  const closed = a.close();
  assert.deepEqual(
    await Promise.all([
      waiting,
      failureCode(a.request("silent")),
      failureCode(a.request("nothing")),
      failureCode(a.request("echo", "", { dst: "z" })),
    ]),
    Array(4).fill("ERR_CHANNEL_CLOSED"),
  );
  await closed;
  assert.equal(await failureCode(a.request("nothing")), "ERR_CHANNEL_CLOSED");
  await b.close();
  nothingLeft(a, clock, 0);
});

test("Router.request() survives 50,000 calls: every context comes back", {
  timeout: 30_000,
}, async () => {
  const { a, clock, idle } = await pair();
  for (let round = 0; round < 50; round++) {
    await Promise.all(Array.from({ length: 1_000 }, () => a.request("echo")));
  }
  nothingLeft(a, clock, idle);
});

test("Router.request() goes to the instance of the lowest capacity", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b, c], clock } = await chain(["a", "b", "c"]);
  const who = (router: Router, capacity: number) =>
    router.registerService("who", (_packet, reply) => void reply(router.address), { capacity });
  who(b, 20);
  const there = who(c, 10);
  await clock.rest();
  const answers = [(await a.request("who")).text()];
  const news = next(a, "service");
  there.capacity = 30;
  await clock.until(news);
  answers.push((await a.request("who")).text());
  who(a, 999); // Our own wins, whatever its load.
  answers.push((await a.request("who")).text());
  assert.deepEqual(answers, ["c", "b", "a"]);
});

test("Router.request() spreads calls over equals", { timeout: 10_000 }, async () => {
  const { routers, clock } = await chain(["a", "b", "c", "d"], { random: seededRandom(5) });
  const [a, ...others] = routers;
  for (const router of others) {
    router.registerService("who", (_packet, reply) => void reply(router.address), { capacity: 3 });
  }
  await clock.rest();
  const calls: Record<string, number> = { b: 0, c: 0, d: 0 };
  for (let i = 0; i < 300; i++) calls[(await a.request("who")).text()]!++;
  for (const count of Object.values(calls)) {
    assert(count > 60 && count < 140, `seed 5: ${JSON.stringify(calls)}`);
  }
});

test("Router.request() is not answered by a request that happens to have its context", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock } = await pair();
  let ctx = 0;
  b.registerService("note ctx", (packet) => void (ctx = packet.ctx));
  await clock.rest();
  const call = rejection(a.request("note ctx"));
  await turn();
  const told = record(a);
  assert.equal(b.send({ dst: "a", srv: "no such service", ctx, data: "not a reply" }), null);
  await turn();
  clock.advance(5_000);
  assert.equal((await call as Error).name, "TimeoutError");
  assert.deepEqual(told, ["drop ERR_NO_SERVICE: not a reply"]);
});

test("Router.request() is not answered by somebody who was not asked", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b, c], clock } = await chain(["a", "b", "c"]);
  let ctx = 0;
  c!.registerService("slow", (packet, reply) => {
    ctx = packet.ctx;
    assert.equal(b!.send({ dst: "a", ctx, data: "b was not asked" }), null);
    setTimeout(() => reply("c was"));
  });
  await clock.until(a!.waitForService("slow"));
  const told = record(a!);
  assert.equal((await a!.request("slow")).text(), "c was");
  assert.deepEqual(told, ["drop ERR_NO_SERVICE: b was not asked"]);
});

test("Router.send() in the middle of a channel's send() tells its failure as a drop event", {
  timeout: 10_000,
}, async () => {
  const clock = new ManualClock();
  const router = new Router("a", { clock });
  const channel = new ForeignChannel();
  router.addChannel(channel);
  channel.onPacket!(
    new Packet({ net: 1, src: "x", data: Uint8Array.of(1, 120, 0, 1) }),
  );
  let failure: string | null = "never called";
  channel.answer = (packet) => {
    channel.answer = () => {};
    if (packet.net === 0) failure = router.send({ dst: "z", data: "inner" });
  };
  const told = record(router);
  const call = rejection(router.request("any", "", { dst: "x" }));
  assert.deepEqual([failure, told], [null, ["drop ERR_NO_ROUTE: inner"]]);
  clock.advance(5_000);
  assert.equal((await call as Error).name, "TimeoutError");
});
