import assert from "node:assert/strict";
import { test } from "node:test";
import { CallError, Packet, type Registration, Router, type ServiceHandler } from "../../mod.ts";
import { joinThrough, pair, texts, turns } from "../support/calls.ts";
import {
  chain,
  CountingController,
  join,
  joinDirectly,
  rejection,
  SteppingClock,
  turn,
} from "../support/routers.ts";

/** Items of a generator, whose `log` says how far it has come. */
function counter(log: string[], count: number = Infinity): ServiceHandler {
  return async function* () {
    try {
      for (let i = 0; i < count; i++) {
        log.push(`made ${i}`);
        yield String(i);
      }
      log.push("end");
    } finally {
      log.push("finally");
    }
  };
}

/** A service that replies once, and then says no more until it is told to stop. */
function hanging(log: string[]): ServiceHandler {
  return async function* (_packet, _reply, { signal }) {
    yield "first";
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    log.push(`aborted: ${signal.reason.name}`);
  };
}

/** What was read of a stream, and how it ended. */
async function read(replies: AsyncIterable<Packet>): Promise<string[]> {
  const got: string[] = [];
  try {
    for await (const packet of replies) got.push(packet.text());
    got.push("end");
  } catch (error) {
    got.push((error as { code: unknown }).code as string || (error as Error).name);
  }
  return got.map((one) => String(one) === "23" ? "TimeoutError" : String(one));
}

const WAYS: [what: string, ServiceHandler][] = [
  ["a generator", async function* () {
    yield "one";
    yield new TextEncoder().encode("two");
    yield new TextEncoder().encode("three").buffer;
  }],
  ["a handler that replies, and says when that is all", (_packet, reply, call) => {
    for (const text of ["one", "two", "three"]) assert.equal(reply(text), null);
    call.end();
  }],
  ["a handler that replies later", (_packet, reply, call) => {
    const words = ["one", "two", "three"];
    const say = () => {
      reply(words.shift());
      if (words.length > 0) setTimeout(say);
      else call.end();
    };
    setTimeout(say);
  }],
  ["an async function that replies, and returns", async (_packet, reply) => {
    for (const text of ["one", "two", "three"]) {
      await turn();
      reply(text);
    }
  }],
  ["a handler that returns a stream", () =>
    new ReadableStream({
      start(controller) {
        for (const text of ["one", "two", "three"]) controller.enqueue(text);
        controller.close();
      },
    })],
  ["an async function that returns a generator", async () => {
    await turn();
    return (async function* () {
      yield* ["one", "two", "three"];
    })();
  }],
];

test(
  "A handler that yields packets, or hands on the replies of another call, replies with their data and types",
  {
    timeout: 10_000,
  },
  async () => {
    const { a, b, rest } = await pair();
    b.registerService("typed", async function* () {
      yield new Packet({ data: "one", typ: 7, srv: "not", ctx: 1, dst: "looked at" });
      yield new Packet({ data: "two" });
    });
    b.registerService("handed on", () => b.stream("typed"));
    await rest();
    for (const service of ["typed", "handed on"]) {
      const got: [string, number, string][] = [];
      for await (const packet of a.stream(service)) {
        got.push([packet.text(), packet.typ, packet.src]);
      }
      assert.deepEqual(got, [["one", 7, "b"], ["two", 0, "b"]], service);
      assert.equal((await a.request(service)).typ, 7);
    }
  },
);

for (const [what, handler] of WAYS) {
  test(`Router.stream() gives the replies of ${what}, in order, to their end`, {
    timeout: 10_000,
  }, async () => {
    const { a, b, drops, nothingLeft, rest } = await pair();
    const there = b.registerService("words", handler);
    await rest();
    assert.deepEqual(await texts(a.stream("words")), ["one", "two", "three"]);
    await nothingLeft();
    assert.deepEqual([there.calls, drops], [0, []]);
  });
}

