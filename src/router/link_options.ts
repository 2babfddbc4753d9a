/**
 * What a router can be told about one of its channels.
 *
 * @module
 */

import { LinkRules } from "../mesh/link_policy.ts";
import type { LinkSettings } from "../mesh/options.ts";
import type { Packet } from "../wire/packet.ts";

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
}

/**
 * Checks what is no matter of types alone.
 *
 * @throws {TypeError} If the gate, or a filter of the policy, is none.
 * @throws {RangeError} If the cost is no whole number from 1 on, or `keepalive` negative or none.
 */
export function checkLinkOptions({ policy, gate, cost = 1, keepalive = 0 }: LinkOptions): void {
  new LinkRules(policy);
  if (gate !== undefined && typeof gate !== "function") {
    throw new TypeError("Cannot add channel: its gate is not a function");
  }
  if (!(Number.isInteger(cost) && cost >= 1)) {
    throw new RangeError(`Cannot add channel: its cost is "${cost}", and must be 1 or more`);
  }
  if (!(keepalive >= 0)) {
    throw new RangeError(`Cannot add channel: keepalive is "${keepalive}", and must be 0 or more`);
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
