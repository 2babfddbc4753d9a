import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ChangeCounter,
  type Findings,
  findProblems,
  FLAPPING,
} from "../../src/dashboard/page/problems.ts";
import type { RouterStats } from "../../src/router/stats.ts";
import { noDrops } from "../../src/mesh/drop_reason.ts";

const channel = (more: Partial<RouterStats["channels"][number]> = {}) => ({
  ...{ id: 1, address: "far", kind: "modern" as const, transport: "tcp", cost: 1, uptime: 1_000 },
  ...{ roundTrip: null, packetsIn: 0, packetsOut: 0, bytesIn: 0, bytesOut: 0, queuedBytes: 0 },
  ...{ repeats: 0, drops: noDrops(), errors: {} },
  ...more,
});

const stats = (more: Partial<RouterStats> = {}): RouterStats => ({
  ...{ address: "hub", uptime: 10_000, routes: 1, services: 1, contexts: 0, drops: noDrops() },
  channels: [channel()],
  ...more,
});

const find = (more: Partial<Findings>) =>
  findProblems({
    graph: { nodes: [], edges: [], hubs: [] },
    stats: new Map(),
    conflicts: new Map(),
    flapping: new Map(),
    offline: null,
    ...more,
  }).map(({ severity, kind, subject, detail }) => [severity, kind, subject, detail]);

test("findProblems() finds none where nothing is wrong", () => {
  assert.deepEqual(find({ stats: new Map([["hub", { now: stats(), before: null }]]) }), []);
});

test("findProblems() names conflicts, flapping, half-open links and a lost link, the worst first", () => {
  const edge = { key: "k", a: "a", b: "b", direct: true, transport: "tcp", cost: 1 };
  assert.deepEqual(
    find({
      graph: { nodes: [], edges: [{ ...edge, roundTrip: null, rate: 0, halfOpen: "b" }], hubs: [] },
      conflicts: new Map([["twin", 2]]),
      flapping: new Map([["route to x", 9]]),
      offline: "the server is gone",
    }),
    [
      ["error", "Duplicate address", "twin", "told 2 times"],
      ["error", "Not connected", "This page", "the server is gone"],
      ["warning", "Flapping", "route to x", "came, went or moved 9 times in a minute"],
      ["warning", "Half-open link", "b – a", "only b knows of it"],
    ],
  );
});

test("findProblems() counts drops by reason, and says how fast they come now", () => {
  const before = stats({ drops: { ...noDrops(), queue: 10 } });
  const now = stats({ uptime: 12_000, drops: { ...noDrops(), queue: 30, "no-route": 1 } });
  assert.deepEqual(find({ stats: new Map([["hub", { now, before }]]) }), [
    ["warning", "Dropped: queue", "hub", "30 packets: a queue was full, 10.0/s now"],
    ["note", "Dropped: no-route", "hub", "1 packet: no way led there, 0.5/s now"],
  ]);
});

test("findProblems() tells of links that are behind, flooded, damaged, or repeat themselves", () => {
  const before = stats();
  const now = stats({
    uptime: 11_000,
    channels: [channel({
      queuedBytes: 131_072,
      packetsIn: 5_000,
      repeats: 300,
      errors: { ERR_PACKET_CRC: 3, ERR_PACKET_FRAME: 1 },
    })],
  });
  assert.deepEqual(find({ stats: new Map([["hub", { now, before }]]) }), [
    ["warning", "Damaged packets", "hub – far", "4 packets damaged on the way"],
    ["warning", "Flood", "hub – far", "5000 packets/s from far"],
    ["warning", "Link behind", "hub – far", "128 KiB wait"],
    ["note", "Repeated adverts", "hub – far", "300 said again"],
  ]);
});

test("ChangeCounter forgets changes that are more than a minute old", () => {
  const counter = new ChangeCounter();
  for (let i = 1; i < FLAPPING; i++) counter.add("a", i);
  assert.deepEqual(counter.flapping(100), new Map());
  counter.add("a", 50_000);
  assert.deepEqual(counter.flapping(50_000), new Map([["a", FLAPPING]]));
  assert.deepEqual(counter.flapping(61_000), new Map());
});
