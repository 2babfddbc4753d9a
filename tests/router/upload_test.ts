import assert from "node:assert/strict";
import { test } from "node:test";
import { CallError, type PacketDataStream, Router, type ServiceHandler } from "../../mod.ts";
import { pair, texts, turns } from "../support/calls.ts";
import { failureCode, rejection, turn } from "../support/routers.ts";

/** Answers with all that it was sent. */
const collect: ServiceHandler = async (_packet, _reply, { body }) => {
  const pieces: string[] = [];
  for await (const piece of body) pieces.push(new TextDecoder().decode(piece));
  return pieces.join(" ");
};

/** Numbers without end; `log` says what becomes of them. */
async function* numbers(log: string[], end: number = Infinity): AsyncGenerator<string> {
  try {
    for (let i = 0; i < end; i++) {
      log.push(`given ${i}`);
      yield String(i);
    }
  } finally {
    log.push("finally");
  }
}

const given = (log: string[]) => log.filter((line) => line.startsWith("given")).length;

const SOURCES: [what: string, source: () => PacketDataStream][] = [
  ["a generator", () =>
    (async function* () {
      yield "one";
      await turn();
      yield new TextEncoder().encode("two");
      yield new TextEncoder().encode("three").buffer;
    })()],
  ["a stream", () =>
    new ReadableStream({
      start(controller) {
        for (const text of ["one", "two", "three"]) controller.enqueue(text);
        controller.close();
      },
    })],
  ["an iterable with the least there can be", () => ({
    [Symbol.asyncIterator]: () => {
      const words = ["one", "two", "three"];
      return {
        next: () => {
          const value = words.shift();
          const result = { done: value === undefined, value } as IteratorResult<string>;
          return Promise.resolve(result);
        },
      };
    },
  })],
];

for (const [what, source] of SOURCES) {
  test(`Router.request() uploads ${what}, piece by piece`, { timeout: 10_000 }, async () => {
    const { a, b, drops, rest, nothingLeft } = await pair();
    const there = b.registerService("collect", collect);
    await rest();
    assert.equal((await a.request("collect", source())).text(), "one two three");
    await nothingLeft();
    assert.deepEqual([there.calls, drops], [0, []]);
  });
}

test("Router.request() uploads what a stream without an iterator of its own gives", {
  timeout: 10_000,
}, async () => {
  const { a, b, rest, nothingLeft } = await pair();
  b.registerService("collect", collect);
  await rest();
  const { prototype } = ReadableStream;
  const own = Object.getOwnPropertyDescriptor(prototype, Symbol.asyncIterator)!;
  assert(Reflect.deleteProperty(prototype, Symbol.asyncIterator));
  try {
    assert.equal((await a.request("collect", SOURCES[1]![1]())).text(), "one two three");
  } finally {
    Object.defineProperty(prototype, Symbol.asyncIterator, own);
  }
  await nothingLeft();
});

test("Router.stream() uploads and is answered at the same time", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock, rest, nothingLeft } = await pair();
  b.registerService("echo", async function* (_packet, _reply, { body }) {
    for await (const piece of body) yield piece;
  });
  await rest();
  const log: string[] = [];
  const replies = await clock.until(texts(a.stream("echo", numbers(log, 300))));
  assert.deepEqual(replies, Array.from({ length: 300 }, (_, i) => String(i)));
  assert.equal(log.at(-1), "finally");
  await nothingLeft();
});

test("Router.request() uploads pieces of any size whole, with their order and the call's typ", {
  timeout: 20_000,
}, async () => {
  const { a, b, clock, rest, nothingLeft } = await pair();
  const sizes = [0, 1, 8_191, 8_192, 8_193, 0, 300_000, 5];
  const got: number[] = [];
  let typ = 0;
  b.registerService("sizes", async (packet, _reply, { body }) => {
    typ = packet.typ;
    for await (const piece of body) {
      assert(piece.every((byte) => byte === got.length), `piece ${got.length}`);
      got.push(piece.length);
    }
  });
  await rest();
  async function* source() {
    for (const [i, size] of sizes.entries()) yield new Uint8Array(size).fill(i);
  }
  const reply = await clock.until(a.request("sizes", source(), { typ: 9, timeout: 60_000 }));
  assert.deepEqual([got, reply.text(), typ], [sizes, "", 9]);
  await nothingLeft();
});

