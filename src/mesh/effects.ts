/**
 * The vocabulary between the mesh, which decides, and the router, which acts.
 *
 * @module
 */

import type { AlnError } from "../errors.ts";
import type { Packet } from "../wire/packet.ts";
import type { DropReason } from "./drop_reason.ts";

/**
 * Names one link; never used again after the link is down. Those of neighbours on a segment are given
 * by the mesh, and below 0.
 */
export type LinkId = number;

/** Tells the neighbours on one segment apart: given by its channel, and never used for another. */
export type PeerId = number;

/** A way to a destination. */
export interface RouteInfo {
  /** The destination's address. */
  address: string;
  /** Distance in hops: 1 for a neighbour. In an event, 0 means that the route is lost. */
  cost: number;
  /** Address of the neighbour that leads there; `""` while it has not said its name. */
  via: string;
}

/** One instance of a service. */
export interface ServiceInfo {
  /** The service's name. */
  service: string;
  /** Address of the router that offers it. */
  address: string;
  /** Advertised load, lower is preferred. In an event, 0 means that the instance is gone. */
  capacity: number;
}

/** One instance of a service, as one to call is chosen from. */
export interface Candidate {
  /** Address of the router that offers it. */
  address: string;
  /** Advertised load in 1-65535, lower is preferred. */
  capacity: number;
  /** Distance in hops: 0 for ourselves, `Infinity` while no route leads there. */
  cost: number;
  /** Whether its route is being looked for, and packets for it wait meanwhile. */
  held: boolean;
}

/**
 * What a neighbour is: not yet known, of our kind (it has negotiated), an old router, gone, though its
 * link may still be up; or all on a segment at once.
 */
export type NeighbourKind = "open" | "modern" | "legacy" | "gone" | "segment";

/** Who is at the far end of a link, or on a segment. */
export interface NeighbourInfo {
  /** Its address; `""` while it has not said it. */
  address: string;
  /** What it is. */
  kind: NeighbourKind;
  /** What a hop over the link costs. */
  cost: number;
  /** How long a round trip takes, in ms, smoothed; 0 while that is not known. */
  roundTrip: number;
  /** Adverts that said again what had just been said, and were not read. */
  repeats: number;
}

/** One thing that the mesh wants done, in the order in which it wants it. */
export type Effect =
  /** Send this packet over this link. It may be shared with other effects: do not change it. */
  | { readonly kind: "transmit"; readonly link: LinkId; readonly packet: Packet }
  /** Hand this packet to a service or context of this router. */
  | { readonly kind: "deliver"; readonly packet: Packet }
  /**
   * Tell that something was dropped: a packet, or (`null`) several of a kind, `count` of them.
   * `link`: the one over which it came, or was to go.
   */
  | {
    readonly kind: "drop";
    readonly packet: Packet | null;
    readonly error: AlnError;
    readonly reason: DropReason;
    readonly link?: LinkId;
    readonly count?: number;
  }
  /**
   * Tell that a route changed. `held`: there is none for the moment, but one is being looked for;
   * packets wait meanwhile, and nobody need be told.
   */
  | { readonly kind: "route"; readonly route: RouteInfo; readonly held?: true }
  /** Tell that a service changed. */
  | { readonly kind: "service"; readonly service: ServiceInfo }
  /** From now on `link` is the way to one neighbour on the segment that is this link. */
  | {
    readonly kind: "join";
    readonly link: LinkId;
    readonly segment: LinkId;
    readonly peer: PeerId;
  }
  /** A neighbour on a segment is gone: its link is down. */
  | { readonly kind: "part"; readonly link: LinkId }
  /** Say to this link's channel whether its peer reads packets in bytes. */
  | { readonly kind: "format"; readonly link: LinkId; readonly binary: boolean }
  /** Close this link: it is of no use any more. The mesh has forgotten it already. */
  | { readonly kind: "close"; readonly link: LinkId; readonly error: AlnError }
  /** Tell that two routers use this address. */
  | { readonly kind: "conflict"; readonly address: string };
