/**
 * A network of mesh cores behind one virtual clock: what a protocol test runs instead of sockets.
 *
 * Every packet is really encoded and decoded on its way, unless it is told not to. Nothing here
 * waits: time passes when a test says so, and the same seed gives the same run.
 *
 * @module
 */

import { Agenda } from "../mesh/agenda.ts";
import type { Effect, LinkId } from "../mesh/effects.ts";
import { Mesh } from "../mesh/mesh.ts";
import type { MeshOptions } from "../mesh/options.ts";
import { Packet } from "../wire/packet.ts";
import { seededRandom } from "./seeded_random.ts";
import { type End, type LinkOptions, Links, type Notice } from "./simulated_links.ts";
import {
  type Port,
  type Publication,
  type SegmentOptions,
  Segments,
} from "./simulated_segments.ts";
import type { NodeOptions, Sent, SimulatedNode, Watcher } from "./simulated_node.ts";
import type { CreateRouter, SimulatedRouter } from "./simulated_router.ts";
import { packetSize, Traffic } from "./traffic.ts";

/** Options of {@linkcode SimulatedNetwork}. */
export interface SimulatedNetworkOptions extends LinkOptions {
  /**
   * Chance for every mesh and every link.
   *
   * @default {seededRandom(1)}
   */
  random?: () => number;
  /** Options of every mesh. */
  mesh?: MeshOptions;
  /**
   * Encode and decode every packet on its way. Without it, what routers say to each other is
   * handed over as it is, which is faster; packets of applications are still encoded.
   *
   * @default {true}
   */
  encode?: boolean;
  /**
   * Remember every packet and effect. Without it there are only counts.
   *
   * @default {true}
   */
  record?: boolean;
}

/** When virtual time begins, in seconds since 2024. */
const FIRST_CLOCK = 60_000_000;

/** How long nothing may have happened for a network to be at rest, in ms. */
const QUIET = 6_000;

/** How often one moment may be continued before it is clear that it never ends. */
const MAX_TICKS = 100_000;

/** A node, as the network changes it. */
interface NodeState extends SimulatedNode {
  options: NodeOptions;
  mesh: SimulatedRouter;
  offers: Map<string, number>;
  effects: Effect[];
  starts: number;
  alive: boolean;
  /** When the next entry for it in the agenda is due. */
  due: number;
}

/** Something on its way to the end of a link: a packet, or (`null`) the end of the link. */
interface Flight {
  to: End<NodeState>;
  packet: Packet | Uint8Array | null;
}

/** A publication on its way to somebody on a segment, who has to be there still. */
interface Message {
  to: Port<NodeState>;
  from: Port<NodeState>;
  packets: (Packet | Uint8Array)[];
}

/** Nodes, links, and the packets between them. */
export class SimulatedNetwork {
  /** Virtual time, in ms. */
  now: number = 0;
  /** Every packet sent since the last {@linkcode forget}. */
  sent: Sent[] = [];
  /** Counts of what was sent since the last {@linkcode forget}. */
  traffic: Traffic = new Traffic();
  /** The nodes that run, by id. */
  readonly nodes: Map<string, SimulatedNode> = new Map();
  /** Every link. */
  readonly links: Links<SimulatedNode>;
  /** Every segment. */
  readonly segments: Segments<SimulatedNode>;
  /** Packets of applications that were on a link when it was cut, or that a link lost. */
  lostOnLinks: number = 0;

  readonly #links: Links<NodeState> = new Links();
  readonly #states: Map<string, NodeState> = new Map();
  readonly #segments: Segments<NodeState> = new Segments();
  readonly #flights: Agenda<Flight | Message> = new Agenda();
  readonly #timers: Agenda<NodeState> = new Agenda();
  readonly #actions: Agenda<() => void> = new Agenda();
  readonly #watchers: Set<Watcher> = new Set();
  readonly #options: SimulatedNetworkOptions;
  readonly #random: () => number;
  readonly #encode: boolean;
  readonly #record: boolean;
  #pendingActions: number = 0;
  #newsAt: number = 0;
  #ticks: number = 0;

  /** Constructs a new instance. */
  constructor(options: SimulatedNetworkOptions = {}) {
    this.#options = options;
    this.#random = options.random ?? seededRandom(1);
    this.#encode = options.encode ?? true;
    this.#record = options.record ?? true;
    this.links = this.#links;
    this.segments = this.#segments;
  }

  // ── nodes ─────────────────────────────────────────────────────────────────

  /** The node of that id; made if there is none. */
  node(id: string): SimulatedNode {
    return this.nodes.get(id) ?? this.start(id);
  }

