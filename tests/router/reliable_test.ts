import assert from "node:assert/strict";
import { test } from "node:test";
import { type Packet, Router, type ServiceHandler } from "../../mod.ts";
import { seededRandom } from "../../src/testing/mod.ts";
import { CALL, encodeCallMark } from "../../src/wire/call_mark.ts";
import { describe, freeContexts, joinThrough, pair, texts, turns } from "../support/calls.ts";
import { chain, failureCode, join, rejection, SteppingClock } from "../support/routers.ts";

/** Numbers, as a service's replies and as an upload. */
async function* numbers(end: number): AsyncGenerator<string> {
  for (let i = 0; i < end; i++) yield String(i);
}

const upTo = (end: number) => Array.from({ length: end }, (_, i) => String(i));

const sum: ServiceHandler = async (_packet, _reply, { body }) => {
  const pieces: string[] = [];
  for await (const piece of body) pieces.push(new TextDecoder().decode(piece));
  return pieces.join();
};

/** Two routers, and a link between them that loses and doubles what it likes. */
async function linked(copies: (packet: Packet) => number) {
  const clock = new SteppingClock();
  const random = seededRandom(3);
  const [a, b] = [new Router("a", { clock, random }), new Router("b", { clock, random })];
  const link = joinThrough(a, b, copies);
  await clock.pass(60_000);
  const left = () => [freeContexts(a), freeContexts(b), clock.pending];
  const before = left();
  const nothingLeft = () => assert.deepEqual(left(), before);
  return { a, b, clock, link, nothingLeft };
}

// ── loss ────────────────────────────────────────────────────────────────────

for (const seed of [1, 2, 3]) {
  test(
    `A link that loses every fifth packet: numbered calls are whole, in order, run once (${seed})`,
    {
      timeout: 30_000,
    },
    async () => {
      const random = seededRandom(seed);
      let lost = 0;
      const { a, b, clock, nothingLeft } = await linked(() => random() < 0.2 ? (lost++, 0) : 1);
      let runs = 0;
      const counted = (handler: ServiceHandler): ServiceHandler => (...args) => {
        runs++;
        return handler(...args);
      };
      b.registerService("count", counted(() => numbers(300)));
      b.registerService("sum", counted(sum));
      b.registerService("echo", counted((packet) => packet.data));
      b.registerService("stream echo", counted((_packet, _reply, { body }) => body));
      await clock.rest();
      const endless = { timeout: Infinity, idle: Infinity };
      const reliable = { ...endless, reliable: true };
      assert.deepEqual(await clock.until(texts(a.stream("count", "", endless))), upTo(300));
      const added = await clock.until(a.request("sum", numbers(300), endless));
      assert.equal(added.text(), upTo(300).join());
      assert.deepEqual(
        await clock.until(texts(a.stream("stream echo", numbers(100), endless))),
        upTo(100),
      );
      const large = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251);
      assert.deepEqual((await clock.until(a.request("echo", large, reliable))).data, large);
      for (let i = 0; i < 50; i++) {
        assert.equal((await clock.until(a.request("echo", `${i}`, reliable))).text(), `${i}`);
      }
      assert.equal(runs, 54);
      assert(lost > 100, `seed ${seed}: ${lost} lost`);
      await clock.pass(60_000); // Who has not heard that a call has ended asks, and is told.
      nothingLeft();
    },
  );
}

test("A link that loses every second packet: a reliable call takes little more than a second", {
  timeout: 10_000,
}, async () => {
  let turn = 0;
  const { a, b, clock } = await linked(() => turn++ % 2);
  b.registerService("echo", (packet) => packet.data);
  await clock.rest();
  const before = clock.now();
  assert.equal((await clock.until(a.request("echo", "x", { reliable: true }))).text(), "x");
  assert(clock.now() - before < 1_500, `after ${clock.now() - before} ms`);
});

test("Router.request() that is one packet is sent once: when that is lost, it times out", {
  timeout: 10_000,
}, async () => {
  const sent: string[] = [];
  const { a, b, clock } = await linked((packet) => (sent.push(describe(packet)), 0));
  b.registerService("echo", (packet) => packet.data);
  await clock.rest();
  const error = await clock.until(rejection(a.request("echo", "x"))) as Error;
  assert.equal(error.name, "TimeoutError");
  assert.deepEqual(sent, ["a>b ask echo", "a>b cancel"]);
});

// ── other ways ──────────────────────────────────────────────────────────────

