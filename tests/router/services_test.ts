import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createChannelPair,
  HandlerError,
  Packet,
  type Reply,
  Router,
  type ServiceHandler,
} from "../../mod.ts";
import { ManualClock } from "../../src/testing/mod.ts";
import { chain, CountingController, next, record, rejection, turn } from "../support/routers.ts";

const NOTHING: ServiceHandler = () => {};

function alone(): Router {
  return new Router("a", { clock: new ManualClock() });
}

test("Router.registerService() offers a service to the whole mesh", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, , c], clock } = await chain(["a", "b", "c"]);
  c.registerService("ping", NOTHING, { capacity: 42 });
  await clock.rest();
  assert.deepEqual(a.services(), [{ service: "ping", address: "c", capacity: 42 }]);
});

test("Router.registerService() replaces a service of the same name", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b], clock } = await chain(["a", "b"]);
  const first = b.registerService("who", (_packet, reply) => void reply("first"));
  b.registerService("who", (_packet, reply) => void reply("second"), { capacity: 5 });
  await clock.until(a.waitForService("who"));
  const told = record(a);
  first.capacity = 9; // The one that was replaced has nothing to say any more.
  first[Symbol.dispose]();
  await clock.rest();
  assert.deepEqual(
    [told, a.services(), (await a.request("who")).text()],
    [[], [{ service: "who", address: "b", capacity: 5 }], "second"],
  );
});

test("Registration.capacity advertises what it is set to", { timeout: 10_000 }, async () => {
  const { routers: [a, b], clock } = await chain(["a", "b"]);
  const ping = b.registerService("ping", NOTHING);
  await clock.rest();
  const told = record(a);
  ping.capacity = 65_535;
  await clock.rest();
  assert.deepEqual(
    [ping.service, ping.capacity, told],
    ["ping", 65_535, ["service ping at b: 65535"]],
  );
});

test("Registration.capacity and registerService() refuse a capacity that is none", () => {
  const router = alone();
  const ping = router.registerService("ping", NOTHING, { capacity: 3 });
  for (const capacity of [0, -1, 65_536, 1.5, NaN, Infinity, "7", null, 7n]) {
    const error = { name: "PacketError", code: "ERR_PACKET_FIELD" };
    assert.throws(() => ping.capacity = capacity as number, error);
    assert.throws(
      () => router.registerService("pong", NOTHING, { capacity: capacity as number }),
      error,
    );
  }
  assert.deepEqual(
    [ping.capacity, router.services()],
    [3, [{ service: "ping", address: "a", capacity: 3 }]],
  );
});

test("Router.registerService() refuses a name that does not fit", () => {
  const router = alone();
  for (const name of ["", "x".repeat(256), "東".repeat(86), 7, null, undefined, Symbol("s")]) {
    assert.throws(() => router.registerService(name as string, NOTHING), {
      name: "PacketError",
      code: "ERR_PACKET_FIELD",
    });
  }
  assert.deepEqual(router.services(), []);
});

test("Router.registerService() refuses once its signal has aborted or the router is closed", {
  timeout: 10_000,
}, async () => {
  const router = alone();
  const reason = new Error("too late");
  assert.throws(
    () => router.registerService("ping", NOTHING, { signal: AbortSignal.abort(reason) }),
    reason,
  );
  assert.deepEqual(router.services(), []);
  const closed = router.close();
  assert.throws(() => router.registerService("ping", NOTHING), { code: "ERR_CHANNEL_CLOSED" });
  await closed;
  assert.throws(() => router.registerService("ping", NOTHING), { code: "ERR_CHANNEL_CLOSED" });
});

