import assert from "node:assert/strict";
import { test } from "node:test";
import { CallError, type Packet, Router, type ServiceHandler } from "../../mod.ts";
import { joinThrough, pair, texts, turns } from "../support/calls.ts";
import {
  chain,
  CountingController,
  failureCode,
  rejection,
  SteppingClock,
  turn,
} from "../support/routers.ts";

// ── ways to answer ──────────────────────────────────────────────────────────

const ANSWERS: [what: string, ServiceHandler, reply: string][] = [
  ["a payload that it returns", () => "text", "text"],
  ["a buffer that it returns", () => new TextEncoder().encode("bytes").buffer, "bytes"],
  ["a payload that it promises", () => turn().then(() => "later"), "later"],
  ["what it gives to reply()", (_packet, reply) => void reply("said"), "said"],
  [
    "what it gives to reply() later",
    (_packet, reply) => void setTimeout(() => reply("at last")),
    "at last",
  ],
  ["what it gives to reply(), not what it returns", (_packet, reply) => {
    reply("said");
    return "returned";
  }, "said"],
  ["what it gives to reply(), not what it promises", async (_packet, reply) => {
    await turn();
    reply("said");
    return "promised";
  }, "said"],
  ["nothing, if it is an async function that returns nothing", async () => await turn(), ""],
  ["nothing, if it says that nothing follows", (_packet, _reply, call) => call.end(), ""],
  ["nothing, if it is a generator that yields nothing", async function* () {}, ""],
];

for (const [what, handler, text] of ANSWERS) {
  for (const options of [{}, { reliable: true }]) {
    const how = options.reliable ? ", reliably" : "";
    test(`A service handler answers ${what}${how}`, { timeout: 10_000 }, async () => {
      const { a, b, drops, rest, nothingLeft } = await pair();
      const there = b.registerService("s", handler);
      await rest();
      const reply = await a.request("s", "", options);
      assert.deepEqual([reply.text(), reply.src], [text, "b"]);
      await nothingLeft();
      assert.deepEqual([there.calls, drops], [0, []]);
    });
  }
}

test("A generator that is asked for one reply yields one, and is ended", {
  timeout: 10_000,
}, async () => {
  const { a, b, drops, rest, nothingLeft } = await pair();
  for (const options of [{}, { reliable: true }]) {
    const log: string[] = [];
    const there = b.registerService("count", async function* () {
      try {
        for (let i = 0;; i++) {
          log.push(`made ${i}`);
          yield String(i);
        }
      } finally {
        log.push("finally");
      }
    });
    await rest();
    assert.equal((await a.request("count", "", options)).text(), "0");
    await nothingLeft();
    assert.deepEqual([log, there.calls, drops], [["made 0", "finally"], 0, []]);
  }
});

test("ServiceCall.streaming says whether more than one reply is wanted", {
  timeout: 10_000,
}, async () => {
  const { a, b, rest } = await pair();
  b.registerService("which", (_packet, _reply, call) => String(call.streaming));
  await rest();
  assert.equal((await a.request("which")).text(), "false");
  assert.equal((await a.request("which", "", { reliable: true })).text(), "false");
  assert.equal((await a.request("which", new Uint8Array(40_000))).text(), "false");
  assert.deepEqual(await texts(a.stream("which")), ["true"]);
});

test("Reply sends one reply to who wants one, and says so to those who send more", {
  timeout: 10_000,
}, async () => {
  const { a, b, drops, rest, nothingLeft } = await pair();
  const outcomes: unknown[] = [];
  b.registerService("many", (_packet, reply, call) => {
    for (const text of ["one", "two"]) outcomes.push(reply(text));
    call.end();
    outcomes.push(reply("three"));
  });
  await rest();
  const late = "ERR_CALL_LOST: Cannot reply: the call has ended";
  assert.equal((await a.request("many")).text(), "one");
  assert.equal((await a.request("many", "", { reliable: true })).text(), "one");
  assert.deepEqual(await texts(a.stream("many")), ["one", "two"]);
  await nothingLeft();
  assert.deepEqual(outcomes, [null, late, late, null, late, late, null, null, late]);
  assert.deepEqual(drops, []);
});

test("Reply says what does not fit, and the call can still be answered", {
  timeout: 10_000,
}, async () => {
  const { a, b, rest } = await pair();
  const outcomes: (string | null)[] = [];
  b.registerService("picky", (_packet, reply, call) => {
    outcomes.push(reply(7 as never), reply("x", { typ: 256 }), reply("x", { typ: 0.5 }));
    reply("good", { typ: 255 });
    call.end();
  });
  await rest();
  for (const options of [{}, { reliable: true }]) {
    const reply = await a.request("picky", "", options);
    assert.deepEqual([reply.text(), reply.typ], ["good", 255]);
  }
  assert.deepEqual(await texts(a.stream("picky")), ["good"]);
  assert.equal(outcomes.length, 9);
  for (const outcome of outcomes) assert.match(outcome!, /^ERR_PACKET_FIELD: Cannot /);
});