const SINGLE: [what: string, ServiceHandler, replies: string[]][] = [
  ["returns a payload", () => "all", ["all"]],
  ["returns a promise of one", () => Promise.resolve(Uint8Array.of(104, 105)), ["hi"]],
  ["is an async function that returns nothing", async () => await turn(), [""]],
  ["is a generator that yields nothing", async function* () {}, []],
  ["says at once that there is nothing", (_packet, _reply, call) => call.end(), []],
];

for (const [what, handler, replies] of SINGLE) {
  test(`Router.stream() ends when a service ${what}`, { timeout: 10_000 }, async () => {
    const { a, b, drops, nothingLeft, rest } = await pair();
    b.registerService("once", handler);
    await rest();
    assert.deepEqual(await texts(a.stream("once")), replies);
    await nothingLeft();
    assert.deepEqual(drops, []);
  });
}

test("Router.stream() gives a thousand replies of all sizes whole and in order", {
  timeout: 20_000,
}, async () => {
  const { a, b, clock, nothingLeft, rest } = await pair();
  const size = (i: number) => i % 100 === 0 ? 20_000 + i : i % 50;
  b.registerService("bytes", async function* () {
    for (let i = 0; i < 1_000; i++) yield new Uint8Array(size(i)).fill(i % 256);
  });
  await rest();
  let count = 0;
  await clock.until((async () => {
    for await (const { data } of a.stream("bytes")) {
      const i = count++;
      assert.equal(data.length, size(i), `reply ${i}`);
      assert(data.every((byte) => byte === i % 256), `reply ${i}`);
    }
  })());
  assert.equal(count, 1_000);
  await nothingLeft();
});

test("Router.stream() gives replies with their src and typ, and nothing of the protocol's", {
  timeout: 10_000,
}, async () => {
  const { a, b, rest } = await pair();
  b.registerService("typed", (_packet, reply, call) => {
    reply("x", { typ: 200 });
    reply("y");
    call.end();
  });
  await rest();
  const seen: unknown[] = [];
  for await (const { src, srv, typ, seq, ack, data } of a.stream("typed")) {
    seen.push({ src, srv, typ, seq, ack, text: new TextDecoder().decode(data) });
  }
  assert.deepEqual(seen, [
    { src: "b", srv: "", typ: 200, seq: 0, ack: 0, text: "x" },
    { src: "b", srv: "", typ: 0, seq: 0, ack: 0, text: "y" },
  ]);
});

// ── how it ends ─────────────────────────────────────────────────────────────

const ENDS: [what: string, read: (a: Router) => Promise<unknown>][] = [
  ["`limit`", (a) => texts(a.stream("count", "", { limit: 3 }))],
  ["`until`", (a) => texts(a.stream("count", "", { until: (packet) => packet.text() === "2" }))],
  ["leaving the loop", async (a) => {
    const got: string[] = [];
    for await (const packet of a.stream("count")) {
      got.push(packet.text());
      if (got.length === 3) break;
    }
    return got;
  }],
  ["an error in the loop", async (a) => {
    const got: string[] = [];
    const failing = (async () => {
      for await (const packet of a.stream("count")) {
        got.push(packet.text());
        if (got.length === 3) throw new Error("in the loop");
      }
    })();
    assert.equal((await rejection(failing) as Error).message, "in the loop");
    return got;
  }],
  ["cancel()", async (a) => {
    const replies = a.stream("count");
    const reader = replies.getReader();
    const got: string[] = [];
    while (got.length < 3) got.push((await reader.read()).value!.text());
    await reader.cancel();
    assert.deepEqual(await reader.read(), { done: true, value: undefined });
    return got;
  }],
  ["`await using`", async (a) => {
    const got: string[] = [];
    const replies = a.stream("count");
    const reader = replies.getReader();
    while (got.length < 3) got.push((await reader.read()).value!.text());
    await replies[Symbol.asyncDispose](); // What the syntax does, which Node 22 lacks.
    return got;
  }],
  ["an error thrown into its iterator", async (a) => {
    const replies = a.stream("count")[Symbol.asyncIterator]();
    const got: string[] = [];
    while (got.length < 3) got.push((await replies.next()).value!.text());
    const error = new Error("thrown in");
    assert.equal(await rejection(replies.throw(error)), error);
    return got;
  }],
];

