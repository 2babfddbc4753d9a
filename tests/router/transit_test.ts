import assert from "node:assert/strict";
import { test } from "node:test";
import { Crossing, frame, hops, join, passesAlike } from "../support/crossing.ts";

test("A router carries on what it need not read, as if it had read it", {
  timeout: 20_000,
}, async (t) => {
  const crossing = await new Crossing().ready();
  t.after(() => crossing.close());
  const frames = Array.from({ length: 50 }, (_, i) => frame({ ctx: i + 1, data: `number ${i}` }));
  const packets = await crossing.pass(...frames);
  assert.deepEqual(
    packets.map(({ ctx, nxt, trailer, data }) => [ctx, nxt, trailer!.hops, data.length]),
    frames.map((_, i) => [i + 1, "east", 8, `number ${i}`.length]),
  );
  assert.equal(crossing.carried, 49);
});

test("What is carried on unread is counted as the rest", { timeout: 20_000 }, async (t) => {
  const counts = [];
  for (const unread of [false, true]) {
    const crossing = await new Crossing({ unread }).ready();
    t.after(() => crossing.close());
    const before = crossing.middle.stats().channels;
    await crossing.pass(join(Array.from({ length: 100 }, (_, i) => frame({ ctx: i + 1 }))));
    counts.push(
      crossing.middle.stats().channels.map(({ packetsIn, packetsOut, bytesOut }, i) => [
        packetsIn - before[i]!.packetsIn,
        packetsOut - before[i]!.packetsOut,
        bytesOut! - before[i]!.bytesOut!,
      ]),
    );
  }
  assert.deepEqual(counts[0], counts[1]);
  assert.deepEqual(counts[0]!.map(([received, sent]) => [received, sent]), [[100, 0], [0, 100]]);
});

test("Each packet passes the gate of a link, though others like it have passed", {
  timeout: 20_000,
}, async (t) => {
  const crossing = await new Crossing({ gate: true }).ready();
  t.after(() => crossing.close());
  const packets = await crossing.pass(
    ...[1, 9, 2, 9, 3].map((typ) => frame({ typ, data: `${typ}` })),
  );
  assert.deepEqual(packets.map(({ typ }) => typ), [1, 2, 3]);
});

test("A packet whose hops are used up goes no further, though others like it do", {
  timeout: 20_000,
}, async (t) => {
  const crossing = await new Crossing().ready();
  t.after(() => crossing.close());
  const left = [9, 5, 1, 2, 255];
  const packets = await crossing.pass(...left.map((left) => frame({ trailer: hops(left) })));
  assert.deepEqual(packets.map(({ trailer }) => trailer!.hops), [8, 4, 1, 18]);
  assert.equal(crossing.carried, 3);
});

test("Packets go the better way as soon as there is one, though many have gone another", {
  timeout: 20_000,
}, async (t) => {
  const crossing = await new Crossing({ cost: 5 }).ready();
  t.after(() => crossing.close());
  assert.equal((await crossing.pass(frame({ ctx: 1 }), frame({ ctx: 2 }))).length, 2);
  const shortcut = crossing.shortcut();
  await crossing.ready();
  assert.deepEqual(await crossing.pass(frame({ ctx: 3 }), frame({ ctx: 4 })), []);
  assert.deepEqual(crossing.written(shortcut).map(({ ctx }) => ctx), [3, 4]);
  assert.equal(crossing.carried, 2);
});

test("Packets of many kinds that come in turn are each carried on unread", {
  timeout: 20_000,
}, async (t) => {
  const crossing = await new Crossing().ready();
  t.after(() => crossing.close());
  const frames = Array.from({ length: 60 }, (_, i) => frame({ srv: `service ${i % 20}` }));
  const packets = await crossing.pass(...frames);
  assert.deepEqual(packets.map(({ srv }) => srv), frames.map((_, i) => `service ${i % 20}`));
  assert.equal(crossing.carried, 40);
});

test("A hop limit that has to be escaped is", { timeout: 20_000 }, async (t) => {
  const crossing = await new Crossing({ cost: 200 }).ready();
  t.after(() => crossing.close());
  const left = [100, 193, 220, 222, 194];
  const packets = await crossing.pass(...left.map((left) => frame({ trailer: hops(left) })));
  assert.deepEqual(packets.map(({ trailer }) => trailer!.hops), left.map((left) => left - 1));
  assert.equal(crossing.carried, 4);
});

test("A packet whose size is not its own is read, and dropped", { timeout: 20_000 }, async (t) => {
  const crossing = await new Crossing().ready();
  t.after(() => crossing.close());
  const drops: string[] = [];
  crossing.middle.addEventListener("drop", ({ reason }) => drops.push(reason));
  const [good, long, broken] = [frame({ data: "ab" }), frame({ data: "ab" }), frame()];
  const at = long.lastIndexOf(0x61) - 1; // The size of the data, its low byte.
  long[at] = 3;
  broken[broken.length - 8] = 0xdb; // An escape of nothing.
  broken[broken.length - 9] = 2;
  const packets = await crossing.pass(good, long, broken, good);
  assert.deepEqual(
    packets.map((packet) => [packet.text(), packet.trailer?.hops]),
    [["ab", 8], ["abX", 10], ["ab", 8]], // Its trailer is none, so it is given one.
  );
  assert.deepEqual(drops, ["parse"]);
});

test("No packet goes on after its way is lost, though many have gone that way", {
  timeout: 20_000,
}, async (t) => {
  const crossing = await new Crossing().ready();
  t.after(() => crossing.close());
  assert.equal((await crossing.pass(frame({ ctx: 1 }), frame({ ctx: 2 }))).length, 2);
  const drops: string[] = [];
  crossing.middle.addEventListener("drop", ({ error }) => drops.push(error.code));
  crossing.middle.removeChannel(crossing.exit);
  assert.deepEqual(await crossing.pass(frame({ ctx: 3 }), frame({ ctx: 4 })), []);
  crossing.clock.advance(2_000);
  assert.deepEqual(drops, ["ERR_NO_ROUTE", "ERR_NO_ROUTE"]);
});

test("A queue that is full refuses what would be carried on, and tells it", {
  timeout: 20_000,
}, async (t) => {
  const crossing = await new Crossing().ready();
  t.after(() => crossing.close());
  const drops: string[] = [];
  crossing.middle.addEventListener("drop", ({ reason }) => drops.push(reason));
  const gate = Promise.withResolvers<void>();
  crossing.toEast.gate = gate.promise;
  const data = new Uint8Array(60_000).fill(65);
  const frames = Array.from({ length: 40 }, (_, i) => frame({ ctx: i + 1, data }));
  await crossing.pass(join(frames));
  gate.resolve();
  const packets = await crossing.pass();
  assert.equal(packets.length + drops.length, 40);
  assert(drops.length > 10 && drops.every((reason) => reason === "queue"), `${drops}`);
});

test("Packets of all kinds, cut anywhere, pass as the plain codec has them", {
  timeout: 60_000,
}, async () => {
  const { passed, carried } = await passesAlike(20, 12_000);
  assert(passed > 4_000 && carried > 1_000, `${passed} have passed, ${carried} of them unread`);
});
