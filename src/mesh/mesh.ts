/**
 * The mesh: what a router knows and decides, with no I/O, no clock and no chance of its own.
 *
 * Every input returns the effects that it has, in order; {@linkcode Mesh.deadline} says when to
 * come back without one. How it routes: src/mesh/README.md.
 *
 * @module
 */

import { type AlnError, PacketError } from "../errors.ts";
import type { Packet } from "../wire/packet.ts";
import { ControlPlane } from "./control_plane.ts";
import { routeInfo } from "./core.ts";
import { DataPlane } from "./data_plane.ts";
import type {
  Candidate,
  Effect,
  LinkId,
  NeighbourInfo,
  NeighbourKind,
  PeerId,
  RouteInfo,
  ServiceInfo,
} from "./effects.ts";
import type { Ledger } from "./ledger.ts";
import type { LinkSettings, MeshOptions } from "./options.ts";
import { type Passage, passage } from "./passage.ts";
import { isProxied } from "./sequence.ts";
import type { Destination, Neighbour } from "./state.ts";

/** A route as one router has told it to another. */
export interface ToldRoute {
  /** Distance as told: one more than the teller's own. */
  cost: number;
  /** Sequence number; 0 from old peers. */
  seq: number;
  /** Whose word it is, u32. */
  origin: number;
}

/** All about one destination. */
export interface RouteDetails extends ToldRoute {
  /** The link in use; `null` if there is none. Without one, the rest says nothing. */
  selected: LinkId | null;
  /** How near we have said that we are, by each origin's word. */
  feasible: ToldRoute[];
}

/** One router's view of the mesh. */
export class Mesh {
  readonly #control: ControlPlane;
  readonly #data: DataPlane;
  #effects: Effect[] = [];
  #epoch: number = 0;

  /**
   * Constructs a new instance.
   *
   * @param address Our own, 1-255 bytes of UTF-8.
   * @param random Uniform over [0, 1), such as `Math.random`.
   */
  constructor(address: string, random: () => number, options: MeshOptions = {}) {
    const emit = (effect: Effect) => void this.#effects.push(effect);
    const control = new ControlPlane(address, random, emit, options);
    const data = new DataPlane(
      control.core,
      (destination) => control.searches.isStarving(destination),
      (neighbour, address, now) => control.introduce(neighbour, address, now),
    );
    control.choice.watcher = {
      found: (destination, now) => data.release(destination, now),
      lost: (destination) => data.lost(destination),
      resumed: (neighbour, now) => data.resume(neighbour, now),
    };
    this.#control = control;
    this.#data = data;
  }

  /** Our own address. */
  get address(): string {
    return this.#control.core.identity.address;
  }

  /**
   * Changes with every input but packets of applications: as long as it is the same, so is what
   * {@linkcode Mesh.passage} has said.
   */
  get epoch(): number {
    return this.#epoch;
  }

  // ── inputs ────────────────────────────────────────────────────────────────

  /**
   * A link has come up.
   *
   * @param choosesFormat Whether its channel sends text or bytes as it is told, and reads both.
   * @throws {TypeError} If a filter of its policy is none; then it has not.
   */
  linkUp(
    link: LinkId,
    now: number,
    settings: LinkSettings = {},
    choosesFormat: boolean = false,
  ): Effect[] {
    this.#epoch++;
    this.#control.linkUp(link, settings, choosesFormat, now);
    return this.#take();
  }

  /**
   * A link has come up that many neighbours share, none of them old.
   *
   * @throws {TypeError} If a filter of its policy is none; then it has not.
   */
  segmentUp(link: LinkId, now: number, settings: LinkSettings = {}): Effect[] {
    this.#epoch++;
    this.#control.segmentUp(link, settings, now);
    return this.#take();
  }

  /** A segment cannot be reached for now: nobody is there. */
  segmentAway(link: LinkId, now: number): Effect[] {
    this.#epoch++;
    this.#control.segmentIs(false, link, now);
    return this.#take();
  }

