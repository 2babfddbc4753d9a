/**
 * What the simulator asks of whatever runs in its nodes: the surface of a mesh core.
 *
 * @module
 */

import type { Effect, LinkId, PeerId, RouteInfo, ServiceInfo } from "../mesh/effects.ts";
import type { RouteDetails, ToldRoute } from "../mesh/mesh.ts";
import type { LinkSettings, MeshOptions } from "../mesh/options.ts";
import type { Packet } from "../wire/packet.ts";

/** A mesh core, or a model of another implementation. What is optional is not checked if missing. */
export interface SimulatedRouter {
  /** Its address. */
  readonly address: string;
  /** A link has come up. */
  linkUp(link: LinkId, now: number, settings?: LinkSettings): Effect[];
  /** A link has gone down. */
  linkDown(link: LinkId, now: number): Effect[];
  /** A packet has come in. */
  receive(link: LinkId, packet: Packet, now: number): Effect[];
  /** It is on a segment. */
  segmentUp?(link: LinkId, now: number, settings?: LinkSettings): Effect[];
  /** A packet has come in from somebody on a segment. */
  receiveFrom?(link: LinkId, peer: PeerId, packet: Packet, now: number): Effect[];
  /** The engine says that somebody on a segment is gone. */
  neighbourDown?(link: LinkId, peer: PeerId, now: number): Effect[];
  /** The application sends a packet. */
  send(packet: Packet, now: number): Effect[];
  /** The application offers a service; capacity 0 withdraws it. */
  offer(service: string, capacity: number, now: number): Effect[];
  /** Time has passed. */
  tick(now: number): Effect[];
  /** When `tick()` is next due, in ms. */
  deadline(): number;
  /** Says goodbye on all links. */
  leave?(now: number): Effect[];
  /** Every destination that can be reached. */
  routes(): RouteInfo[];
  /** Every instance of every service that can be used. */
  services(): ServiceInfo[];
  /** Addresses that offer a service. */
  instances(service: string): string[];
  /** Whether packets can reach an address now. */
  reaches(address: string): boolean;
  /** The link in use for a destination. */
  nextHop?(address: string): LinkId | null;
  /** What is known of a destination. */
  inspect?(address: string): RouteDetails | null;
  /** What the neighbour on a link offers. */
  heard?(link: LinkId): Map<string, ToldRoute>;
  /** What the neighbour on a link was told last. */
  told?(link: LinkId): Map<string, ToldRoute>;
  /** What kind of router is on a link. */
  neighbourKind?(link: LinkId): string | "gone";
}

/** Makes the router of a node. */
export type CreateRouter = (
  address: string,
  random: () => number,
  options: MeshOptions,
) => SimulatedRouter;
