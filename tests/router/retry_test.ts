import assert from "node:assert/strict";
import { test } from "node:test";
import type {
  CallError,
  RequestOptions,
  Router,
  RouterOptions,
  ServiceHandler,
} from "../../mod.ts";
import { ALL_CONTEXTS, freeContexts } from "../support/calls.ts";
import { chain, CountingController, failureCode, rejection, turn } from "../support/routers.ts";

/** A caller among instances of "s": what each does, and in which order they were asked. */
async function scene(handlers: Record<string, ServiceHandler>, options: RouterOptions = {}) {
  const names = Object.keys(handlers);
  const made = await chain(["a", ...names] as ["a", ...string[]], options);
  const { clock } = made;
  const [a, ...others] = made.routers as [Router, ...Router[]];
  const asked: string[] = [];
  const registrations = others.map((router, i) => {
    const name = names[i]!;
    const handler: ServiceHandler = (...args) => {
      asked.push(name);
      return handlers[name]!(...args);
    };
    return router.registerService("s", handler, { capacity: i + 1 }); // In this order.
  });
  await clock.rest();
  const request = (options: RequestOptions = {}) => clock.until(a.request("s", "", options));
  const link = made.links[0]![0];
  return { a, others, clock, link, asked, registrations, request };
}

const works = () => "fine";
const fails = () => Promise.reject(new Error("broken"));
const silent = () => {};

test("Router.request() asks another instance if one says that it does not offer the service", {
  timeout: 10_000,
}, async () => {
  const { a, others: [b], clock, asked } = await scene({ b: works, c: works });
  b!.unregisterService("s"); // Which a does not know yet.
  assert.equal(a.selectService("s"), "b");
  const reply = await a.request("s");
  assert.deepEqual([reply.src, asked], ["c", ["c"]]);
  await clock.rest();
});

test("Router.request() asks another instance if one is being drained", {
  timeout: 10_000,
}, async () => {
  const { a, asked, registrations, clock } = await scene({ b: silent, c: works });
  const hanging = rejection(a.request("s", "", { dst: "b" }));
  await turn();
  const drained = registrations[0]!.drain();
  for (const options of [{}, { reliable: true }]) {
    const reply = await a.request("s", "", options); // The advert is still on its way.
    assert.equal(reply.src, "c");
  }
  assert.deepEqual(asked, ["b", "c", "c"]);
  await clock.until(Promise.all([hanging, drained]));
});

test("Router.stream() asks another instance if one has not begun, and no other once it has", {
  timeout: 10_000,
}, async () => {
  const broken: ServiceHandler = async function* () {
    yield "one";
    await Promise.reject(new Error("broken"));
  };
  const { a, others: [b], asked, clock, registrations } = await scene({
    b: silent,
    c: broken,
    d: works,
  });
  const read = async () => {
    const texts: string[] = [];
    try {
      for await (const packet of a.stream("s")) texts.push(`${packet.src} ${packet.text()}`);
    } catch (error) {
      texts.push((error as CallError).code);
    }
    return texts;
  };
  const hanging = rejection(a.request("s", "", { dst: "b" }));
  await turn();
  const drained = registrations[0]!.drain(); // Of which a has not heard yet.
  assert.deepEqual(await clock.until(read()), ["c one", "ERR_CALL_HANDLER"]);
  b!.unregisterService("s");
  assert.deepEqual(asked, ["b", "c"]);
  await clock.until(Promise.all([hanging, drained]));
});

test("Router.request() asks nine instances at most if all of them refuse", {
  timeout: 10_000,
}, async () => {
  const names = Array.from({ length: 12 }, (_, i) => `b${i}`);
  const { a, others, link } = await scene(
    Object.fromEntries(names.map((name) => [name, works])),
  );
  for (const router of others) router.unregisterService("s");
  const asked: string[] = [];
  const send = link.send.bind(link);
  link.send = (packet) => {
    if (packet.srv === "s") asked.push(packet.dst);
    return send(packet);
  };
  assert.equal(await failureCode(a.request("s")), "ERR_NO_SERVICE");
  assert.deepEqual(asked, names.slice(0, 9));
  assert.equal(freeContexts(a), ALL_CONTEXTS);
});