for (
  const [how, end] of [
    ["unregisterService()", (router: Router) => router.unregisterService("ping")],
    ["Registration[Symbol.dispose]()", (_: Router, dispose: () => void) => dispose()],
    [
      "An abort of registerService()'s signal",
      (_router: Router, _dispose: () => void, abort) => abort(),
    ],
  ] as [string, (router: Router, dispose: () => void, abort: () => void) => void][]
) {
  test(`${how} withdraws a service everywhere, once`, { timeout: 10_000 }, async () => {
    const { routers: [a, , c], clock } = await chain(["a", "b", "c"]);
    const controller = new CountingController();
    const { signal } = controller;
    const registration = c.registerService("ping", NOTHING, { signal });
    c.registerService("pong", NOTHING);
    await clock.rest();
    const told = [record(a), record(c)];
    const go = () => end(c, () => registration[Symbol.dispose](), () => controller.abort());
    go();
    go();
    await clock.rest();
    assert.deepEqual(told, [["service ping at c: 0"], ["service ping at c: 0"]]);
    assert.deepEqual(a.services(), [{ service: "pong", address: "c", capacity: 1 }]);
    assert.equal(
      await rejection(a.request("ping")).then((e) => (e as { code: string }).code),
      "ERR_NO_SERVICE",
    );
    assert.equal(controller.listening, 0);
  });
}

test("Router.registerService() stops listening to the signal of a service that is replaced", () => {
  const router = alone();
  const controller = new CountingController();
  const { signal } = controller;
  for (let i = 0; i < 10; i++) router.registerService("ping", NOTHING, { signal });
  assert.equal(controller.listening, 1);
  router.registerService("ping", NOTHING);
  assert.equal(controller.listening, 0);
  controller.abort();
  assert.deepEqual(router.services(), [{ service: "ping", address: "a", capacity: 1 }]);
});

test("Router.unregisterService() does not mind a service that is not registered", () => {
  const router = alone();
  const told = record(router);
  router.unregisterService("ping");
  assert.deepEqual(told, []);
});

test("Router.setOnServiceCapacityChanged() tells of every instance that comes, changes or goes", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b], clock, links: [[here]] } = await chain(["a", "b"]);
  const told: unknown[][] = [];
  a.setOnServiceCapacityChanged((...change) => told.push(change)); // Returns a number: no matter.
  const drops = record(a);
  a.registerService("mine", NOTHING, { capacity: 7 });
  const ping = b.registerService("ping", NOTHING);
  await clock.rest();
  ping.capacity = 5;
  await clock.rest();
  a.removeChannel(here);
  a.setOnServiceCapacityChanged(null);
  a.unregisterService("mine");
  assert.deepEqual(told, [["mine", 7, "a"], ["ping", 1, "b"], ["ping", 5, "b"], ["ping", 0, "b"]]);
  assert.deepEqual(drops.filter((line) => line.startsWith("drop")), []);
});

test("Router.setOnServiceCapacityChanged() survives a callback that throws", () => {
  const router = alone();
  const told = record(router);
  router.setOnServiceCapacityChanged(() => {
    throw new Error("no");
  });
  router.registerService("ping", NOTHING);
  router.setOnServiceCapacityChanged(null);
  router.registerService("pong", NOTHING);
  assert.deepEqual(told, [
    "service ping at a: 1",
    "drop ERR_HANDLER: no packet",
    "service pong at a: 1",
  ]);
});

test("Router.serviceAddresses() lists our own first, then the least loaded", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b, c, d], clock } = await chain(["a", "b", "c", "d"]);
  for (const [router, capacity] of [[a, 900], [b, 30], [c, 10], [d, 20]] as [Router, number][]) {
    router.registerService("work", NOTHING, { capacity });
  }
  await clock.rest();
  assert.deepEqual(a.serviceAddresses("work"), ["a", "c", "d", "b"]);
  assert.deepEqual(b.serviceAddresses("work"), ["b", "c", "d", "a"]);
  assert.deepEqual([a.selectService("work"), b.selectService("work")], ["a", "b"]);
  a.unregisterService("work");
  assert.deepEqual([a.selectService("work"), a.selectService("play")], ["c", null]);
  assert.deepEqual(a.serviceAddresses("play"), []);
});

// ── handlers ────────────────────────────────────────────────────────────────

