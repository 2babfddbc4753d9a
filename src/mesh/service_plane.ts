/**
 * Services: which can be used now, and who is told of a change.
 *
 * Pure: what is told goes out through the announcer and the border.
 *
 * @module
 */

import type { Announcer } from "./announcer.ts";
import type { Core } from "./core.ts";
import type { LegacyBorder } from "./legacy_border.ts";
import { nextSequence } from "./sequence.ts";
import type { Destination, Neighbour } from "./state.ts";

/** Keeps the services that can be used in step with routes and records. */
export class ServicePlane {
  readonly #core: Core;
  readonly #announcer: Announcer;
  readonly #border: LegacyBorder;

  /** Constructs a new instance. */
  constructor(core: Core, announcer: Announcer, border: LegacyBorder) {
    this.#core = core;
    this.#announcer = announcer;
    this.#border = border;
  }

  /** A service of our own comes, changes, or goes (capacity 0). */
  offer(service: string, capacity: number, now: number): void {
    const { identity, services, routes, emit } = this.#core;
    if (!services.set(identity.address, service, capacity)) return;
    emit({ kind: "service", service: { service, address: identity.address, capacity } });
    this.#record(routes.self, identity.origin, service, capacity, now);
    this.#border.serviceChanged(routes.self, service, now);
  }

  /** We have begun a new life: all that we offer is told anew, by its word. */
  renew(now: number): void {
    const { identity, services, records, routes } = this.#core;
    for (const [service, capacity] of services.of(identity.address)) {
      this.#record(routes.self, identity.origin, service, capacity, now);
    }
    records.supersede(identity.address, identity.origin);
  }

  /** One of our kind has told us of a service. False if there is no room for it. */
  heard(
    from: Neighbour,
    host: string,
    origin: number,
    name: string,
    load: number,
    version: number,
    now: number,
  ): boolean {
    const { identity, records, routes } = this.#core;
    if (host === identity.address || origin === identity.proxyOrigin) return true;
    const destination = routes.get(host);
    if (destination === undefined) return true; // We had no room for its route, either.
    // A word by which nobody leads to the host is of no use, and there is no end to such words.
    if (!records.knows(host, origin) && !isOffered(this.#core, host, origin)) return true;
    const record = records.accept(host, origin, name, load, version, now);
    if (record === "full") return false;
    const known = typeof record === "object" ? record : records.get(host, origin, name)!;
    from.staleServices?.delete(known);
    if (record === "known") {
      if (known.version === version) from.dueServices?.delete(known); // It knows.
      return true;
    }
    this.#announcer.serviceNews(record, from, now);
    const { selected } = destination;
    if (selected?.rules.offers(name, host) && destination.origin === origin) {
      this.#use(destination, name, record.load, now);
    }
    return true;
  }

  /** The old neighbour that leads to a host says something else of one of its services. */
  heardOld(host: Destination, name: string, load: number, now: number): void {
    const { records, identity } = this.#core;
    const known = records.get(host.address, identity.proxyOrigin, name)?.load ?? 0;
    if (known !== load) this.#record(host, identity.proxyOrigin, name, load, now);
    this.#use(host, name, load, now);
  }

  /** One service of a host is to be used like this from now on; those of a host may be thousands. */
  #use({ address }: Destination, service: string, capacity: number, now: number): void {
    const { services, emit, routes } = this.#core;
    if (!services.set(address, service, capacity)) return;
    emit({ kind: "service", service: { service, address, capacity } });
    this.#border.serviceChanged(routes.get(address)!, service, now);
  }

  /** A neighbour is about to tell all again: notes the services at hosts that it leads to. */
  doubt(neighbour: Neighbour): void {
    const { routes, records } = this.#core;
    for (const { address, origin, selected } of routes.offeredBy(neighbour)) {
      if (selected !== neighbour) continue;
      for (const record of records.of(address, origin)) {
        if (record.load > 0) (neighbour.staleServices ??= new Set()).add(record);
      }
    }
  }

  /**
   * It has told all again: what it has left out, where it still leads, is gone. That is no removal,
   * which only the host's own word can be: it may not have heard of it yet, though others had.
   */
  settle(neighbour: Neighbour, now: number): void {
    const { routes, records } = this.#core;
    const gone = neighbour.staleServices ?? [];
    neighbour.staleServices = null;
    for (const record of gone) {
      const host = routes.get(record.host);
      if (host?.selected !== neighbour || host.origin !== record.origin) continue;
      records.forget(record);
      this.#use(host, record.name, 0, now);
    }
  }

  /** The way to a host has changed, or what is said of its services: takes it over. */
  refresh(destination: Destination, now: number): void {
    const { services, records, identity, emit } = this.#core;
    const { address, selected, origin } = destination;
    let wanted: ReadonlyMap<string, number>;
    if (selected === null) {
      wanted = new Map();
    } else if (selected.kind === "modern") {
      const loads = records.loads(address, origin);
      for (const name of loads.keys()) {
        if (!selected.rules.offers(name, address)) loads.delete(name);
      }
      wanted = loads;
    } else {
      wanted = selected.services.get(address) ?? new Map();
      this.#proxy(destination, wanted, identity.proxyOrigin, now);
    }
    const changes = services.replace(address, wanted);
    if (changes.length === 0) return;
    for (const service of changes) emit({ kind: "service", service });
    this.#border.servicesChanged(destination, now);
  }

  /** Speaks for an old peer: what it says of a host becomes our own word. */
  #proxy(
    destination: Destination,
    wanted: ReadonlyMap<string, number>,
    origin: number,
    now: number,
  ): void {
    const { records } = this.#core;
    const { address } = destination;
    for (const record of [...records.of(address, origin)]) {
      if (record.load > 0 && !wanted.has(record.name)) {
        this.#record(destination, origin, record.name, 0, now);
      }
    }
    for (const [name, load] of wanted) {
      if (records.get(address, origin, name)?.load === load) continue;
      this.#record(destination, origin, name, load, now);
    }
  }

  /** Makes a record of our own with the next version, and tells our kind. */
  #record(
    destination: Destination,
    origin: number,
    name: string,
    load: number,
    now: number,
  ): void {
    const { records } = this.#core;
    const { address } = destination;
    const version = nextSequence(records.get(address, origin, name)?.version ?? 0);
    const record = records.accept(address, origin, name, load, version, now, true);
    if (typeof record === "object") this.#announcer.serviceNews(record, null, now);
  }
}

/** Whether anybody leads to a host by an origin now. */
export function isOffered(core: Core, host: string, origin: number): boolean {
  const { identity, routes } = core;
  if (host === identity.address) return origin === identity.origin;
  const destination = routes.get(host);
  if (destination === undefined) return false;
  if (destination.selected !== null && destination.origin === origin) return true;
  for (const { offers } of destination.offers) {
    if (offers.origin(destination.id) === origin) return true;
  }
  return false;
}
