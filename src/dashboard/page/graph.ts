/**
 * One picture of the mesh, put together from what our own router knows and what others say of
 * themselves.
 *
 * Pure functions.
 *
 * @module
 */

import type { LinkReport } from "../../inspect/reports.ts";
import type { RouteInfo, ServiceInfo } from "../../mesh/effects.ts";

/** What a router has said of its links. */
export interface Report {
  /** Its links. */
  links: readonly LinkReport[];
  /** When it said so, in ms. */
  at: number;
  /** What it had said before; `null` if nothing. */
  before: { links: readonly LinkReport[]; at: number } | null;
}

/** What is known. */
export interface Knowledge {
  /** Our own address. */
  self: string;
  /** Our own links. */
  links: Report;
  /** The ways that our router knows. */
  routes: readonly RouteInfo[];
  /** The services that it knows. */
  services: readonly ServiceInfo[];
  /** What others have said, by address. */
  reports: ReadonlyMap<string, Report>;
  /** How many packets each question about links is, there and back, every so many ms. */
  asking?: { packets: number; interval: number };
}

/** A router, as it is drawn. */
export interface GraphNode {
  /** Its address. */
  address: string;
  /** How far away it is, in hops; 0 for ourselves. */
  hops: number;
  /** The neighbour that leads there; `""` for ourselves. */
  via: string;
  /** How many services it offers. */
  services: number;
  /** Whether it has told its links. */
  tells: boolean;
}

/** A link, as it is drawn. */
export interface GraphEdge {
  /** Names it, and stays the same. */
  key: string;
  /** The ends, in the order of their names. */
  a: string;
  /** The other end. */
  b: string;
  /** Whether somebody says that it is there; else a route tells that there is some way. */
  direct: boolean;
  /** What carries it, in a word for each of several; `""` if that is not known. */
  transport: string;
  /** What a hop over it counts for; 0 if that is not known. */
  cost: number;
  /** How long a packet and its answer take, in ms; `null` if that is not known. */
  roundTrip: number | null;
  /** Packets a second over it, our own questions about links not counted. */
  rate: number;
  /** The end that says that there is such a link, though the other, asked later, does not. */
  halfOpen: string | null;
}

/** A segment that many routers share, as it is drawn: with a link to each of them. */
export interface GraphHub {
  /** Stands for it in the ends of links; no address is like it. */
  name: string;
  /** What carries it. */
  transport: string;
  /** How many are on it. */
  members: number;
}

/** The picture. */
export interface Graph {
  /** Ourselves first, then the nearest. */
  nodes: GraphNode[];
  /** Each pair of neighbours once. */
  edges: GraphEdge[];
  /** Segments on which so many are that links between each two would hide the picture. */
  hubs: GraphHub[];
}

/** Up to how many routers on a segment there are links between each two. */
const MOST_PAIRED = 6;

/** How long a link may be there before its far end has to know of it, in ms. */
const GRACE = 4_000;

/** Fewer packets a second than this are what neighbours say to each other in any case. */
const QUIET = 1.5;

/** How much more our own questions may seem at times than they are on the whole. */
const BURST = 2;

