/**
 * What a router can be told about one of its channels.
 *
 * @module
 */

import { LinkRules } from "../mesh/link_policy.ts";
import { type LinkSettings, MAX_LINK_COST } from "../mesh/options.ts";
import type { Packet } from "../wire/packet.ts";

/** A secret that all routers of a network share: text, which is taken as UTF-8, or bytes. */
export type NetworkKey = string | Uint8Array;

/**
 * Whom a key lets in:
 *
 * - `"require"`: who proves that it knows the key, and nobody else.
 * - `"prefer"`: also who does not answer for two seconds, or speaks of something else, as routers
 *   without a key and old peers do. Who tries to prove it and fails is refused all the same. Anyone
 *   can do as old peers do, so this keeps nobody out: it is for the time until all have the key.
 */
export type AuthPolicy = "require" | "prefer";

/** Options of a channel that is attached to a router. */
export interface LinkOptions extends LinkSettings {
  /**
   * Asked before each packet that goes out over the channel, those between routers included: to
   * count, or to meter. The packet is borrowed. A gate that throws has said no.
   *
   * A packet of an application that is refused is dropped, and told as a `drop` event. If anything
   * with `net` set is refused, the channel is closed: a neighbour that hears half of what there is
   * would go by what is no longer so, and without the link others take over at once. So refuse with
   * `net` 0 to keep packets off the link, and everything to take it out of use.
   */
  gate?: (packet: Packet) => boolean;
  /**
   * The key that both ends have to know; `null` for none. The neighbour has five seconds to prove
   * it, from when the channel is attached. By default the router's own, `RouterOptions.networkKey`.
   */
  key?: NetworkKey | null;
  /**
   * Whom the key lets in; by default as the router has it, `RouterOptions.auth`.
   *
   * @default {"require"}
   */
  auth?: AuthPolicy;
  /**
   * The neighbour must have an address that its certificate names; or that this function accepts,
   * which is given the names and the address, and refuses by `false` and by throwing. The link is
   * closed otherwise, and if no certificate is known: see {@linkcode Channel.peer}.
   *
   * @default {false}
   */
  identity?: boolean | ((names: readonly string[], address: string) => boolean);
}

/**
 * Checks what is no matter of types alone.
 *
 * @throws {TypeError} If the gate, or a filter of the policy, is none, or `trusted` is no boolean.
 * @throws {RangeError} If a number is out of its range.
 */
export function checkLinkOptions(options: LinkOptions): void {
  const { policy, gate, cost = 1, keepalive = 0, trusted = true, limits = {} } = options;
  new LinkRules(policy);
  if (gate !== undefined && typeof gate !== "function") {
    throw new TypeError("Cannot add channel: its gate is not a function");
  }
  if (!Number.isInteger(cost) || cost < 1 || cost > MAX_LINK_COST) {
    const range = `an integer in 1-${MAX_LINK_COST}`;
    throw new RangeError(`Cannot add channel: its cost, ${cost}, is not ${range}`);
  }
  if (typeof trusted !== "boolean") {
    throw new TypeError("Cannot add channel: its option trusted is neither true nor false");
  }
  if (!(keepalive >= 0)) {
    throw new RangeError(`Cannot add channel: its keepalive, ${keepalive}, is below 0`);
  }
  for (const [name, limit] of Object.entries(limits)) {
    if (limit === undefined || limit > 0) continue;
    throw new RangeError(`Cannot add channel: its limit of ${name}, ${limit}, is not above 0`);
  }
}

/**
 * Checks what does not go with a channel that many neighbours share.
 *
 * @param keyed Whether the router has a key.
 * @throws {TypeError} If an option asks something of the one neighbour that there is elsewhere.
 */
export function checkSegmentOptions({ key, identity = false }: LinkOptions, keyed: boolean): void {
  if (key === undefined ? keyed : key !== null) {
    const why = "neighbours on a segment cannot prove that they know a key";
    throw new TypeError(`Cannot add channel: ${why}; with key: null, the engine lets them in`);
  }
  if (identity !== false) {
    throw new TypeError("Cannot add channel: neighbours on a segment show no certificates");
  }
}

/** Whether a gate lets a packet out. */
export function passes(gate: LinkOptions["gate"], packet: Packet): boolean {
  try {
    return gate === undefined || gate(packet) === true;
  } catch {
    return false;
  }
}
