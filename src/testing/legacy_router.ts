/**
 * Models of routers that know nothing of this library: how they behave was seen from outside, and
 * what is wrong with them is kept, for a mesh has to live with it.
 *
 * @module
 */

import { PacketError } from "../errors.ts";
import { Agenda } from "../mesh/agenda.ts";
import type { Effect, LinkId, RouteInfo, ServiceInfo } from "../mesh/effects.ts";
import {
  decodeRouteAdvert,
  decodeServiceAdvert,
  encodeRouteAdvert,
  encodeServiceAdvert,
  type ServiceAdvert,
} from "../wire/adverts.ts";
import { NET_QUERY, NET_ROUTE, NET_SERVICE } from "../wire/limits.ts";
import { Packet } from "../wire/packet.ts";
import type { CreateRouter, SimulatedRouter } from "./simulated_router.ts";

/** Whose behaviour is modelled. */
export type LegacyKind = "node" | "go" | "python";

/** What the kinds do differently. */
interface Habits {
  /** An offer that is no better than what is known is taken and passed on, too. */
  takesEqual: boolean;
  /** It keeps a way to itself that others tell it of. */
  keepsSelf: boolean;
  /** It passes withdrawals on of what it does not know. */
  relaysUnknown: boolean;
  /** It passes services on that it knows already. */
  relaysKnown: boolean;
  /** It takes whoever sends it data for a neighbour. */
  learnsSources: boolean;
  /** It answers whoever asks on all links. */
  answersAll: boolean;
  /** It carries a packet that names somebody else as the next hop. */
  ignoresNext: boolean;
  /** It carries a packet whose `net` it does not know. */
  carriesUnknown: boolean;
  /** It ends at a packet that it does not understand, for good. */
  fragile: boolean;
  /** It tells others when it offers a service no more. */
  withdrawsServices: boolean;
  /** It forgets the services of a neighbour whose link is gone. */
  purgesOnClose: boolean;
  /** From a withdrawal of itself until it tells everybody everything again, in ms. */
  healDelay: number;
}

const HABITS: Record<LegacyKind, Habits> = {
  node: {
    ...{ takesEqual: true, keepsSelf: true, relaysUnknown: true, relaysKnown: true },
    ...{ learnsSources: false, answersAll: false, ignoresNext: false, carriesUnknown: true },
    ...{ fragile: false, withdrawsServices: false, purgesOnClose: true, healDelay: 100 },
  },
  go: {
    ...{ takesEqual: false, keepsSelf: false, relaysUnknown: false, relaysKnown: false },
    ...{ learnsSources: true, answersAll: false, ignoresNext: true, carriesUnknown: true },
    ...{ fragile: false, withdrawsServices: true, purgesOnClose: true, healDelay: 100 },
  },
  python: {
    ...{ takesEqual: false, keepsSelf: true, relaysUnknown: false, relaysKnown: false },
    ...{ learnsSources: false, answersAll: true, ignoresNext: false, carriesUnknown: false },
    ...{ fragile: true, withdrawsServices: false, purgesOnClose: false, healDelay: 0 },
  },
};

/** Packets that one router may send before it is clear that they never end. */
const STORM = 50_000;

/** Thrown when old routers keep each other busy for ever. */
export class StormError extends Error {
  /** Always "StormError". */
  override readonly name: string = "StormError";
}

/** Makes routers of a kind, for {@linkcode NodeOptions.create}. */
export function legacyRouter(kind: LegacyKind, storm: number = STORM): CreateRouter {
  return (address) => new LegacyRouter(address, kind, storm);
}

/** One old router. */
export class LegacyRouter implements SimulatedRouter {
  /** Its address. */
  readonly address: string;
  /** Whose behaviour it has. */
  readonly kind: LegacyKind;
  /** Whether a packet has ended it. */
  killed: boolean = false;
  /** Packets that it has sent. */
  sent: number = 0;

  readonly #habits: Habits;
  readonly #storm: number;
  readonly #links: Set<LinkId> = new Set();
  readonly #routes: Map<string, { link: LinkId; via: string; cost: number }> = new Map();
  readonly #own: Map<string, number> = new Map();
  /** Service → host → load. */
  readonly #services: Map<string, Map<string, number>> = new Map();
  readonly #heals: Agenda<true> = new Agenda();
  #effects: Effect[] = [];

  /** Constructs a new instance. */
  constructor(address: string, kind: LegacyKind, storm: number = STORM) {
    this.address = address;
    this.kind = kind;
    this.#habits = HABITS[kind];
    this.#storm = storm;
  }

