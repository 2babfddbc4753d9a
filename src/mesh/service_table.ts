/**
 * Who offers what: the instances that can be used now, by service and by host.
 *
 * A remote host's services are believed from the neighbour that leads to it, and from nobody
 * else; while no route leads to it, it has none. Pure state: nothing here sends.
 *
 * @module
 */

import type { ServiceInfo } from "./effects.ts";
import { Ranking } from "./ranking.ts";
import type { Capacities } from "./state.ts";

const NOTHING: Capacities = new Map();

/** The instances of one service. */
interface Instances {
  /** Address → capacity. */
  readonly capacities: Capacities;
  /** Addresses, our own first, then by capacity; `null` until somebody asks. */
  sorted: readonly string[] | null;
  /** For calls; `null` until there is one. */
  ranking: Ranking | null;
}

/** All usable instances, own ones included. */
export class ServiceTable {
  readonly #own: string;
  readonly #random: () => number;
  readonly #byHost: Map<string, Capacities> = new Map();
  readonly #byService: Map<string, Instances> = new Map();
  /** Hosts whose routes are being looked for. */
  readonly #held: Set<string> = new Set();
  #size: number = 0;

  /**
   * Constructs a new instance.
   *
   * @param own Our own address.
   * @param random Uniform over [0, 1), such as `Math.random`.
   */
  constructor(own: string, random: () => number) {
    this.#own = own;
    this.#random = random;
  }

  /** How many instances there are. */
  get size(): number {
    return this.#size;
  }

  /** What a host offers. Borrowed. */
  of(host: string): ReadonlyMap<string, number> {
    return this.#byHost.get(host) ?? NOTHING;
  }

  /** Instances of a service: address → capacity. Borrowed. */
  instances(service: string): ReadonlyMap<string, number> {
    return this.#byService.get(service)?.capacities ?? NOTHING;
  }

  /** Addresses that offer a service: our own first, then by capacity. Borrowed. */
  sorted(service: string): readonly string[] {
    const instances = this.#byService.get(service);
    if (instances === undefined) return [];
    if (instances.sorted !== null) return instances.sorted;
    const { capacities } = instances;
    const rank = (address: string) => address === this.#own ? 0 : capacities.get(address)!;
    const ranked = [...capacities.keys()].map((address) => ({ address, rank: rank(address) }));
    ranked.sort((a, b) => a.rank - b.rank);
    return instances.sorted = ranked.map(({ address }) => address);
  }

  /** The instances of a service in the orders in which calls choose; `null` if there are none. */
  ranking(service: string): Ranking | null {
    const instances = this.#byService.get(service);
    if (instances === undefined) return null;
    if (instances.ranking !== null) return instances.ranking;
    const ranking = new Ranking(this.#random);
    for (const [address, capacity] of instances.capacities) this.#rank(ranking, address, capacity);
    return instances.ranking = ranking;
  }

  /** Every instance. */
  *all(): Generator<ServiceInfo> {
    for (const [address, capacities] of this.#byHost) {
      for (const [service, capacity] of capacities) yield { service, address, capacity };
    }
  }

  /** Sets one instance; capacity 0 removes it. False if that changes nothing. */
  set(host: string, service: string, capacity: number): boolean {
    const services = this.#byHost.get(host);
    const before = services?.get(service) ?? 0;
    if (before === capacity) return false;
    const instances = this.#byService.get(service);
    if (capacity === 0) {
      this.#size--;
      if (services!.size === 1) this.#byHost.delete(host);
      else services!.delete(service);
      if (instances!.capacities.size === 1) this.#byService.delete(service);
      else instances!.capacities.delete(host);
    } else {
      if (before === 0) this.#size++;
      if (services === undefined) this.#byHost.set(host, new Map([[service, capacity]]));
      else services.set(service, capacity);
      if (instances === undefined) {
        const capacities = new Map([[host, capacity]]);
        this.#byService.set(service, { capacities, sorted: null, ranking: null });
      } else {
        instances.capacities.set(host, capacity);
      }
    }
    if (instances === undefined) return true;
    instances.sorted = null;
    if (instances.ranking !== null) this.#rank(instances.ranking, host, capacity);
    return true;
  }

  /** Notes whether a host's route is being looked for: others are called first. */
  hold(host: string, held: boolean): void {
    if (held) this.#held.add(host);
    else if (!this.#held.delete(host)) return;
    for (const [service, capacity] of this.of(host)) {
      const { ranking } = this.#byService.get(service)!;
      if (ranking !== null) this.#rank(ranking, host, capacity);
    }
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

  #rank(ranking: Ranking, address: string, capacity: number): void {
    ranking.set(address, capacity, address === this.#own, this.#held.has(address));
  }
}
