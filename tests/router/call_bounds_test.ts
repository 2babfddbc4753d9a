import assert from "node:assert/strict";
import { test } from "node:test";
import { Packet, type PacketInit, Router, type ServiceHandler } from "../../mod.ts";
import { seededRandom } from "../../src/testing/mod.ts";
import {
  CALL,
  type CallKind,
  type CallMark,
  decodeCallMark,
  encodeCallMark,
  OPEN,
} from "../../src/wire/call_mark.ts";
import { ALL_CONTEXTS, freeContexts, joinThrough, pair, texts, turns } from "../support/calls.ts";
import { chain, failureCode, rejection, SteppingClock, turn } from "../support/routers.ts";

const MAX_CALLS = 16_384;
const MAX_NUMBERED = 1_024;

/** The fields of a marked packet; what is left out is 0. */
function marked(kind: CallKind, fields: Partial<CallMark> = {}): PacketInit {
  const mark = { kind, toService: true, flags: 0, number: 0, argument: 0, ...fields };
  return encodeCallMark(mark);
}

/** A caller that marks its packets by hand, and what it is answered, by context. */
async function forger(handler: ServiceHandler) {
  const clock = new SteppingClock();
  const [a, b] = [new Router("a", { clock }), new Router("b", { clock })];
  const answers = new Map<number, string>();
  let sent = 0;
  joinThrough(a, b, ({ src, ctx, ack, seq, data }) => {
    sent++;
    if (src === "a") return 1;
    const kind = decodeCallMark({ seq, ack })?.kind;
    const name = Object.entries(CALL).find(([, value]) => value === kind)?.[0] ?? "plain";
    const code = name === "error" ? ` ${new TextDecoder().decode(data).split(" ")[0]}` : "";
    answers.set(ctx, name + code);
    return 0; // The rest of a does not hear it.
  });
  const registration = b.registerService("s", handler);
  await clock.pass(60_000);
  /** Many packets at once, in bursts that a channel can hold. */
  const send = async (packets: Iterable<PacketInit>) => {
    let count = 0;
    for (const packet of packets) {
      a.send({ dst: "b", ...packet });
      if (++count % 2_000 === 0) await turn();
    }
    await turns();
  };
  return { a, b, clock, answers, registration, send, sent: () => sent };
}

function* contexts(from: number, to: number, packet: PacketInit): Generator<PacketInit> {
  for (let ctx = from; ctx <= to; ctx++) yield { ...packet, ctx };
}

test("A router serves 16,384 calls at once, refuses more, and takes others when some have ended", {
  timeout: 60_000,
}, async () => {
  const { b, clock, answers, registration, send } = await forger(() => {});
  const ask = { srv: "s", ...marked(CALL.ask) };
  await send(contexts(1, MAX_CALLS, ask));
  assert.deepEqual([registration.calls, answers.size], [MAX_CALLS, 0]);
  await send(contexts(MAX_CALLS + 1, 65_535, ask));
  assert.equal(registration.calls, MAX_CALLS);
  assert.equal(answers.size, 65_535 - MAX_CALLS);
  assert([...answers.values()].every((answer) => answer === "error ERR_CALL_REFUSED"));
  answers.clear();
  await send(contexts(1, 10, marked(CALL.cancel)));
  assert.equal(registration.calls, MAX_CALLS - 10);
  await send(contexts(30_000, 30_010, ask));
  assert.deepEqual([registration.calls, [...answers.keys()]], [MAX_CALLS, [30_010]]);
  await clock.until(b.close());
  assert.equal(registration.calls, 0);
});

