import assert from "node:assert/strict";
import { test } from "node:test";
import type { BorderOptions } from "../../src/border/mod.ts";
import {
  CallError,
  type Packet,
  type Router,
  type RouterOptions,
  type ServiceHandler,
  UnreachableError,
} from "../../mod.ts";
import { Areas } from "../support/areas.ts";
import { ALL_CONTEXTS, freeContexts, texts, turns } from "../support/calls.ts";
import { OldPeer } from "../support/old_peer.ts";
import { failureCode, join, rejection } from "../support/routers.ts";

/** A worker in one area, a desk in another, and a border between them. */
async function scene(
  services: Record<string, ServiceHandler>,
  options: BorderOptions = {},
  routers: RouterOptions = {},
) {
  const areas = new Areas();
  const { clock } = areas;
  const worker = areas.router("a", "worker", routers);
  const desk = areas.router("b", "desk", routers);
  for (const [name, handler] of Object.entries(services)) worker.registerService(name, handler);
  const joined = areas.border("door", [{ area: "a", exports: ["*"] }, { area: "b" }], options);
  await areas.settle();
  const drops: string[] = [];
  for (const router of [desk, joined.at.a!, joined.at.b!]) {
    router.addEventListener("drop", ({ error }) => drops.push(error.message));
  }
  const contexts = () => [worker, desk, joined.at.a!, joined.at.b!].map(freeContexts);
  const before = contexts();
  /** Fails unless calls have left nothing behind. */
  const nothingLeft = async () => {
    await clock.pass(1_000);
    assert.deepEqual(contexts(), before);
    assert.equal(joined.border.stats().calls, 0);
  };
  return { areas, clock, worker, desk, ...joined, drops, nothingLeft };
}

const large = (size: number) => new Uint8Array(size).map((_, i) => i * 7 + (i >> 8));

test("A request across a border has its reply, whatever its size, with its type both ways", {
  timeout: 60_000,
}, async () => {
  const asked: [number, number][] = [];
  const { areas, clock, desk, drops, nothingLeft } = await scene({
    echo: (packet, reply) => {
      asked.push([packet.typ, packet.data.length]);
      reply(packet.data, { typ: packet.typ + 1 });
    },
    nothing: () => Promise.resolve(),
  });
  const sizes = [0, 1, 1_000, 40_000, 1_000_000];
  for (const size of sizes) {
    const reply = await clock.until(desk.request("echo", large(size), { typ: 7 }));
    assert.deepEqual([reply.src, reply.typ, reply.data.length], ["door", 8, size]);
    assert.deepEqual(reply.data, large(size));
  }
  assert.deepEqual(asked, sizes.map((size) => [7, size]));
  assert.equal((await clock.until(desk.request("nothing"))).data.length, 0);
  assert.deepEqual(drops, []);
  await nothingLeft();
  await areas.close();
});

test("Many replies cross a border in order, with their types and their end", {
  timeout: 20_000,
}, async () => {
  const { areas, clock, desk, drops, nothingLeft } = await scene({
    count: async function* () {
      for (let i = 0; i < 500; i++) yield String(i);
    },
    typed: (_packet, reply, call) => {
      for (let typ = 0; typ < 3; typ++) reply(`t${typ}`, { typ });
      call.end();
    },
    none: async function* () {},
  });
  const replies = await clock.until(texts(desk.stream("count")));
  assert.deepEqual(replies, Array.from({ length: 500 }, (_, i) => String(i)));
  const types: number[] = [];
  const read = async () => {
    for await (const { typ } of desk.stream("typed")) types.push(typ);
  };
  await clock.until(read());
  assert.deepEqual(types, [0, 1, 2]);
  assert.deepEqual(await clock.until(texts(desk.stream("none"))), []);
  // Who wants one reply of many gets the first.
  assert.equal((await clock.until(desk.request("count"))).text(), "0");
  assert.deepEqual(drops, []);
  await nothingLeft();
  await areas.close();
});