/** Puts the picture together. Who cannot be reached is not in it, whatever anybody says. */
export function mergeGraph(knowledge: Knowledge): Graph {
  const { self, links, routes, services, reports } = knowledge;
  const offered = new Map<string, number>();
  for (const { address } of services) offered.set(address, (offered.get(address) ?? 0) + 1);
  const nodes: GraphNode[] = [{
    address: self,
    hops: 0,
    via: "",
    services: offered.get(self) ?? 0,
    tells: true,
  }];
  for (const { address, cost, via } of routes) {
    if (address === self) continue;
    nodes.push({
      address,
      hops: cost,
      via,
      services: offered.get(address) ?? 0,
      tells: reports.has(address),
    });
  }
  nodes.sort((x, y) => x.hops - y.hops || (x.address < y.address ? -1 : 1));
  const there = new Set(nodes.map(({ address }) => address));

  const edges = new Map<string, GraphEdge>();
  const told = [[self, links] as const, ...reports].filter(([address]) => there.has(address));
  const crowds = findCrowds(told, there);
  for (const { name, transport, members } of crowds) {
    for (const address of members) {
      Object.assign(edgeBetween(edges, address, name), { direct: true, transport });
    }
  }
  for (const [from, report] of told) {
    const seen = new Map<string, LinkReport[]>();
    for (const link of report.links) {
      const crowd = crowds.find(({ links }) => links.has(link));
      if (crowd === undefined) continue;
      const edge = edgeBetween(edges, from, crowd.name);
      edge.cost = link.cost;
      edge.rate += rateOf(link, report);
    }
    const alone = report.links.filter((link) => !crowds.some(({ links }) => links.has(link)));
    for (const link of alone.flatMap(byNeighbour)) {
      if (link.address === from || !there.has(link.address)) continue;
      const several = seen.get(link.address);
      if (several) several.push(link);
      else seen.set(link.address, [link]);
    }
    for (const [to, several] of seen) {
      const edge = edgeBetween(edges, from, to);
      const [best] = several.sort((x, y) => x.cost - y.cost || x.id - y.id) as [LinkReport];
      const transports = [...new Set(several.map(({ transport }) => transport ?? ""))];
      const transport = transports.filter(Boolean).join(" + ");
      if (!edge.direct || edge.transport === "") edge.transport = transport;
      edge.cost = edge.cost === 0 ? best.cost : Math.min(edge.cost, best.cost);
      edge.roundTrip ??= best.roundTrip;
      edge.rate = Math.max(edge.rate, several.reduce((sum, it) => sum + rateOf(it, report), 0));
      edge.direct = true;
      const other = to === self ? links : reports.get(to);
      const known = other?.links.flatMap(byNeighbour).some(({ address }) => address === from) ??
        true;
      const old = several.some(({ uptime }) => uptime > GRACE);
      if (!known && old && other!.at >= report.at - GRACE) edge.halfOpen = from;
    }
  }
  const linked = new Set([...edges.values()].flatMap(({ a, b }) => [a, b]));
  for (const { address, via, hops } of nodes) {
    if (hops === 0 || linked.has(address)) continue;
    const from = via === address || !there.has(via) ? self : via;
    const edge = edgeBetween(edges, from, address);
    edge.cost = from === self ? hops : Math.max(1, hops - 1);
  }
  const hubs = crowds.map(({ name, transport, members }) => {
    return { name, transport, members: members.size };
  });
  const graph = { nodes, edges: [...edges.values()], hubs };
  if (knowledge.asking) forgetQuestions(graph, self, knowledge.asking);
  for (const edge of graph.edges) if (edge.rate < QUIET) edge.rate = 0;
  return graph;
}

/** The name of the edge between two routers. */
export function edgeKey(a: string, b: string): string {
  return JSON.stringify(a < b ? [a, b] : [b, a]);
}

function edgeBetween(edges: Map<string, GraphEdge>, from: string, to: string): GraphEdge {
  const key = edgeKey(from, to);
  const found = edges.get(key);
  if (found) return found;
  const [a, b] = from < to ? [from, to] : [to, from];
  const edge: GraphEdge = {
    ...{ key, a, b, direct: false, transport: "", cost: 0 },
    ...{ roundTrip: null, rate: 0, halfOpen: null },
  };
  edges.set(key, edge);
  return edge;
}

/** A segment that many routers say that they are on. */
interface Crowd {
  name: string;
  transport: string;
  members: Set<string>;
  /** What they say of it. */
  links: Set<LinkReport>;
}