for (const reliable of [false, true]) {
  test(`A numbered call goes on over another path when its link is cut, reliable: ${reliable}`, {
    timeout: 20_000,
  }, async () => {
    const { routers: [a, , b], clock } = await chain(["a", "m", "b"]);
    const [direct] = join(a, b);
    b.registerService("count", () => numbers(300));
    b.registerService("sum", sum);
    await clock.rest();
    const lost: string[] = [];
    a.addEventListener("route", ({ address, cost }) => cost === 0 && lost.push(address));
    const reader = a.stream("count", "", { reliable }).getReader();
    const replies: string[] = [];
    async function* source() {
      for await (const piece of numbers(300)) {
        if (piece === "150") await goOn;
        yield piece;
      }
    }
    let cut = () => {};
    const goOn = new Promise<void>((resolve) => cut = resolve);
    const upload = a.request("sum", source(), { reliable, timeout: 60_000 });
    while (replies.length < 100) replies.push((await clock.until(reader.read())).value!.text());
    await turns();
    a.removeChannel(direct); // What was on its way is lost.
    cut();
    for (let next; !(next = await clock.until(reader.read())).done;) {
      replies.push(next.value.text());
    }
    assert.deepEqual(replies, upTo(300));
    assert.equal((await clock.until(upload)).text(), upTo(300).join());
    assert.deepEqual(lost, []);
  });
}

test("A reliable call goes on when its route comes back; another does not", {
  timeout: 20_000,
}, async () => {
  const { a, b, clock, link, rest } = await pair();
  let runs = 0;
  b.registerService("count", async function* (_packet, _reply, { signal }) {
    runs++;
    for (let i = 0; i < 40 && !signal.aborted; i++) {
      yield String(i);
      await new Promise<void>((resolve) => void clock.schedule(clock.now() + 500, resolve));
    }
  });
  await rest();
  const reliable = texts(a.stream("count", "", { reliable: true }));
  const plain = failureCode(texts(a.stream("count")));
  await clock.pass(5_000);
  a.removeChannel(link[0]);
  assert.equal(await clock.until(plain), "ERR_NO_ROUTE");
  await clock.pass(10_000);
  join(a, b);
  assert.deepEqual(await clock.until(reliable), upTo(40));
  assert.equal(runs, 2);
});

test("A reliable call whose question found no route is made when there is one again", {
  timeout: 20_000,
}, async () => {
  const { routers: [a, b, c], clock, links } = await chain(["a", "b", "c"]);
  c.registerService("echo", (packet) => packet.data);
  await clock.rest();
  b.removeChannel(links[1][0]);
  while (a.routes().some(({ address }) => address === "c")) await clock.pass(1);
  const plain = failureCode(a.request("echo", "x", { dst: "c", timeout: 20_000 }));
  const reliable = a.request("echo", "y", { dst: "c", reliable: true, timeout: 20_000 });
  assert.equal(await clock.until(plain), "ERR_NO_ROUTE");
  await clock.pass(1_000);
  join(b, c);
  assert.equal((await clock.until(reliable)).text(), "y");
});

test("A reliable call that nobody takes up again ends at its time, and the service's later", {
  timeout: 20_000,
}, async () => {
  const { a, b, clock, link, rest } = await pair();
  let reason: DOMException | undefined;
  const there = b.registerService("hang", (_packet, _reply, { signal }) => {
    signal.addEventListener("abort", () => reason = signal.reason);
  });
  await rest();
  const before = clock.now();
  const failed = rejection(a.request("hang", "", { reliable: true, timeout: 8_000 }));
  await clock.pass(1_000);
  a.removeChannel(link[0]);
  assert.equal((await clock.until(failed) as Error).name, "TimeoutError");
  assert(Math.abs(clock.now() - before - 8_000) < 1, `after ${clock.now() - before} ms`);
  await clock.pass(90_000);
  assert.equal(there.calls, 1);
  await clock.pass(10_000);
  assert.deepEqual([there.calls, reason?.name, reason?.message], [
    0,
    "AbortError",
    "The caller is gone",
  ]);
});

test(
  "Router.request() with `reliable` fails at once if nobody offers the service, or no route leads there",
  {
    timeout: 10_000,
  },
  async () => {
    const { a } = await pair();
    assert.equal(await failureCode(a.request("x", "", { reliable: true })), "ERR_NO_SERVICE");
    const there = { reliable: true, dst: "z" };
    assert.equal(await failureCode(a.request("x", "", there)), "ERR_NO_ROUTE");
  },
);

// ── nobody answers any more ─────────────────────────────────────────────────