test("A router serves 1,024 calls at once whose frames are numbered, and other calls beside them", {
  timeout: 60_000,
}, async () => {
  const { clock, answers, registration, send } = await forger(() => {});
  const open = { srv: "s", ...marked(CALL.open, { number: 1, flags: OPEN.stream }) };
  await send(contexts(1, MAX_NUMBERED, open));
  assert.equal(registration.calls, MAX_NUMBERED);
  answers.clear();
  await send(contexts(2_001, 3_000, open));
  assert.equal(registration.calls, MAX_NUMBERED);
  assert.equal(answers.size, 1_000);
  assert([...answers.values()].every((answer) => answer === "error ERR_CALL_REFUSED"));
  await send(contexts(4_001, 4_500, { srv: "s", ...marked(CALL.ask) }));
  assert.equal(registration.calls, MAX_NUMBERED + 500);
  // Nobody is at their other end.
  await clock.pass(31_000);
  assert.equal(registration.calls, 500);
  await send(contexts(2_001, 2_010, open));
  assert.equal(registration.calls, 510);
});

test("A router makes 16,384 calls at once, of whatever kind", { timeout: 30_000 }, async () => {
  const { a, b, rest } = await pair();
  b.registerService("s", () => {});
  await rest();
  const open = Array.from({ length: ALL_CONTEXTS }, () => a.registerContextHandler(() => {}));
  for (
    const call of [
      () => a.request("s"),
      () => a.request("s", "", { reliable: true }),
      () => a.gather("s").catch((error) => Promise.reject(error.errors[0])),
      () => texts(a.stream("s")),
    ]
  ) {
    const error = await rejection(call()) as Error;
    assert.deepEqual([error.name, error.message], [
      "RangeError",
      "Cannot open context: all 16384 are in use",
    ]);
  }
  for (const ctx of open) a.releaseContext(ctx);
  assert.equal(freeContexts(a), ALL_CONTEXTS);
});

test("A caller that sends more frames than there is room for costs no more than the room", {
  timeout: 30_000,
}, async () => {
  let pieces = 0;
  const { clock, registration, send } = await forger(async (_packet, _reply, { body, signal }) => {
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    try {
      for await (const _piece of body) pieces++;
    } catch {
      // It has been aborted.
    }
  });
  await send([{ srv: "s", ctx: 1, ...marked(CALL.open, { number: 1, flags: OPEN.upload }) }]);
  const data = new Uint8Array(8_192);
  for (let round = 0; round < 10; round++) {
    const frames = Array.from({ length: 100 }, (_, i) => {
      return { ctx: 1, data, ...marked(CALL.data, { number: 2 + round * 100 + i }) };
    });
    await send(frames);
  }
  assert.equal(registration.calls, 1);
  await send([{ ctx: 1, ...marked(CALL.cancel) }]);
  assert.deepEqual([registration.calls, pieces], [0, 0]);
  await clock.pass(1_000);
});

// ── forged marks ────────────────────────────────────────────────────────────

const NUMBERS = [0, 1, 2, 33, 8_192, 16_383];

/** Marks of every kind, in every direction, for and from everybody. */
function* forgeries(contexts: number[]): Generator<PacketInit> {
  for (const kind of Object.values(CALL)) {
    for (const toService of [false, true]) {
      for (const flags of [0, 1, 2, 4, 7]) {
        for (const number of NUMBERS) {
          for (const ctx of contexts) {
            for (const srv of ["", "s", "none", "aln.x"]) {
              const argument = (number * 7) % 16_384;
              const data = kind === CALL.ack ? Uint8Array.of(127, 127, 127, 127, 127) : "forged";
              yield { srv, ctx, data, ...marked(kind, { toService, flags, number, argument }) };
            }
          }
        }
      }
    }
  }
}

test("Marks that belong to no call harm nobody: no error, no endless talk, and nothing left", {
  timeout: 60_000,
}, async () => {
  const clock = new SteppingClock();
  const [a, b] = [new Router("a", { clock }), new Router("b", { clock })];
  let sent = 0;
  joinThrough(a, b, () => {
    sent++;
    return 1;
  });
  const there = b.registerService("s", async function* (_packet, _reply, { body }) {
    for await (const piece of body) yield piece;
  });
  await clock.pass(60_000);
  const timers = clock.pending;
  sent = 0;
  let forged = 0;
  for (const packet of forgeries([0, 1, 2])) {
    a.send({ dst: "b", ...packet });
    forged++;
    if (forged % 200 === 0) await turns(3);
  }
  assert(forged > 5_000);
  await clock.pass(120_000);
  assert(sent <= 4 * forged, `${sent} packets, and ${forged} of them forged`);
  assert.deepEqual([there.calls, clock.pending], [0, timers]);
  const before = sent;
  await clock.pass(600_000);
  assert.equal(sent, before);
  assert.deepEqual([freeContexts(a), freeContexts(b)], [ALL_CONTEXTS, ALL_CONTEXTS]);
  assert.deepEqual(await clock.until(texts(a.stream("s", "fine"))), ["fine"]);
});