  /** A segment can be reached again. */
  segmentBack(link: LinkId, now: number): Effect[] {
    this.#epoch++;
    this.#control.segmentIs(true, link, now);
    return this.#take();
  }

  /** The engine of a segment says that one neighbour there is gone. */
  neighbourDown(link: LinkId, peer: PeerId, now: number): Effect[] {
    this.#epoch++;
    this.#control.neighbourDown(link, peer, now);
    return this.#take();
  }

  /**
   * A packet has come in from one neighbour on a segment.
   *
   * @param packet Owned by the mesh from now on.
   */
  receiveFrom(link: LinkId, peer: PeerId, packet: Packet, now: number): Effect[] {
    const neighbour = this.#control.sender(link, peer, packet, now);
    if (neighbour !== null) this.#receive(neighbour, packet, now);
    return this.#take();
  }

  /** A link has gone down: closed, failed, or it cannot even carry routes. */
  linkDown(link: LinkId, now: number): Effect[] {
    this.#epoch++;
    this.#control.linkDown(link, now);
    return this.#take();
  }

  /** We are about to leave: neighbours of our kind are told, and need not notice. */
  leave(now: number): Effect[] {
    this.#epoch++;
    this.#control.leave(now);
    return this.#take();
  }

  /**
   * A packet has come in.
   *
   * @param packet Owned by the mesh from now on.
   */
  receive(link: LinkId, packet: Packet, now: number): Effect[] {
    const neighbour = this.#control.core.neighbours.get(link);
    if (neighbour !== undefined) this.#receive(neighbour, packet, now);
    return this.#take();
  }