for (const [what, read] of ENDS) {
  test(`Router.stream() is ended by ${what}, and the service with it`, {
    timeout: 10_000,
  }, async () => {
    const { a, b, drops, nothingLeft, rest } = await pair();
    const log: string[] = [];
    const there = b.registerService("count", counter(log));
    await rest();
    assert.deepEqual(await read(a), ["0", "1", "2"]);
    await nothingLeft();
    assert.equal(log.filter((line) => line === "finally").length, 1);
    assert.deepEqual([there.calls, drops], [0, []]);
  });
}

test("Router.stream() fails with what `until` throws, and the service ends", {
  timeout: 10_000,
}, async () => {
  const { a, b, nothingLeft, rest } = await pair();
  const log: string[] = [];
  b.registerService("count", counter(log));
  await rest();
  const error = new Error("no idea");
  const replies = a.stream("count", "", {
    until: () => {
      throw error;
    },
  });
  assert.equal(await rejection(texts(replies)), error);
  await nothingLeft();
  assert.equal(log.at(-1), "finally");
});

test("Router.stream() gives no more than `limit`, though more has come by then", {
  timeout: 10_000,
}, async () => {
  const { a, b, rest } = await pair();
  b.registerService("count", counter([]));
  await rest();
  const replies = a.stream("count", "", { limit: 2 });
  await turns();
  assert.deepEqual(await texts(replies), ["0", "1"]);
});

test("Router.stream() gives no more than `limit` to those who wait for more", {
  timeout: 10_000,
}, async () => {
  const clock = new SteppingClock();
  const [a, b] = [new Router("a", { clock }), new Router("b", { clock })];
  let lost = 0; // The first reply: when it is sent again, the others are there already.
  joinThrough(a, b, (packet) => packet.text() === "0" && lost++ === 0 ? 0 : 1);
  b.registerService("count", counter([], 30));
  await clock.rest();
  for (const limit of [1, 2]) {
    lost = 0;
    const reader = a.stream("count", "", { limit }).getReader();
    const reads = [reader.read(), reader.read(), reader.read()];
    const got = await clock.until(Promise.all(reads));
    const expected = ["0", "1"].slice(0, limit);
    assert.deepEqual(got.flatMap(({ value }) => value?.text() ?? []), expected);
    assert.equal(lost, 2);
  }
});

test("Router.stream() refuses a limit and times that are none", async () => {
  const router = new Router("a");
  router.registerService("s", () => "");
  assert.throws(() => router.stream("s", "", { limit: 0 }), RangeError);
  assert.throws(() => router.stream("s", "", { idle: 0 }), RangeError);
  assert.throws(() => router.stream("s", "", { timeout: NaN }), RangeError);
  await router.close();
});

test("Router.stream() that is disposed of before it was read ends the service", {
  timeout: 10_000,
}, async () => {
  const { a, b, drops, nothingLeft, rest } = await pair();
  const log: string[] = [];
  b.registerService("hang", hanging(log));
  await rest();
  const replies = a.stream("hang");
  await turns();
  await replies[Symbol.asyncDispose]();
  await replies[Symbol.asyncDispose]();
  assert.deepEqual(await texts(replies), []);
  await nothingLeft();
  assert.deepEqual([log, drops], [["aborted: AbortError"], []]);
});

// ── times ───────────────────────────────────────────────────────────────────