test("Random marks of a neighbour harm nobody", { timeout: 60_000 }, async () => {
  for (const seed of [1, 2, 3]) {
    const random = seededRandom(seed);
    const any = (limit: number) => Math.floor(random() * limit);
    const { a, b, clock, link, nothingLeft } = await pair();
    const there = b.registerService("s", async (_packet, reply, { body }) => {
      for await (const piece of body) reply(piece);
      if (random() < 0.2) throw new Error("no");
    });
    await clock.rest();
    for (let i = 0; i < 5_000; i++) {
      const packet = new Packet({
        src: ["a", "b", "x", ""][any(4)],
        dst: "b",
        nxt: "b",
        srv: ["", "s", "none"][any(3)],
        ctx: any(4),
        seq: random() < 0.5 ? any(4) : any(65_536),
        ack: 0x5800_0000 + any(128) * 0x1_0000 + (random() < 0.5 ? any(4) : any(65_536)),
        typ: any(2),
        data: new Uint8Array(any(3) * any(100)),
      });
      link[0].send(packet);
      if (i % 100 === 99) await turns(3);
    }
    await clock.pass(200_000);
    assert.equal(there.calls, 0, `seed ${seed}`);
    await nothingLeft(`seed ${seed}`);
    assert.equal((await clock.until(a.request("s", "fine"))).text().length, 4, `seed ${seed}`);
    await Promise.all([clock.until(a.close()), clock.until(b.close())]);
  }
});

test("Replies of somebody who was not asked do not touch a call", {
  timeout: 20_000,
}, async () => {
  const { routers: [a, b, c], clock } = await chain(["a", "b", "c"]);
  let say: (text: string) => unknown = () => {};
  let ctx = 0;
  c.registerService("s", (packet, reply, call) => {
    ctx = packet.ctx;
    say = (text) => (reply(text), call.end());
  });
  await clock.rest();
  for (
    const start of [
      () => texts(a.stream("s")),
      () => a.request("s").then((reply) => [reply.text()]),
    ]
  ) {
    const call = start();
    await turns();
    for (const kind of Object.values(CALL)) {
      for (const number of NUMBERS) {
        for (const toService of [false, true]) {
          const mark = marked(kind, { toService, number, argument: number });
          b.send({ dst: "a", ctx, data: "forged", ...mark });
          b.send({ dst: "c", ctx, data: "forged", ...mark }); // As if it had called.
        }
      }
      await turns(2);
    }
    b.send({ dst: "a", ctx, data: "forged" });
    await turns();
    say("true");
    assert.deepEqual(await clock.until(call), ["true"]);
  }
});

test("Replies of whoever was asked that make no sense end a call at its time, if at all", {
  timeout: 20_000,
}, async () => {
  const { a, b, clock, drops, rest, nothingLeft } = await pair();
  const kinds = [CALL.ask, CALL.open, CALL.cancel, CALL.ack];
  b.registerService("s", ({ src: dst, ctx }) => {
    for (const kind of kinds) {
      for (const number of NUMBERS) {
        b.send({ dst, ctx, data: "odd", ...marked(kind, { toService: false, number }) });
      }
    }
  });
  await rest();
  assert.equal(await failureCode(clock.until(a.request("s"))), "TimeoutError");
  await clock.pass(60_000);
  await nothingLeft();
  assert.deepEqual(drops, []);
});
