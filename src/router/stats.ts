/**
 * What a router has done so far, in numbers: a snapshot that is plain JSON.
 *
 * @module
 */

import type { Channel } from "../channel/channel.ts";
import type { AlnErrorCode } from "../errors.ts";
import { type DropReason, noDrops } from "../mesh/drop_reason.ts";
import type { LinkId, NeighbourInfo } from "../mesh/effects.ts";
import type { DropEvent } from "./events.ts";

/** What `Router.stats()` says. */
export interface RouterStats {
  /** The router's address. */
  address: string;
  /** How long it has been there, in ms. */
  uptime: number;
  /** Routers that can be reached now. */
  routes: number;
  /** Instances of services that can be called now, its own included. */
  services: number;
  /** Contexts that are open: calls in flight, and what `registerContextHandler` has opened. */
  contexts: number;
  /** How many packets were dropped, by reason, channels that are gone included. */
  drops: Record<DropReason, number>;
  /** Every channel that is attached. */
  channels: ChannelStats[];
}

/** One channel, in {@linkcode RouterStats}. */
export interface ChannelStats {
  /** Tells channels of this router apart; never used again. */
  id: number;
  /** Address of the router at its far end; `""` while it has not said it, and of a segment. */
  address: string;
  /** What it is: one of our kind, an older one, yet to be found out; or many, on a segment. */
  kind: "modern" | "legacy" | "unknown" | "segment";
  /** Who is on it, if it is a segment. */
  neighbours?: { address: string; roundTrip: number | null }[];
  /** What carries it, such as "tcp", "wss" or "memory"; `null` if it does not say. */
  transport: string | null;
  /** What a hop over it counts for. */
  cost: number;
  /** How long it has been attached, in ms. */
  uptime: number;
  /** How long a packet and its answer take, in ms, smoothed; `null` while that is not known. */
  roundTrip: number | null;
  /** Packets that have arrived. */
  packetsIn: number;
  /** Packets that its transport has taken; or it has itself, if it does not count. */
  packetsOut: number;
  /** Bytes that have arrived; `null` if it does not count. */
  bytesIn: number | null;
  /** Bytes that its transport has taken; `null` if it does not count. */
  bytesOut: number | null;
  /** Bytes that wait to be sent; `null` if it does not say. */
  queuedBytes: number | null;
  /** Adverts of an old router that said again what it had just said. They are not read. */
  repeats: number;
  /** How many packets that came over it, or were to go, were dropped, by reason. */
  drops: Record<DropReason, number>;
  /** The same by the code of the error; only those that there were. */
  errors: Partial<Record<AlnErrorCode, number>>;
}

/** What is counted of one channel. */
export class LinkCounters {
  /** Packets that have arrived. */
  packetsIn: number = 0;
  /** Packets that the channel has taken. */
  packetsOut: number = 0;
  readonly #since: number;
  // Nothing is dropped on most channels.
  #drops: Record<DropReason, number> | null = null;
  #errors: Partial<Record<AlnErrorCode, number>> | null = null;

  /**
   * Constructs a new instance.
   *
   * @param now When the channel was attached, in ms.
   */
  constructor(now: number) {
    this.#since = now;
  }

  /** Counts what was dropped. */
  dropped({ reason, count, error }: DropEvent): void {
    const drops = this.#drops ??= noDrops();
    const errors = this.#errors ??= {};
    drops[reason] += count;
    errors[error.code] = (errors[error.code] ?? 0) + count;
  }

  /** All there is to say of the channel. */
  snapshot(
    id: LinkId,
    channel: Channel,
    neighbour: NeighbourInfo | null,
    members: readonly NeighbourInfo[],
    now: number,
  ): ChannelStats {
    const { counters, bufferedBytes, transport = null } = channel;
    const { address = "", kind, cost = 1, roundTrip = 0, repeats = 0 } = neighbour ?? {};
    const isSegment = channel.segment !== undefined;
    const known = kind === "modern" || kind === "legacy" ? kind : "unknown";
    return {
      id,
      address,
      kind: isSegment ? "segment" : known,
      ...isSegment && {
        neighbours: members.map(({ address, roundTrip }) => ({
          address,
          roundTrip: roundTrip > 0 ? roundTrip : null,
        })),
      },
      transport,
      cost,
      uptime: Math.round(now - this.#since),
      roundTrip: roundTrip > 0 ? roundTrip : null,
      packetsIn: counters?.packetsIn ?? this.packetsIn,
      packetsOut: counters?.packetsOut ?? this.packetsOut,
      bytesIn: counters?.bytesIn ?? null,
      bytesOut: counters?.bytesOut ?? null,
      queuedBytes: bufferedBytes ?? null,
      repeats,
      drops: { ...this.#drops ?? noDrops() },
      errors: { ...this.#errors },
    };
  }
}