test("An upload crosses a border piece by piece, and is answered, by one reply or by many", {
  timeout: 20_000,
}, async () => {
  const { areas, clock, desk, drops, nothingLeft } = await scene({
    sum: async (packet, _reply, { body }) => {
      const sizes: number[] = [];
      for await (const piece of body) sizes.push(piece.length);
      return `${packet.data.length}: ${sizes}`;
    },
    upper: async function* (_packet, _reply, { body }) {
      for await (const piece of body) yield new TextDecoder().decode(piece).toUpperCase();
    },
  });
  async function* pieces() {
    for (const piece of ["a", "bc", "def"]) yield piece;
  }
  assert.equal((await clock.until(desk.request("sum", pieces()))).text(), "0: 1,2,3");
  assert.equal((await clock.until(desk.request("sum", "whole"))).text(), "5: 5");
  assert.deepEqual(await clock.until(texts(desk.stream("upper", pieces()))), ["A", "BC", "DEF"]);
  assert.deepEqual(drops, []);
  await nothingLeft();
  await areas.close();
});

test(
  "A border holds no more of a stream than its windows, in either direction: the slower side decides",
  {
    timeout: 20_000,
  },
  async () => {
    const PIECE = 16_384;
    let made = 0;
    let taken = 0;
    const { areas, clock, desk, nothingLeft } = await scene({
      endless: async function* () {
        for (;; made++) yield new Uint8Array(PIECE);
      },
      lazy: async (_packet, _reply, { body, signal }) => {
        for await (const _ of body) {
          await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
          break;
        }
      },
    });
    const stream = desk.stream("endless");
    const reader = stream.getReader();
    await reader.read();
    await clock.pass(20_000);
    const held = made;
    assert(held * PIECE < 4 << 20, `${held} pieces were made for one that was read`);
    await clock.pass(20_000);
    assert.equal(made, held, "it waits");
    for (let i = 0; i < 2 * held; i++) await clock.until(reader.read());
    assert(made > held, "it goes on");
    await reader.cancel();
    await nothingLeft();
    async function* pieces() {
      for (;; taken++) yield new Uint8Array(PIECE);
    }
    const stop = new AbortController();
    const { signal } = stop;
    const upload = rejection(desk.request("lazy", pieces(), { timeout: 100_000, signal }));
    await clock.pass(20_000);
    const sent = taken;
    assert(sent * PIECE < 4 << 20, `${sent} pieces were taken for one that was read`);
    await clock.pass(20_000);
    assert.equal(taken, sent, "it waits");
    stop.abort();
    await clock.until(upload);
    await nothingLeft();
    await areas.close();
  },
);

test("Errors cross a border with their codes: thrown, refused, too large, gone", {
  timeout: 20_000,
}, async () => {
  const { areas, clock, worker, desk, drops, nothingLeft } = await scene(
    {
      broken: () => Promise.reject(new Error("no film")),
      half: async function* () {
        yield "one";
        throw new Error("torn");
      },
      big: (packet) => packet.data,
    },
    {},
    { maxPayload: 100_000 },
  );
  const broken = await rejection(clock.until(desk.request("broken"))) as CallError;
  assert(broken instanceof CallError);
  assert.deepEqual([broken.code, broken.service, broken.address], [
    "ERR_CALL_HANDLER",
    "broken",
    "door",
  ]);
  assert.match(broken.message, /no film/);
  assert.equal(broken.message.match(/the handler of/g)?.length, 1, broken.message);
  const half = desk.stream("half").getReader();
  assert.equal((await clock.until(half.read())).value?.text(), "one");
  assert.equal(await failureCode(clock.until(half.read())), "ERR_CALL_HANDLER");
  assert.equal(
    await failureCode(clock.until(desk.request("big", large(200_000)))),
    "ERR_CALL_SIZE",
  );
  const drain = worker.registerService("full", () => "");
  await areas.settle();
  drain[Symbol.dispose](); // The news is still on its way.
  const gone = await rejection(clock.until(desk.request("full")));
  assert(gone instanceof UnreachableError);
  assert.equal(gone.code, "ERR_NO_SERVICE");
  assert.deepEqual(drops, [], "a border has nothing to say of others' errors");
  await nothingLeft();
  await areas.close();
});

