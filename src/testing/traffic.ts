/**
 * What went over the links of a simulated network, counted.
 *
 * @module
 */

import { NET_LINK, NET_QUERY, NET_ROUTE, NET_SERVICE } from "../wire/limits.ts";
import { decodeLinkFrame, type LinkFrameVisitor } from "../wire/link_frame.ts";
import type { Packet } from "../wire/packet.ts";

/** Counts of what was sent; a packet over three links counts three times. */
export class Traffic {
  /** Packets of any kind. */
  packets: number = 0;
  /** Their size, in bytes, before any framing. */
  bytes: number = 0;
  /** Packets of applications. */
  data: number = 0;
  /** Packets between routers that carried at least one record about a route. */
  frames: number = 0;
  /** Offers and withdrawals of routes. */
  routes: number = 0;
  /** Offers and withdrawals of services. */
  services: number = 0;
  /** Requests for a fresher route. */
  requests: number = 0;
  /** Queries for tables, which are the hellos, too. */
  queries: number = 0;
  /** Pings, pongs and digests: what is sent though nothing happens. */
  upkeep: number = 0;
  /** Everything else between routers: farewells, requests to start over, errors. */
  others: number = 0;

  /** Records about routes: what a routing protocol is measured by. */
  get records(): number {
    return this.routes + this.requests;
  }

  /**
   * Counts a packet.
   *
   * @param bytes Its size.
   * @returns Whether it says anything new; pings, digests and questions do not.
   */
  count(packet: Packet, bytes: number): boolean {
    this.packets++;
    this.bytes += bytes;
    switch (packet.net) {
      case 0:
        this.data++;
        return true;
      case NET_ROUTE:
        this.routes++;
        this.frames++;
        return true;
      case NET_SERVICE:
        this.services++;
        return true;
      case NET_QUERY:
        this.queries++;
        return false; // An old peer that is silent is asked for ever; what it answers is news.
      case NET_LINK:
        return this.#countFrame(packet.data);
      default:
        this.others++;
        return true;
    }
  }

  #countFrame(data: Uint8Array): boolean {
    const { records, upkeep } = this;
    const before = records + this.services + this.others;
    decodeLinkFrame(data, this.#visitor);
    if (this.records > records) this.frames++;
    return this.records + this.services + this.others > before || this.upkeep === upkeep;
  }

  readonly #visitor: LinkFrameVisitor = {
    route: () => void this.routes++,
    service: () => void this.services++,
    seqRequest: () => void this.requests++,
    ping: () => void this.upkeep++,
    pong: () => void this.upkeep++,
    digest: () => void this.upkeep++,
    resync: () => void this.others++,
    bye: () => void this.others++,
  };
}

/** The size of a packet in bytes, without encoding it. Names count one byte a character. */
export function packetSize(packet: Packet): number {
  const name = (value: string) => value === "" ? 0 : 1 + value.length;
  return 2 + (packet.net ? 1 : 0) + name(packet.srv) + name(packet.src) + name(packet.dst) +
    name(packet.nxt) + (packet.seq ? 2 : 0) + (packet.ack ? 4 : 0) + (packet.ctx ? 2 : 0) +
    (packet.typ ? 1 : 0) + (packet.data.length > 0 ? 2 + packet.data.length : 0);
}