test("Router.stream() fails when no reply comes within `idle`; each reply starts it anew", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock, nothingLeft, rest } = await pair();
  let say: (text: string) => unknown = () => {};
  let aborted = false;
  b.registerService("now and then", (_packet, reply, { signal }) => {
    signal.addEventListener("abort", () => aborted = true);
    say = reply;
  });
  await rest();
  const done = read(a.stream("now and then", "", { idle: 1_000 }));
  await turns();
  for (const text of ["0", "1", "2", "3"]) {
    say(text);
    await clock.pass(900);
  }
  const before = clock.now();
  assert.deepEqual(await clock.until(done), ["0", "1", "2", "3", "TimeoutError"]);
  assert(Math.abs(clock.now() - before - 100) < 5, `after ${clock.now() - before} ms`);
  await nothingLeft();
  assert.equal(aborted, true);
});

test("Router.stream() that several wait for at once is not timed out while replies come", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock, rest, nothingLeft } = await pair();
  b.registerService("tick", async function* () {
    for (let i = 0; i < 4; i++) {
      yield String(i);
      await new Promise<void>((resolve) => void clock.schedule(clock.now() + 700, resolve));
    }
  });
  await rest();
  const reader = a.stream("tick", "", { idle: 1_000 }).getReader();
  const reads = await clock.until(Promise.all(Array.from({ length: 5 }, () => reader.read())));
  assert.deepEqual(reads.map(({ value }) => value?.text()), ["0", "1", "2", "3", undefined]);
  await nothingLeft();
});

test("Router.stream() waits thirty seconds for a reply unless told otherwise, or for ever", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock, rest } = await pair();
  b.registerService("silent", () => {});
  await rest();
  const before = clock.now();
  let waiting = true;
  const forever = a.stream("silent", "", { idle: Infinity });
  read(forever).then(() => waiting = false);
  const error = await clock.until(rejection(texts(a.stream("silent")))) as DOMException;
  assert.deepEqual(
    [error.name, error.message],
    ["TimeoutError", 'Cannot wait longer: "b" has sent nothing for 30000 ms'],
  );
  assert(Math.abs(clock.now() - before - 30_000) < 100);
  await clock.pass(600_000);
  assert.equal(waiting, true);
  await a.close();
  assert.equal(waiting, false);
});

test("Router.stream() does not count the time in which nobody reads as idle", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock, nothingLeft, rest } = await pair();
  let say: (text: string) => unknown = () => {};
  b.registerService("two", (_packet, reply, call) => {
    say = (text) => (reply(text), call.end());
    reply("one");
  });
  await rest();
  const got: string[] = [];
  const replies = a.stream("two", "", { idle: 1_000 });
  await clock.pass(5_000); // Nobody reads yet.
  for await (const packet of replies) {
    got.push(packet.text());
    if (got.length === 1) {
      await clock.pass(5_000); // Nobody waits for another.
      say("two");
    }
  }
  assert.deepEqual(got, ["one", "two"]);
  await nothingLeft();
});

test("Router.stream() fails after `timeout`, though replies keep coming", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock, nothingLeft, rest } = await pair();
  const there = b.registerService("tick", async function* (_packet, _reply, { signal }) {
    for (let i = 0; !signal.aborted; i++) {
      yield String(i);
      await new Promise<void>((resolve) => clock.schedule(clock.now() + 400, resolve));
    }
  });
  await rest();
  const done = read(a.stream("tick", "", { timeout: 1_000 }));
  assert.deepEqual(await clock.until(done), ["0", "1", "2", "TimeoutError"]);
  await clock.pass(400);
  await nothingLeft();
  assert.equal(there.calls, 0);
});

// ── aborting ────────────────────────────────────────────────────────────────

test("Router.stream() ends with the reason of its signal, and tells the service", {
  timeout: 10_000,
}, async () => {
  const { a, b, nothingLeft, rest } = await pair();
  const log: string[] = [];
  b.registerService("hang", hanging(log));
  await rest();
  const controller = new CountingController();
  const reader = a.stream("hang", "", { signal: controller.signal }).getReader();
  assert.equal((await reader.read()).value!.text(), "first");
  const waiting = rejection(reader.read());
  const reason = new Error("enough");
  controller.abort(reason);
  assert.equal(await waiting, reason);
  await nothingLeft();
  assert.deepEqual([log, controller.listening], [["aborted: AbortError"], 0]);
});

