import assert from "node:assert/strict";
import { test } from "node:test";
import {
  edgeKey,
  edgesOfWay,
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

/** Routers on a segment, each of whom tells of all others. */
function segment(addresses: string[], more: Partial<LinkReport> = {}): Map<string, Report> {
  const on = (self: string) =>
    link("", {
      ...{ id: 3, kind: "segment", transport: "nats", ...more },
      neighbours: addresses.filter((it) => it !== self).map((address) => ({
        address,
        roundTrip: null,
      })),
    });
  return new Map(addresses.map((address) => [address, report([on(address)])]));
}

test("mergeGraph() draws a small segment as links between each two", () => {
  const reports = segment(["a", "b", "c"]);
  const { edges, hubs } = mergeGraph({
    ...{ self: "a", links: reports.get("a")!, services: [], reports },
    routes: ["b", "c"].map((address) => route(address, 1, address)),
  });
  assert.deepEqual(edges.map(ends), ["a – b", "a – c", "b – c"]);
  assert.deepEqual(hubs, []);
});

test("mergeGraph() draws a large segment once, with a link to each who is on it", () => {
  const addresses = Array.from({ length: 50 }, (_, i) => `n${i}`);
  const reports = segment(addresses);
  reports.delete("n7"); // Does not tell.
  const graph = mergeGraph({
    ...{ self: "n0", links: reports.get("n0")!, services: [], reports },
    routes: addresses.slice(1).map((address) => route(address, 1, address)),
  });
  const [hub, ...others] = graph.hubs;
  assert.deepEqual([hub!.transport, hub!.members, others.length], ["nats", 50, 0]);
  assert.equal(graph.edges.length, 50);
  assert(graph.edges.every(({ a, b }) => a === hub!.name || b === hub!.name));
  assert.deepEqual(edgesOfWay(graph, ["n0", "n7"]), [
    edgeKey("n0", hub!.name),
    edgeKey("n7", hub!.name),
  ]);
});

test("mergeGraph() keeps segments apart that have few routers in common", () => {
  const east = Array.from({ length: 9 }, (_, i) => `e${i}`);
  const west = Array.from({ length: 9 }, (_, i) => `w${i}`);
  const reports = new Map([...segment(["both", ...east]), ...segment(["both", ...west])]);
  const graph = mergeGraph({
    ...{ self: "e0", links: reports.get("e0")!, services: [], reports },
    routes: ["both", ...east.slice(1), ...west].map((address) => route(address, 1, address)),
  });
  assert.deepEqual(graph.hubs.map(({ members }) => members), [10, 10]);
});

test("mergeGraph() keeps two segments apart that one router joins", () => {
  const sites = ["x", "y"].map((site) => ["a", ...Array.from("123456789", (it) => site + it)]);
  const [x, y] = sites.map((addresses) => segment(addresses));
  const both = report([x, y].flatMap((it) => it!.get("a")!.links));
  const { edges, hubs } = mergeGraph(chain({
    routes: [...new Set(sites.flat())].map((address) => route(address, 1, address)),
    reports: new Map([...x!, ...y!, ["a", both]]),
  }));
  assert.deepEqual(hubs.map(({ members }) => members), [10, 10]);
  const [one, other] = hubs.map(({ name }) => edges.filter(({ a, b }) => a === name || b === name));
  assert.deepEqual([one!.length, other!.length], [10, 10]);
});
