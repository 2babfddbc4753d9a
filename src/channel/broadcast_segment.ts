/**
 * {@linkcode BroadcastSegment}: many routers on one `BroadcastChannel`.
 *
 * Every message is `{ src, id, nxt, to, mine, yours, data }`: the sender's address and its instance,
 * the address and the instance of the one it is for (`nxt` is `""` for everyone), the numbers that
 * the two have for the link between them, as far as the sender knows, and what it says: `"hello"`,
 * `"ask"` (answered with hello), `"bye"`, or a message of {@linkcode MessagePortChannel}.
 *
 * @module
 */

import { ChannelError } from "../errors.ts";
import type { ChannelOptions } from "./channel.ts";
import {
  lost,
  type MessageLike,
  MessagePortChannel,
  type MessagePortLike,
} from "./message_port_channel.ts";

/** Options of a {@linkcode BroadcastSegment}; those of channels go for each of its channels. */
export interface BroadcastSegmentOptions extends ChannelOptions {
  /**
   * Told, with `ERR_CHANNEL_PROTOCOL`, of somebody who has our address (again with each of its
   * keepalives, while it lasts), of messages that are not a segment's, and of neighbours that are
   * too many.
   */
  onError?: (error: ChannelError) => void;
}

/** How often a segment says that it is there, in ms. */
const KEEPALIVE_INTERVAL = 5_000;

/** Who was silent for so many intervals is asked: hidden pages keep time badly, but they answer. */
const ASK_AFTER = 2;

/** Who was silent for so many intervals is lost. */
const LOST_AFTER = 4;

/** Neighbours that one segment talks to. */
const MAX_PEERS = 256;

/** A message, as posted. */
interface Envelope {
  src: string;
  id: number;
  nxt: string;
  to: number;
  mine: number;
  yours: number;
  data: unknown;
}

/** One neighbour, and the channel to it. */
interface Peer {
  address: string;
  id: number;
  /** Our number for this link: a peer that forgot us, and meets us again, gets another. */
  ours: number;
  /** Theirs, once they have said it. */
  theirs: number;
  /** Intervals since it was last heard. */
  silent: number;
  channel: MessagePortChannel;
  hear: (event: MessageLike) => void;
}

/** As a link's number: none yet, or said to nobody in particular. */
const NO_LINK = 0;

/**
 * A segment that several routers share: the tabs and workers of one origin, or the threads of one
 * process. It finds out who is there and makes a channel for each, which is a channel like any other.
 *
 * A neighbour that leaves without a word is lost after 15-20 seconds. A channel that closes while
 * both sides are there is followed by a new one at the next keepalive; to leave, close the segment.
 * A page should do so on `pagehide`, with a reason, as there is no time for more.
 *
 * What it costs: everyone is handed, and copies, every message, also those for others. Among *n*
 * routers a packet costs *n* - 1 deliveries and the keepalives *n*² every 5 seconds, and the mesh is
 * full: each has a link to each. Fine for a dozen tabs; for more, let some of them share a router.
 * Whoever can post on the channel can speak for anybody on it; that is the origin, or the process.
 *
 * @example
 * ```ts
 * import { Router } from "@aln/mesh";
 * import { BroadcastSegment } from "@aln/mesh/channels";
 * import assert from "node:assert/strict";
 *
 * const join = (address: string) => {
 *   const router = new Router(address);
 *   const segment = new BroadcastSegment(
 *     new BroadcastChannel("aln"),
 *     address,
 *     (channel) => router.addChannel(channel),
 *   );
 *   return { router, segment };
 * };
 * const a = join("tab-a");
 * const b = join("tab-b"); // In another tab.
 * b.router.registerService("ping", (_packet, reply) => void reply("pong"));
 *
 * await a.router.waitForService("ping");
 * assert.equal((await a.router.request("ping")).text(), "pong");
 * await Promise.all([a.segment.close(), b.segment.close()]);
 * await Promise.all([a.router.close(), b.router.close()]);
 * ```
 */
export class BroadcastSegment implements AsyncDisposable {
  /** Our address on the segment. */
  readonly address: string;
  readonly #port: MessagePortLike;
  readonly #onChannel: (channel: MessagePortChannel, address: string) => void;
  readonly #options: BroadcastSegmentOptions;
  readonly #id: number = Math.random(); // Tells us apart from whoever has the same address.
  readonly #peers: Map<number, Peer> = new Map();
  readonly #keepalive: ReturnType<typeof setInterval>;
  #links: number = NO_LINK;
  #closing: Promise<void> | null = null;