test(
  "Who gives up a call is heard behind the border: by its signal, its timeout, by leaving a loop",
  {
    timeout: 20_000,
  },
  async () => {
    const log: string[] = [];
    const { areas, clock, desk, nothingLeft } = await scene({
      wait: (packet, _reply, { signal }) =>
        new Promise((resolve) => {
          log.push(`began ${packet.text()}`);
          signal.addEventListener("abort", () => {
            log.push(`ended ${packet.text()}`);
            resolve("");
          });
        }),
      ticks: async function* () {
        try {
          for (;;) yield "tick";
        } finally {
          log.push("ticks ended");
        }
      },
    });
    const stop = new AbortController();
    const stopped = rejection(desk.request("wait", "signal", { signal: stop.signal }));
    await clock.pass(100);
    stop.abort(new Error("enough"));
    assert.match(String(await clock.until(stopped)), /enough/);
    assert.equal(
      await failureCode(clock.until(desk.request("wait", "timeout", { timeout: 700 }))),
      "TimeoutError",
    );
    const read = async () => {
      for await (const _ of desk.stream("ticks")) break;
    };
    await clock.until(read());
    await nothingLeft();
    assert.deepEqual(log, [
      "began signal",
      "ended signal",
      "began timeout",
      "ended timeout",
      "ticks ended",
    ]);
    await areas.close();
  },
);

test("No call hangs when a link is lost: the caller has an error, and the handler hears of it", {
  timeout: 20_000,
}, async () => {
  for (const lost of ["worker", "desk", "door in a", "door in b"]) {
    const log: string[] = [];
    const { areas, clock, worker, desk, at, nothingLeft } = await scene({
      wait: async function* (_packet, _reply, { signal }) {
        yield "begun";
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        log.push("aborted");
      },
    });
    const replies = desk.stream("wait", undefined, { idle: Infinity }).getReader();
    await clock.until(replies.read());
    const who: Record<string, Router> = {
      worker,
      desk,
      "door in a": at.a!,
      "door in b": at.b!,
    };
    areas.link(who[lost]!)[0].close();
    const code = await failureCode(clock.until(replies.read()));
    const near = lost === "desk" || lost === "door in b";
    assert.equal(code, near ? "ERR_NO_ROUTE" : "ERR_CALL_LOST", lost);
    await nothingLeft();
    assert.deepEqual(log, ["aborted"], lost);
    await areas.close();
  }
});

test("A call that an instance refuses is carried to another; one that has run is not", {
  timeout: 20_000,
}, async () => {
  const ran: string[] = [];
  const { areas, clock, desk, border, nothingLeft } = await scene({});
  const serve = (address: string) => {
    const router = areas.router("a", address);
    return router.registerService("work", () => {
      ran.push(address);
      throw new Error("failed");
    });
  };
  const offers = ["w1", "w2", "w3"].map(serve);
  await areas.settle();
  assert.equal(border.summaries()[0]?.instances, 3);
  // Two do not serve it any more, and nobody has heard of that yet.
  offers[0]![Symbol.dispose]();
  offers[1]![Symbol.dispose]();
  for (let i = 0; i < 3; i++) {
    assert.equal(await failureCode(clock.until(desk.request("work"))), "ERR_CALL_HANDLER");
  }
  assert.deepEqual(ran, ["w3", "w3", "w3"]);
  // Nor does the last: then the caller may look elsewhere.
  const drained = clock.until(offers[2]!.drain());
  desk.registerService("work", () => "here", { capacity: 60_000 });
  const failure = await failureCode(clock.until(desk.request("work", "", { dst: "door" })));
  assert(["ERR_CALL_REFUSED", "ERR_NO_SERVICE"].includes(String(failure)), String(failure));
  await drained;
  await nothingLeft();
  await areas.close();
});

test("Of two borders the one that has lost its way is passed over", {
  timeout: 20_000,
}, async () => {
  const areas = new Areas();
  const { clock } = areas;
  const worker = areas.router("a", "worker");
  const desk = areas.router("b", "desk");
  worker.registerService("resize", () => "done");
  const sides = [{ area: "a", exports: ["*"] }, { area: "b" }];
  const [one] = [areas.border("one", sides), areas.border("two", sides)];
  await areas.settle();
  areas.link(one.at.a!)[0].close();
  for (let i = 0; i < 6; i++) { // It takes a moment until this is known everywhere.
    const reply = await clock.until(desk.request("resize", "", { retries: 2 }));
    assert.equal(reply.text(), "done");
  }
  await areas.settle();
  assert.deepEqual(areas.offers("b", "resize"), ["two"]);
  await areas.close();
});