  /** Starts a node; one that has run before starts anew, as it was made unless told otherwise. */
  start(id: string, options: NodeOptions = {}): SimulatedNode {
    if (this.nodes.has(id)) throw new Error(`Cannot start "${id}": it runs`);
    const before = this.#states.get(id);
    const all = { ...before?.options, ...options };
    if (options.incarnation === undefined) delete all.incarnation; // Clocks go on.
    const incarnation = all.incarnation ?? this.clock;
    const create: CreateRouter = all.create ?? ((...args) => new Mesh(...args));
    const meshOptions = { ...this.#options.mesh, ...all.mesh, incarnation };
    const fresh = {
      options: all,
      mesh: create(all.address ?? id, this.#random, meshOptions),
      offers: new Map(),
      effects: [],
      alive: true,
      due: Infinity,
    };
    const node: NodeState = before === undefined
      ? { id, index: this.#states.size, starts: 1, ...fresh }
      : Object.assign(before, fresh, { starts: before.starts + 1 });
    this.#states.set(id, node);
    this.nodes.set(id, node);
    this.#schedule(node);
    return node;
  }

  /** Ends a node. Its neighbours notice at once, unless they are not to. */
  kill(id: string, noticed: boolean = true): void {
    const node = this.#node(id);
    this.#remove(node);
    for (const end of this.#links.of(node)) this.#cut(end, noticed ? "second" : "neither");
    for (const port of this.#segments.of(node)) this.#takeOff(port, noticed);
  }

  /** Lets a node say goodbye, close its links and end. */
  leave(id: string): void {
    const node = this.#node(id);
    if (node.mesh.leave) this.#apply(node, node.mesh.leave(this.now));
    this.#remove(node);
    for (const end of this.#links.of(node)) this.#hangUp(end);
    for (const port of this.#segments.of(node)) this.#takeOff(port, true);
  }

  /** Kills a node, and starts it anew with the same links. */
  restart(id: string, options: NodeOptions = {}): void {
    const node = this.#node(id);
    const neighbours = [...this.#links.of(node)].map(({ link, far, options }) => {
      const [near, other] = options.settings ?? [{}, {}];
      const settings = link < far.link ? [near, other] as const : [other, near] as const;
      return [far, { ...options, settings }] as const;
    });
    const segments = this.#segments.of(node).map(({ segment }) => segment.name);
    this.kill(id);
    this.start(id, options);
    for (const name of segments) this.join(id, name);
    for (const [far, options] of neighbours) {
      if (far.node.alive) this.connect(id, far.node.id, options);
    }
  }

  // ── links ─────────────────────────────────────────────────────────────────

  /** Brings a link up between two nodes. */
  connect(a: string, b: string, options: LinkOptions = {}): void {
    const left = this.#node(a);
    const all = { ...this.#options, ...options };
    const ends = this.#links.add(left, this.#node(b), all);
    for (const [i, { node, link }] of ends.entries()) {
      this.#apply(node, node.mesh.linkUp(link, this.now, all.settings?.[i]));
    }
  }

  /** Cuts the links between two nodes; both notice at once, unless only some are to. */
  disconnect(a: string, b: string, noticed: Notice = "both"): void {
    for (const end of this.#links.between(this.#node(a), this.#node(b))) this.#cut(end, noticed);
  }

  /** Lets nothing more through from one node to another, and tells nobody; or lets it again. */
  silence(from: string, to: string, silent: boolean = true): void {
    for (const { far } of this.#links.between(this.#node(from), this.#node(to))) far.deaf = silent;
  }

  // ── segments ──────────────────────────────────────────────────────────────

  /** Puts a node on a segment. */
  join(id: string, name: string, options?: SegmentOptions): void {
    const node = this.#node(id);
    const segment = this.#segments.get(name, options);
    const port = this.#segments.add(node, segment);
    const up = node.mesh.segmentUp?.(port.link, this.now, segment.options.settings);
    this.#apply(node, up ?? []);
  }

  /** Takes a node off a segment; the others notice at once if the engine tells them. */
  part(id: string, name: string, noticed: boolean = true): void {
    const node = this.#node(id);
    for (const port of this.#segments.of(node)) {
      if (port.segment.name !== name) continue;
      this.#takeOff(port, noticed);
      this.#apply(node, node.mesh.linkDown(port.link, this.now));
    }
  }

  /** Lets some of those on a segment hear only each other; without any, all hear all again. */
  split(name: string, ids: Iterable<string> = []): void {
    const apart = new Set(ids);
    for (const port of this.#segments.get(name).ports.values()) {
      port.side = apart.has(port.node.id) ? 1 : 0;
    }
  }

  /** Takes somebody off a segment, who may not run any more. */
  #takeOff(port: Port<NodeState>, noticed: boolean): void {
    const hearers = this.#segments.hearers(port, null);
    this.#segments.remove(port);
    for (const { node, link } of noticed ? hearers : []) {
      this.#apply(node, node.mesh.neighbourDown?.(link, port.peer, this.now) ?? []);
    }
  }

  #publish(from: Port<NodeState>, { to, packets }: Publication): void {
    const { segment } = from;
    segment.publications++;
    const { delay, loss = 0 } = segment.options;
    const messages = packets.map((packet) => {
      const asIs = !this.#encode && packet.net !== 0;
      const bytes = asIs ? null : packet.toBinary();
      if (this.traffic.count(packet, bytes?.length ?? packetSize(packet))) this.#newsAt = this.now;
      return bytes ?? packet;
    });
    for (const hearer of this.#segments.hearers(from, to)) {
      if (this.#record) {
        for (const packet of packets) {
          this.sent.push({ at: this.now, from: from.node.id, to: hearer.node.id, packet });
        }
      }
      if (loss > 0 && this.#random() < loss) {
        this.lostOnLinks += packets.filter(({ net }) => net === 0).length;
        continue;
      }
      const arrival = Math.max(
        hearer.arrivals.get(from.peer) ?? 0,
        this.now + (delay ? delay(this.#random) : 1),
      );
      hearer.arrivals.set(from.peer, arrival);
      this.#flights.add(arrival, { to: hearer, from, packets: messages });
    }
  }

  #hear({ to, from, packets }: Message): void {
    const { node, link, segment } = to;
    const lost = !node.alive || this.#segments.port(node, link) !== to || to.side !== from.side;
    if (!lost) segment.deliveries++;
    for (const packet of packets) {
      const whole = packet instanceof Packet ? packet.copy() : Packet.fromBinary(packet);
      if (lost) this.lostOnLinks += whole.net === 0 ? 1 : 0;
      else this.#apply(node, node.mesh.receiveFrom?.(link, from.peer, whole, this.now) ?? []);
    }
  }

  // ── what applications do ──────────────────────────────────────────────────

  /** Offers a service; capacity 0 withdraws it. */
  offer(id: string, service: string, capacity: number): void {
    const node = this.#node(id);
    if (capacity > 0) node.offers.set(service, capacity);
    else node.offers.delete(service);
    this.#apply(node, node.mesh.offer(service, capacity, this.now));
  }

  /** Sends an application's packet. */
  send(id: string, packet: Packet): void {
    const node = this.#node(id);
    this.#apply(node, node.mesh.send(packet, this.now));
  }

  /** Puts a packet on the link from one node to another, as if the first had sent it. */
  inject(from: string, to: string, packet: Packet): void {
    this.#transmit(this.#links.between(this.#node(from), this.#node(to))[0]!, packet);
  }

  // ── time ──────────────────────────────────────────────────────────────────

  /** Does something at a time to come, in virtual ms. */
  at(time: number, action: () => void): void {
    this.#pendingActions++;
    this.#actions.add(time, action);
  }

  /** Tells of every effect that is not a packet to send, until the returned function is called. */
  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Lets time pass. */
  run(duration: number): void {
    const end = this.now + duration;
    for (let at; (at = this.next) <= end;) this.#step(at);
    this.now = end;
  }

  /**
   * Lets time pass until nothing is on its way and nothing is due, or nothing but upkeep has
   * happened for a while.
   *
   * @param limit How long that may take, in ms.
   * @param quiet How long a while is, in ms.
   * @returns How long that took, in ms, up to the last packet that was no upkeep.
   * @throws {Error} If it does not come to rest within `limit` ms.
   */
  settle(limit: number = 120_000, quiet: number = QUIET): number {
    const start = this.#newsAt = this.now;
    for (let at; (at = this.next) !== Infinity;) {
      if (this.#pendingActions === 0 && at > this.#newsAt + quiet) {
        this.now = Math.max(this.now, this.#newsAt + quiet);
        break;
      }
      if (at > start + limit) throw new Error(`Cannot settle: still busy after ${limit} ms`);
      this.#step(at);
    }
    return this.#newsAt - start;
  }

  /** Forgets the packets seen so far. */
  forget(): void {
    this.sent = [];
    this.traffic = new Traffic();
    this.lostOnLinks = 0;
  }

  /** What a right clock says, in seconds since 2024. */
  get clock(): number {
    return FIRST_CLOCK + Math.floor(this.now / 1_000);
  }

  /** When the next packet arrives or the next timer is due, in ms; `Infinity` if nothing is. */
  get next(): number {
    return Math.min(this.#flights.next, this.#timers.next, this.#actions.next);
  }

  /** Does whatever is due first. */
  #step(at: number): void {
    this.#ticks = at > this.now ? 0 : this.#ticks;
    this.now = Math.max(this.now, at);
    const action = this.#actions.take(this.now);
    if (action !== undefined) {
      this.#pendingActions--;
      return action();
    }
    const flight = this.#flights.take(this.now);
    if (flight !== undefined) {
      return "packets" in flight ? this.#hear(flight) : this.#arrive(flight);
    }
    const node = this.#timers.take(this.now);
    if (node === undefined) return;
    if (node.due <= this.now) node.due = Infinity;
    if (!node.alive) return;
    if (node.mesh.deadline() > this.now) return this.#schedule(node);
    if (++this.#ticks > MAX_TICKS) {
      throw new Error(`Cannot go on: "${node.id}" always has something to do at ${this.now} ms`);
    }
    this.#apply(node, node.mesh.tick(this.now));
  }

  #schedule(node: NodeState): void {
    const deadline = node.mesh.deadline();
    if (deadline >= node.due) return;
    node.due = deadline;
    this.#timers.add(deadline, node);
  }

  // ── what meshes do ────────────────────────────────────────────────────────

  #node(id: string): NodeState {
    this.node(id);
    return this.#states.get(id)!;
  }

  #remove(node: NodeState): void {
    node.alive = false;
    this.nodes.delete(node.id);
  }

  #apply(node: NodeState, effects: Effect[]): void {
    const closed: End<NodeState>[] = [];
    const publications: Map<LinkId, { port: Port<NodeState>; publication: Publication }> =
      new Map();
    for (const effect of effects) {
      if (effect.kind === "transmit") {
        const { link, packet } = effect;
        const end = this.#links.end(link);
        if (end?.node === node) this.#transmit(end, packet);
        const begun = publications.get(link);
        if (begun !== undefined) begun.publication.packets.push(packet);
        if (end !== undefined || begun !== undefined) continue;
        const way = this.#segments.way(node, link);
        if (way === null) continue;
        const publication = { to: way.to, packets: [packet] };
        publications.set(link, { port: way.port, publication });
        continue;
      }
      if (effect.kind === "join") {
        this.#segments.port(node, effect.segment)?.ways.set(effect.link, effect.peer);
      }
      if (effect.kind === "part") {
        for (const { ways } of this.#segments.of(node)) ways.delete(effect.link);
      }
      if (this.#record) node.effects.push(effect);
      if (effect.kind === "close") {
        const end = this.#links.end(effect.link);
        if (end?.node === node) closed.push(end);
      }
      if (effect.kind === "route" || effect.kind === "service") this.#newsAt = this.now;
      for (const watcher of this.#watchers) watcher(node, effect);
    }
    for (const { port, publication } of publications.values()) this.#publish(port, publication);
    for (const end of closed) this.#hangUp(end);
    this.#schedule(node);
  }

  /** Takes an end of a link away from its mesh, which is told if it runs. */
  #lose(end: End<NodeState>): void {
    if (!this.#links.remove(end) || !end.node.alive) return;
    this.#apply(end.node, end.node.mesh.linkDown(end.link, this.now));
  }

  /** Ends a link in the middle: what is on its way is lost. */
  #cut(end: End<NodeState>, noticed: Notice): void {
    const { far } = end;
    end.cut = far.cut = true;
    if (noticed === "both" || noticed === "first" || !end.node.alive) this.#lose(end);
    if (noticed === "both" || noticed === "second" || !far.node.alive) this.#lose(far);
  }

  /** Ends a link in order: the far end notices once it has what is on its way. */
  #hangUp(end: End<NodeState>): void {
    this.#fly(end.far, null);
    this.#lose(end);
  }

  #transmit(end: End<NodeState>, packet: Packet): void {
    const { far } = end;
    const asIs = !this.#encode && packet.net !== 0;
    const bytes = asIs ? null : packet.toBinary();
    const news = this.traffic.count(packet, bytes?.length ?? packetSize(packet));
    if (news) this.#newsAt = this.now;
    if (this.#record) {
      const copy = bytes ? Packet.fromBinary(bytes) : packet;
      this.sent.push({ at: this.now, from: end.node.id, to: far.node.id, packet: copy });
    }
    if (end.options.loss && this.#random() < end.options.loss) {
      if (packet.net === 0) this.lostOnLinks++;
      return;
    }
    this.#fly(far, bytes ?? packet);
  }

  #fly(to: End<NodeState>, packet: Flight["packet"]): void {
    const { delay, reorder } = to.options;
    let arrival = this.now + (delay ? delay(this.#random) : 1);
    if (!reorder || this.#random() >= reorder) to.arrival = arrival = Math.max(to.arrival, arrival);
    this.#flights.add(arrival, { to, packet });
  }

  #arrive({ to, packet }: Flight): void {
    const { node, link } = to;
    const lost = to.cut || to.deaf || this.#links.end(link) !== to || !node.alive;
    if (packet === null) return lost ? undefined : this.#lose(to);
    const whole = packet instanceof Packet ? packet : Packet.fromBinary(packet);
    if (!lost) this.#apply(node, node.mesh.receive(link, whole, this.now));
    else if (whole.net === 0) this.lostOnLinks++;
  }
}
