/**
 * Several networks on one port ("maln"): the first packet on a connection names the network that
 * it is for, and has no other field. From then on the connection is a channel like any other.
 *
 * @module
 */

import type { Channel } from "../channel/channel.ts";
import { ChannelError } from "../errors.ts";
import { NET_ERROR } from "../wire/limits.ts";
import { Packet } from "../wire/packet.ts";
import { handOver } from "./sockets.ts";
import { trimSlashes } from "./urls.ts";

/** How long a client may take to name its network, in ms. */
const CHOICE_TIMEOUT = 10_000;

/** Clients that may be waited for at a time. Each may hold a frame that has begun. */
const MAX_WAITING = 256;

/** Takes a channel into a network. */
type Join = (channel: Channel) => void;

/** Where channels wait until their peers have named a network. */
export class MalnLobby {
  readonly #find: (network: string) => Join | undefined;
  readonly #waiting: Map<Channel, ReturnType<typeof setTimeout>> = new Map();
  #open: boolean = true;

  /**
   * Constructs a new instance.
   *
   * @param find What takes a channel into the network of that name, if there is one.
   */
  constructor(find: (network: string) => Join | undefined) {
    this.#find = find;
  }

  /** How many channels wait here, those included that are being sent away. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Takes a channel, to own until it is in a network. */
  enter(channel: Channel): void {
    if (!this.#open) return channel.close();
    if (this.#waiting.size === MAX_WAITING) {
      // Whoever means it has named its network at once: so those who hold places lose theirs.
      const oldest = this.#waiting.keys().next().value!;
      this.#leave(oldest);
      const why = "too many others have not named a network either";
      oldest.close(new ChannelError("ERR_CHANNEL_FULL", `Cannot keep channel: ${why}`));
    }
    const expire = () => this.#refuse(channel, "no network was named in time");
    this.#waiting.set(channel, setTimeout(expire, CHOICE_TIMEOUT));
    channel.onClose = () => this.#leave(channel);
    channel.onPacket = (packet) => this.#choose(channel, packet);
  }

  /** Closes whatever still waits, and whatever enters from now on. */
  close(): void {
    this.#open = false;
    for (const channel of [...this.#waiting.keys()]) {
      this.#leave(channel);
      channel.close();
    }
  }

  #choose(channel: Channel, packet: Packet): void {
    if (!isSelection(packet)) {
      const why = "no network was named by the first packet, in dst and without other fields";
      return this.#refuse(channel, why);
    }
    const network = trimSlashes(packet.dst);
    const join = this.#find(network);
    if (join === undefined) return this.#refuse(channel, `there is no network "${network}" here`);
    this.#leave(channel);
    handOver(channel, join);
  }

  /** Says why, and closes. The channel keeps its place until it has closed. */
  #refuse(channel: Channel, why: string): void {
    clearTimeout(this.#waiting.get(channel));
    channel.onPacket = null;
    channel.send(new Packet({ net: NET_ERROR, data: why }));
    channel.close();
  }

  /** From here on the channel is no concern of ours. */
  #leave(channel: Channel): void {
    clearTimeout(this.#waiting.get(channel));
    this.#waiting.delete(channel);
    channel.onPacket = channel.onClose = null;
  }
}

/** Whether a packet names a network, and does nothing else. */
function isSelection(packet: Packet): boolean {
  const { net, srv, src, dst, nxt, seq, ack, ctx, typ, data } = packet;
  return dst !== "" && srv === "" && src === "" && nxt === "" && data.length === 0 &&
    (net | seq | ack | ctx | typ) === 0;
}