test("Router.request() lets a source use its buffer again for the next piece", {
  timeout: 10_000,
}, async () => {
  const { a, b, rest } = await pair();
  b.registerService("collect", collect);
  await rest();
  async function* source() {
    const buffer = new Uint8Array(1);
    for (let i = 0; i < 20; i++) {
      buffer[0] = 97 + i;
      yield buffer;
    }
  }
  const letters = (await a.request("collect", source())).text();
  assert.equal(letters, "a b c d e f g h i j k l m n o p q r s t");
});

test("Router.request() reads a source no faster than the handler reads", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock, rest, nothingLeft } = await pair();
  let read = 0;
  let goOn = () => {};
  b.registerService("slow", async (_packet, _reply, { body }) => {
    await new Promise<void>((resolve) => goOn = resolve);
    for await (const _piece of body) {
      if (++read === 200) await new Promise<void>((resolve) => goOn = resolve);
    }
    return "done";
  });
  await rest();
  const log: string[] = [];
  const call = a.request("slow", numbers(log, 400), { timeout: Infinity });
  await clock.pass(20_000);
  assert(given(log) >= 32 && given(log) <= 66, `${given(log)} were given, and none read`);
  goOn();
  while (read < 200) await clock.pass(50);
  await clock.pass(20_000);
  assert(given(log) <= 266, `${given(log)} were given, and 200 read`);
  goOn();
  assert.equal((await clock.until(call)).text(), "done");
  assert.deepEqual([given(log), log.at(-1)], [400, "finally"]);
  await nothingLeft();
});

// ── how it ends ─────────────────────────────────────────────────────────────

test("Router.request() fails with what its source throws, and the handler's reading ends", {
  timeout: 10_000,
}, async () => {
  const { a, b, drops, rest, nothingLeft } = await pair();
  const pieces: string[] = [];
  let reading: Promise<unknown> | undefined;
  const there = b.registerService("collect", (_packet, _reply, { body }) => {
    reading = rejection((async () => {
      for await (const piece of body) pieces.push(new TextDecoder().decode(piece));
    })());
    return reading;
  });
  await rest();
  const error = new Error("the disk is gone");
  async function* source() {
    yield "one";
    await turns();
    throw error;
  }
  assert.equal(await rejection(a.request("collect", source())), error);
  assert.equal((await reading as Error).name, "AbortError");
  await nothingLeft();
  assert.deepEqual([pieces, there.calls, drops], [["one"], 0, []]);
});

test("Router.request() fails if its source gives what is no payload, and ends the source", {
  timeout: 10_000,
}, async () => {
  const { a, b, rest, nothingLeft } = await pair();
  b.registerService("collect", collect);
  await rest();
  const log: string[] = [];
  async function* source() {
    try {
      yield 7 as never;
    } finally {
      log.push("finally");
    }
  }
  assert.equal(await failureCode(a.request("collect", source())), "ERR_PACKET_FIELD");
  await nothingLeft();
  assert.deepEqual(log, ["finally"]);
});

test("Router.request() is done when the handler answers, though it has not read everything", {
  timeout: 10_000,
}, async () => {
  const { a, b, drops, rest, nothingLeft } = await pair();
  const there = b.registerService("first", async (_packet, _reply, { body }) => {
    for await (const piece of body) return piece;
  });
  b.registerService("at once", () => "no need");
  await rest();
  for (const [service, reply] of [["first", "0"], ["at once", "no need"]] as const) {
    const log: string[] = [];
    assert.equal((await a.request(service, numbers(log))).text(), reply);
    await nothingLeft(service);
    assert.equal(log.at(-1), "finally", service);
  }
  assert.deepEqual([there.calls, drops], [0, []]);
});

