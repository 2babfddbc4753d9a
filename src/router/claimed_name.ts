/**
 * {@linkcode claimedName}: what a neighbour calls itself.
 *
 * @module
 */

import { decodeRouteAdvert } from "../wire/adverts.ts";
import { decodeHello } from "../wire/hello.ts";
import { NET_QUERY, NET_ROUTE } from "../wire/limits.ts";
import type { Packet } from "../wire/packet.ts";

/**
 * The address by which the mesh will know the neighbour that this packet has come from: our kind
 * says it in hellos, old peers in offers.
 *
 * @param own Our own address: an old peer that says it does not mean itself.
 * @returns `""` if the packet says none.
 */
export function claimedName(packet: Packet, own: string): string {
  const { net, data, src } = packet;
  try {
    if (net === NET_QUERY) return decodeHello(data)?.address ?? "";
    if (net !== NET_ROUTE || src === own) return "";
    // A relayed withdrawal keeps the name of whoever began it.
    return decodeRouteAdvert(data, { repair: true }).cost > 0 ? src : "";
  } catch {
    return ""; // It is broken, and the mesh will not read it either.
  }
}