test("Router.stream() sends nothing if its signal has aborted already", {
  timeout: 10_000,
}, async () => {
  const { a, b, nothingLeft, rest } = await pair();
  let calls = 0;
  b.registerService("s", () => void calls++);
  await rest();
  const signal = AbortSignal.abort(new Error("before"));
  assert.equal(await rejection(texts(a.stream("s", "", { signal }))), signal.reason);
  await nothingLeft();
  assert.equal(calls, 0);
});

test("Router.stream() leaves nothing on its signal, however it ends", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock, nothingLeft } = await pair();
  b.registerService("count", counter([], 5));
  b.registerService("fail", () => Promise.reject(new Error("no")));
  b.registerService("silent", () => {});
  await clock.rest();
  const controller = new CountingController();
  const { signal } = controller;
  const ended: unknown[] = [];
  for (
    const replies of [
      () => a.stream("count", "", { signal }),
      () => a.stream("count", "", { signal, limit: 2 }),
      () => a.stream("fail", "", { signal }),
      () => a.stream("silent", "", { signal, idle: 100 }),
      () => a.stream("silent", "", { signal, timeout: 100 }),
      () => a.stream("nobody", "", { signal }),
      () => a.stream("count", "", { signal, dst: "z" }),
    ]
  ) {
    ended.push((await clock.until(read(replies()))).at(-1));
    assert.equal(controller.listening, 0, `after ${ended.at(-1)}`);
    await nothingLeft(String(ended.at(-1)));
  }
  assert.deepEqual(ended, [
    "end",
    "end",
    "ERR_CALL_HANDLER",
    "TimeoutError",
    "TimeoutError",
    "ERR_NO_SERVICE",
    "ERR_NO_ROUTE",
  ]);
});

// ── flow ────────────────────────────────────────────────────────────────────

test("Router.stream() holds a generator back that nobody reads, and lets it go on", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock, rest } = await pair();
  let made = 0;
  b.registerService("count", async function* () {
    for (;;) yield String(made++);
  });
  await rest();
  const reader = a.stream("count").getReader();
  await clock.pass(20_000);
  const ahead = made;
  assert(ahead > 8 && ahead <= 66, `it has made ${ahead}, and nobody has read`); // Two windows.
  for (let i = 0; i < 500; i++) {
    assert.equal((await clock.until(reader.read())).value!.text(), String(i));
  }
  await clock.pass(20_000);
  assert(made >= 500 && made <= 500 + 66, `it has made ${made}, and 500 were read`);
  await reader.cancel();
});

test("Router.stream() that nobody reads does not hold up another", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock, rest } = await pair();
  b.registerService("count", counter([], 300));
  await rest();
  const unread = a.stream("count");
  await turns();
  const all = await clock.until(texts(a.stream("count")));
  assert.equal(all.length, 300);
  assert.equal((await clock.until(texts(unread))).length, 300);
});

test("Reply says when too much waits, and takes more when there is room", {
  timeout: 20_000,
}, async () => {
  const { a, b, clock, rest } = await pair();
  let say: () => string | null = () => null;
  b.registerService("big", (_packet, reply, call) => {
    say = () => reply(new Uint8Array(100_000));
    call.signal.addEventListener("abort", () => {});
  });
  await rest();
  const reader = a.stream("big").getReader();
  await turns();
  let taken = 0;
  let refusal: string | null = null;
  while (taken < 100 && (refusal = say()) === null) taken++;
  assert.equal(refusal, "ERR_CHANNEL_FULL: Cannot reply: too much waits already");
  assert(taken >= 10 && taken <= 15, `it took ${taken}`);
  for (let i = 0; i < taken; i++) {
    assert.equal((await clock.until(reader.read())).value!.data.length, 100_000);
  }
  assert.equal(say(), null);
  await reader.cancel();
});

