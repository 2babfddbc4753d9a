/**
 * What old peers are told: a packet for each route and service, as they expect it, and nothing that
 * one of them could stumble on. When is up to the border.
 *
 * Pure: what is sent goes out as effects.
 *
 * @module
 */

import { encodeRouteAdvert, encodeServiceAdvert } from "../wire/adverts.ts";
import { utf8Size } from "../wire/bytes.ts";
import { NET_ROUTE, NET_SERVICE } from "../wire/limits.ts";
import { Packet } from "../wire/packet.ts";
import type { Core } from "./core.ts";
import type { RemovalPolicy } from "./options.ts";
import type { Destination, Neighbour } from "./state.ts";

/** Largest cost that old peers are told, and believed, in hops. What counts up for ever ends here. */
export const MAX_OLD_COST = 64;

/** Longest address that every old peer can read, in bytes. */
const MAX_OLD_ADDRESS = 127;

/** Times in notes are in these, in ms, so that they fit. */
const BLOCK_UNIT = 100;

/** Until when a neighbour that has withdrawn a destination is not offered it, in ms. */
function blockOf(neighbour: Neighbour, id: number): number {
  return neighbour.told.note(id) * BLOCK_UNIT;
}

/** Tells old peers. */
export class LegacyVoice {
  readonly #core: Core;
  readonly #removal: RemovalPolicy;
  readonly #onRoute: (neighbour: Neighbour) => void;

  /**
   * Constructs a new instance.
   *
   * @param onRoute Told before each route that goes out.
   */
  constructor(core: Core, removal: RemovalPolicy, onRoute: (neighbour: Neighbour) => void) {
    this.#core = core;
    this.#removal = removal;
    this.#onRoute = onRoute;
  }

  /** Advertises ourselves. */
  self(neighbour: Neighbour): void {
    const { identity, hidden, routes } = this.#core;
    if (hidden || !neighbour.mayKnow(identity.address)) return;
    neighbour.told.set(routes.self.id, 1, 0, 0);
    this.#sendRoute(neighbour, identity.address, 1);
  }