  /**
   * The same as {@linkcode receive}, but for the plain case.
   *
   * @returns The effects; `null` if the only one is that the packet is to be delivered here.
   */
  arrive(link: LinkId, packet: Packet, now: number): Effect[] | null {
    const { identity, neighbours } = this.#control.core;
    const neighbour = neighbours.get(link);
    const plain = neighbour !== undefined && packet.net === 0 && packet.dst === identity.address;
    if (!plain) return this.receive(link, packet, now);
    neighbour.heardAt = now;
    neighbour.heard++;
    if (!this.#control.bears(neighbour, packet, now)) return this.#take();
    return this.#data.mayEnd(packet, neighbour) ? null : this.#take();
  }

  /** Packets have come in that {@linkcode Mesh.passage} let go on unread. */
  passed(link: LinkId, count: number, now: number): void {
    const neighbour = this.#control.core.neighbours.get(link);
    if (neighbour === undefined) return;
    neighbour.heardAt = now;
    neighbour.heard += count;
  }

  /** Something has come in that is no packet: it is told, but no flood of it. */
  unreadable(link: LinkId, error: AlnError, now: number): Effect[] {
    this.#epoch++;
    const neighbour = this.#control.core.neighbours.get(link);
    if (neighbour !== undefined) this.#control.unreadable(neighbour, error, now);
    return this.#take();
  }

  /**
   * The application sends a packet: to `dst`, or without it to every instance of `srv`.
   *
   * @param packet Owned by the mesh from now on.
   */
  send(packet: Packet, now: number): Effect[] {
    if (packet.src === "") packet.src = this.address;
    packet.trailer = null;
    if (packet.net !== 0) {
      this.#refuse(packet, "net is between routers");
    } else if (packet.dst === "" && packet.srv === "") {
      this.#refuse(packet, "it has neither dst nor srv");
    } else {
      this.#data.carry(packet, null, now);
    }
    return this.#take();
  }

  /**
   * The application sends a packet, in the plain case: to another router, with a way there.
   *
   * @param packet Made ready to go over the link that is returned; else as it was.
   * @returns The link; `null` if it is not so plain, and {@linkcode send} is to be called.
   */
  dispatch(packet: Packet): LinkId | null {
    if (packet.net !== 0 || packet.dst === "") return null;
    return this.#data.dispatch(packet)?.link ?? null;
  }

  /** Offers a service of our own at a capacity in 1-65535; 0 withdraws it. */
  offer(service: string, capacity: number, now: number): Effect[] {
    this.#epoch++;
    this.#control.offer(service, capacity, now);
    return this.#take();
  }

  /** Time has passed. */
  tick(now: number): Effect[] {
    this.#epoch++;
    this.#control.tick(now);
    return this.#take();
  }

  // ── questions ─────────────────────────────────────────────────────────────

  /** When {@linkcode tick} is next due, in ms; `Infinity` if nothing is. */
  deadline(): number {
    return this.#control.core.agenda.next;
  }

  /** Every destination that can be reached. */
  routes(): RouteInfo[] {
    const routes: RouteInfo[] = [];
    for (const destination of this.#control.core.routes.values()) {
      if (destination.selected !== null) routes.push(routeInfo(destination));
    }
    return routes;
  }

  /** How many routers can be reached, and how many instances of services can be used. */
  counts(): { routes: number; services: number } {
    const { routes, services } = this.#control.core;
    return { routes: routes.reached, services: services.size };
  }

  /** Who is at the far end of a link; `null` if it is down. */
  neighbour(link: LinkId): NeighbourInfo | null {
    const neighbour = this.#control.core.neighbours.get(link);
    return neighbour === undefined ? null : infoOf(neighbour);
  }

  /** Who is on a segment; nobody, if it is none. */
  members(link: LinkId): NeighbourInfo[] {
    const members = this.#control.core.neighbours.get(link)?.segment?.members.values() ?? [];
    return [...members].filter(({ kind }) => kind === "modern").map(infoOf);
  }

  /** Whether somebody on a segment is known, whoever it may be. */
  knows(link: LinkId, peer: PeerId): boolean {
    return this.#control.core.neighbours.get(link)?.segment?.members.has(peer) ?? false;
  }

  /** Whether packets for an address are sent, or at least wait for a route that is looked for. */
  reaches(address: string): boolean {
    if (address === this.address) return true;
    const destination = this.#control.core.routes.get(address);
    if (destination === undefined) return false;
    return destination.selected !== null || this.#control.searches.isStarving(destination);
  }

  /**
   * Who is at an address: `"own"`, a router of our kind with none but such in between; `"old"`, an
   * old peer that is our neighbour; else `"unknown"`.
   */
  kindOf(address: string): "own" | "old" | "unknown" {
    if (address === this.address) return "own";
    const destination = this.#control.core.routes.get(address);
    if (destination === undefined) return "unknown";
    const { selected, origin, newest } = destination;
    if (selected === null) return newest !== 0 ? "own" : "unknown"; // As long as it is looked for.
    if (!isProxied(origin)) return "own";
    return selected.kind === "legacy" && selected.address === address ? "old" : "unknown";
  }

  /** How packets like one that has been carried just now may go on unread; see {@linkcode passage}. */
  passage(link: LinkId, packet: Packet): Passage | null {
    return passage(this.#control.core, link, packet);
  }

  /** Every instance of every service that can be used now, own ones included. */
  services(): ServiceInfo[] {
    return [...this.#control.core.services.all()];
  }

  /** Addresses that offer a service: our own first, then by capacity. */
  instances(service: string): string[] {
    return [...this.#control.core.services.sorted(service)];
  }

  /** The address of a service's only instance; `null` if there is none, or a choice. */
  onlyInstance(service: string): string | null {
    const instances = this.#control.core.services.instances(service);
    if (instances.size !== 1) return null;
    for (const address of instances.keys()) return address;
    return null;
  }

  /** Every instance of a service that can be called, in no order that means anything. */
  candidates(service: string): Candidate[] {
    const found: Candidate[] = [];
    for (const [address, capacity] of this.#control.core.services.instances(service)) {
      found.push(this.#candidate(address, capacity));
    }
    return found;
  }

  /**
   * Enough of the instances of a service to choose one from by a policy of the balancer's: one, or
   * two, however many there are; all of them for `"latency"`, and for what is no policy.
   *
   * @param exclude Addresses that are not wanted. A single instance is told all the same.
   */
  shortlist(
    service: string,
    policy: string,
    key?: string,
    exclude?: ReadonlySet<string>,
  ): Candidate[] {
    const { services } = this.#control.core;
    const capacities = services.instances(service);
    if (capacities.size < 2) return this.candidates(service);
    const named = (address: string | null | undefined) => {
      return address ? [this.#candidate(address, capacities.get(address)!)] : [];
    };
    switch (policy) {
      case "lowest":
        return named(services.ranking(service)?.lowest(exclude));
      case "round-robin":
        return named(services.ranking(service)?.next(exclude));
      case "two-choices":
        return services.ranking(service)?.two(exclude).flatMap(named) ?? [];
      case "sticky":
        if (key !== undefined) return named(services.ranking(service)?.owner(key, exclude));
    }
    return this.candidates(service);
  }

  // ── insight, for tools and tests ──────────────────────────────────────────

  /** The link that leads to an address now; `null` if there is none. */
  nextHop(address: string): LinkId | null {
    return this.#control.core.routes.get(address)?.selected?.link ?? null;
  }

  /** What a neighbour is, as far as is known; `"gone"` if there is none. */
  neighbourKind(link: LinkId): NeighbourKind {
    return this.#control.core.neighbours.get(link)?.kind ?? "gone";
  }

  /** All about one destination; `null` if it is not known. */
  inspect(address: string): RouteDetails | null {
    const destination = this.#control.core.routes.get(address);
    if (destination === undefined) return null;
    const { selected, cost, seq, origin, source, moreSources } = destination;
    const sources = source === null ? [] : [source, ...moreSources ?? []];
    return {
      selected: selected?.link ?? null,
      cost,
      seq,
      origin: origin >>> 0,
      feasible: sources.map((one) => ({ cost: one.cost, seq: one.seq, origin: one.origin >>> 0 })),
    };
  }

  /** What the neighbour on a link offers us, by destination. */
  heard(link: LinkId): Map<string, ToldRoute> {
    return this.#entries(this.#control.core.neighbours.get(link)?.offers);
  }

  /** What we have told the neighbour on a link, by destination. */
  told(link: LinkId): Map<string, ToldRoute> {
    return this.#entries(this.#control.core.neighbours.get(link)?.told);
  }

  #entries(ledger: Ledger | undefined): Map<string, ToldRoute> {
    const entries = new Map<string, ToldRoute>();
    if (ledger === undefined) return entries;
    const { routes } = this.#control.core;
    for (const { id, address } of routes.in(ledger)) {
      const origin = ledger.origin(id) >>> 0;
      entries.set(address, { cost: ledger.cost(id), seq: ledger.seq(id), origin });
    }
    return entries;
  }

  // ── within ────────────────────────────────────────────────────────────────

  #receive(neighbour: Neighbour, packet: Packet, now: number): void {
    neighbour.heardAt = now;
    neighbour.heard++;
    if (packet.net !== 0) {
      this.#epoch++;
      this.#control.receive(neighbour, packet, now);
    } else if (this.#control.bears(neighbour, packet, now)) {
      this.#data.carry(packet, neighbour, now);
    }
  }

  #candidate(address: string, capacity: number): Candidate {
    if (address === this.address) return { address, capacity, cost: 0, held: false };
    const destination = this.#routed(address);
    if (destination === null) return { address, capacity, cost: Infinity, held: true };
    return { address, capacity, cost: destination.cost, held: false };
  }

  /** The destination, if a route leads there now. */
  #routed(address: string): Destination | null {
    const destination = this.#control.core.routes.get(address);
    return destination === undefined || destination.selected === null ? null : destination;
  }

  #refuse(packet: Packet, why: string): void {
    const error = new PacketError("ERR_PACKET_FIELD", `Cannot send packet: ${why}`);
    this.#effects.push({ kind: "drop", packet, error, reason: "field" });
  }

  #take(): Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}

function infoOf({ address, kind, cost, roundTrip, repeats }: Neighbour): NeighbourInfo {
  return { address, kind, cost, roundTrip, repeats };
}
