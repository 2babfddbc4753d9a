/**
 * Which instance of a service is called.
 *
 * Pure state; time and chance are injected. The mesh says who can be called, the calls say how they
 * fared.
 *
 * @module
 */

import type { Candidate } from "../mesh/effects.ts";
import { hashName, mix } from "../mesh/sequence.ts";

/**
 * How one of several instances is chosen for a call.
 *
 * | policy          | takes                                                               | use it when                                                            |
 * | --------------- | ------------------------------------------------------------------- | ---------------------------------------------------------------------- |
 * | `"lowest"`      | ours, else the lowest capacity; equals by chance                    | capacities are ranks, set by hand: this one first, those if it is gone |
 * | `"round-robin"` | the one that we have not called for longest                         | instances and calls are all alike, and shares are to be equal          |
 * | `"two-choices"` | of two by chance, the lower capacity plus calls of ours in flight   | calls differ in length, instances hardly; few call, or loads are told  |
 * | `"latency"`     | the lowest smoothed time for a reply, times calls of ours in flight | machines, or the ways to them, differ in speed or change it            |
 * | `"sticky"`      | the one that the key of the call belongs to                         | instances keep something by key: a cache, a session                    |
 *
 * Common to all: instances that advertise 65535, the most there is (full, or about to leave), are
 * taken only if there are no others; those whose route is being looked for, only if there are not
 * even such; those that a call excludes, never.
 *
 * - `"lowest"` sends all calls of one moment to one instance, unless there are equals: where loads
 *   are told, which are always late, callers run after each other from one to the next.
 * - `"latency"` tries whom it does not know, one call at a time. What it knows fades: by half in 10 s,
 *   but by no more than half in 20 calls, so that an instance that was slow once is tried again. A
 *   call that fails counts as 5 s, or as twice as slow as before if that is more.
 * - `"sticky"` needs no agreement: whoever sees the same instances sends a key to the same one. If
 *   an instance goes, its keys spread over the others, and no other key moves.
 */
export type BalancePolicy = "lowest" | "round-robin" | "two-choices" | "latency" | "sticky";

/** What is asked for. */
export interface BalanceQuery {
  /** The service to be called. */
  service: string;
  /**
   * How to choose.
   *
   * @default {"lowest"}
   */
  policy?: BalancePolicy;
  /** What the call is about, as `"sticky"` needs it; the others do not look at it. */
  key?: string;
  /** Addresses that are not wanted, because they have just failed, say. */
  exclude?: ReadonlySet<string>;
}

/** Advertised by who is full, or about to leave. */
const FULL = 65_535;

/** In which time, and in how many calls of its service, a time for replies fades by half. */
const HALF_LIFE = 10_000; // ms
const HALF_CALLS = 20;

/** How much of a smoothed time is the last call's. */
const WEIGHT = 0.25;

/** What a failed call counts as, in ms, or how many times slower than before. */
const FAILED = 5_000;
const FAILED_FACTOR = 2;

/** Shorter times are all alike, in ms: clocks are coarse. */
const SHORTEST = 0.1;

/** Counts as the time, in ms, of an instance whose first calls are in flight. */
const UNTRIED = 1e9;

/** A time that is not known. */
const UNKNOWN = -1;

/** What is remembered of one instance. */
interface Instance {
  /** Calls of ours that have not ended. */
  inFlight: number;
  /** Smoothed time for a reply, in ms, or {@linkcode UNKNOWN}; as it was at `at`, in ms, and `turn`. */
  time: number;
  at: number;
  turn: number;
  /** The turn in which round-robin last took it; 0 if it has not. */
  taken: number;
}

/** What is remembered of one service. */
interface Service {
  /** Choices made so far. */
  turns: number;
  instances: Map<string, Instance>;
}

/** Chooses the instances that are called, and remembers how calls to them have fared. */
export class Balancer {
  readonly #random: () => number;
  readonly #now: () => number;
  readonly #limit: number;
  readonly #services: Map<string, Service> = new Map();
  #size: number = 0;

