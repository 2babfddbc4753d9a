/**
 * {@linkcode Link}: one channel, as the router holds it.
 *
 * What is asked of the router goes through one object for all links: a router may have thousands,
 * and functions for each would take more than all else that it keeps of a link at rest.
 *
 * @module
 */

import type { Channel, FrameOutlet } from "../channel/channel.ts";
import type { ChannelError } from "../errors.ts";
import type { LinkId } from "../mesh/effects.ts";
import type { Packet } from "../wire/packet.ts";
import { Admission, type AdmissionHooks, type Doorkeeper, type LinkIdentity } from "./admission.ts";
import type { LinkOptions } from "./link_options.ts";
import { LinkCounters } from "./stats.ts";
import type { TransitHooks } from "./transit.ts";

/** What links want of the router: see {@linkcode AdmissionHooks} and {@linkcode TransitHooks}. */
export interface LinkHost {
  /** The time, in ms. */
  now(): number;
  /** Say that the channel is open. */
  open(link: Link, identity: LinkIdentity | null): void;
  /** Bring the link up. */
  up(link: Link): void;
  /** Take this packet of the neighbour's. */
  receive(link: Link, packet: Packet): void;
  /** Let go of the channel, and close it. */
  refuse(link: Link, error: ChannelError): void;
  /** Whether the router is not closing, nor in the midst of something. */
  isIdle(): boolean;
  /** Where frames for a link are written; `undefined` if each packet has to be looked at there. */
  outlet(to: LinkId): FrameOutlet | undefined;
  /** So many frames have been carried. */
  carried(link: Link, count: number): void;
}

/** A channel with all that the router keeps of it. */
export class Link implements AdmissionHooks, TransitHooks {
  /** Names the link to the mesh. */
  readonly id: LinkId;
  /** The channel. */
  readonly channel: Channel;
  /** As it was attached with. */
  readonly options: LinkOptions;
  /** What is asked for each packet that goes out. */
  readonly gate: LinkOptions["gate"];
  /** Who lets the neighbour in. */
  readonly admission: Admission;
  /** What is counted of it. */
  readonly counters: LinkCounters;
  /** If it is a segment: what the mesh calls each neighbour there. */
  readonly members: Map<number, LinkId> | null;
  /** Whether the mesh has been told of it. */
  isUp: boolean = false;
  readonly #host: LinkHost;

  /**
   * Constructs a new instance.
   *
   * @throws {TypeError} If an option is of no use.
   */
  constructor(
    id: LinkId,
    channel: Channel,
    options: LinkOptions,
    doorkeeper: Doorkeeper,
    host: LinkHost,
  ) {
    this.id = id;
    this.channel = channel;
    this.options = options;
    this.gate = options.gate;
    this.admission = new Admission(doorkeeper, channel, options, this);
    this.counters = new LinkCounters(host.now());
    this.members = channel.segment === undefined ? null : new Map();
    this.#host = host;
  }

  /** Sends a packet of the handshake. */
  send(packet: Packet): void {
    this.channel.send(packet);
  }

  /** The channel is open. */
  open(identity: LinkIdentity | null): void {
    this.#host.open(this, identity);
  }

  /** The neighbour is in. */
  up(): void {
    this.#host.up(this);
  }

  /** The neighbour has sent a packet. */
  receive(packet: Packet): void {
    this.#host.receive(this, packet);
  }

  /** The neighbour may not come in, or not stay. */
  refuse(error: ChannelError): void {
    this.#host.refuse(this, error);
  }

  /** Whether frames may be carried now. */
  isIdle(): boolean {
    return this.#host.isIdle() && this.admission.isOpen;
  }

  /** Where frames for a link are written. */
  outlet(to: LinkId): FrameOutlet | undefined {
    return this.#host.outlet(to);
  }

  /** Frames have been carried. */
  carried(count: number): void {
    this.counters.packetsIn += count;
    this.#host.carried(this, count);
  }
}
