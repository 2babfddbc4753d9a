import assert from "node:assert/strict";
import { test } from "node:test";
import { type CallError, type Packet, Router } from "../../mod.ts";
import { joinThrough, pair, texts, turns } from "../support/calls.ts";
import { chain, rejection, SteppingClock } from "../support/routers.ts";

/** Bytes of which none looks like its neighbours. */
function bytes(size: number): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(size);
  for (let i = 0; i < size; i++) data[i] = (i * 31 + (i >> 8) * 17 + (i >> 16)) & 0xff;
  return data;
}

/** Whether two are the same; quicker than to be told where they are not. */
function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

const SIZES = [0, 1, 32_767, 32_768, 32_769, 40_960, 65_535, 65_536, 262_144, 1_000_000];

test("A payload of any size arrives as it was, both ways, with its typ", {
  timeout: 30_000,
}, async () => {
  const { a, b, clock, drops, rest, nothingLeft } = await pair();
  const there = b.registerService("echo", (packet, reply) => {
    assert.equal(packet.typ, 7);
    assert.equal(reply(packet.data, { typ: 9 }), null);
  });
  await rest();
  for (const size of SIZES) {
    const data = bytes(size);
    for (const options of [{ typ: 7 }, { typ: 7, reliable: true }]) {
      const reply = await clock.until(a.request("echo", data, options));
      assert(same(reply.data, data), `${size} bytes`);
      assert.equal(reply.typ, 9, `${size} bytes`);
    }
    const replies: Packet[] = [];
    await clock.until((async () => {
      for await (const packet of a.stream("echo", data, { typ: 7, limit: 1 })) replies.push(packet);
    })());
    assert(same(replies[0]!.data, data), `${size} bytes`);
    await nothingLeft(`${size} bytes`);
    assert.equal(there.calls, 0);
  }
  assert.deepEqual(drops, []);
});

test(
  "A large reply to a small question arrives however it is given, over two hops, and from ourselves",
  {
    timeout: 20_000,
  },
  async () => {
    const { routers: [a, b, c], clock } = await chain(["a", "b", "c"]);
    const data = bytes(500_000);
    for (const router of [a, c]) {
      const at = router.address;
      router.registerService(`reply ${at}`, (_packet, reply) => void reply(data));
      router.registerService(`value ${at}`, () => data);
      router.registerService(`buffer ${at}`, () => data.buffer);
      router.registerService(`promise ${at}`, () => Promise.resolve(data));
      router.registerService(`generator ${at}`, async function* () {
        yield data;
      });
    }
    await clock.rest();
    for (const at of ["a", "c"]) {
      for (const how of ["reply", "value", "buffer", "promise", "generator"]) {
        const reply = await clock.until(a.request(`${how} ${at}`));
        assert(same(reply.data, data), `${how} ${at}`);
      }
    }
    await clock.until(b.close());
  },
);

test("Large text arrives as text, whatever its characters take", { timeout: 10_000 }, async () => {
  const { a, b, clock, rest } = await pair();
  b.registerService("echo", (packet) => packet.text());
  await rest();
  const text = "aé€😀".repeat(20_000);
  assert.equal((await clock.until(a.request("echo", text))).text(), text);
});

test("A caller may use the buffer of a small payload again at once", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock, rest } = await pair();
  b.registerService("sum", (packet) => String(packet.data.reduce((sum, byte) => sum + byte, 0)));
  await rest();
  for (const options of [{}, { reliable: true }]) {
    for (const size of [10, 32_768]) {
      const buffer = new Uint8Array(size).fill(1);
      const call = a.request("sum", buffer, options);
      buffer.fill(9);
      assert.equal((await clock.until(call)).text(), String(size));
    }
  }
  const buffer = new Uint8Array(10).fill(1);
  const stream = texts(a.stream("sum", buffer));
  buffer.fill(9);
  assert.deepEqual(await clock.until(stream), ["10"]);
});

test("A caller may use its buffer again, though its question has been lost and is sent again", {
  timeout: 10_000,
}, async () => {
  const clock = new SteppingClock();
  const [a, b] = [new Router("a", { clock }), new Router("b", { clock })];
  let lost = 0;
  joinThrough(a, b, ({ srv }) => srv === "echo" && lost++ === 0 ? 0 : 1);
  b.registerService("echo", (packet) => packet.data);
  await clock.rest();
  const buffer = new Uint8Array(10).fill(1);
  const call = a.request("echo", buffer, { reliable: true });
  buffer.fill(9);
  const reply = await clock.until(call);
  assert.deepEqual([[...reply.data], lost], [Array(10).fill(1), 2]);
});

