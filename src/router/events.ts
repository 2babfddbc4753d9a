/**
 * What a router tells its application, as events.
 *
 * @module
 */

import type { Channel } from "../channel/channel.ts";
import type { AlnError } from "../errors.ts";
import { type DropReason, reasonOf } from "../mesh/drop_reason.ts";
import type { RouteInfo, ServiceInfo } from "../mesh/effects.ts";
import type { Packet } from "../wire/packet.ts";
import type { LinkIdentity } from "./admission.ts";

/** An instance of a service came, went, or changed its capacity. */
export class ServiceEvent extends Event implements ServiceInfo {
  /** The service's name. */
  readonly service: string;
  /** Address of the router that offers it. */
  readonly address: string;
  /** Advertised load; 0 means that the instance is gone. */
  readonly capacity: number;

  /** Constructs a new instance. */
  constructor(info: ServiceInfo) {
    super("service");
    this.service = info.service;
    this.address = info.address;
    this.capacity = info.capacity;
  }
}

/** A route came, went, or changed. */
export class RouteEvent extends Event implements RouteInfo {
  /** The destination's address. */
  readonly address: string;
  /** Distance in hops; 0 means that the route is lost. */
  readonly cost: number;
  /** Address of the neighbour that leads there. */
  readonly via: string;

  /** Constructs a new instance. */
  constructor(info: RouteInfo) {
    super("route");
    this.address = info.address;
    this.cost = info.cost;
    this.via = info.via;
  }
}

/** A channel was added and its neighbour let in, or it has closed, or was refused. */
export class ChannelEvent extends Event {
  /** The channel. */
  readonly channel: Channel;
  /** Whether it was added; else it has closed, perhaps without having been open. */
  readonly open: boolean;
  /** Why it has closed, if that was not orderly. */
  readonly reason: unknown;
  /** What is known of the neighbour beside its own word; `null` if nothing, or it has closed. */
  readonly identity: LinkIdentity | null;

  /** Constructs a new instance. */
  constructor(
    channel: Channel,
    open: boolean,
    reason?: unknown,
    identity: LinkIdentity | null = null,
  ) {
    super("channel");
    this.channel = channel;
    this.open = open;
    this.reason = reason;
    this.identity = identity;
  }
}

/** What else is known of a drop. */
export interface DropDetails {
  /** Why, in one word; by default what the error says. */
  reason?: DropReason;
  /**
   * How many packets it was.
   *
   * @default {1}
   */
  count?: number;
  /** The channel over which they came, or were to go, if it was one. */
  channel?: Channel | null;
}

/**
 * Something could not be parsed, routed, queued, delivered or handled, and was dropped. Where there
 * may be a flood of it, there is one event a second, which stands for all.
 */
export class DropEvent extends Event {
  /** The packet, if there was one, and only one. */
  readonly packet: Packet | null;
  /** Why. */
  readonly error: AlnError;
  /** Why, in one word: what it is counted under in `router.stats()`. */
  readonly reason: DropReason;
  /** How many packets it was. */
  readonly count: number;
  /** The channel over which they came, or were to go; `null` if there was none. */
  readonly channel: Channel | null;

  /** Constructs a new instance. */
  constructor(packet: Packet | null, error: AlnError, details: DropDetails = {}) {
    super("drop");
    this.packet = packet;
    this.error = error;
    this.reason = details.reason ?? reasonOf(error, packet);
    this.count = details.count ?? 1;
    this.channel = details.channel ?? null;
  }
}

/** Two routers use one address: ours, or one that we know. */
export class ConflictEvent extends Event {
  /** The address. */
  readonly address: string;

  /** Constructs a new instance. */
  constructor(address: string) {
    super("conflict");
    this.address = address;
  }
}

/** What a call asked for and does without. */
export type FallbackReason =
  /** The end, errors, cancelling and flow control of a stream: replies are taken as they come. */
  | "stream"
  /** Delivery once and in order: packets may be lost. */
  | "reliable"
  /** Flow control and the end of an upload: each piece is a call of its own. */
  | "upload"
  /** Cutting a large payload: it is sent as it is, if a packet can hold it. */
  | "payload";

/** A call goes to an old peer, and does without what it asked for. */
export class FallbackEvent extends Event {
  /** What it does without. */
  readonly reason: FallbackReason;
  /** The service that is called. */
  readonly service: string;
  /** Address of the old peer. */
  readonly address: string;

  /** Constructs a new instance. */
  constructor(reason: FallbackReason, service: string, address: string) {
    super("fallback");
    this.reason = reason;
    this.service = service;
    this.address = address;
  }
}

/** The router's events by type. */
export interface RouterEventMap {
  /** An instance of a service changed. */
  service: ServiceEvent;
  /** A route changed. */
  route: RouteEvent;
  /** A channel was added, or has closed. */
  channel: ChannelEvent;
  /** Something was dropped. */
  drop: DropEvent;
  /** Two routers use one address. */
  conflict: ConflictEvent;
  /** A call to an old peer does without what it asked for. */
  fallback: FallbackEvent;
}