test("Router.request() does not go elsewhere when an address is given", {
  timeout: 10_000,
}, async () => {
  const { a, others: [b], asked } = await scene({ b: works, c: works });
  b!.unregisterService("s");
  assert.equal(await failureCode(a.request("s", "", { dst: "b", retries: 5 })), "ERR_NO_SERVICE");
  assert.deepEqual(asked, []);
});

test("Router.request() without retries asks nobody else when a handler fails", {
  timeout: 10_000,
}, async () => {
  const { request, asked } = await scene({ b: fails, c: works });
  assert.equal(await failureCode(request()), "ERR_CALL_HANDLER");
  assert.deepEqual(asked, ["b"]);
});

for (
  const [what, handlers, options, expected] of [
    ["fails", { b: fails, c: works }, { retries: 1 }, ["b", "c"]],
    ["does not reply in time", { b: silent, c: works }, { retries: 1 }, ["b", "c"]],
    ["fails, then another", { b: fails, c: silent, d: works }, { retries: 2 }, ["b", "c", "d"]],
    ["fails, reliably", { b: fails, c: works }, { retries: 1, reliable: true }, ["b", "c"]],
  ] as [string, Record<string, ServiceHandler>, RequestOptions, string[]][]
) {
  test(`Router.request() with retries asks another instance when one ${what}`, {
    timeout: 10_000,
  }, async () => {
    const { a, request, asked } = await scene(handlers);
    const reply = await request(options);
    assert.deepEqual([reply.text(), reply.src, asked], ["fine", expected.at(-1), expected]);
    assert.equal(freeContexts(a), ALL_CONTEXTS);
  });
}

test("Router.request() with retries asks another instance when the route to one is lost", {
  timeout: 10_000,
}, async () => {
  const { routers: [b, a, c], clock, links } = await chain(["b", "a", "c"]);
  b.registerService("s", silent, { capacity: 1 });
  c.registerService("s", works, { capacity: 2 });
  await clock.rest();
  const call = a.request("s", "", { retries: 1, timeout: 60_000 });
  await turn();
  a.removeChannel(links[0][1]);
  assert.equal((await clock.until(call)).src, "c");
});

test(
  "Router.request() makes no more attempts than it may, and none at an instance that has failed",
  {
    timeout: 10_000,
  },
  async () => {
    const all = { b: fails, c: fails, d: fails, e: fails };
    for (
      const [retries, asked] of [[0, ["b"]], [1, ["b", "c"]], [2, ["b", "c", "d"]], [
        9,
        ["b", "c", "d", "e"],
      ]] as const
    ) {
      const made = await scene(all);
      assert.equal(await failureCode(made.request({ retries })), "ERR_CALL_HANDLER");
      assert.deepEqual(made.asked, asked);
    }
  },
);

test("Router.request() fails with what the last attempt failed with", {
  timeout: 10_000,
}, async () => {
  const { request } = await scene({
    b: () => Promise.reject(new Error("first")),
    c: () => Promise.reject(new Error("second")),
  });
  const error = await rejection(request({ retries: 5 })) as CallError;
  assert.deepEqual([error.address, error.message], [
    "c",
    'Cannot get a reply: the handler of "s" threw "second"',
  ]);
});