test("Reply says so when a thousand small ones wait", { timeout: 10_000 }, async () => {
  const { a, b, rest } = await pair();
  let taken = 0;
  b.registerService("small", (_packet, reply) => {
    while (taken < 100_000 && reply() === null) taken++;
  });
  await rest();
  const replies = a.stream("small");
  await turns();
  assert(taken >= 100 && taken < 5_000, `it took ${taken}`);
  await replies.cancel();
});

// ── streams of the platform ─────────────────────────────────────────────────

test("Router.stream() can be piped through another stream", { timeout: 10_000 }, async () => {
  const { a, b, nothingLeft, rest } = await pair();
  b.registerService("count", counter([], 5));
  await rest();
  const doubled: number[] = [];
  await a.stream("count")
    .pipeThrough(
      new TransformStream<Packet, number>({
        transform: (packet, controller) => controller.enqueue(2 * Number(packet.text())),
      }),
    )
    .pipeTo(new WritableStream({ write: (value) => void doubled.push(value) }));
  assert.deepEqual(doubled, [0, 2, 4, 6, 8]);
  await nothingLeft();
});

test("Router.stream() can be read by two", { timeout: 10_000 }, async () => {
  const { a, b, nothingLeft, rest } = await pair();
  b.registerService("count", counter([], 4));
  await rest();
  const all = await Promise.all(
    a.stream("count").tee().map(async (branch) => {
      const got: string[] = [];
      const reader = branch.getReader();
      for (let next; !(next = await reader.read()).done;) got.push(next.value.text());
      return got;
    }),
  );
  assert.deepEqual(all, [["0", "1", "2", "3"], ["0", "1", "2", "3"]]);
  await nothingLeft();
});

test("Router.stream() can be iterated over where streams cannot", { timeout: 10_000 }, async () => {
  const { a, b, nothingLeft, rest } = await pair();
  const { prototype } = ReadableStream;
  const own = Object.getOwnPropertyDescriptor(prototype, Symbol.asyncIterator)!;
  b.registerService("count", counter([], 3));
  b.registerService("stream", () =>
    new ReadableStream({
      start(controller) {
        controller.enqueue("x");
        controller.close();
      },
    }));
  await rest();
  assert(Reflect.deleteProperty(prototype, Symbol.asyncIterator));
  try {
    assert.deepEqual(await texts(a.stream("count")), ["0", "1", "2"]);
    assert.deepEqual(await texts(a.stream("stream")), ["x"]);
  } finally {
    Object.defineProperty(prototype, Symbol.asyncIterator, own);
  }
  await nothingLeft();
});

test("Router.stream() answers reads that wait at once, in their order", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock, rest } = await pair();
  b.registerService("count", counter([], 50));
  await rest();
  const reader = a.stream("count").getReader();
  const reads = Array.from({ length: 51 }, () => reader.read());
  const all = await clock.until(Promise.all(reads));
  assert.deepEqual(
    all.map(({ value }) => value?.text()),
    [...Array.from({ length: 50 }, (_, i) => String(i)), undefined],
  );
});

test("Router.stream() whose service has ended can be read at leisure, whatever happens meanwhile", {
  timeout: 10_000,
}, async () => {
  for (const what of ["nothing", "the link is cut", "the service's router closes", "ours closes"]) {
    const { a, b, clock, link, drops, rest, nothingLeft } = await pair();
    b.registerService("count", counter([], 30));
    b.registerService("fails", async function* () {
      yield "one";
      throw new Error("no more");
    });
    await rest();
    const replies = a.stream("count").getReader();
    const failing = a.stream("fails");
    await clock.pass(100);
    await nothingLeft("all has come");
    if (what === "the link is cut") a.removeChannel(link[0]);
    else if (what === "the service's router closes") await clock.until(b.close());
    else if (what === "ours closes") await clock.until(a.close());
    for (let i = 0; i < 30; i++) {
      await clock.pass(10_000);
      assert.equal((await replies.read()).value!.text(), String(i), what);
    }
    assert.equal((await replies.read()).done, true, what);
    assert.deepEqual(await read(failing), ["one", "ERR_CALL_HANDLER"], what);
    assert.deepEqual(drops.length, 1, what); // The error, where it was thrown.
  }
});