  /**
   * Constructs a new instance, and says hello.
   *
   * @param port A `BroadcastChannel`, which the segment owns.
   * @param address That of our router.
   * @param onChannel Given a channel for each neighbour that comes, and the neighbour's address.
   */
  constructor(
    port: MessagePortLike,
    address: string,
    onChannel: (channel: MessagePortChannel, address: string) => void,
    options: BroadcastSegmentOptions = {},
  ) {
    this.#port = port;
    this.address = address;
    this.#onChannel = onChannel;
    this.#options = options;
    port.addEventListener("message", this.#hear);
    this.#keepalive = setInterval(() => this.#tick(), KEEPALIVE_INTERVAL);
    options.signal?.addEventListener("abort", this.#abort, { once: true });
    this.#post("hello");
    if (options.signal?.aborted) this.#abort();
  }

  /**
   * Closes every channel, as {@linkcode BaseChannel.close} does, and leaves the segment.
   *
   * @returns Resolves when that is done.
   */
  close(reason?: unknown): Promise<void> {
    clearInterval(this.#keepalive);
    const channels = [...this.#peers.values()].map(({ channel }) => channel);
    for (const channel of channels) channel.close(reason);
    return this.#closing ??= Promise.all(channels.map(({ closed }) => closed)).then(() => {
      this.#options.signal?.removeEventListener("abort", this.#abort);
      this.#port.removeEventListener("message", this.#hear);
      this.#post("bye");
      this.#port.close?.();
    });
  }

  /** Leaves in an orderly way. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  readonly #abort = (): void => void this.close(this.#options.signal!.reason);

  #post(
    data: unknown,
    nxt: string = "",
    to: number = 0,
    mine: number = 0,
    yours: number = 0,
  ): void {
    this.#port.postMessage({ src: this.address, id: this.#id, nxt, to, mine, yours, data });
  }

  #tell({ address, id, ours, theirs }: Peer, data: unknown): void {
    this.#post(data, address, id, ours, theirs);
  }

  #tick(): void {
    this.#post("hello");
    for (const peer of [...this.#peers.values()]) {
      if (++peer.silent === ASK_AFTER) this.#tell(peer, "ask");
      else if (peer.silent >= LOST_AFTER) peer.channel.close(lost("the peer is silent"));
    }
  }

  readonly #hear = ({ data: message }: MessageLike): void => {
    if (!isEnvelope(message)) return this.#report("Cannot accept message: it is no segment's");
    const { src, id, nxt, to, mine, yours, data } = message;
    if (nxt !== "" && (nxt !== this.address || to !== this.#id)) return;
    let peer = this.#peers.get(id);
    if (peer) peer.silent = 0;
    if (data === "hello" || data === "ask") {
      if (peer && mine && !yours && peer.theirs && peer.theirs !== mine) {
        peer.channel.close(lost("the peer began anew"));
        peer = undefined;
      }
      // Who knows a number of ours that is no more will hear the new one, and begin anew.
      if (!peer) return this.#meet(src, id, nxt, yours ? NO_LINK : mine);
      if (!mine || (yours && yours !== peer.ours)) return;
      peer.theirs = mine;
      if (data === "ask") this.#tell(peer, "hello");
    } else if (data === "bye") {
      peer?.channel.close(lost("the peer has left"));
    } else if (peer && peer.theirs === mine) { // Else it is of a link that is no more.
      peer.hear({ type: "message", data });
    }
  };

  #meet(address: string, id: number, nxt: string, theirs: number): void {
    if (this.#closing) return;
    if (address === this.address) {
      if (nxt === "") this.#post("hello", address, id); // So that it knows of us, too.
      return this.#report(`Cannot share segment: somebody else is "${address}"`);
    }
    if (this.#peers.size === MAX_PEERS) {
      return this.#report(`Cannot add "${address}": ${MAX_PEERS} are there already`);
    }
    const peer = { address, id, ours: ++this.#links, theirs, silent: 0 } as Peer;
    this.#peers.set(id, peer);
    this.#tell(peer, "hello");
    peer.channel = new MessagePortChannel({
      postMessage: (data) => this.#tell(peer, data),
      addEventListener: (_type, listener) => peer.hear = listener,
      removeEventListener: () => void this.#peers.delete(id), // It has finished.
    }, this.#options);
    peer.channel.transport = "broadcast";
    this.#onChannel(peer.channel, address);
  }

  #report(message: string): void {
    this.#options.onError?.(new ChannelError("ERR_CHANNEL_PROTOCOL", message));
  }
}

function isEnvelope(message: unknown): message is Envelope {
  const { src, id, nxt } = Object(message) as Envelope;
  return typeof src === "string" && typeof id === "number" && typeof nxt === "string";
}
