/**
 * The nodes of a simulated network, as tests see them.
 *
 * @module
 */

import type { Effect } from "../mesh/effects.ts";
import type { MeshOptions } from "../mesh/options.ts";
import type { Packet } from "../wire/packet.ts";
import type { CreateRouter, SimulatedRouter } from "./simulated_router.ts";

/** Options of one node. */
export interface NodeOptions {
  /**
   * Its address; two nodes may have the same.
   *
   * @default {"the node's id"}
   */
  address?: string;
  /** Options of its mesh, over those of the network's. */
  mesh?: MeshOptions;
  /**
   * When it started by its own clock, in seconds since 2024.
   *
   * @default {"the virtual time, past the start of all runs"}
   */
  incarnation?: number;
  /**
   * Makes its router.
   *
   * @default {"a Mesh"}
   */
  create?: CreateRouter;
}

/** One router in a simulated network. */
export interface SimulatedNode {
  /** Its name here: its address, unless it was given another. */
  readonly id: string;
  /** Its number, in order of first start: 0, 1, 2 … */
  readonly index: number;
  /** What it was made with. */
  readonly options: NodeOptions;
  /** Its core. */
  readonly mesh: SimulatedRouter;
  /** Services that it offers, with their capacities. */
  readonly offers: ReadonlyMap<string, number>;
  /** How often it has started. */
  readonly starts: number;
  /** Whether it runs. */
  readonly alive: boolean;
  /** Every effect that was not a packet to send, in order. */
  readonly effects: Effect[];
}

/** A packet that was put on a link, as a simulated network remembers it. */
export interface Sent {
  /** When, in virtual ms. */
  readonly at: number;
  /** Id of the sender. */
  readonly from: string;
  /** Id of the receiver. */
  readonly to: string;
  /** The packet, decoded from its bytes. */
  readonly packet: Packet;
}

/** Is told of every effect that is not a packet to send, once it has happened. */
export type Watcher = (node: SimulatedNode, effect: Effect) => void;