test("Router.stream() whose service has ended says no more to it", {
  timeout: 10_000,
}, async () => {
  const clock = new SteppingClock();
  const [a, b] = [new Router("a", { clock }), new Router("b", { clock })];
  let sent = 0;
  joinThrough(a, b, () => (sent++, 1));
  b.registerService("count", counter([], 20));
  await clock.rest();
  const controller = new AbortController();
  const streams = [a.stream("count", "", controller), a.stream("count"), a.stream("count")];
  await clock.pass(1_000);
  const before = sent;
  controller.abort();
  await streams[1]!.cancel();
  assert.equal((await texts(streams[2]!)).length, 20);
  await clock.pass(60_000);
  assert.equal(sent, before);
});

test("Router.stream() is ended by its signal though all has come", {
  timeout: 10_000,
}, async () => {
  const { a, b, rest, nothingLeft } = await pair();
  b.registerService("count", counter([], 10));
  await rest();
  const controller = new CountingController();
  const reader = a.stream("count", "", { signal: controller.signal }).getReader();
  await turns();
  assert.equal((await reader.read()).value!.text(), "0");
  const reason = new Error("enough");
  controller.abort(reason);
  assert.equal(await rejection(reader.read()), reason);
  assert.equal(controller.listening, 0);
  await nothingLeft();
});

// ── what goes wrong ─────────────────────────────────────────────────────────

test("Router.stream() gives what came before an error, and then the error", {
  timeout: 10_000,
}, async () => {
  const { a, b, nothingLeft, rest } = await pair();
  b.registerService("fails", async function* () {
    yield "one";
    yield "two";
    throw new Error("out of numbers");
  });
  await rest();
  for (const late of [false, true]) {
    const reader = a.stream("fails").getReader();
    if (late) await turns(); // All has come before anybody reads.
    assert.equal((await reader.read()).value!.text(), "one");
    assert.equal((await reader.read()).value!.text(), "two");
    assert.deepEqual(
      await rejection(reader.read()),
      new CallError(
        "ERR_CALL_HANDLER",
        'Cannot get a reply: the handler of "fails" threw "out of numbers"',
        "fails",
        "b",
      ),
    );
    await nothingLeft();
  }
});

test("Router.stream() fails when the service's router closes, and when the link is cut", {
  timeout: 10_000,
}, async () => {
  for (const how of ["closes", "is cut off", "is cut off two hops away"]) {
    const { routers: [a, b, c], clock, links } = await chain(["a", "b", "c"]);
    const log: string[] = [];
    c.registerService("hang", hanging(log));
    await clock.until(a.waitForService("hang"));
    const done = read(a.stream("hang"));
    await turns();
    const before = clock.now();
    if (how === "closes") await clock.until(c.close());
    else if (how === "is cut off") a.removeChannel(links[0][0]);
    else links[1][0].close(new Error("cut"));
    assert.deepEqual(await clock.until(done), ["first", "ERR_NO_ROUTE"], how);
    assert(clock.now() - before < 4_000, `${how}: after ${clock.now() - before} ms`);
    await clock.pass(5_000);
    assert.equal(log.length, 1, how);
    await Promise.all([a, b, c].map((router) => clock.until(router.close())));
    assert.equal(clock.pending, 0);
  }
});

test("Router.stream() fails when the service's router has restarted", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b], clock, links: [link] } = await chain(["a", "b"]);
  const log: string[] = [];
  b.registerService("hang", hanging(log));
  await clock.until(a.waitForService("hang"));
  const call = read(a.stream("hang", "", { reliable: true, idle: Infinity }));
  await turns();
  b.removeChannel(link[1]); // It crashes, and another takes its place before anybody has noticed.
  const again = new Router("b", { clock });
  again.registerService("hang", hanging(log));
  join(a, again);
  assert.deepEqual(await clock.until(call), ["first", "ERR_CALL_LOST"]);
  assert.equal((await clock.until(a.request("hang"))).text(), "first");
});

