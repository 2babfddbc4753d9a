import assert from "node:assert/strict";
import { test } from "node:test";
import type { GatherOptions, Packet, Router, ServiceHandler } from "../../mod.ts";
import { ALL_CONTEXTS, freeContexts, turns } from "../support/calls.ts";
import { chain, failureCode, rejection, type SteppingClock } from "../support/routers.ts";

/** A caller, "a", among instances of "s", and which of them heard that they were cancelled. */
async function scene(handlers: Record<string, ServiceHandler>) {
  const names = Object.keys(handlers);
  const made = await chain(["a", ...names.filter((name) => name !== "a")] as ["a", ...string[]]);
  const routers = made.routers as Router[];
  const { clock } = made;
  const cancelled: string[] = [];
  for (const router of routers) {
    const handler = handlers[router.address];
    if (handler === undefined) continue;
    router.registerService("s", (packet, reply, call) => {
      call.signal.addEventListener("abort", () => cancelled.push(router.address));
      return handler(packet, reply, call);
    });
  }
  await clock.rest();
  const [a] = routers as [Router, ...Router[]];
  const gather = async (options: GatherOptions = {}) => {
    return from(await clock.until(a.gather("s", "hello", options)));
  };
  const nothingLeft = async () => {
    await turns();
    assert.equal(freeContexts(a), ALL_CONTEXTS);
  };
  return { a, routers, clock, cancelled, gather, nothingLeft };
}

const from = (replies: Packet[]) => replies.map((packet) => `${packet.src}: ${packet.text()}`);
const works: ServiceHandler = (packet) => packet.data;
const fails: ServiceHandler = () => Promise.reject(new Error("broken"));
const silent: ServiceHandler = () => {};

/** Replies after so many ms of a clock that is not there yet. */
function after(clock: () => SteppingClock, ms: number): ServiceHandler {
  return (packet) =>
    new Promise((resolve) => {
      clock().schedule(clock().now() + ms, () => resolve(packet.text()));
    });
}

test("Router.gather() collects a reply of every instance, our own among them", {
  timeout: 10_000,
}, async () => {
  const { gather, cancelled, nothingLeft } = await scene({ a: works, b: works, c: works });
  assert.deepEqual((await gather()).sort(), ["a: hello", "b: hello", "c: hello"]);
  await nothingLeft();
  assert.deepEqual(cancelled, []);
});

test("Router.gather() gives the replies in the order in which they come", {
  timeout: 10_000,
}, async () => {
  const made = await scene({
    b: after(() => made.clock, 300),
    c: after(() => made.clock, 100),
    d: after(() => made.clock, 200),
  });
  assert.deepEqual(await made.gather(), ["c: hello", "d: hello", "b: hello"]);
});

for (
  const [what, options, count] of [
    ["the first", { first: true }, 1],
    ["as many as `count` says", { count: 2 }, 2],
    ["all there are if `count` is more", { count: 9 }, 3],
    ["as many as `count` says, whatever `first` does", { first: true, count: 2 }, 2],
  ] as [string, GatherOptions, number][]
) {
  test(`Router.gather() is content with ${what}, and cancels the others`, {
    timeout: 10_000,
  }, async () => {
    const made = await scene({
      b: after(() => made.clock, 100),
      c: after(() => made.clock, 200),
      d: after(() => made.clock, 300),
    });
    const { clock, cancelled, gather, nothingLeft } = made;
    const start = clock.now();
    const replies = await gather(options);
    assert.deepEqual(replies, ["b: hello", "c: hello", "d: hello"].slice(0, count));
    assert.equal(Math.round((clock.now() - start) / 100), count);
    await nothingLeft();
    assert.deepEqual(cancelled.sort(), ["b", "c", "d"].slice(count));
  });
}

test("Router.gather() gives what has come when its time is over, and cancels the others", {
  timeout: 10_000,
}, async () => {
  const { clock, cancelled, gather, nothingLeft } = await scene({ b: works, c: silent, d: works });
  const start = clock.now();
  const failures: string[] = [];
  const onFailure = (address: string, error: unknown) => {
    failures.push(`${address}: ${(error as Error).name}`);
  };
  assert.deepEqual(await gather({ timeout: 700, onFailure }), ["b: hello", "d: hello"]);
  assert(Math.abs(clock.now() - start - 700) < 1);
  await nothingLeft();
  assert.deepEqual([failures, cancelled], [["c: TimeoutError"], ["c"]]);
});