test("Calls are spread over the instances behind a border, by load and by what it has there", {
  timeout: 20_000,
}, async () => {
  const { areas, clock, desk } = await scene({});
  const served: Record<string, number> = {};
  const release: (() => void)[] = [];
  for (const [address, capacity] of [["w1", 1], ["w2", 1], ["busy", 1_000]] as const) {
    areas.router("a", address).registerService("work", () => {
      served[address] = (served[address] ?? 0) + 1;
      return new Promise((resolve) => release.push(() => resolve("")));
    }, { capacity });
  }
  await areas.settle();
  const calls = Array.from({ length: 20 }, () => desk.request("work"));
  await clock.pass(100);
  assert.deepEqual(served, { w1: 10, w2: 10 });
  await clock.pass(2_000);
  assert.deepEqual(areas.hub("b").services().map(({ capacity }) => capacity), [12]);
  for (const done of release) done();
  await clock.until(Promise.all(calls));
  await areas.settle();
  assert.deepEqual(areas.hub("b").services().map(({ capacity }) => capacity), [2]);
  await areas.close();
});

test("A reliable call outlives a lost link on either side of a border", {
  timeout: 20_000,
}, async () => {
  for (const area of ["a", "b"]) {
    let runs = 0;
    let finish!: () => void;
    const { areas, clock, desk, at, nothingLeft } = await scene({
      work: () => {
        runs++;
        return new Promise((resolve) => finish = () => resolve("done"));
      },
    });
    const call = desk.request("work", "", { reliable: true, timeout: 60_000 });
    await clock.pass(100);
    areas.link(at[area]!)[0].close();
    await clock.pass(3_000);
    join(areas.hub(area), at[area]!);
    await clock.pass(1_000);
    finish();
    assert.equal((await clock.until(call)).text(), "done");
    assert.equal(runs, 1);
    await nothingLeft();
    await areas.close();
  }
});

test("A packet that expects no reply goes on to one instance, with its fields", {
  timeout: 20_000,
}, async () => {
  const got: Packet[] = [];
  const { areas, clock, desk, border, worker, nothingLeft } = await scene({
    log: (packet) => void got.push(packet),
  });
  desk.send({ srv: "log", data: "multicast", typ: 3, seq: 4, ack: 5 });
  desk.send({ srv: "log", dst: "door", data: "direct" });
  await clock.pass(100);
  assert.deepEqual(
    got.map((
      { src, ctx, typ, seq, ack, data },
    ) => [src, ctx, typ, seq, ack, String.fromCharCode(...data)]),
    [["door", 0, 3, 4, 5, "multicast"], ["door", 0, 0, 0, 0, "direct"]],
  );
  areas.link(worker)[1].close(); // The border does not know yet.
  desk.send({ srv: "log", data: "lost" });
  await areas.settle();
  assert.equal(got.length, 2);
  assert(border.stats().lost <= 1);
  await nothingLeft();
  await areas.close();
});

test(
  "A border carries so many calls at once, and refuses others, so that they are made elsewhere",
  {
    timeout: 20_000,
  },
  async () => {
    const release: (() => void)[] = [];
    const { areas, clock, desk, border, nothingLeft } = await scene({
      work: () => new Promise((resolve) => release.push(() => resolve("far"))),
    }, { maxCalls: 2 });
    const timeout = 60_000;
    const held = [1, 2].map(() => desk.request("work", "", { timeout }));
    await clock.pass(100);
    const options = { dst: "door" };
    assert.equal(
      await failureCode(clock.until(desk.request("work", "", options))),
      "ERR_CALL_REFUSED",
    );
    assert.deepEqual([border.stats().calls, border.stats().refused], [2, 1]);
    areas.router("b", "near").registerService("work", () => "near", { capacity: 1_000 });
    await areas.settle().then(() => {}, () => {});
    assert.equal((await clock.until(desk.request("work"))).text(), "near");
    for (const done of release) done();
    await clock.until(Promise.all(held));
    await nothingLeft();
    await areas.close();
  },
);