test("Router.request() ends its source when the handler throws", { timeout: 10_000 }, async () => {
  const { a, b, rest, nothingLeft } = await pair();
  b.registerService("picky", async (_packet, _reply, { body }) => {
    for await (const _piece of body) throw new Error("not this");
  });
  await rest();
  const log: string[] = [];
  assert.deepEqual(
    await rejection(a.request("picky", numbers(log))),
    new CallError(
      "ERR_CALL_HANDLER",
      'Cannot get a reply: the handler of "picky" threw "not this"',
      "picky",
      "b",
    ),
  );
  await nothingLeft();
  assert.equal(log.at(-1), "finally");
});

for (const how of ["aborts", "times out", "loses its route", "closes"]) {
  test(`Router.request() ends its source and the handler's reading when it ${how}`, {
    timeout: 10_000,
  }, async () => {
    const { a, b, clock, link, rest } = await pair();
    const idle = clock.pending;
    let ended = "";
    b.registerService("slow", async (_packet, _reply, { body, signal }) => {
      try {
        for await (const _piece of body) await new Promise(() => {});
      } catch (error) {
        ended = String(error);
      }
      ended ||= signal.aborted ? "signal" : "";
    });
    const bodies: string[] = [];
    b.registerService("waiting", async (_packet, _reply, { body }) => {
      try {
        for await (const _piece of body);
      } catch (error) {
        bodies.push((error as Error).name);
      }
    });
    await rest();
    const controller = new AbortController();
    const { signal } = controller;
    const log: string[] = [];
    const many = a.request("slow", numbers(log), { signal, timeout: 2_000 });
    let cancelled = false;
    const nothingComes = new ReadableStream<string>({ cancel: () => void (cancelled = true) });
    const none = a.request("waiting", nothingComes, { signal, timeout: 2_000 });
    const failed = Promise.all([rejection(many), rejection(none)]);
    await turns();
    if (how === "aborts") controller.abort();
    else if (how === "loses its route") b.removeChannel(link[1]);
    else if (how === "closes") a.close();
    const reasons = await clock.until(failed) as { name: string }[];
    assert.equal(reasons[0]!.name, reasons[1]!.name);
    await clock.pass(2_000);
    assert.deepEqual([log.at(-1), cancelled, bodies], ["finally", true, ["AbortError"]]);
    if (how === "aborts" || how === "times out") assert.equal(clock.pending, idle);
  });
}

test("Router.request() does not mind what its source does when it is ended", {
  timeout: 10_000,
}, async () => {
  const { a, b, drops, rest, nothingLeft } = await pair();
  b.registerService("at once", () => "no need");
  await rest();
  const endless = { next: () => new Promise<never>(() => {}) };
  const ends: (() => unknown)[] = [
    () => Promise.reject(new Error("no")),
    () => {
      throw new Error("no");
    },
    () => "no promise",
  ];
  for (const end of ends) {
    const iterator = { ...endless, return: end } as unknown as AsyncIterator<string>;
    const source = { [Symbol.asyncIterator]: () => iterator };
    assert.equal((await a.request("at once", source)).text(), "no need");
    await nothingLeft();
  }
  assert.deepEqual(drops, []);
});

test("Router.request() does not end a source that has come to its end", {
  timeout: 10_000,
}, async () => {
  const { a, b, rest, nothingLeft } = await pair();
  b.registerService("collect", collect);
  await rest();
  let ended = 0;
  let given = 0;
  const iterator: AsyncIterator<string> = {
    next: () => Promise.resolve({ done: given === 3, value: String(given++) }),
    return: () => {
      ended++;
      return Promise.resolve({ done: true, value: undefined });
    },
  };
  const reply = await a.request("collect", { [Symbol.asyncIterator]: () => iterator });
  await nothingLeft();
  assert.deepEqual([reply.text(), ended], ["0 1 2", 0]);
});