test("Router.gather() waits five seconds unless told otherwise", { timeout: 10_000 }, async () => {
  const { clock, gather } = await scene({ b: works, c: silent });
  const start = clock.now();
  assert.deepEqual(await gather(), ["b: hello"]);
  assert(Math.abs(clock.now() - start - 5_000) < 1);
});

test("Router.gather() leaves out those that fail, and tells them", {
  timeout: 10_000,
}, async () => {
  const { routers, gather } = await scene({ b: fails, c: works, d: works });
  routers[3]!.unregisterService("s"); // Which a does not know yet.
  const failures: string[] = [];
  const onFailure = (address: string, error: unknown) => {
    failures.push(`${address}: ${(error as { code: string }).code}`);
  };
  assert.deepEqual(await gather({ onFailure }), ["c: hello"]);
  assert.deepEqual(failures.sort(), ["b: ERR_CALL_HANDLER", "d: ERR_NO_SERVICE"]);
});

test("Router.gather() fails if nobody offers the service, and if all fail", {
  timeout: 10_000,
}, async () => {
  const { a, clock, nothingLeft } = await scene({ b: fails, c: silent });
  assert.equal(await failureCode(a.gather("nothing")), "ERR_NO_SERVICE");
  const error = await clock.until(rejection(a.gather("s"))) as AggregateError;
  assert(error instanceof AggregateError);
  assert.equal(error.message, 'Cannot gather: no instance of "s" has replied');
  assert.deepEqual(error.errors.map((one) => (one as Error).name), ["CallError", "TimeoutError"]);
  await nothingLeft();
});

test("Router.gather() ends with the reason of its signal, and cancels all", {
  timeout: 10_000,
}, async () => {
  const { a, cancelled, nothingLeft } = await scene({ b: silent, c: works, d: silent });
  const controller = new AbortController();
  const { signal } = controller;
  let failures = 0;
  const failed = rejection(a.gather("s", "", { signal, onFailure: () => failures++ }));
  await turns();
  const reason = new Error("enough");
  controller.abort(reason);
  assert.equal(await failed, reason);
  await nothingLeft();
  assert.deepEqual([cancelled.sort(), failures], [["b", "d"], 0]);
  assert.equal(await rejection(a.gather("s", "", { signal })), reason);
});

test("Router.gather() fails when the router closes", { timeout: 10_000 }, async () => {
  const { a, clock } = await scene({ b: silent, c: silent });
  const failed = rejection(a.gather("s"));
  await turns();
  await clock.until(a.close());
  const error = await failed as AggregateError;
  assert.deepEqual(error.errors?.map((one) => (one as { code: string }).code), [
    "ERR_CHANNEL_CLOSED",
    "ERR_CHANNEL_CLOSED",
  ]);
  assert.equal(await failureCode(a.gather("s")), "ERR_CHANNEL_CLOSED");
});

test("Router.gather() whose `onFailure` throws fails with that, and leaves no call behind", {
  timeout: 10_000,
}, async () => {
  const { a, cancelled, nothingLeft } = await scene({ b: fails, c: silent });
  const error = new Error("I cannot hear this");
  const onFailure = () => {
    throw error;
  };
  assert.equal(await rejection(a.gather("s", "", { onFailure })), error);
  await nothingLeft();
  assert.deepEqual(cancelled, ["c"]);
});

test("Router.gather() refuses a time that is none", { timeout: 10_000 }, async () => {
  const { a } = await scene({ b: works });
  for (const timeout of [0, -1, NaN]) {
    assert((await rejection(a.gather("s", "", { timeout }))) instanceof RangeError);
  }
});

test("Router.gather() sends its payload and typ to all", { timeout: 10_000 }, async () => {
  const large = new Uint8Array(60_000).fill(3);
  const { a, clock } = await scene({
    b: (packet, reply) => void reply(packet.data, { typ: packet.typ }),
    c: (packet, reply) => void reply(packet.data, { typ: packet.typ }),
  });
  for (const data of ["x", large]) {
    const replies = await clock.until(a.gather("s", data, { typ: 7 }));
    assert.deepEqual(replies.map(({ typ }) => typ), [7, 7]);
    assert(replies.every((packet) => packet.data.length === data.length));
  }
});