test("Reply copies small payloads: a handler may use its buffer again", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock, rest } = await pair();
  b.registerService("count", (_packet, reply, call) => {
    const buffer = new Uint8Array(1);
    for (let i = 0; i < 100; i++) {
      buffer[0] = i;
      assert.equal(reply(buffer), null);
    }
    buffer[0] = 255;
    call.end();
  });
  await rest();
  const got: number[] = [];
  await clock.until((async () => {
    for await (const packet of a.stream("count")) got.push(packet.data[0]!);
  })());
  assert.deepEqual(got, Array.from({ length: 100 }, (_, i) => i));
});

test("A handler's reply waits until a full channel has room, for five seconds", {
  timeout: 20_000,
}, async () => {
  for (
    const handler of [
      () => "returned",
      () => Promise.resolve("promised"),
      async function* () {
        yield "yielded";
      },
    ] as ServiceHandler[]
  ) {
    const { a, b, clock, link, rest, nothingLeft } = await pair();
    const there = b.registerService("s", handler);
    await rest();
    const { send } = link[1];
    let refused = 0;
    let full = true;
    link[1].send = (packet) =>
      packet.net === 0 && full && ++refused > 0 ? false : send.call(link[1], packet);
    const first = a.request("s");
    await clock.pass(1_000);
    full = false;
    assert.match((await clock.until(first)).text(), /ed$/);
    full = true;
    const second = rejection(a.request("s", "", { timeout: 10_000 }));
    await clock.pass(9_000);
    assert.equal(there.calls, handler.constructor.name === "AsyncGeneratorFunction" ? 1 : 0);
    const before = refused;
    await clock.until(second);
    full = false;
    await clock.pass(100);
    assert.equal(refused, before);
    await nothingLeft();
  }
});

test("A handler whose reply waits for room leaves no timer when its router closes", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock, link, rest } = await pair();
  b.registerService("s", () => "returned");
  await rest();
  const { send } = link[1];
  link[1].send = (packet) => packet.net !== 0 && send.call(link[1], packet);
  const failed = rejection(a.request("s"));
  await turns();
  await clock.until(b.close());
  await failed;
  await clock.until(a.close());
  assert.equal(clock.pending, 0);
});

// ── errors ──────────────────────────────────────────────────────────────────

const THROWN: [what: string, thrown: unknown, text: string][] = [
  ["an error", new TypeError("no such lamp"), "no such lamp"],
  ["text", "just words", "just words"],
  ["nothing", undefined, "undefined"],
  ["what has no text", Object.create(null), "something without a text"],
  ["an error with half a character", new Error("\ud800"), "\ufffd"],
];

const THROWERS: [how: string, (thrown: unknown) => ServiceHandler][] = [
  ["throws", (thrown) => () => {
    throw thrown;
  }],
  ["rejects with", (thrown) => () => Promise.reject(thrown)],
  ["is a generator and throws", (thrown) =>
    async function* () {
      await turn();
      yield* [];
      throw thrown;
    }],
];

for (const [how, thrower] of THROWERS) {
  test(`A handler that ${how} something makes the call fail with its message, whatever it is`, {
    timeout: 10_000,
  }, async () => {
    const { a, b, drops, rest, nothingLeft } = await pair();
    for (const [what, thrown, text] of THROWN) {
      const causes: unknown[] = [];
      const there = b.registerService("s", thrower(thrown));
      b.addEventListener("drop", ({ error }) => causes.push(error.cause), { once: true });
      await rest();
      const expected = new CallError(
        "ERR_CALL_HANDLER",
        `Cannot get a reply: the handler of "s" threw "${text}"`,
        "s",
        "b",
      );
      for (
        const call of [
          () => a.request("s"),
          () => a.request("s", "", { reliable: true }),
          () => a.request("s", new Uint8Array(50_000)),
          () => texts(a.stream("s")),
        ]
      ) {
        const error = await rejection(call()) as CallError;
        assert.deepEqual(error, expected, what);
        assert.deepEqual([error.code, error.service, error.address], [
          "ERR_CALL_HANDLER",
          "s",
          "b",
        ]);
        assert.equal(there.calls, 0);
        await nothingLeft(what);
      }
      assert.deepEqual(causes, [thrown]);
      assert.equal(drops.splice(0).length, 4); // Each is told where it happened, and only there.
    }
  });
}