  /**
   * Constructs a new instance.
   *
   * @param random Uniform over [0, 1), such as `Math.random`.
   * @param now What time it is, in ms; does not go back.
   * @param limit Instances remembered at once; of more, those known longest are forgotten.
   */
  constructor(random: () => number, now: () => number, limit: number = 10_000) {
    this.#random = random;
    this.#now = now;
    this.#limit = limit;
  }

  /** Instances that are remembered. */
  get size(): number {
    return this.#size;
  }

  /** Services that are remembered: those with such instances. */
  get services(): number {
    return this.#services.size;
  }

  /**
   * Chooses an instance to call. If it is called, say so with {@linkcode began}.
   *
   * @param candidates Those there are, or enough of them: see `Mesh.shortlist()`. Borrowed.
   * @returns Its address; `null` if there is none, or each is excluded.
   * @throws {TypeError} If there is no such policy, or `"sticky"` has no key.
   */
  pick(candidates: readonly Candidate[], query: BalanceQuery): string | null {
    const { policy = "lowest", exclude } = query;
    checkPolicy(policy, query.key);
    if (candidates.length === 1) {
      const { address } = candidates[0]!;
      return exclude?.has(address) ? null : address;
    }
    const service = this.#services.get(query.service);
    if (service !== undefined) service.turns++;
    switch (policy) {
      case "two-choices":
        return this.#better(candidates, exclude, service);
      case "round-robin":
        return this.#take(query.service, this.#least(candidates, query, service));
      default:
        return this.#least(candidates, query, service);
    }
  }

