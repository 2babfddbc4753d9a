/**
 * The mesh: what a router knows and decides, with no I/O, no clock and no chance of its own.
 *
 * Every input returns the effects that it has, in order; {@linkcode Mesh.deadline} says when to
 * come back without one. How it routes: src/mesh/README.md.
 *
 * @module
 */

import { PacketError, UnreachableError } from "../errors.ts";
import { Packet } from "../wire/packet.ts";
import { ControlPlane, type MeshOptions } from "./control_plane.ts";
import type { Effect, LinkId, RouteInfo, ServiceInfo } from "./effects.ts";

/** One router's view of the mesh. */
export class Mesh {
  readonly #random: () => number;
  readonly #control: ControlPlane;
  #effects: Effect[] = [];

  /**
   * Constructs a new instance.
   *
   * @param address Our own, 1-255 bytes of UTF-8.
   * @param random Uniform over [0, 1), such as `Math.random`.
   */
  constructor(address: string, random: () => number, options: MeshOptions = {}) {
    this.#random = random;
    this.#control = new ControlPlane(address, (effect) => this.#effects.push(effect), options);
  }

  /** Our own address. */
  get address(): string {
    return this.#control.address;
  }

  // ── inputs ────────────────────────────────────────────────────────────────

  /** A link has come up. */
  linkUp(link: LinkId, now: number): Effect[] {
    this.#control.linkUp(link, now);
    return this.#take();
  }

  /** A link has gone down: closed, failed, or it cannot even carry routes. */
  linkDown(link: LinkId, now: number): Effect[] {
    this.#control.linkDown(link, now);
    return this.#take();
  }

  /**
   * A packet has come in.
   *
   * @param packet Owned by the mesh from now on.
   */
  receive(link: LinkId, packet: Packet, now: number): Effect[] {
    const neighbour = this.#control.neighbours.get(link);
    if (neighbour === undefined) return [];
    if (packet.net !== 0) this.#control.receive(neighbour, packet, now);
    else this.#carry(packet, link);
    return this.#take();
  }

  /**
   * The application sends a packet: to `dst`, or without it to every instance of `srv`.
   *
   * @param packet Owned by the mesh from now on.
   */
  send(packet: Packet): Effect[] {
    if (packet.src === "") packet.src = this.address;
    if (packet.net !== 0) {
      this.#refuse(packet, "net is between routers");
    } else if (packet.dst === "" && packet.srv === "") {
      this.#refuse(packet, "it has neither dst nor srv");
    } else {
      this.#carry(packet, null);
    }
    return this.#take();
  }

  /** Offers a service of our own at a capacity in 1-65535; 0 withdraws it. */
  offer(service: string, capacity: number): Effect[] {
    this.#control.offer(service, capacity);
    return this.#take();
  }

  /** Time has passed. */
  tick(now: number): Effect[] {
    this.#control.tick(now);
    return this.#take();
  }

  // ── questions ─────────────────────────────────────────────────────────────

  /** When {@linkcode tick} is next due, in ms; `Infinity` if nothing is. */
  deadline(): number {
    return this.#control.deadline();
  }

  /** Every destination that can be reached. */
  routes(): RouteInfo[] {
    const routes: RouteInfo[] = [];
    for (const destination of this.#control.routes.values()) {
      if (destination.selected !== null) routes.push(this.#control.info(destination));
    }
    return routes;
  }

  /** Whether packets can reach an address now. */
  reaches(address: string): boolean {
    return address === this.address ||
      (this.#control.routes.get(address)?.selected ?? null) !== null;
  }

  /** Every instance of every service that can be used now, own ones included. */
  services(): ServiceInfo[] {
    return [...this.#control.services.all()];
  }

  /** Addresses that offer a service: our own first, then by capacity. */
  instances(service: string): string[] {
    const rank = ([address, capacity]: [string, number]) => address === this.address ? 0 : capacity;
    return [...this.#control.services.instances(service)]
      .sort((a, b) => rank(a) - rank(b))
      .map(([address]) => address);
  }

  /** The instance to call: ours, or one of the lowest capacity; `null` if there is none. */
  select(service: string): string | null {
    const instances = this.#control.services.instances(service);
    if (instances.has(this.address)) return this.address;
    let best: string | null = null;
    let lowest = Infinity;
    let ties = 0;
    for (const [address, capacity] of instances) {
      if (capacity > lowest) continue;
      ties = capacity < lowest ? 1 : ties + 1;
      lowest = capacity;
      if (this.#random() * ties < 1) best = address; // Each of n equals is left with chance 1/n.
    }
    return best;
  }

  // ── carrying ──────────────────────────────────────────────────────────────

  /** Brings an application's packet on its way; `from` is the link it came over. */
  #carry(packet: Packet, from: LinkId | null): void {
    if (packet.dst === this.address) this.#effects.push({ kind: "deliver", packet });
    else if (packet.dst !== "") this.#forward(packet, from);
    else this.#multicast(packet, from);
  }

  /** One copy to every instance of the service, our own first. */
  #multicast(packet: Packet, from: LinkId | null): void {
    const instances = this.instances(packet.srv);
    if (instances.length === 0) {
      const error = new UnreachableError(
        "ERR_NO_SERVICE",
        `Cannot send packet: nobody offers "${packet.srv}"`,
        packet.srv,
      );
      this.#effects.push({ kind: "drop", packet, error });
    }
    for (const address of instances) {
      const copy = new Packet(packet);
      copy.dst = address;
      this.#carry(copy, from);
    }
  }

  #forward(packet: Packet, from: LinkId | null): void {
    const { dst } = packet;
    const link = this.#control.routes.get(dst)?.selected ?? null;
    if (link === null) return this.#unreachable(packet, `no route leads to "${dst}"`);
    if (link === from) return this.#unreachable(packet, `"${dst}" is where it came from`);
    if (from !== null && packet.src === this.address) {
      return this.#unreachable(packet, `it has come back on its way to "${dst}"`);
    }
    packet.nxt = this.#control.neighbours.get(link)!.address;
    this.#effects.push({ kind: "transmit", link, packet });
  }

  #unreachable(packet: Packet, why: string): void {
    const error = new UnreachableError("ERR_NO_ROUTE", `Cannot send packet: ${why}`, packet.dst);
    this.#effects.push({ kind: "drop", packet, error });
  }

  #refuse(packet: Packet, why: string): void {
    const error = new PacketError("ERR_PACKET_FIELD", `Cannot send packet: ${why}`);
    this.#effects.push({ kind: "drop", packet, error });
  }

  #take(): Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}
