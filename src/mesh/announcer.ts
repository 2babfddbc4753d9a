/**
 * What is told to a neighbour: adverts, withdrawals, answers, and nothing twice.
 *
 * Pure: what is sent goes out as effects.
 *
 * @module
 */

import { encodeRouteAdvert, encodeServiceAdvert } from "../wire/adverts.ts";
import { NET_QUERY, NET_ROUTE, NET_SERVICE } from "../wire/limits.ts";
import { Packet } from "../wire/packet.ts";
import type { Effect } from "./effects.ts";
import type { Neighbour } from "./neighbour.ts";
import { type Destination, MAX_COST, type RouteTable } from "./route_table.ts";
import type { ServiceTable } from "./service_table.ts";

/**
 * How to tell neighbours that a service is gone while its host stays. No way is safe with every
 * old peer, so a mesh that has fragile ones chooses:
 *
 * - `"announce"`: capacity 0, once to each neighbour. What the specification says. It ends every
 *   *Python* router that it reaches, and never stops circulating in a cycle made of *Go*, *Node*
 *   or *Java* routers alone.
 * - `"silent"`: nothing. Remote routers keep a dead entry, as they do with Node, browser and Java
 *   peers; calls to it go unanswered.
 * - `"reannounce"`: the host's route is withdrawn and advertised again, with the services that are
 *   left. Every old peer survives it; but inside a cycle of *Node* or *browser* routers alone the
 *   route then keeps flapping.
 */
export type RemovalPolicy = "announce" | "silent" | "reannounce";

/** Tells neighbours what they should know, and remembers it in their state. */
export class Announcer {
  readonly #address: string;
  readonly #routes: RouteTable;
  readonly #services: ServiceTable;
  readonly #removal: RemovalPolicy;
  readonly #emit: (effect: Effect) => void;

  /** Constructs a new instance. */
  constructor(
    address: string,
    routes: RouteTable,
    services: ServiceTable,
    removal: RemovalPolicy,
    emit: (effect: Effect) => void,
  ) {
    this.#address = address;
    this.#routes = routes;
    this.#services = services;
    this.#removal = removal;
    this.#emit = emit;
  }

  /** Asks a neighbour for its tables. */
  query(neighbour: Neighbour): void {
    this.#transmit(neighbour, new Packet({ net: NET_QUERY }));
  }

  /** Advertises ourselves. */
  self(neighbour: Neighbour): void {
    this.#route(neighbour, this.#address, 1);
  }

  /** Answers a query: all that the neighbour may hear, whether or not it has heard it before. */
  answer(neighbour: Neighbour): void {
    const destinations = [...this.#routes.values()].filter((one) => this.#mayHear(neighbour, one));
    const hosts = [this.#address, ...destinations.map(({ address }) => address)];
    for (const host of hosts) neighbour.doubtTold(host);
    this.self(neighbour);
    for (const destination of destinations) this.#cost(neighbour, destination);
    for (const host of hosts) this.#bringUpToDate(neighbour, host);
  }

  /** Advertises our route and what it leads to, but for what the neighbour holds already. */
  advertise(neighbour: Neighbour, destination: Destination): void {
    const { address } = destination;
    if (!this.#mayHear(neighbour, destination) || neighbour.offerBack.has(address)) return;
    this.#cost(neighbour, destination);
    this.#bringUpToDate(neighbour, address);
  }

  /** Withdraws a destination, if the neighbour may hold it from us. */
  withdraw(neighbour: Neighbour, address: string): void {
    neighbour.toldServices.delete(address);
    if (neighbour.toldRoutes.delete(address)) this.#route(neighbour, address, 0);
  }

  /** Tells what changed in the services of a host, if the neighbour knows the host from us. */
  services(neighbour: Neighbour, destination: Destination): void {
    const { address } = destination;
    if (this.#mayHear(neighbour, destination) && neighbour.toldRoutes.has(address)) {
      this.#bringUpToDate(neighbour, address);
    }
  }

  /** Tells what changed in our own services. */
  ownServices(neighbour: Neighbour): void {
    this.#bringUpToDate(neighbour, this.#address);
  }

  /** Whether a neighbour may hear of a destination from us at all. */
  #mayHear(neighbour: Neighbour, destination: Destination): boolean {
    return destination.selected !== null && destination.selected !== neighbour.link &&
      destination.address !== neighbour.address && destination.cost < MAX_COST;
  }

  #cost(neighbour: Neighbour, destination: Destination): void {
    const { address } = destination;
    const cost = destination.cost + 1;
    if (neighbour.toldRoutes.get(address) === cost) return;
    neighbour.toldRoutes.set(address, cost);
    destination.lowestTold = Math.min(destination.lowestTold, cost);
    this.#route(neighbour, address, cost);
  }

  #bringUpToDate(neighbour: Neighbour, host: string): void {
    const wanted = this.#services.of(host);
    const told = neighbour.toldServices.get(host);
    for (const service of [...told?.keys() ?? []]) {
      if (wanted.has(service)) continue;
      told!.delete(service);
      if (this.#removal === "announce") this.#service(neighbour, host, service, 0);
      else if (this.#removal === "reannounce") return this.#reannounce(neighbour, host);
    }
    for (const [service, capacity] of wanted) {
      if (told?.get(service) === capacity) continue;
      neighbour.noteToldService(host, service, capacity);
      this.#service(neighbour, host, service, capacity);
    }
  }

  /** Makes a neighbour forget a host with all its services, and learn anew what is left. */
  #reannounce(neighbour: Neighbour, host: string): void {
    neighbour.toldServices.delete(host);
    this.#route(neighbour, host, 0);
    this.#route(neighbour, host, (this.#routes.get(host)?.cost ?? 0) + 1); // Ourselves: 1.
    this.#bringUpToDate(neighbour, host);
  }

  #route(neighbour: Neighbour, address: string, cost: number): void {
    const data = encodeRouteAdvert({ address, cost });
    this.#transmit(neighbour, new Packet({ net: NET_ROUTE, src: this.#address, data }));
  }

  #service(neighbour: Neighbour, address: string, service: string, capacity: number): void {
    const data = encodeServiceAdvert({ address, service, capacity });
    this.#transmit(neighbour, new Packet({ net: NET_SERVICE, data }));
  }

  #transmit(neighbour: Neighbour, packet: Packet): void {
    this.#emit({ kind: "transmit", link: neighbour.link, packet });
  }
}