/** Puts together what routers say of large segments: two that have mostly the same on them are one. */
function findCrowds(
  told: readonly (readonly [address: string, report: Report])[],
  there: ReadonlySet<string>,
): Crowd[] {
  const crowds: Crowd[] = [];
  for (const [from, { links }] of told) {
    for (const link of links) {
      const { neighbours = [], transport } = link;
      const others = neighbours.map(({ address }) => address).filter((it) => there.has(it));
      if (others.length < MOST_PAIRED) continue;
      const members = new Set([from, ...others]);
      const common = (crowd: Crowd) => [...members].filter((it) => crowd.members.has(it)).length;
      const known = crowds.find((crowd) =>
        crowd.transport === (transport ?? "") &&
        2 * common(crowd) > Math.min(members.size, crowd.members.size)
      );
      const crowd = known ?? { name: "", transport: transport ?? "", members, links: new Set() };
      if (known === undefined) crowds.push(crowd);
      for (const address of members) crowd.members.add(address);
      crowd.links.add(link);
    }
  }
  const taken = new Set<string>();
  for (const crowd of crowds) { // Whoever is first stays mostly the same, and may be on several.
    const [first] = [...crowd.members].sort();
    for (let nth = 1; crowd.name === "" || taken.has(crowd.name); nth++) {
      crowd.name = JSON.stringify([crowd.transport, first, nth]);
    }
    taken.add(crowd.name);
  }
  return crowds;
}

/** A segment as a link to each who is there. How much goes to whom, nobody counts. */
function byNeighbour({ neighbours, ...link }: LinkReport): LinkReport[] {
  const silent = { ...link, id: NaN, packetsIn: 0, packetsOut: 0 };
  return neighbours?.map((it) => ({ ...silent, ...it })) ?? [link];
}

/** Packets a second over a link since the report before; 0 if there was none. */
export function rateOf({ id, packetsIn, packetsOut }: LinkReport, report: Report): number {
  const { at, before } = report;
  const then = before?.links.find((link) => link.id === id);
  if (!before || !then || at <= before.at) return 0;
  const packets = packetsIn + packetsOut - then.packetsIn - then.packetsOut;
  return Math.max(0, packets) * 1_000 / (at - before.at);
}

/**
 * Takes off what we cause ourselves: our questions go to every router behind a link. Which way they
 * take is guessed: one of the shortest.
 */
function forgetQuestions(
  { nodes, edges }: Pick<Graph, "nodes" | "edges">,
  self: string,
  { packets, interval }: { packets: number; interval: number },
): void {
  const parent = shortestWays(edges, self);
  const asked = new Map<GraphEdge, number>();
  for (const { address, tells } of nodes) {
    if (!tells) continue;
    let at = address;
    for (let way = parent.get(at); way; way = parent.get(at)) {
      asked.set(way.edge, (asked.get(way.edge) ?? 0) + 1);
      at = way.from;
    }
  }
  for (const [edge, count] of asked) {
    edge.rate = Math.max(0, edge.rate - BURST * count * packets * 1_000 / interval);
  }
}

/** How each router is reached with the fewest links from one: over which, and from whom. */
export function shortestWays(
  edges: readonly GraphEdge[],
  self: string,
): Map<string, { from: string; edge: GraphEdge }> {
  const around = new Map<string, GraphEdge[]>();
  for (const edge of edges) {
    for (const end of [edge.a, edge.b]) {
      const list = around.get(end);
      if (list) list.push(edge);
      else around.set(end, [edge]);
    }
  }
  const ways = new Map<string, { from: string; edge: GraphEdge }>();
  const queue = [self];
  for (const from of queue) {
    for (const edge of around.get(from) ?? []) {
      const to = edge.a === from ? edge.b : edge.a;
      if (to === self || ways.has(to)) continue;
      ways.set(to, { from, edge });
      queue.push(to);
    }
  }
  return ways;
}

/** The links of a way, by their keys: over a segment, the two that lead to its middle. */
export function edgesOfWay({ edges, hubs }: Graph, addresses: readonly string[]): string[] {
  const keys = new Set(edges.map(({ key }) => key));
  return addresses.slice(1).flatMap((to, i) => {
    const from = addresses[i]!;
    const direct = edgeKey(from, to);
    if (keys.has(direct)) return [direct];
    const halves = hubs.map(({ name }) => [edgeKey(from, name), edgeKey(name, to)]);
    return halves.find((both) => both.every((key) => keys.has(key))) ?? [direct];
  });
}
