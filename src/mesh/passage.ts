/**
 * Packets that need not be read whole: of which every next one, as long as the router has heard of
 * nothing else, goes the same way.
 *
 * Pure functions.
 *
 * @module
 */

import type { Packet } from "../wire/packet.ts";
import type { Core } from "./core.ts";
import { maxHops, mayBring } from "./data_plane.ts";
import type { LinkId } from "./effects.ts";
import { isProxied } from "./sequence.ts";

/** How packets go on that come over one link, with the same `srv`, `src` and `dst`. */
export interface Passage {
  /** The link that they leave by. */
  readonly to: LinkId;
  /** The neighbour's address, for `nxt`. */
  readonly nxt: string;
  /** The highest hop limit that they leave with. */
  readonly maxHops: number;
}

/**
 * The way of packets that come over a link, each with a hop limit above 1 and no number; `null` if
 * they must be looked at one by one.
 *
 * @param packet One of them, which has been carried just now.
 */
export function passage(core: Core, link: LinkId, packet: Packet): Passage | null {
  const { neighbours, routes, identity, stub } = core;
  const from = neighbours.get(link);
  const { dst } = packet;
  if (
    from === undefined || from.kind !== "modern" || from.meters.of("packets").limit !== Infinity
  ) {
    return null;
  }
  if (stub || dst === "" || dst === identity.address || !mayBring(from, packet)) return null;
  const destination = routes.get(dst);
  const to = destination?.selected ?? null;
  if (destination === undefined || to === null || to === from || to.suspended) return null;
  if (to.kind !== "modern" || !to.takesTrailers) return null;
  if (isProxied(destination.origin)) return null; // They would be numbered.
  return { to: to.link, nxt: to.address, maxHops: maxHops(destination.cost) };
}