test("A call whose far end says nothing more ends at its deadline, and at both ends", {
  timeout: 20_000,
}, async () => {
  let hole = false;
  const { a, b, clock, nothingLeft } = await linked(() => hole ? 0 : 1);
  const heard: string[] = [];
  const there = b.registerService("hang", async function* (_packet, _reply, { signal }) {
    signal.addEventListener("abort", () => heard.push(signal.reason.message));
    yield "first";
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  });
  b.registerService("deaf", (_packet, _reply, { signal }) => {
    signal.addEventListener("abort", () => heard.push(signal.reason.message));
  });
  await clock.rest();
  const forever = { idle: Infinity, timeout: Infinity };
  const start = clock.now();
  const ends: Record<string, [code: unknown, after: number]> = {};
  const end = (name: string, call: Promise<unknown>) =>
    failureCode(call).then((code) =>
      ends[name] = [code, Math.round((clock.now() - start) / 100) / 10]
    );
  const source = new ReadableStream<string>();
  const all = [
    end("request, reliable", a.request("deaf", "", { reliable: true, timeout: 12_000 })),
    end("request, large", a.request("deaf", new Uint8Array(1e6), { timeout: 12_000 })),
    end(
      "stream, reliable",
      texts(a.stream("hang", "", { ...forever, reliable: true, timeout: 50_000 })),
    ),
    end("stream, idle", texts(a.stream("hang", "", { idle: 12_000 }))),
    end("stream", texts(a.stream("hang", "", forever))),
    end("upload", a.request("deaf", source, { timeout: Infinity })),
  ];
  await turns();
  hole = true;
  await clock.until(Promise.all(all));
  const times = Object.fromEntries(
    Object.entries(ends).map(([name, [code, after]]) => [name, `${code} after ${after} s`]),
  );
  const { stream, upload, ...others } = times;
  assert.deepEqual(others, {
    "request, reliable": "TimeoutError after 12 s",
    "request, large": "TimeoutError after 12 s",
    "stream, reliable": "TimeoutError after 50 s",
    "stream, idle": "TimeoutError after 12 s",
  });
  assert.match(stream!, /ERR_CALL_LOST after 3[0-5]/);
  assert.match(upload!, /ERR_CALL_LOST after 3[0-5]/);
  await clock.pass(100_000);
  assert.equal(there.calls, 0);
  assert.deepEqual(heard, Array(6).fill("The caller is gone"));
  nothingLeft();
});

test("A call that nobody has anything to say in goes on for hours", {
  timeout: 20_000,
}, async () => {
  const { a, b, clock, rest, nothingLeft } = await pair();
  let say: (text: string) => unknown = () => {};
  let end = () => {};
  b.registerService("rare", (_packet, reply, call) => {
    say = reply;
    end = () => call.end();
  });
  await rest();
  const reader = a.stream("rare", "", { idle: Infinity }).getReader();
  await clock.pass(3_600_000);
  say("at last");
  assert.equal((await clock.until(reader.read())).value!.text(), "at last");
  end();
  assert.equal((await clock.until(reader.read())).done, true);
  await nothingLeft();
});

test("A call whose caller's timers come once a minute goes on, though nobody says anything", {
  timeout: 20_000,
}, async () => {
  const clock = new SteppingClock();
  // As those of a page that is hidden.
  const rare = {
    now: () => clock.now(),
    schedule: (at: number, run: () => void) => clock.schedule(Math.ceil(at / 60_000) * 60_000, run),
  };
  const [a, b] = [new Router("a", { clock: rare, throttled: true }), new Router("b", { clock })];
  join(a, b);
  let end = () => {};
  let aborted = false;
  b.registerService("rare", (_packet, reply, call) => {
    call.signal.addEventListener("abort", () => aborted = true);
    end = () => (reply("at last"), call.end());
  });
  await clock.pass(120_000);
  const reading = texts(a.stream("rare", "", { idle: Infinity }));
  await clock.pass(1_000_000);
  assert.equal(aborted, false);
  end();
  assert.deepEqual(await clock.until(reading), ["at last"]);
});

test("ServiceCall.signal does not abort when the caller forgets a call that was answered", {
  timeout: 10_000,
}, async () => {
  let deaf = false;
  const { a, b, clock, nothingLeft } = await linked((packet) => {
    return deaf && packet.src === "a" && describe(packet).includes("ack") ? 0 : 1;
  });
  let signal: AbortSignal | undefined;
  const there = b.registerService("s", (_packet, reply, call) => {
    signal = call.signal;
    reply("one");
    reply("two");
    call.end();
  });
  await clock.rest();
  for (const call of [() => texts(a.stream("s")), () => a.request("s", "", { reliable: true })]) {
    deaf = true; // That its last frame has come is not heard; so it is sent again.
    await clock.until<unknown>(call());
    deaf = false;
    await clock.pass(10_000);
    assert.deepEqual([there.calls, signal!.aborted], [0, false]);
  }
  nothingLeft();
});