const unlucky: [string, ServiceHandler, unknown][] = [
  ["throws", () => {
    throw new Error("sync");
  }, "sync"],
  ["rejects", () => Promise.reject(new Error("async")), "async"],
  ["throws no error", () => {
    throw "text";
  }, "text"],
  ["throws what has no text", () => {
    throw Object.create(null);
  }, "something without a text"],
  ["rejects with nothing", () => Promise.reject(), "undefined"],
];
for (const [what, handler, words] of unlucky) {
  test(`A service handler that ${what} is told as a drop event, and the others live on`, {
    timeout: 10_000,
  }, async () => {
    const { routers: [a, b], clock } = await chain(["a", "b"]);
    b.registerService("unlucky", handler);
    b.registerService("echo", (packet, reply) => void reply(packet.data));
    await clock.rest();
    const dropped = next(b, "drop");
    assert.equal(a.send({ dst: "b", srv: "unlucky", data: "x" }), null);
    const { error, packet } = await dropped;
    assert(error instanceof HandlerError);
    assert.deepEqual(
      [error.code, error.message, packet?.text()],
      ["ERR_HANDLER", `Cannot handle packet: service "unlucky" threw "${words}"`, "x"],
    );
    assert.equal((await a.request("echo", "still here")).text(), "still here");
  });
}

test(
  "A service handler's error is the cause of its HandlerError",
  { timeout: 10_000 },
  async () => {
    const router = alone();
    const cause = new Error("why");
    router.registerService("unlucky", () => Promise.reject(cause));
    const dropped = next(router, "drop");
    router.send({ dst: "a", srv: "unlucky" });
    assert.equal((await dropped).error.cause, cause);
  },
);

test("A handler may return whatever its language's users return", {
  timeout: 10_000,
}, async () => {
  const router = alone();
  const told = record(router);
  const list: Packet[] = [];
  router.registerService("js", ((packet: Packet) => list.push(packet)) as never);
  router.registerService("failed", ((_packet: Packet, reply: Reply) => reply(7 as never)) as never);
  const ctx = router.registerContextHandler((packet) => list.push(packet));
  router.send({ dst: "a", srv: "js" });
  router.send({ dst: "a", srv: "failed" });
  router.send({ dst: "a", ctx });
  await turn();
  assert.deepEqual([list.length, told.filter((line) => line.startsWith("drop"))], [2, []]);
});

test("Reply goes to where the packet came from, in its context, with what init adds", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b], clock } = await chain(["a", "b"]);
  b.registerService("all", (_packet, reply) => {
    assert.equal(
      reply(undefined, { data: "d", typ: 9, seq: 1, ack: 2, srv: "ignored", dst: "z", ctx: 5 }),
      null,
    );
  });
  await clock.rest();
  const answer = await a.request("all");
  const { src, dst, srv, typ, seq, ack } = answer;
  assert.deepEqual(
    { src, dst, srv, typ, seq, ack, text: answer.text() },
    { src: "b", dst: "a", srv: "", typ: 9, seq: 1, ack: 2, text: "d" },
  );
});

test("Reply says why it cannot be sent", { timeout: 10_000 }, async () => {
  const { routers: [a, b], clock, links: [[here, there]] } = await chain(["a", "b"]);
  const failures: (string | null)[] = [];
  let late: Reply | undefined;
  b.registerService("ask", (packet, reply) => {
    late = reply;
    failures.push(reply("", { typ: 256 }), reply(new Uint8Array(65_536), { typ: 256 }));
    packet.src = "nobody"; // A reply goes to the packet's sender, whatever becomes of the packet.
    failures.push(reply("ok"));
  });
  await clock.rest();
  assert.equal((await a.request("ask")).text(), "ok");
  b.removeChannel(there);
  await here.closed;
  failures.push(late!());
  // What has no src came from a sensor, say, that does not listen.
  const nameless = new Router("c", { clock: new ManualClock() });
  const [left, right] = createChannelPair();
  nameless.addChannel(left);
  nameless.registerService("log", (_packet, reply) => void failures.push(reply("hm")));
  right.send(new Packet({ srv: "log" }));
  await clock.rest();
  assert.deepEqual(failures, [
    "ERR_PACKET_FIELD: Cannot accept typ: 256 is not an integer in 0-255",
    "ERR_PACKET_FIELD: Cannot accept typ: 256 is not an integer in 0-255",
    null,
    "ERR_CALL_LOST: Cannot reply: the call has ended",
    "ERR_NO_ROUTE: Cannot reply: the packet does not say who sent it",
  ]);
});

