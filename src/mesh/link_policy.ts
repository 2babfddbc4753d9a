/**
 * Policies: what the neighbour on a link may tell us, and what it may know and use of us.
 *
 * Pure: filters are questions with one answer each.
 *
 * @module
 */

/**
 * Which addresses: names, of which one that ends in `*` stands for all that begin like it; or a
 * function, which must give the same answer to the same question. One that throws has said no.
 */
export type AddressFilter = readonly string[] | ((address: string) => boolean);

/**
 * Which services: names, wherever they are offered, as in {@linkcode AddressFilter}; or a function
 * of the service's name and the address of its host.
 */
export type ServiceFilter = readonly string[] | ((service: string, host: string) => boolean);

/**
 * What a neighbour may tell us, and what it may know and use of us. What is left out is allowed.
 *
 * It holds for one link, from its first packet to its last: to change it, attach another channel.
 * Filters only ever take ways away, so they form no loops; but what they hide is no secret to
 * whoever reads along elsewhere, and a neighbour that may offer an address may also lie about it.
 *
 * @example A guest that may call two services of the gateway, and be called by nobody
 * ```ts
 * import type { LinkPolicy } from "@aln/mesh";
 *
 * const guest: LinkPolicy = {
 *   stub: true, // Nothing but its own address is believed,
 *   advertises: ["guest.*"], // and only if that is a guest's.
 *   hears: ["gateway"],
 *   sees: (service, host) => host === "gateway" && ["time", "weather"].includes(service),
 *   offers: [],
 * };
 * ```
 */
export interface LinkPolicy {
  /**
   * Addresses that it may offer us ways to, its own included. Others are never used, nor passed on,
   * whatever it says of them; nor is what it says of services there.
   */
  advertises?: AddressFilter;
  /**
   * Services that we believe to be offered on its side. Of others that are known already, it may
   * bring news.
   */
  offers?: ServiceFilter;
  /**
   * Addresses that it is told of. Its packets to others are refused, replies included: to be called
   * from somewhere, a neighbour must hear of it.
   */
  hears?: AddressFilter;
  /** Services that it is told of, at hosts that it hears of. */
  sees?: ServiceFilter;
  /**
   * Services that its packets may be for; others are refused. Packets for none, which are replies,
   * may pass.
   *
   * @default {sees}
   */
  calls?: ServiceFilter;
  /**
   * It is a leaf: nothing but its own address is believed, no packet goes through it, and none comes
   * from anybody behind it.
   *
   * @default {false}
   */
  stub?: boolean;
}

/** A policy that can be asked. */
export class LinkRules {
  /** Whether the neighbour is a leaf. */
  readonly stub: boolean;
  /** Whether it is kept from services. */
  readonly hidesServices: boolean;
  /** Whether it may offer ways to an address. */
  readonly advertises: (address: string) => boolean;
  /** Whether we believe that a service is offered on its side. */
  readonly offers: (service: string, host: string) => boolean;
  /** Whether it is told of an address. */
  readonly hears: (address: string) => boolean;
  /** Whether it is told of a service. */
  readonly sees: (service: string, host: string) => boolean;
  /** Whether its packets may be for a service. */
  readonly calls: (service: string, host: string) => boolean;
  /** What they were made of. */
  readonly #policy: LinkPolicy;

  /**
   * Constructs a new instance.
   *
   * @throws {TypeError} If a filter is neither a function nor a list of strings.
   */
  constructor(policy: LinkPolicy = {}) {
    const { advertises, offers, hears, sees, calls, stub = false } = policy;
    this.stub = stub;
    this.hidesServices = sees !== undefined;
    this.advertises = question("advertises", advertises);
    this.offers = question("offers", offers);
    this.hears = question("hears", hears);
    this.sees = question("sees", sees);
    this.calls = calls === undefined ? this.sees : question("calls", calls);
    this.#policy = { ...policy };
    for (const key of FILTERS) { // Lists are the caller's, who may change them.
      const filter = policy[key];
      if (typeof filter === "object") this.#policy[key] = [...filter];
    }
  }

  /** Whether they are what a policy says now. */
  areOf(policy: LinkPolicy): boolean {
    return this.stub === (policy.stub ?? false) &&
      FILTERS.every((key) => isSame(this.#policy[key], policy[key]));
  }
}

const FILTERS = ["advertises", "offers", "hears", "sees", "calls"] as const;

function isSame(one: LinkPolicy[keyof LinkPolicy], other: LinkPolicy[keyof LinkPolicy]): boolean {
  if (!Array.isArray(one) || !Array.isArray(other)) return one === other;
  return one.length === other.length && one.every((name, i) => name === other[i]);
}

const yes = (): boolean => true;

/**
 * A filter as a function that never throws; without one, the answer is yes.
 *
 * @param name What it is called, for the error.
 * @throws {TypeError} If it is neither a function nor a list of strings.
 */
export function question(
  name: string,
  filter: AddressFilter | ServiceFilter | undefined,
): (name: string, host?: string) => boolean {
  if (filter === undefined) return yes;
  if (typeof filter === "function") {
    return (name, host = "") => {
      try {
        return filter(name, host) === true;
      } catch {
        return false;
      }
    };
  }
  if (!Array.isArray(filter) || filter.some((one) => typeof one !== "string")) {
    throw new TypeError(`Cannot use policy: ${name} is neither a function nor a list of names`);
  }
  const exact = new Set<string>(filter.filter((one) => !one.endsWith("*")));
  const beginnings = filter.filter((one) => one.endsWith("*")).map((one) => one.slice(0, -1));
  return (name) => exact.has(name) || beginnings.some((beginning) => name.startsWith(beginning));
}

/** No policy: all is allowed. */
export const OPEN: LinkRules = new LinkRules();

/** The rules of a policy; those of the last link, if they are the same. */
export function rulesOf(policy: LinkPolicy | undefined, last: LinkRules): LinkRules {
  if (policy === undefined) return OPEN;
  return last.areOf(policy) ? last : new LinkRules(policy);
}