test("Router.stream() fails when our router closes, and afterwards", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock, rest } = await pair();
  const log: string[] = [];
  b.registerService("hang", hanging(log));
  await rest();
  const call = read(a.stream("hang"));
  await turns();
  await clock.until(a.close());
  assert.deepEqual(await call, ["first", "ERR_CHANNEL_CLOSED"]);
  assert.deepEqual(await read(a.stream("hang")), ["ERR_CHANNEL_CLOSED"]);
  await clock.pass(5_000);
  assert.equal(log.length, 1);
  await clock.until(b.close());
  assert.equal(clock.pending, 0);
});

test("Router.stream() fails where it is read if nobody offers the service", {
  timeout: 10_000,
}, async () => {
  const { a } = await pair();
  assert.deepEqual(await read(a.stream("nothing")), ["ERR_NO_SERVICE"]);
  assert.deepEqual(await read(a.stream("x".repeat(256))), ["ERR_PACKET_FIELD"]);
  assert.deepEqual(await read(a.stream("nothing", 7 as never, { dst: "b" })), ["ERR_PACKET_FIELD"]);
});

test("Calls of every kind end over channels that deliver before send() returns", {
  timeout: 20_000,
}, async () => {
  const clock = new SteppingClock();
  const [a, b] = [new Router("a", { clock }), new Router("b", { clock })];
  joinDirectly(a, b);
  b.registerService("gen", counter([], 200));
  b.registerService("all at once", (_packet, reply, call) => {
    for (let i = 0; i < 200; i++) reply(String(i));
    call.end();
  });
  b.registerService("echo", (packet) => packet.data);
  b.registerService("stream echo", (_packet, _reply, { body }) => body);
  b.registerService("fails", () => {
    throw new Error("no");
  });
  await clock.pass(60_000);
  const idle = clock.pending;
  async function* upload() {
    for (let i = 0; i < 200; i++) yield String(i);
  }
  const upTo = Array.from({ length: 200 }, (_, i) => String(i));
  const before = clock.now();
  const large = new Uint8Array(500_000).fill(3);
  assert.deepEqual(await texts(a.stream("gen")), upTo);
  assert.deepEqual(await texts(a.stream("all at once")), upTo);
  assert.deepEqual(await texts(a.stream("all at once", "", { limit: 3 })), upTo.slice(0, 3));
  assert.deepEqual(await texts(a.stream("stream echo", upload())), upTo);
  assert.equal((await a.request("echo", "x")).text(), "x");
  assert.equal((await a.request("echo", "x", { reliable: true })).text(), "x");
  assert.deepEqual((await a.request("echo", large)).data, large);
  assert.deepEqual(await read(a.stream("fails")), ["ERR_CALL_HANDLER"]);
  assert.deepEqual(await read(a.stream("none", "", { dst: "b" })), ["ERR_NO_SERVICE"]);
  await turns();
  assert.deepEqual([clock.now(), clock.pending], [before, idle]);
});

test("Router.stream() from a service of our own goes as from any other", {
  timeout: 10_000,
}, async () => {
  const router = new Router("a");
  const log: string[] = [];
  const there: Registration = router.registerService("count", counter(log, 100));
  router.registerService("echo", async function* (_packet, _reply, call) {
    for await (const piece of call.body) yield piece;
  });
  assert.equal((await texts(router.stream("count"))).length, 100);
  assert.deepEqual(await texts(router.stream("count", "", { limit: 1 })), ["0"]);
  await turns();
  assert.deepEqual([there.calls, log.at(-1)], [0, "finally"]);
  const numbers = Array.from({ length: 200 }, (_, i) => String(i));
  async function* upload() {
    yield* numbers;
  }
  assert.deepEqual(await texts(router.stream("echo", upload())), numbers);
  await router.close();
});
