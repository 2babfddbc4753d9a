/**
 * {@linkcode WatchedRouter}: a router whose packets are seen as they pass.
 *
 * @module
 */

import type { Channel } from "../../channel/channel.ts";
import type { LinkOptions } from "../../router/link_options.ts";
import { Router } from "../../router/router.ts";
import type { Packet } from "../../wire/packet.ts";
import type { Direction } from "./packets.ts";

/** Shown a packet, which is borrowed: it must be neither kept nor changed. */
export type PacketObserver = (packet: Packet, direction: Direction) => void;

/**
 * A router that shows each packet that comes or goes over one of its channels. It needs no hook for
 * that: a link's gate is asked before a packet goes out, and what comes in goes by `onPacket`.
 */
export class WatchedRouter extends Router {
  readonly #observe: PacketObserver;

  /** Constructs a new instance. */
  constructor(address: string, observe: PacketObserver) {
    super(address);
    this.#observe = observe;
  }

  /** The same as of every router. */
  override addChannel(channel: Channel, options: LinkOptions = {}): void {
    const { gate } = options;
    super.addChannel(channel, {
      ...options,
      gate: (packet) => {
        const passes = gate === undefined || gate(packet);
        if (passes) this.#observe(packet, "out");
        return passes;
      },
    });
    const receive = channel.onPacket;
    if (receive === null) return; // It has closed already.
    channel.onPacket = (packet) => {
      this.#observe(packet, "in");
      receive(packet);
    };
  }
}