test("Router.request() reads nothing more of its source once it has ended", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock, rest, nothingLeft } = await pair();
  b.registerService("silent", () => {});
  await rest();
  let asked = 0;
  const source = {
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.resolve({ done: false as const, value: String(asked++) }),
    }),
  };
  const error = rejection(a.request("silent", source, { timeout: 2_000 }));
  await clock.pass(1_999);
  const before = asked;
  await clock.until(error);
  await nothingLeft();
  assert.equal(asked, before);
});

test("Router.request() fails if its source cannot even begin", { timeout: 10_000 }, async () => {
  const { a, b, rest, nothingLeft } = await pair();
  b.registerService("collect", collect);
  await rest();
  const locked = new ReadableStream<string>();
  locked.getReader();
  assert((await rejection(a.request("collect", locked))) instanceof TypeError);
  const error = new Error("not today");
  const broken = {
    [Symbol.asyncIterator]: () => {
      throw error;
    },
  };
  assert.equal(await rejection(a.request("collect", broken)), error);
  await nothingLeft();
});

// ── the handler's side ──────────────────────────────────────────────────────

test("ServiceCall.body of a call with one payload is that payload; without one, it is empty", {
  timeout: 10_000,
}, async () => {
  const { a, b, rest } = await pair();
  b.registerService("collect", async (packet, reply, call) => {
    const pieces: number[] = [];
    for await (const piece of call.body) pieces.push(piece.length);
    reply(`${packet.data.length}: ${pieces}`);
  });
  await rest();
  assert.equal((await a.request("collect", "abc")).text(), "3: 3");
  assert.equal((await a.request("collect")).text(), "0: ");
  assert.equal((await a.request("collect", "abc", { reliable: true })).text(), "3: 3");
  assert.equal((await a.request("collect", new Uint8Array(50_000))).text(), "50000: 50000");
  assert.deepEqual(await texts(a.stream("collect", "abc")), ["3: 3"]);
});

test("ServiceCall.body can be left and gone on with, and read again at its end", {
  timeout: 10_000,
}, async () => {
  const { a, b, rest, nothingLeft } = await pair();
  b.registerService("parts", async (_packet, _reply, { body }) => {
    const parts: string[][] = [];
    for (let part = 0; part < 3; part++) {
      const pieces: string[] = [];
      for await (const piece of body) {
        pieces.push(new TextDecoder().decode(piece));
        if (part === 0) break;
      }
      parts.push(pieces);
    }
    return JSON.stringify(parts);
  });
  await rest();
  const reply = await a.request("parts", numbers([], 3));
  assert.deepEqual(reply.json(), [["0"], ["1", "2"], []]);
  await nothingLeft();
});

test("ServiceCall.body that is still read when the call has ended ends with an abort", {
  timeout: 10_000,
}, async () => {
  const { a, b, drops, rest, nothingLeft } = await pair();
  const pieces: string[] = [];
  const reads: Promise<unknown>[] = [];
  b.registerService("hasty", (_packet, reply, { body }) => {
    reads.push(rejection((async () => {
      for await (const piece of body) pieces.push(new TextDecoder().decode(piece));
    })()));
    reply("enough");
  });
  await rest();
  const source = new ReadableStream<string>({ start: (controller) => controller.enqueue("x") });
  assert.equal((await a.request("hasty", source)).text(), "enough");
  const error = await reads[0] as DOMException;
  assert.deepEqual([error.name, error.message], ["AbortError", "The call has ended"]);
  await nothingLeft();
  assert.deepEqual([pieces.length <= 1, drops], [true, []]);
});

test("Router.request() to a service of our own uploads as to any other", {
  timeout: 10_000,
}, async () => {
  const router = new Router("a");
  router.registerService("collect", collect);
  const log: string[] = [];
  const reply = await router.request("collect", numbers(log, 500));
  assert.equal(reply.text().split(" ").length, 500);
  assert.equal(log.at(-1), "finally");
  await router.close();
});
