/**
 * Who offers what: the instances that can be used now, by service and by host.
 *
 * A remote host's services are believed from the neighbour that leads to it, and from nobody
 * else; while no route leads to it, it has none. Pure state: nothing here sends.
 *
 * @module
 */

import type { ServiceInfo } from "./effects.ts";
import type { Capacities } from "./state.ts";

const NOTHING: Capacities = new Map();

/** All usable instances, own ones included. */
export class ServiceTable {
  readonly #byHost: Map<string, Capacities> = new Map();
  readonly #byService: Map<string, Capacities> = new Map();

  /** How many instances there are. */
  get size(): number {
    let size = 0;
    for (const capacities of this.#byHost.values()) size += capacities.size;
    return size;
  }

  /** What a host offers. Borrowed. */
  of(host: string): ReadonlyMap<string, number> {
    return this.#byHost.get(host) ?? NOTHING;
  }

  /** Instances of a service: address → capacity. Borrowed. */
  instances(service: string): ReadonlyMap<string, number> {
    return this.#byService.get(service) ?? NOTHING;
  }

  /** Every instance. */
  *all(): Generator<ServiceInfo> {
    for (const [address, capacities] of this.#byHost) {
      for (const [service, capacity] of capacities) yield { service, address, capacity };
    }
  }

  /** Sets one instance; capacity 0 removes it. False if that changes nothing. */
  set(host: string, service: string, capacity: number): boolean {
    if ((this.of(host).get(service) ?? 0) === capacity) return false;
    put(this.#byHost, host, service, capacity);
    put(this.#byService, service, host, capacity);
    return true;
  }

  /**
   * Makes a host's services what its neighbour says they are.
   *
   * @returns What changed; capacity 0 for what is gone.
   */
  replace(host: string, wanted: ReadonlyMap<string, number> = NOTHING): ServiceInfo[] {
    const changes: ServiceInfo[] = [];
    const set = (service: string, capacity: number) => {
      if (this.set(host, service, capacity)) changes.push({ service, address: host, capacity });
    };
    for (const service of [...this.of(host).keys()]) if (!wanted.has(service)) set(service, 0);
    for (const [service, capacity] of wanted) set(service, capacity);
    return changes;
  }
}

function put(
  index: Map<string, Capacities>,
  outer: string,
  inner: string,
  capacity: number,
): void {
  const entries = index.get(outer);
  if (capacity === 0) {
    entries?.delete(inner);
    if (entries?.size === 0) index.delete(outer);
  } else if (entries === undefined) {
    index.set(outer, new Map([[inner, capacity]]));
  } else {
    entries.set(inner, capacity);
  }
}