  /** Tells a neighbour all there is, whether or not it has heard it before. */
  answer(neighbour: Neighbour, now: number): void {
    const { routes } = this.#core;
    neighbour.answeredAt = now;
    neighbour.answerAt = Infinity;
    this.self(neighbour);
    const tellable = [...routes.values()].filter((one) => this.#mayTell(neighbour, one, now));
    for (const destination of tellable) this.#sendOffer(neighbour, destination);
    for (const host of [routes.self, ...tellable]) {
      neighbour.toldServices.delete(host.address);
      this.tellServices(neighbour, host, now);
    }
  }

  /** B6: tells a neighbour that we know a way, unless it holds one from us that is as good. */
  tell(neighbour: Neighbour, destination: Destination, now: number): void {
    if (!this.#mayTell(neighbour, destination, now)) return;
    const held = neighbour.told.cost(destination.id);
    if (held > 0 && held <= destination.cost + 1) return;
    this.#sendOffer(neighbour, destination);
    this.tellServices(neighbour, destination, now);
  }

  #sendOffer(neighbour: Neighbour, destination: Destination): void {
    const { told } = neighbour;
    const cost = destination.cost + 1;
    const held = told.cost(destination.id);
    told.set(destination.id, held > 0 ? Math.min(held, cost) : cost, 0, 0);
    this.#sendRoute(neighbour, destination.address, cost);
  }

  #mayTell(neighbour: Neighbour, destination: Destination, now: number): boolean {
    const { address, selected, cost, border, id } = destination;
    if (this.#core.stub || selected === null || selected === neighbour) return false;
    if (selected.address !== "" && selected.address === neighbour.address) return false;
    if (address === neighbour.address || cost >= MAX_OLD_COST) return false;
    if (!neighbour.rules.hears(address)) return false;
    if (selected.dampedUntil > now || utf8Size(address) > MAX_OLD_ADDRESS) return false;
    return (border?.blockedUntil ?? 0) <= now && blockOf(neighbour, id) <= now;
  }

  /** Tells a neighbour what has changed in the services of a host, if it knows the host from us. */
  tellServices(neighbour: Neighbour, host: Destination, now: number): void {
    const { address } = host;
    if (!this.#mayTellServices(neighbour, host)) return;
    const wanted = this.#core.services.of(address);
    const told = neighbour.toldServices.get(address);
    for (const service of [...told?.keys() ?? []]) {
      if (wanted.has(service)) continue;
      if (this.#takeBack(neighbour, host, service, now)) return;
    }
    for (const [service, capacity] of wanted) {
      if (told?.get(service) === capacity || !neighbour.rules.sees(service, address)) continue;
      neighbour.noteToldService(address, service, capacity);
      this.#sendService(neighbour, address, service, capacity);
    }
  }

  /** The same for one service of a host, of which there may be thousands. */
  tellService(neighbour: Neighbour, host: Destination, service: string, now: number): void {
    const { address } = host;
    if (!this.#mayTellServices(neighbour, host)) return;
    const capacity = this.#core.services.of(address).get(service);
    const told = neighbour.toldServices.get(address)?.get(service);
    if (told === capacity) return;
    if (capacity === undefined) return void this.#takeBack(neighbour, host, service, now);
    neighbour.noteToldService(address, service, capacity);
    this.#sendService(neighbour, address, service, capacity);
  }

  #mayTellServices(neighbour: Neighbour, host: Destination): boolean {
    const { routes, hidden } = this.#core;
    if (neighbour.told.cost(host.id) === 0 || host.address === neighbour.address) return false;
    if (host === routes.self) return !hidden;
    return host.selected !== neighbour && host.selected !== null; // They go with its route.
  }

  /** Tells that a service is gone. True if all services of the host were told again for that. */
  #takeBack(neighbour: Neighbour, host: Destination, service: string, now: number): boolean {
    const { address } = host;
    neighbour.toldServices.get(address)!.delete(service);
    if (this.#removal === "announce") this.#sendService(neighbour, address, service, 0);
    if (this.#removal !== "reannounce") return false;
    this.#reannounce(neighbour, host, now);
    return true;
  }

  /** Makes a neighbour forget a host with all its services, and learn anew what is left. */
  #reannounce(neighbour: Neighbour, host: Destination, now: number): void {
    this.withdraw(neighbour, host);
    if (host !== this.#core.routes.self) return this.tell(neighbour, host, now);
    this.self(neighbour);
    this.tellServices(neighbour, host, now);
  }

  /** Withdraws a destination. */
  withdraw(neighbour: Neighbour, destination: Destination): void {
    this.#sendRoute(neighbour, destination.address, 0);
    this.forgetTold(neighbour, destination);
  }

  /** Does not offer a neighbour a destination before that time. */
  block(neighbour: Neighbour, destination: Destination, until: number): void {
    neighbour.told.setNote(destination.id, Math.floor(until / BLOCK_UNIT));
  }

  /** What we have told a neighbour of a destination is gone there. */
  forgetTold(neighbour: Neighbour, destination: Destination): void {
    neighbour.told.set(destination.id, 0, 0, 0);
    neighbour.toldServices.delete(destination.address);
  }

  #sendRoute(neighbour: Neighbour, address: string, cost: number): void {
    this.#onRoute(neighbour);
    const data = encodeRouteAdvert({ address, cost });
    this.#send(neighbour, new Packet({ net: NET_ROUTE, src: this.#core.identity.address, data }));
  }

  #sendService(neighbour: Neighbour, address: string, service: string, capacity: number): void {
    const data = encodeServiceAdvert({ address, service, capacity });
    this.#send(neighbour, new Packet({ net: NET_SERVICE, data }));
  }

  #send(neighbour: Neighbour, packet: Packet): void {
    this.#core.emit({ kind: "transmit", link: neighbour.link, packet });
  }
}