test("Router.request() shares its timeout among the attempts, or keeps `attemptTimeout`", {
  timeout: 10_000,
}, async () => {
  for (
    const [options, expected] of [
      [{ retries: 2, timeout: 3_000 }, [0, 1_000, 2_000, 3_000]],
      [{ retries: 2, timeout: 3_000, attemptTimeout: 100 }, [0, 100, 200, 300]],
      [{ retries: 2, timeout: 3_000, attemptTimeout: 2_000 }, [0, 2_000, 3_000]],
      [{ retries: 1, timeout: Infinity, attemptTimeout: 700 }, [0, 700, 1_400]],
      [{ retries: 0, timeout: 900 }, [0, 900]],
      [{ timeout: 900, attemptTimeout: 100 }, [0, 100]],
    ] as [RequestOptions, number[]][]
  ) {
    const times: number[] = [];
    const note = () => void times.push(clock.now());
    const { a, clock } = await scene({ b: note, c: note, d: note });
    const start = clock.now();
    const error = rejection(a.request("s", "", options)).finally(note);
    assert.equal((await clock.until(error) as Error).name, "TimeoutError");
    assert.deepEqual(times.map((time) => Math.round(time - start)), expected);
  }
});

test("Router.request() makes no other attempt once its signal has aborted or its router closed", {
  timeout: 10_000,
}, async () => {
  for (const how of ["aborts", "closes"]) {
    const { a, clock, asked } = await scene({ b: silent, c: works });
    const controller = new CountingController();
    const { signal } = controller;
    const failed = rejection(a.request("s", "", { retries: 3, timeout: 60_000, signal }));
    await turn();
    const reason = new Error("enough");
    if (how === "aborts") controller.abort(reason);
    else await clock.until(a.close());
    const error = await failed as CallError;
    assert(
      how === "aborts" ? error as Error === reason : error.code === "ERR_CHANNEL_CLOSED" as never,
    );
    assert.deepEqual([asked, controller.listening], [["b"], 0]);
  }
});

test("Router.request() makes no other attempt for what no instance can take", {
  timeout: 10_000,
}, async () => {
  const { a, clock, asked } = await scene({ b: works, c: works });
  assert.equal(await failureCode(a.request("s", "", { retries: 3, typ: 256 })), "ERR_PACKET_FIELD");
  assert.equal(await failureCode(a.request("s", 7 as never, { retries: 3 })), "ERR_PACKET_FIELD");
  assert.deepEqual(asked, []);
  await clock.rest();
});

test("Router.request() is not made again if its payload is too large for one instance", {
  timeout: 10_000,
}, async () => {
  const { a, clock, link } = await scene({ b: works, c: works }, { maxPayload: 100_000 });
  const asked: string[] = [];
  const send = link.send.bind(link);
  link.send = (packet) => {
    if (packet.srv === "s") asked.push(packet.dst);
    return send(packet);
  };
  const call = a.request("s", new Uint8Array(200_000), { retries: 3 });
  assert.equal(await clock.until(failureCode(call)), "ERR_CALL_SIZE");
  assert.deepEqual(asked, ["b"]);
});

test("Router.request() that uploads is never made twice", { timeout: 10_000 }, async () => {
  const { a, others: [b], asked, clock } = await scene({ b: fails, c: works });
  let iterated = 0;
  const source = () => ({
    async *[Symbol.asyncIterator]() {
      iterated++;
      yield "x";
    },
  });
  assert.equal(
    await failureCode(clock.until(a.request("s", source(), { retries: 3 }))),
    "ERR_CALL_HANDLER",
  );
  assert.deepEqual([asked, iterated], [["b"], 1]);
  b!.unregisterService("s");
  assert.equal(await failureCode(a.request("s", source(), { retries: 3 })), "ERR_NO_SERVICE");
  assert.deepEqual(asked, ["b"]);
});

test("Router.request() refuses times that are none", { timeout: 10_000 }, async () => {
  const { a, asked } = await scene({ b: works });
  for (
    const options of [
      { timeout: 0 },
      { timeout: -1 },
      { timeout: NaN },
      { attemptTimeout: 0 },
      { attemptTimeout: NaN },
    ]
  ) {
    assert((await rejection(a.request("s", "", options))) instanceof RangeError);
  }
  assert.deepEqual(asked, []);
});