  /** A call to an instance has been made. */
  began(service: string, address: string): void {
    const instance = this.#instance(service, address);
    if (instance.time !== UNKNOWN && instance.inFlight === 0) {
      instance.time = faded(instance, this.#services.get(service)!.turns, this.#now());
    }
    instance.inFlight++;
  }

  /**
   * A call to an instance has ended. One that has been forgotten stays so.
   *
   * @param ms How long the reply took; `null` if there was none, or a failure; left out if the call
   *   was given up, which says nothing about the instance.
   */
  ended(service: string, address: string, ms?: number | null): void {
    const known = this.#services.get(service);
    const instance = known?.instances.get(address);
    if (known === undefined || instance === undefined) return;
    const now = this.#now();
    const before = faded(instance, known.turns, now);
    if (instance.inFlight > 0) instance.inFlight--;
    instance.at = now;
    instance.turn = known.turns;
    if (ms === undefined) {
      instance.time = before;
      return;
    }
    const sample = ms ?? Math.max(FAILED, FAILED_FACTOR * before);
    instance.time = before === UNKNOWN ? sample : before + WEIGHT * (sample - before);
  }

  /** Forgets the instances at an address that is gone; with a service, that one alone. */
  forget(address: string, service?: string): void {
    if (service !== undefined) return this.#drop(service, address);
    for (const name of this.#services.keys()) this.#drop(name, address);
  }

  /** The one of the lowest score among the best there are. */
  #least(
    candidates: readonly Candidate[],
    { policy, key, exclude }: BalanceQuery,
    service: Service | undefined,
  ): string | null {
    const now = policy === "latency" ? this.#now() : 0;
    const hash = policy === "sticky" ? hashName(key!) : 0;
    let best: string | null = null;
    let tier = Infinity;
    let lowest = Infinity;
    let ties = 0;
    for (const candidate of candidates) {
      const { address } = candidate;
      if (exclude?.has(address)) continue;
      const itsTier = tierOf(candidate);
      if (itsTier > tier) continue;
      if (itsTier < tier) lowest = Infinity;
      tier = itsTier;
      const instance = service?.instances.get(address);
      let score: number;
      if (policy === "latency") score = wait(instance, service, now);
      else if (policy === "sticky") score = mix(hash, hashName(address));
      else if (policy === "round-robin") score = instance?.taken ?? 0;
      else score = candidate.cost === 0 ? 0 : candidate.capacity;
      if (score > lowest) continue;
      ties = score < lowest ? 1 : ties + 1;
      lowest = score;
      if (ties === 1) best = address;
      else if (policy === "sticky") best = address < best! ? address : best; // Others agree.
      else if (this.#random() * ties < 1) best = address; // Each of n is left with chance 1/n.
    }
    return best;
  }

  /** Of two by chance among the best there are, the one that has less to do. */
  #better(
    candidates: readonly Candidate[],
    exclude: ReadonlySet<string> | undefined,
    service: Service | undefined,
  ): string | null {
    let tier = Infinity;
    let count = 0;
    for (const candidate of candidates) {
      const itsTier = tierOf(candidate);
      if (itsTier > tier || exclude?.has(candidate.address)) continue;
      count = itsTier < tier ? 1 : count + 1;
      tier = itsTier;
    }
    // Two different ones: the second is so many after the first, going round.
    const first = count < 2 ? 0 : Math.floor(this.#random() * count);
    const second = count < 2 ? 0 : (first + 1 + Math.floor(this.#random() * (count - 1))) % count;
    let one: Candidate | null = null;
    let other: Candidate | null = null;
    let at = 0;
    for (const candidate of candidates) {
      if (tierOf(candidate) !== tier || exclude?.has(candidate.address)) continue;
      if (at === first) one = candidate;
      if (at === second) other = candidate;
      at++;
    }
    if (one === null || other === null) return null;
    return load(other, service) < load(one, service) ? other.address : one.address;
  }

  /** Notes whose turn it was. */
  #take(service: string, address: string | null): string | null {
    if (address === null) return null;
    const instance = this.#instance(service, address);
    instance.taken = this.#services.get(service)!.turns;
    return address;
  }

  /** What is remembered of an instance, from now on. */
  #instance(name: string, address: string): Instance {
    const known = this.#services.get(name)?.instances.get(address);
    if (known !== undefined) return known;
    if (this.#size >= this.#limit) this.#dropOldest();
    let service = this.#services.get(name);
    if (service === undefined) {
      service = { turns: 1, instances: new Map() };
      this.#services.set(name, service);
    }
    const instance: Instance = { inFlight: 0, time: UNKNOWN, at: 0, turn: 0, taken: 0 };
    service.instances.set(address, instance);
    this.#size++;
    return instance;
  }

  #dropOldest(): void {
    for (const [name, { instances }] of this.#services) {
      for (const address of instances.keys()) return this.#drop(name, address);
    }
  }

  #drop(name: string, address: string): void {
    const instances = this.#services.get(name)?.instances;
    if (!instances?.delete(address)) return;
    this.#size--;
    if (instances.size === 0) this.#services.delete(name);
  }
}

/**
 * Refuses what a program without types may ask for.
 *
 * @throws {TypeError} If there is no such policy, or `"sticky"` has no key.
 */
export function checkPolicy(policy: BalancePolicy, key: string | undefined): void {
  switch (policy) {
    case "lowest":
    case "round-robin":
    case "two-choices":
    case "latency":
      return;
    case "sticky":
      if (typeof key === "string") return;
      throw new TypeError('Cannot choose an instance: the policy "sticky" needs a key');
    default:
      throw new TypeError(`Cannot choose an instance: there is no policy "${policy}"`);
  }
}

/** Lower ones first; higher ones only if there are no others. */
function tierOf({ capacity, held }: Candidate): number {
  return (held ? 2 : 0) + (capacity >= FULL ? 1 : 0);
}

/** What an instance has to do: what it says, and what we have given it. */
function load({ address, capacity }: Candidate, service: Service | undefined): number {
  return capacity + (service?.instances.get(address)?.inFlight ?? 0);
}

/** How long a reply may take now. */
function wait(instance: Instance | undefined, service: Service | undefined, now: number): number {
  if (instance === undefined || service === undefined) return 0;
  const { inFlight } = instance;
  if (instance.time === UNKNOWN) return inFlight === 0 ? 0 : UNTRIED * inFlight;
  return Math.max(SHORTEST, faded(instance, service.turns, now)) * (1 + inFlight);
}

/** A time for replies, as far as it still counts: while calls are in flight, it does not fade. */
function faded({ time, at, turn, inFlight }: Instance, turns: number, now: number): number {
  if (time === UNKNOWN || inFlight > 0) return time;
  return time * 2 ** -Math.min((now - at) / HALF_LIFE, (turns - turn) / HALF_CALLS);
}