test("A handler's error takes nothing of its program along, and not more than a kilobyte", {
  timeout: 10_000,
}, async () => {
  const { a, b, rest } = await pair();
  const secret = new Error("short", { cause: "the cause" });
  Object.assign(secret, { password: "the password" });
  b.registerService("s", () => Promise.reject(secret));
  b.registerService("long", () => Promise.reject(new Error("é".repeat(100_000))));
  await rest();
  const error = await rejection(a.request("s")) as CallError;
  assert.equal(error.cause, undefined);
  assert.doesNotMatch(
    `${error.message} ${JSON.stringify(error)}`,
    /cause|password|call_handlers_test|\n/,
  );
  const long = await rejection(a.request("long")) as CallError;
  assert(long.message.length > 500 && long.message.length <= 1_024, `${long.message.length}`);
});

test("A generator that yields what is no payload makes the call fail, and is ended", {
  timeout: 10_000,
}, async () => {
  const { a, b, drops, rest, nothingLeft } = await pair();
  const log: string[] = [];
  b.registerService("s", async function* () {
    try {
      yield "good";
      yield { not: "good" };
    } finally {
      log.push("finally");
    }
  });
  await rest();
  const reader = a.stream("s").getReader();
  assert.equal((await reader.read()).value!.text(), "good");
  assert.equal(await failureCode(reader.read()), "ERR_CALL_HANDLER");
  await nothingLeft();
  assert.deepEqual([log, drops.length], [["finally"], 1]);
});

test("A handler that returns what nobody can use is told as a drop event at most", {
  timeout: 10_000,
}, async () => {
  const { a, b, drops, rest, nothingLeft } = await pair();
  const trap = () => {
    throw new Error("trapped");
  };
  b.registerService("proxy", () => new Proxy({}, { has: trap, get: trap }));
  b.registerService("thenable", () => ({
    get then() {
      throw new Error("trapped");
    },
  }));
  await rest();
  for (const service of ["proxy", "thenable"]) {
    assert.equal(await failureCode(a.request(service)), "ERR_CALL_HANDLER");
    await nothingLeft(service);
  }
  assert.equal(drops.length, 2);
});

test("A handler whose iterator does not end as it should does no harm", {
  timeout: 10_000,
}, async () => {
  const { a, b, drops, rest, nothingLeft } = await pair();
  const ends: (() => unknown)[] = [
    () => {
      throw new Error("not now");
    },
    () => Promise.reject(new Error("not now")),
    () => "no promise",
  ];
  let end = ends[0]!;
  const there = b.registerService("s", () => ({
    [Symbol.asyncIterator]: () => ({
      count: 0,
      next() {
        return this.count++ === 0
          ? Promise.resolve({ done: false, value: "x" })
          : turns(5).then(() => ({ done: false, value: "y" }));
      },
      return: () => end(),
    }),
  }));
  await rest();
  for (const one of ends) {
    end = one;
    assert.deepEqual(await texts(a.stream("s", "", { limit: 1 })), ["x"]);
    await nothingLeft();
    assert.equal((await a.request("s")).text(), "x");
    await nothingLeft();
  }
  assert.equal(there.calls, 0);
  assert(drops.every((drop) => drop.includes("ERR_HANDLER")), String(drops));
});

test("A service that is not there fails the call at once, without its clock", {
  timeout: 10_000,
}, async () => {
  const { a, drops, clock, nothingLeft } = await pair();
  const before = clock.now();
  for (
    const call of [
      () => a.request("none", "", { dst: "b" }),
      () => a.request("none", "", { dst: "b", reliable: true }),
      () => a.request("none", new Uint8Array(50_000), { dst: "b" }),
      () => texts(a.stream("none", "", { dst: "b" })),
    ]
  ) {
    const error = await rejection(call()) as Error & { code: string };
    assert.deepEqual(
      [error.name, error.code, error.message],
      ["UnreachableError", "ERR_NO_SERVICE", 'Cannot accept call: "b" does not offer "none"'],
    );
    await nothingLeft();
  }
  assert.deepEqual([clock.now(), drops], [before, []]);
});

// ── cancelling ──────────────────────────────────────────────────────────────

/** A handler that never replies, and what it hears. */
function listening(heard: string[]): ServiceHandler {
  return (_packet, _reply, { signal }) => {
    heard.push("called");
    signal.addEventListener("abort", () => heard.push((signal.reason as Error).name));
  };
}

