/**
 * {@linkcode WatchedRouter}: a router that shows each packet that passes it.
 *
 * @module
 */

import type { Channel } from "../channel/channel.ts";
import type { LinkOptions } from "../router/link_options.ts";
import { Router, type RouterOptions } from "../router/router.ts";
import type { Packet } from "../wire/packet.ts";

/** Whether a packet came in over a channel, or goes out. */
export type PacketDirection = "in" | "out";

/** Shown a packet, borrowed: it must not be kept, nor changed. */
export type PacketObserver = (direction: PacketDirection, packet: Packet, channel: Channel) => void;

/**
 * Shows each packet that comes in or goes out over its channels, those that it only carries
 * included. No hook of the router is needed: a link's gate is asked before each packet goes out, and
 * because there is one, what is carried on is read, too.
 *
 * @example
 * ```ts
 * import { createChannelPair, Router } from "@aln/mesh";
 * import { WatchedRouter } from "@aln/mesh/inspect";
 *
 * const seen: string[] = [];
 * const tap = new WatchedRouter("tap", {}, (direction, packet) => {
 *   if (packet.net === 0) seen.push(`${direction} ${packet.srv || "reply"}`);
 * });
 * const server = new Router("server");
 * server.registerService("ping", () => "pong");
 * const [left, right] = createChannelPair();
 * tap.addChannel(left);
 * server.addChannel(right);
 *
 * await tap.waitForService("ping");
 * await tap.request("ping");
 * console.log(seen); // [ "out ping", "in reply" ]
 * await Promise.all([tap.close(), server.close()]);
 * ```
 */
export class WatchedRouter extends Router {
  readonly #observe: PacketObserver;

  /** Constructs a new instance. */
  constructor(address: string, options: RouterOptions, observe: PacketObserver) {
    super(address, options);
    this.#observe = observe;
  }

  /** The same as of every router. */
  override addChannel(channel: Channel, options: LinkOptions = {}): void {
    const { gate } = options;
    super.addChannel(channel, {
      ...options,
      gate: (packet) => {
        const passes = gate === undefined || gate(packet);
        if (passes) this.#observe("out", packet, channel);
        return passes;
      },
    });
    const receive = channel.onPacket;
    if (receive === null) return; // It has closed already.
    channel.onPacket = (packet) => {
      this.#observe("in", packet, channel);
      receive(packet);
    };
  }
}