test("A packet for a service that nobody offers here is told as a drop event", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b], clock } = await chain(["a", "b"]);
  const told = record(b);
  a.send({ dst: "b", srv: "nothing", data: "for nothing" });
  a.send({ dst: "b", ctx: 77, data: "for nobody" });
  a.send({ dst: "b", data: "for no reason" });
  await clock.rest();
  assert.deepEqual(told, [
    "drop ERR_NO_SERVICE: for nothing",
    "drop ERR_NO_SERVICE: for nobody",
    "drop ERR_NO_SERVICE: for no reason",
  ]);
});

// ── waiting ─────────────────────────────────────────────────────────────────

test("Router.waitForService() resolves at once with a service that is there", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b], clock } = await chain(["a", "b"]);
  b.registerService("ping", NOTHING);
  await clock.rest();
  assert.equal(await a.waitForService("ping"), "b");
  assert.equal(await b.waitForService("ping"), "b");
});

test("Router.waitForService() resolves when the service comes, and leaves nothing behind", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, , c], clock } = await chain(["a", "b", "c"]);
  const controller = new CountingController();
  const { signal } = controller;
  const found = [a.waitForService("ping", { signal }), a.waitForService("ping")];
  c.registerService("other", NOTHING);
  await clock.rest();
  assert.equal(controller.listening, 1);
  c.registerService("ping", NOTHING);
  assert.deepEqual(await clock.until(Promise.all(found)), ["c", "c"]);
  assert.equal(controller.listening, 0);
});

test("Router.waitForService() ends with the reason of its signal", {
  timeout: 10_000,
}, async () => {
  const router = alone();
  const controller = new CountingController();
  const reason = new Error("enough");
  const waiting = rejection(router.waitForService("ping", { signal: controller.signal }));
  controller.abort(reason);
  assert.equal(await waiting, reason);
  assert.equal(controller.listening, 0);
  assert.equal(
    await rejection(router.waitForService("ping", { signal: AbortSignal.abort(reason) })),
    reason,
  );
});

test("Router.waitForService() fails when the router closes, and afterwards", {
  timeout: 10_000,
}, async () => {
  const router = alone();
  const controller = new CountingController();
  const waiting = rejection(router.waitForService("ping", { signal: controller.signal }));
  await router.close();
  const errors = [await waiting, await rejection(router.waitForService("ping"))];
  assert.deepEqual(errors.map((error) => (error as { code: string }).code), [
    "ERR_CHANNEL_CLOSED",
    "ERR_CHANNEL_CLOSED",
  ]);
  assert.equal(controller.listening, 0);
});

test("Registration leaves no timer behind when calls end after it has been disposed of", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b], clock } = await chain(["a", "b"]);
  const replies: (() => void)[] = [];
  const handler = (_packet: unknown, reply: () => unknown) => void replies.push(() => reply());
  const registration = b.registerService("work", handler, { followCalls: true });
  await clock.rest();
  await clock.pass(60_000); // Whatever the mesh still had to do is done.
  const idle = clock.pending;
  const calls = [1, 2, 3].map(() => a.request("work"));
  await turn();
  registration[Symbol.dispose]();
  await clock.pass(1_500); // What had to be told is told.
  for (const reply of replies) reply();
  await Promise.all(calls);
  assert.deepEqual([replies.length, registration.calls, clock.pending], [3, 0, idle]);
  await Promise.all([a.close(), b.close()]);
});