for (const kind of ["one packet", "reliable", "large", "stream"]) {
  for (
    const how of ["timeout", "abort", "lost route", "closed router", "closing service", "replaced"]
  ) {
    test(`ServiceCall.signal aborts over two hops: a call of kind "${kind}", ${how}`, {
      timeout: 30_000,
    }, async () => {
      const { routers: [a, b, c], clock, links } = await chain(["a", "b", "c"]);
      const heard: string[] = [];
      const there = c.registerService("s", listening(heard));
      await clock.until(a.waitForService("s"));
      await clock.pass(60_000);
      const idle = clock.pending;
      const controller = new CountingController();
      const options = { timeout: 2_000, signal: controller.signal };
      const call = kind === "stream"
        ? texts(a.stream("s", "", options))
        : a.request("s", kind === "large" ? new Uint8Array(50_000) : "", {
          ...options,
          reliable: kind === "reliable",
        });
      const failed = rejection(call);
      await clock.pass(100);
      assert.deepEqual([heard, there.calls], [["called"], 1]);
      const before = clock.now();
      if (how === "abort") controller.abort();
      else if (how === "lost route") links[0][0].close(new Error("cut"));
      else if (how === "closed router") await clock.until(a.close());
      else if (how === "closing service") await clock.until(c.close());
      else if (how === "replaced") c.registerService("s", () => "another");
      await clock.until(failed);
      while (there.calls > 0) await clock.pass(1_000);
      const name = how === "closing service" ? "ChannelError" : "AbortError";
      assert.deepEqual(heard, ["called", name]);
      // Who has lost a reliable call waits for it to come back.
      const waits = kind === "reliable" && /route|router/.test(how);
      const limit = waits ? 101_000 : 3_000;
      assert(clock.now() - before < limit, `after ${clock.now() - before} ms`);
      assert.equal(controller.listening, 0);
      if (how === "timeout" || how === "abort") {
        await clock.pass(1_000);
        assert.equal(clock.pending, idle);
      }
      await Promise.all([a, b, c].map((router) => clock.until(router.close())));
      assert.equal(clock.pending, 0);
    });
  }
}

test("A handler that does not mind being cancelled does no harm", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock, drops, rest, nothingLeft } = await pair();
  const outcomes: unknown[] = [];
  b.registerService("stubborn", async (_packet, reply) => {
    await new Promise<void>((resolve) => clock.schedule(clock.now() + 3_000, resolve));
    outcomes.push(reply("late"));
    throw new Error("late, too");
  });
  await rest();
  const error = rejection(a.request("stubborn", "", { timeout: 1_000 }));
  const stream = rejection(texts(a.stream("stubborn", "", { timeout: 1_000 })));
  await clock.pass(5_000);
  await Promise.all([error, stream]);
  assert.deepEqual(outcomes, Array(2).fill("ERR_CALL_LOST: Cannot reply: the call has ended"));
  assert.deepEqual(drops, []);
  await nothingLeft();
});

test("ServiceCall.signal that is looked at late has aborted", { timeout: 10_000 }, async () => {
  const { a, b, clock, rest } = await pair();
  let look: () => AbortSignal = () => new AbortController().signal;
  b.registerService("s", (_packet, _reply, call) => void (look = () => call.signal));
  await rest();
  await clock.until(rejection(a.request("s", "", { timeout: 100 })));
  await turns();
  assert.deepEqual([look().aborted, look().reason.name], [true, "AbortError"]);
});

test("ServiceCall.signal does not abort when a call ends well", { timeout: 10_000 }, async () => {
  const { a, b, clock, rest } = await pair();
  const signals: AbortSignal[] = [];
  b.registerService("s", (_packet, reply, call) => {
    signals.push(call.signal);
    reply("fine");
    call.end();
  });
  await rest();
  await a.request("s");
  await a.request("s", "", { reliable: true });
  await a.request("s", new Uint8Array(50_000));
  await clock.until(texts(a.stream("s")));
  await clock.pass(100_000);
  assert.deepEqual(signals.map(({ aborted }) => aborted), [false, false, false, false]);
});

test("Router.request() sends what it must, and no more", { timeout: 10_000 }, async () => {
  const clock = new SteppingClock();
  const [a, b] = [new Router("a", { clock }), new Router("b", { clock })];
  const sent: Packet[] = [];
  joinThrough(a, b, (packet) => {
    sent.push(packet.copy());
    return 1;
  });
  b.registerService("s", () => "fine");
  await clock.rest();
  const count = async (call: () => Promise<unknown>) => {
    sent.length = 0;
    await clock.until(call());
    await clock.pass(30_000);
    return sent.length;
  };
  assert.deepEqual([
    await count(() => a.request("s")),
    await count(() => a.request("s", "", { reliable: true })),
    await count(() => texts(a.stream("s"))),
  ], [2, 5, 5]); // The question, two frames of the reply, and both acknowledged.
});