// ── once ────────────────────────────────────────────────────────────────────

test("A packet that arrives twice or five times runs no handler twice, and gives no reply twice", {
  timeout: 20_000,
}, async () => {
  for (const count of [2, 5]) {
    const { a, b, clock, nothingLeft } = await linked(() => count);
    const runs: Record<string, number> = {};
    const counted = (name: string, handler: ServiceHandler) =>
      b.registerService(name, (...args) => {
        runs[name] = (runs[name] ?? 0) + 1;
        return handler(...args);
      });
    counted("count", () => numbers(60));
    counted("sum", sum);
    counted("echo", (packet) => packet.data);
    await clock.rest();
    assert.deepEqual(await clock.until(texts(a.stream("count"))), upTo(60));
    assert.equal((await clock.until(a.request("sum", numbers(60)))).text(), upTo(60).join());
    assert.equal((await clock.until(a.request("echo", "x", { reliable: true }))).text(), "x");
    const large = new Uint8Array(100_000).fill(7);
    assert.deepEqual((await clock.until(a.request("echo", large))).data, large);
    await clock.pass(60_000);
    assert.deepEqual(runs, { count: 1, sum: 1, echo: 2 });
    nothingLeft();
  }
});

test("The first frame of a call that comes again after the call's end does not run it again", {
  timeout: 10_000,
}, async () => {
  let first: Packet | undefined;
  const { a, b, clock, link } = await linked((packet) => {
    if (describe(packet).includes("open")) first ??= packet.copy();
    return 1;
  });
  let runs = 0;
  b.registerService("s", () => String(++runs));
  await clock.rest();
  assert.equal((await clock.until(a.request("s", "", { reliable: true }))).text(), "1");
  for (const wait of [0, 1_000, 57_000]) {
    await clock.pass(wait);
    link[0].send(first!);
    await turns();
    assert.equal(runs, 1, `after ${wait} ms`);
  }
});

test("Calls that use a context again are calls of their own, and end those that it had before", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock, rest } = await pair();
  const log: string[] = [];
  b.registerService("s", (packet, _reply, { signal }) => {
    const text = packet.text();
    log.push(text);
    signal.addEventListener("abort", () => log.push(`${text}: ${signal.reason.message}`));
  });
  await rest();
  const ctx = a.registerContextHandler(() => {});
  const open = (argument: number, data: string) => {
    const mark = { kind: CALL.open, toService: true, flags: 1, number: 1, argument };
    a.send({ dst: "b", srv: "s", ctx, data, ...encodeCallMark(mark) });
    return turns();
  };
  const ask = (data: string) => {
    const mark = { kind: CALL.ask, toService: true, flags: 0, number: 0, argument: 0 };
    a.send({ dst: "b", srv: "s", ctx, data, ...encodeCallMark(mark) });
    return turns();
  };
  await open(1, "one");
  await open(1, "one again");
  await open(2, "two");
  await open(2, "two again");
  await ask("three");
  await ask("four");
  await open(1, "one, late");
  assert.equal(log.at(-1), "four");
  await open(3, "five");
  const ended = "The caller has made another call";
  assert.deepEqual(log, [
    "one",
    `one: ${ended}`,
    "two",
    `two: ${ended}`,
    "three",
    `three: ${ended}`,
    "four",
    `four: ${ended}`,
    "five",
  ]);
  await clock.until(b.close());
});

test("A caller that has restarted gets the replies to its own calls", {
  timeout: 10_000,
}, async () => {
  const clock = new SteppingClock();
  const b = new Router("b", { clock });
  const texts: string[] = [];
  b.registerService("s", (packet, reply, { signal }) => {
    const text = packet.text();
    texts.push(text);
    if (text === "first") signal.addEventListener("abort", () => texts.push("aborted"));
    else reply(`to ${text}`);
  });
  const one = new Router("a", { clock });
  const [link] = join(one, b);
  await clock.rest();
  const failed = rejection(one.request("s", "first", { reliable: true, timeout: Infinity }));
  await turns();
  one.removeChannel(link); // It is gone, and has told nobody.
  const two = new Router("a", { clock });
  join(two, b);
  await clock.rest();
  const reply = await clock.until(two.request("s", "second", { reliable: true }));
  assert.equal(reply.text(), "to second");
  await clock.pass(110_000);
  assert.deepEqual(texts, ["first", "second", "aborted"]);
  await one.close();
  await failed;
});