test(
  "An old peer calls across a border, and is called across it",
  { timeout: 20_000 },
  async () => {
    const { areas, clock, desk, border, nothingLeft } = await scene({
      upper: (packet) => packet.text().toUpperCase(),
      mute: () => {},
    });
    const old = new OldPeer("old-desk", clock);
    old.join(areas.hub("b"));
    const server = new OldPeer("old-worker", clock);
    server.join(areas.hub("a"));
    server.offer("echo", (packet, reply) => reply(`${packet.src}: ${packet.text()}`));
    await clock.pass(60_000);
    old.send({ srv: "upper", dst: "door", ctx: 9, data: "hi" });
    await clock.pass(1_000);
    assert.deepEqual(old.delivered.map((packet) => [packet.src, packet.ctx, packet.text()]), [
      ["door", 9, "HI"],
    ]);
    assert.deepEqual(areas.offers("b", "echo"), ["door"], "no border, and exported like others");
    assert.equal((await clock.until(desk.request("echo", "x"))).text(), "door: x");
    // It cannot say that it has waited for long enough: that ends by itself.
    old.send({ srv: "mute", dst: "door", ctx: 10 });
    await clock.pass(1_000);
    assert.equal(border.stats().calls, 1);
    await clock.pass(31_000);
    assert.equal(border.stats().calls, 0);
    await nothingLeft();
    await areas.close();
  },
);

test("Border.close() withdraws first, lets calls end, and leaves nothing behind", {
  timeout: 20_000,
}, async () => {
  let finish!: () => void;
  const { areas, clock, desk, at, border } = await scene({
    work: () => new Promise((resolve) => finish = () => resolve("done")),
  });
  await clock.pass(60_000);
  const call = desk.request("work", "", { timeout: 20_000 });
  await clock.pass(100);
  let closed = false;
  const closing = border.close().then(() => closed = true);
  assert.deepEqual(border.summaries(), []);
  assert.equal(
    await failureCode(clock.until(desk.request("work", "", { dst: "door" }))),
    "ERR_NO_SERVICE",
  );
  await clock.pass(10_000);
  assert.deepEqual([areas.offers("b", "work"), closed], [[], false]);
  finish();
  assert.equal((await clock.until(call)).text(), "done");
  await clock.until(closing);
  await clock.until(border.close());
  assert.deepEqual([freeContexts(at.a!), freeContexts(at.b!)], [ALL_CONTEXTS, ALL_CONTEXTS]);
  assert.equal(at.a!.send({ dst: "door", srv: "work" }), null);
  await areas.close();
});

test("Border.close() ends calls that take too long, and a router that closes ends the border", {
  timeout: 20_000,
}, async () => {
  const wait: ServiceHandler = (_packet, _reply, { signal }) =>
    new Promise((resolve) => signal.addEventListener("abort", () => resolve("")));
  for (
    const how of [
      "after a time",
      "at once",
      "at last",
      "router",
    ]
  ) {
    const { areas, clock, desk, at, border } = await scene({ wait });
    const call = failureCode(desk.request("wait", "", { timeout: 120_000 }));
    await clock.pass(100);
    if (how === "after a time") await clock.until(border.close({ timeout: 2_000 }));
    else if (how === "at once") await clock.until(border.close({ timeout: 0 }));
    else if (how === "at last") {
      const closing = border.close({ timeout: Infinity });
      await clock.pass(60_000);
      assert.equal(border.stats().calls, 1);
      await clock.until(border.close({ timeout: 0 }));
      await closing;
    } else {
      await clock.until(at.a!.close());
      await areas.settle();
      assert.deepEqual(areas.offers("b", "wait"), []);
    }
    assert.equal(await clock.until(call), "ERR_CALL_LOST", how);
    await turns();
    assert.deepEqual([border.stats().calls, border.summaries()], [0, []]);
    await areas.close();
    assert.equal(clock.pending, 0, how);
  }
});
