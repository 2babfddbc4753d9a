import assert from "node:assert/strict";
import { test } from "node:test";
import { Router } from "../../mod.ts";
import { ContextTable } from "../../src/router/contexts.ts";
import { ManualClock, seededRandom } from "../../src/testing/mod.ts";
import { chain, record, turn } from "../support/routers.ts";

test("ContextTable.open() gives ids in 1-65535, and never one in use", () => {
  const table = new ContextTable<number>(seededRandom(1), 65_535);
  const ids = new Set<number>();
  for (let i = 0; i < 65_535; i++) ids.add(table.open(i));
  assert.deepEqual(
    [ids.size, Math.min(...ids), Math.max(...ids), table.size],
    [65_535, 1, 65_535, 65_535],
  );
  table.release(4_711);
  assert.equal(table.open(-1), 4_711);
  assert.equal(table.get(4_711), -1);
});

test("ContextTable.open() steps past ids in use, whatever chance says", () => {
  const lowest = new ContextTable<string>(() => 0);
  assert.deepEqual([lowest.open("a"), lowest.open("b"), lowest.open("c")], [1, 2, 3]);
  const highest = new ContextTable<string>(() => 1 - Number.EPSILON);
  assert.deepEqual([highest.open("a"), highest.open("b")], [65_535, 1]);
});

test("ContextTable.open() gives an id again only when all others have been given", () => {
  const table = new ContextTable<string>(seededRandom(1));
  const ids = new Set<number>();
  for (let i = 0; i < 65_535; i++) {
    const id = table.open("one");
    ids.add(id);
    table.release(id);
  }
  assert.equal(ids.size, 65_535);
});

test("ContextTable.open() refuses more than its limit", () => {
  const table = new ContextTable<string>(() => 0, 2);
  table.open("a");
  const id = table.open("b");
  const full = new RangeError("Cannot open context: all 2 are in use");
  assert.throws(() => table.open("c"), full);
  table.release(id);
  table.release(id);
  assert.deepEqual([table.size, table.get(id), table.open("c"), table.size], [1, undefined, 3, 2]);
  table.clear();
  assert.equal(table.size, 0);
});

test("ContextTable keeps contexts that stay open, however often ids go round", () => {
  const table = new ContextTable<string>(seededRandom(2));
  const kept = new Map<number, string>();
  for (let i = 0; i < 200; i++) {
    for (let k = 0; k < 997; k++) table.release(table.open("brief")); // Prime: any slot comes up.
    const name = `kept ${i}`;
    const id = table.open(name);
    assert(!kept.has(id));
    kept.set(id, name);
  }
  assert.equal(table.size, 200);
  assert.deepEqual([...kept.keys()].map((id) => table.get(id)), [...kept.values()]);
  for (const id of kept.keys()) table.release(id);
  assert.deepEqual([table.size, table.owners()], [0, []]);
});

test("ContextTable.owners() are in the order in which they came, across the last id", () => {
  const table = new ContextTable<number>(() => 0.999);
  const ids = Array.from({ length: 100 }, (_, i) => table.open(i));
  assert(ids.includes(65_535) && ids.includes(1));
  table.release(ids[50]!);
  const owners = Array.from({ length: 100 }, (_, i) => i).filter((i) => i !== 50);
  assert.deepEqual(table.owners(), owners);
  assert.deepEqual([table.get(0), table.get(ids[50]!), table.get(ids[51]! + 128)], [
    undefined,
    undefined,
    undefined,
  ]);
});

test("Router.registerContextHandler() hears the packets that come with its id", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b], clock } = await chain(["a", "b"]);
  b.registerService("count", (packet, reply) => {
    for (let i = 1; i <= 3; i++) reply(`${packet.text()} ${i}`);
  });
  await clock.rest();
  const heard: string[] = [];
  const ids = ["x", "y"].map((name) =>
    a.registerContextHandler((packet) => heard.push(`${name}: ${packet.text()}`))
  );
  assert.notEqual(ids[0], ids[1]);
  a.send({ dst: "b", srv: "count", ctx: ids[0], data: "one" });
  a.send({ dst: "b", srv: "count", ctx: ids[1], data: "two" });
  await clock.rest();
  assert.deepEqual(heard.sort(), [
    "x: one 1",
    "x: one 2",
    "x: one 3",
    "y: two 1",
    "y: two 2",
    "y: two 3",
  ]);
});

test("Router.releaseContext() ends a context; what comes later is told as a drop event", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b], clock } = await chain(["a", "b"]);
  const heard: string[] = [];
  const ctx = a.registerContextHandler((packet) => heard.push(packet.text()));
  b.send({ dst: "a", ctx, data: "in time" });
  await clock.rest();
  const told = record(a);
  a.releaseContext(ctx);
  a.releaseContext(ctx);
  b.send({ dst: "a", ctx, data: "late" });
  await clock.rest();
  assert.deepEqual([heard, told], [["in time"], ["drop ERR_NO_SERVICE: late"]]);
});

test("Router.registerContextHandler() hears packets for services only if they are not ours", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b], clock } = await chain(["a", "b"]);
  const heard: string[] = [];
  const ctx = a.registerContextHandler((packet) => heard.push(`context: ${packet.text()}`));
  a.registerService("note", (packet) => void heard.push(`service: ${packet.text()}`));
  b.send({ dst: "a", srv: "note", ctx, data: "1" });
  b.send({ dst: "a", srv: "unknown", ctx, data: "2" });
  await clock.rest();
  assert.deepEqual(heard, ["service: 1", "context: 2"]);
});

test("A context handler that throws or rejects is told as a drop event, and lives on", {
  timeout: 10_000,
}, async () => {
  const router = new Router("a", { clock: new ManualClock() });
  const told = record(router);
  let calls = 0;
  const throws = router.registerContextHandler(() => {
    calls++;
    throw new Error("no");
  });
  const rejects = router.registerContextHandler(() => Promise.reject(new Error("no")));
  router.send({ dst: "a", ctx: throws, data: "1" });
  router.send({ dst: "a", ctx: throws, data: "2" });
  router.send({ dst: "a", ctx: rejects, data: "3" });
  await turn();
  assert.deepEqual([calls, told], [2, [
    "drop ERR_HANDLER: 1",
    "drop ERR_HANDLER: 2",
    "drop ERR_HANDLER: 3",
  ]]);
});