  // ── inputs ────────────────────────────────────────────────────────────────

  /** A link has come up. */
  linkUp(link: LinkId, _now: number): Effect[] {
    this.#links.add(link);
    this.#transmit(link, new Packet({ net: NET_QUERY }));
    return this.#take();
  }

  /** A link has gone down. */
  linkDown(link: LinkId, _now: number): Effect[] {
    this.#links.delete(link);
    for (const [address, route] of [...this.#routes]) {
      if (route.link !== link) continue;
      this.#forget(address, this.#habits.purgesOnClose);
      const data = encodeRouteAdvert({ address, cost: 0 });
      this.#relay(new Packet({ net: NET_ROUTE, src: this.address, data }), link);
    }
    return this.#take();
  }

  /** A packet has come in. */
  receive(link: LinkId, packet: Packet, now: number): Effect[] {
    if (this.killed || !this.#links.has(link)) return [];
    if (this.#habits.fragile && packet.typ !== 0) this.killed = true;
    else if (packet.net === NET_QUERY) this.#answer(this.#habits.answersAll ? null : link);
    else if (packet.net === NET_ROUTE) this.#whole(() => this.#hearRoute(link, packet, now));
    else if (packet.net === NET_SERVICE) this.#whole(() => this.#hearService(link, packet));
    else if (packet.net === 0 || this.#habits.carriesUnknown) this.#hearData(link, packet);
    return this.#take();
  }

  /** The application sends a packet. */
  send(packet: Packet, _now: number): Effect[] {
    packet.src ||= this.address;
    if (packet.dst === "") this.#multicast(packet);
    else this.#forward(packet);
    return this.#take();
  }

  /** The application offers a service. */
  offer(service: string, capacity: number, _now: number): Effect[] {
    if (capacity > 0) this.#own.set(service, capacity);
    else this.#own.delete(service);
    if (capacity > 0 || this.#habits.withdrawsServices) {
      for (const link of this.#links) this.#tell(link, this.address, service, capacity);
    }
    return this.#take();
  }

  /** Time has passed. */
  tick(now: number): Effect[] {
    while (this.#heals.take(now) !== undefined) this.#answer(null);
    return this.#take();
  }

  /** When `tick()` is next due. */
  deadline(): number {
    return this.#heals.next;
  }

  // ── questions ─────────────────────────────────────────────────────────────

  /** Every destination but itself. */
  routes(): RouteInfo[] {
    return [...this.#routes].filter(([address]) => address !== this.address)
      .map(([address, { cost, via }]) => ({ address, cost, via }));
  }

  /** The link in use for a destination. */
  nextHop(address: string): LinkId | null {
    return this.killed ? null : this.#routes.get(address)?.link ?? null;
  }

  /** Whether it has a route. */
  reaches(address: string): boolean {
    return address === this.address || this.#routes.has(address);
  }

  /** Every instance of every service. */
  services(): ServiceInfo[] {
    const own = [...this.#own].map(([service, capacity]) => {
      return { service, address: this.address, capacity };
    });
    const others = [...this.#services].flatMap(([service, hosts]) =>
      [...hosts].map(([address, capacity]) => ({ service, address, capacity }))
    );
    return [...own, ...others];
  }

  /** Addresses that offer a service. */
  instances(service: string): string[] {
    const own = this.#own.has(service) ? [this.address] : [];
    return [...own, ...this.#services.get(service)?.keys() ?? []];
  }

  // ── hearing ───────────────────────────────────────────────────────────────

  /** Reads an advert; one that is broken is ignored, or ends a fragile router. */
  #whole(hear: () => void): void {
    try {
      hear();
    } catch (error) {
      if (!(error instanceof PacketError)) throw error;
      this.killed ||= this.#habits.fragile;
    }
  }

  #hearRoute(link: LinkId, packet: Packet, now: number): void {
    const { address, cost } = decodeRouteAdvert(packet.data, { repair: false });
    const before = this.#routes.get(address);
    if (cost === 0) {
      if (address === this.address) this.#heals.add(now + this.#habits.healDelay, true);
      const known = before !== undefined;
      if (known) this.#forget(address, true);
      if ((known || this.#habits.relaysUnknown) && address !== this.address) {
        this.#relay(packet, link); // As it came: whoever began it stays its source.
      }
      return;
    }
    if (address === this.address && !this.#habits.keepsSelf) return;
    const limit = (before?.cost ?? Infinity) + (this.#habits.takesEqual ? 1 : 0);
    if (cost >= limit) return;
    this.#learn(address, link, packet.src, cost);
    const data = encodeRouteAdvert({ address, cost: cost + 1 });
    this.#relay(new Packet({ net: NET_ROUTE, src: this.address, data }), link);
  }

  #hearService(link: LinkId, packet: Packet): void {
    const { address, service, capacity } = this.#readService(packet.data);
    if (this.killed || address === this.address) return;
    const before = this.#services.get(service)?.get(address);
    if (capacity === 0 && this.#habits.fragile) this.killed = true;
    else if (capacity === 0) {
      this.#services.get(service)?.delete(address);
      this.#relay(packet, link); // Known or not.
    } else if (before !== capacity || this.#habits.relaysKnown) {
      const hosts = this.#services.get(service);
      if (hosts) hosts.set(address, capacity);
      else this.#services.set(service, new Map([[address, capacity]]));
      this.#relay(packet, link);
    }
  }

  /** Reads an advert of a service; not everybody takes it well if there is more. */
  #readService(data: Uint8Array): ServiceAdvert {
    const advert = decodeServiceAdvert(data, { repair: false });
    if (encodeServiceAdvert(advert).length === data.length) return advert;
    if (this.#habits.fragile) this.killed = true;
    return this.kind === "go" ? { ...advert, capacity: 65_535 } : advert;
  }

  #hearData(link: LinkId, packet: Packet): void {
    const { src, dst, nxt } = packet;
    const { learnsSources, ignoresNext } = this.#habits;
    if (learnsSources && src !== "" && src !== this.address && !this.#routes.has(src)) {
      this.#learn(src, link, src, 1); // Told to nobody until somebody asks.
    }
    if (nxt !== "" && nxt !== this.address && dst !== this.address && !ignoresNext) return;
    if (dst === this.address) this.#effects.push({ kind: "deliver", packet });
    else if (dst !== "") this.#forward(packet);
    else if (packet.net === 0 && this.kind !== "go") this.#multicast(packet);
  }

  // ── telling ───────────────────────────────────────────────────────────────

  /** Tells one link, or all, everything: also what was learnt there. */
  #answer(link: LinkId | null): void {
    for (const to of link === null ? this.#links : [link]) {
      const routes = [...this.#routes].map(([address, { cost }]) => [address, cost + 1] as const);
      for (const [address, cost] of [[this.address, 1] as const, ...routes]) {
        const data = encodeRouteAdvert({ address, cost });
        this.#transmit(to, new Packet({ net: NET_ROUTE, src: this.address, data }));
      }
      for (const service of this.#own.keys()) this.#tell(to, this.address, service, 1);
      for (const [service, hosts] of this.#services) {
        for (const [host, load] of hosts) this.#tell(to, host, service, load);
      }
    }
  }

  #tell(link: LinkId, address: string, service: string, capacity: number): void {
    const data = encodeServiceAdvert({ address, service, capacity });
    this.#transmit(link, new Packet({ net: NET_SERVICE, src: this.address, data }));
  }

  #relay(packet: Packet, from: LinkId): void {
    for (const link of this.#links) if (link !== from) this.#transmit(link, packet);
  }

  #multicast(packet: Packet): void {
    for (const address of this.instances(packet.srv)) {
      const copy = new Packet(packet);
      copy.dst = address;
      if (address === this.address) this.#effects.push({ kind: "deliver", packet: copy });
      else this.#forward(copy);
    }
  }

  /** Hands a packet on, be it to where it came from. */
  #forward(packet: Packet): void {
    const route = this.#routes.get(packet.dst);
    if (route === undefined) return;
    packet.nxt = route.via;
    this.#transmit(route.link, packet);
  }

  #transmit(link: LinkId, packet: Packet): void {
    if (this.killed || !this.#links.has(link)) return;
    if (++this.sent > this.#storm) {
      throw new StormError(`"${this.address}" has sent ${this.#storm} packets, without end`);
    }
    const copy = new Packet(packet); // Written anew, and so without what follows the packet.
    copy.trailer = null;
    this.#effects.push({ kind: "transmit", link, packet: copy });
  }

  // ── tables ────────────────────────────────────────────────────────────────

  #learn(address: string, link: LinkId, via: string, cost: number): void {
    this.#routes.set(address, { link, via, cost });
    this.#effects.push({ kind: "route", route: { address, cost, via } });
  }

  #forget(address: string, services: boolean): void {
    this.#routes.delete(address);
    this.#effects.push({ kind: "route", route: { address, cost: 0, via: "" } });
    if (!services) return;
    for (const hosts of this.#services.values()) hosts.delete(address);
  }

  #take(): Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}
