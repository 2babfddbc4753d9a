import assert from "node:assert/strict";
import { test } from "node:test";
import {
  edgeKey,
  type GraphEdge,
  type Knowledge,
  mergeGraph,
  type Report,
} from "../../src/dashboard/page/graph.ts";
import type { LinkReport } from "../../src/inspect/reports.ts";

const NOW = 1_000_000;

const link = (address: string, more: Partial<LinkReport> = {}): LinkReport => ({
  ...{ id: 1, address, kind: "modern", transport: "tcp", cost: 1, roundTrip: null },
  ...{ packetsIn: 0, packetsOut: 0, queuedBytes: 0, uptime: 60_000 },
  ...more,
});

const report = (links: LinkReport[], more: Partial<Report> = {}): Report => ({
  ...{ links, at: NOW, before: null },
  ...more,
});

const route = (address: string, cost: number, via: string) => ({ address, cost, via });

/** A page "me" at "hub", behind which are "a" and, behind that, "b". */
const chain = (more: Partial<Knowledge> = {}): Knowledge => ({
  self: "me",
  links: report([link("hub", { transport: "ws" })]),
  routes: [route("b", 3, "hub"), route("hub", 1, "hub"), route("a", 2, "hub")],
  services: [{ service: "echo", address: "a", capacity: 1 }],
  reports: new Map(),
  ...more,
});

const ends = ({ a, b, direct }: GraphEdge) => `${a} ${direct ? "–" : "··"} ${b}`;

test("mergeGraph() draws the own view at once: who is reached by way of whom", () => {
  const { nodes, edges } = mergeGraph(chain());
  assert.deepEqual(nodes.map(({ address, hops, services }) => [address, hops, services]), [
    ["me", 0, 0],
    ["hub", 1, 0],
    ["a", 2, 1],
    ["b", 3, 0],
  ]);
  assert.deepEqual(edges.map(ends), ["hub – me", "a ·· hub", "b ·· hub"]);
  assert.deepEqual(edges.map(({ transport, cost }) => [transport, cost]), [
    ["ws", 1],
    ["", 1],
    ["", 2],
  ]);
});

test("mergeGraph() draws the links that routers tell, each once", () => {
  const { nodes, edges } = mergeGraph(chain({
    reports: new Map([
      ["hub", report([link("me"), link("a", { id: 2, roundTrip: 0.5, cost: 3 })])],
      ["a", report([link("hub", { roundTrip: 0.7, cost: 3 }), link("b", { id: 2 })])],
    ]),
  }));
  assert.deepEqual(edges.map(ends), ["hub – me", "a – hub", "a – b"]);
  const between = edges.find(({ key }) => key === edgeKey("hub", "a"))!;
  assert.deepEqual(between, {
    ...{ key: edgeKey("a", "hub"), a: "a", b: "hub", direct: true, transport: "tcp", cost: 3 },
    ...{ roundTrip: 0.5, rate: 0, halfOpen: null },
  });
  assert.deepEqual(nodes.map(({ tells }) => tells), [true, true, true, false]);
});

test("mergeGraph() leaves out who cannot be reached, whatever a neighbour still says", () => {
  const { nodes, edges } = mergeGraph(chain({
    routes: [route("hub", 1, "hub")],
    reports: new Map([
      ["hub", report([link("me"), link("a", { id: 2 })])],
      ["a", report([link("hub")])],
    ]),
  }));
  assert.deepEqual(nodes.map(({ address }) => address), ["me", "hub"]);
  assert.deepEqual(edges.map(ends), ["hub – me"]);
});

test("mergeGraph() takes several links between two routers for one, and names what carries them", () => {
  const { edges } = mergeGraph(chain({
    reports: new Map([
      ["hub", report([link("a", { id: 2, cost: 5 }), link("a", { id: 3, transport: "ble" })])],
    ]),
  }));
  const { transport, cost } = edges.find(({ key }) => key === edgeKey("hub", "a"))!;
  assert.equal(cost, 1);
  assert.deepEqual(transport.split(" + ").sort(), ["ble", "tcp"]);
});

test("mergeGraph() tells of a link that only one side knows, once that is no more a matter of time", () => {
  const halfOpen = (uptime: number) =>
    mergeGraph(chain({
      reports: new Map([
        ["hub", report([link("a", { id: 2, uptime })])],
        ["a", report([])],
      ]),
    })).edges.find(({ key }) => key === edgeKey("hub", "a"))!.halfOpen;
  assert.equal(halfOpen(60_000), "hub");
  assert.equal(halfOpen(1_000), null);
});

test("mergeGraph() counts packets a second, but not those of the page's own questions", () => {
  const rate = (packets: number) => {
    const before = { links: [link("a", { id: 2 })], at: NOW - 2_000 };
    const links = [link("a", { id: 2, packetsIn: packets, packetsOut: packets })];
    return mergeGraph(chain({
      reports: new Map([
        ["hub", report(links, { before })],
        ["a", report([link("b", { id: 7 })])],
        ["b", report([])],
      ]),
      asking: { packets: 2, interval: 2_000 },
    })).edges.find(({ key }) => key === edgeKey("hub", "a"))!.rate;
  };
  assert.equal(rate(2), 0);
  assert.equal(rate(100), 96);
});