// ── too large ───────────────────────────────────────────────────────────────

/** Two routers that take different sizes. */
async function limited(aTakes: number, bTakes: number) {
  const clock = new SteppingClock();
  const a = new Router("a", { clock, maxPayload: aTakes });
  const b = new Router("b", { clock, maxPayload: bTakes });
  let bytesSent = 0;
  joinThrough(a, b, (packet) => {
    bytesSent += packet.data.length;
    return 1;
  });
  await clock.pass(60_000);
  const idle = clock.pending;
  const ends = async () => {
    await turns();
    assert.equal(clock.pending, idle);
  };
  return { a, b, clock, ends, sent: () => bytesSent };
}

test("A payload that is larger than the service's router takes fails the call, early", {
  timeout: 20_000,
}, async () => {
  const { a, b, clock, ends, sent } = await limited(1 << 26, 100_000);
  let runs = 0;
  const there = b.registerService("size", (packet) => {
    runs++;
    return String(packet.data.length);
  });
  const pieces: unknown[] = [];
  b.registerService("pieces", async (_packet, _reply, { body }) => {
    try {
      for await (const piece of body) pieces.push(piece.length);
    } catch (error) {
      pieces.push((error as Error).name);
    }
  });
  await clock.rest();
  const atMost = await clock.until(a.request("size", new Uint8Array(100_000)));
  assert.equal(atMost.text(), "100000");
  async function* source(size: number) {
    yield new Uint8Array(100_000);
    yield new Uint8Array(size);
  }
  const uploaded = await clock.until(a.request("pieces", source(100_000)));
  assert.deepEqual([uploaded.text(), pieces.splice(0)], ["", [100_000, 100_000]]);
  for (
    const call of [
      () => a.request("size", new Uint8Array(100_001)),
      () => a.request("size", new Uint8Array(5_000_000), { retries: 3 }),
      () => texts(a.stream("size", new Uint8Array(100_001))),
      () => a.request("pieces", source(100_001)),
    ]
  ) {
    const before = sent();
    const error = await clock.until(rejection(call())) as CallError;
    const service = error.service;
    assert.deepEqual([error.name, error.code, error.message], [
      "CallError",
      "ERR_CALL_SIZE",
      `Cannot receive payload: "${service}" takes no more than 100000 bytes at once`,
    ]);
    assert(sent() - before < 1_000_000, `${sent() - before} bytes were sent`);
    await ends();
  }
  assert.deepEqual([runs, pieces, there.calls], [1, [100_000, "RangeError"], 0]);
});

test("A reply that is larger than the caller's router takes fails the call, and ends the service", {
  timeout: 20_000,
}, async () => {
  const { a, b, clock, ends, sent } = await limited(100_000, 1 << 26);
  let aborted = 0;
  const there = b.registerService("send", async function* (packet, _reply, { signal }) {
    signal.addEventListener("abort", () => aborted++);
    yield "small";
    yield new Uint8Array(Number(packet.text()));
    yield "another";
  });
  b.registerService("reply", (packet) => new Uint8Array(Number(packet.text())));
  await clock.rest();
  assert.equal((await clock.until(a.request("reply", "100000"))).data.length, 100_000);
  assert.equal((await clock.until(texts(a.stream("send", "100000")))).length, 3);
  for (
    const call of [
      () => a.request("reply", "100001"),
      () => a.request("reply", "5000000", { reliable: true, retries: 3 }),
      () => texts(a.stream("send", "5000000")),
    ]
  ) {
    const before = sent();
    const error = await clock.until(rejection(call())) as CallError;
    assert.deepEqual([error.name, error.code, error.message], [
      "CallError",
      "ERR_CALL_SIZE",
      `Cannot get the reply of "${error.service}": "b" has sent more than 100000 bytes at once`,
    ]);
    await ends();
    assert(sent() - before < 1_000_000, `${sent() - before} bytes were sent`);
  }
  assert.deepEqual([there.calls, aborted], [0, 1]);
});

test("A large payload does not hold up small calls over the same link", {
  timeout: 20_000,
}, async () => {
  const { a, b, clock, rest } = await pair();
  b.registerService("echo", (packet) => packet.data);
  await rest();
  let done = false;
  const large = a.request("echo", bytes(3_000_000), { timeout: 60_000 }).then(() => done = true);
  // Every small call waits for a window of frames at most, and there are a dozen of them.
  for (let i = 0; i < 5; i++) assert.equal((await a.request("echo", "small")).text(), "small");
  assert.equal(done, false);
  await clock.until(large);
});
