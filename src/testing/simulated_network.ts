/**
 * A network of mesh cores behind one virtual clock: what a protocol test runs instead of sockets.
 *
 * Every packet is really encoded and decoded on its way. Nothing here waits: time passes when a
 * test says so, and the same seed gives the same run.
 *
 * @module
 */

import { Agenda } from "../mesh/agenda.ts";
import type { MeshOptions } from "../mesh/control_plane.ts";
import type { Effect, LinkId } from "../mesh/effects.ts";
import { Mesh } from "../mesh/mesh.ts";
import { Packet } from "../wire/packet.ts";

/** A small generator of repeatable chance (mulberry32), uniform over [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** Options of {@linkcode SimulatedNetwork}. */
export interface SimulatedNetworkOptions {
  /**
   * How long a packet takes over a link, in ms.
   *
   * @default {() => 1}
   */
  delay?: () => number;
  /**
   * Chance for every mesh.
   *
   * @default {seededRandom(1)}
   */
  random?: () => number;
  /** Options of every mesh. */
  mesh?: MeshOptions;
}

/** One end of a link. */
interface End {
  node: SimulatedNode;
  link: LinkId;
  far: End | null;
  /** When the last packet for this end arrives: links keep the order. */
  arrival: number;
}

/** One router in a {@linkcode SimulatedNetwork}. */
export interface SimulatedNode {
  /** Its core. */
  readonly mesh: Mesh;
  /** Every effect that was not a packet to send, in order. */
  readonly effects: Effect[];
}

/** A packet on its way. */
interface Flight {
  to: End;
  bytes: Uint8Array;
}

/** A packet that was put on a link, as a {@linkcode SimulatedNetwork} remembers it. */
export interface Sent {
  /** When, in virtual ms. */
  readonly at: number;
  /** Address of the sender. */
  readonly from: string;
  /** Address of the receiver. */
  readonly to: string;
  /** The packet, decoded from its bytes. */
  readonly packet: Packet;
}

/** Nodes, links, and the packets between them. */
export class SimulatedNetwork {
  /** Virtual time, in ms. */
  now: number = 0;
  /** Every packet sent since the last {@linkcode forget}. */
  sent: Sent[] = [];
  /** The nodes by address. */
  readonly nodes: Map<string, SimulatedNode> = new Map();
  readonly #ends: Map<SimulatedNode, Map<LinkId, End>> = new Map();
  readonly #flights: Agenda<Flight> = new Agenda();
  readonly #delay: () => number;
  readonly #random: () => number;
  readonly #mesh: MeshOptions;
  #links: number = 0;

  /** Constructs a new instance. */
  constructor(options: SimulatedNetworkOptions = {}) {
    this.#delay = options.delay ?? (() => 1);
    this.#random = options.random ?? seededRandom(1);
    this.#mesh = options.mesh ?? {};
  }

  /** The node of that address; made if there is none. */
  node(address: string): SimulatedNode {
    let node = this.nodes.get(address);
    if (node === undefined) {
      node = { mesh: new Mesh(address, this.#random, this.#mesh), effects: [] };
      this.nodes.set(address, node);
      this.#ends.set(node, new Map());
    }
    return node;
  }

  /** Brings a link up between two nodes. */
  connect(a: string, b: string): void {
    const left: End = { node: this.node(a), link: this.#links++, far: null, arrival: 0 };
    const right: End = { node: this.node(b), link: this.#links++, far: left, arrival: 0 };
    left.far = right;
    for (const end of [left, right]) this.#ends.get(end.node)!.set(end.link, end);
    for (const end of [left, right]) {
      this.#apply(end.node, end.node.mesh.linkUp(end.link, this.now));
    }
  }

  /** Cuts the links between two nodes; both notice at once. */
  disconnect(a: string, b: string): void {
    for (const end of [...this.#ends.get(this.node(a))!.values()]) {
      if (end.far!.node !== this.node(b)) continue;
      for (const side of [end, end.far!]) {
        this.#ends.get(side.node)!.delete(side.link);
        this.#apply(side.node, side.node.mesh.linkDown(side.link, this.now));
      }
    }
  }

  /** Ends a node: all its neighbours notice at once. */
  kill(address: string): void {
    const node = this.node(address);
    const ends = [...this.#ends.get(node)!.values()];
    this.nodes.delete(address);
    this.#ends.set(node, new Map());
    for (const { far } of ends) {
      this.#ends.get(far!.node)!.delete(far!.link);
      this.#apply(far!.node, far!.node.mesh.linkDown(far!.link, this.now));
    }
  }

  /** Offers a service; capacity 0 withdraws it. */
  offer(address: string, service: string, capacity: number): void {
    const node = this.node(address);
    this.#apply(node, node.mesh.offer(service, capacity));
  }

  /** Sends an application's packet. */
  send(address: string, packet: Packet): void {
    const node = this.node(address);
    this.#apply(node, node.mesh.send(packet));
  }

  /** Puts a packet on the link from one node to another, as if the first had sent it. */
  inject(from: string, to: string, packet: Packet): void {
    const end = [...this.#ends.get(this.node(from))!.values()]
      .find(({ far }) => far!.node === this.node(to))!;
    this.#transmit(end, packet);
  }

  /** Lets time pass. */
  run(duration: number): void {
    const end = this.now + duration;
    for (let at; (at = this.#next()) <= end;) this.#step(at);
    this.now = end;
  }

  /**
   * Lets time pass until nothing is on its way and nothing is due.
   *
   * @returns How long that took, in ms, up to the last packet.
   * @throws {Error} If it does not come to rest within `limit` ms.
   */
  settle(limit: number = 120_000): number {
    const start = this.now;
    let last = start;
    for (let at; (at = this.#next()) !== Infinity;) {
      if (at > start + limit) throw new Error(`Cannot settle: still busy after ${limit} ms`);
      const before = this.sent.length;
      this.#step(at);
      if (this.sent.length > before) last = this.now;
    }
    return last - start;
  }

  /** Forgets the packets seen so far. */
  forget(): void {
    this.sent = [];
  }

  /** When the next packet arrives or the next timer is due. */
  #next(): number {
    let next = this.#flights.next;
    for (const { mesh } of this.nodes.values()) next = Math.min(next, mesh.deadline());
    return next;
  }

  /** Does whatever is due first. */
  #step(at: number): void {
    this.now = Math.max(this.now, at);
    const flight = this.#flights.take(this.now);
    if (flight !== undefined) {
      const { node, link } = flight.to;
      if (!this.#ends.get(node)!.has(link)) return; // The link went down meanwhile.
      const packet = Packet.fromBinary(flight.bytes);
      return this.#apply(node, node.mesh.receive(link, packet, this.now));
    }
    for (const node of this.nodes.values()) {
      if (node.mesh.deadline() <= this.now) this.#apply(node, node.mesh.tick(this.now));
    }
  }

  #apply(node: SimulatedNode, effects: Effect[]): void {
    for (const effect of effects) {
      if (effect.kind !== "transmit") {
        node.effects.push(effect);
        continue;
      }
      const end = this.#ends.get(node)!.get(effect.link);
      if (end !== undefined) this.#transmit(end, effect.packet);
    }
  }

  #transmit(end: End, packet: Packet): void {
    const bytes = packet.toBinary();
    this.sent.push({
      at: this.now,
      from: end.node.mesh.address,
      to: end.far!.node.mesh.address,
      packet: Packet.fromBinary(bytes),
    });
    const far = end.far!;
    far.arrival = Math.max(far.arrival, this.now + this.#delay());
    this.#flights.add(far.arrival, { to: far, bytes });
  }
}
