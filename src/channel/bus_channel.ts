/**
 * {@linkcode BusChannel}: many routers on one segment of an engine that carries messages by topic.
 *
 * @module
 */

import { ChannelError, PacketError } from "../errors.ts";
import type { Bytes } from "../wire/bytes.ts";
import { NET_LINK } from "../wire/limits.ts";
import { LinkFrameWriter } from "../wire/link_frame.ts";
import { decodePart, Packet } from "../wire/packet.ts";
import { encodePacket } from "../wire/packet_codec.ts";
import {
  decodeSegmentHead,
  encodeSegmentHead,
  encodeSegmentMessage,
  EVERYBODY,
  forEachPacket,
  PACKET_OVERHEAD,
  peekSegmentHead,
  type SegmentPeek,
} from "../wire/segment_message.ts";
import { BaseChannel } from "./base_channel.ts";
import { type Bus, type BusEvents, topicOf } from "./bus.ts";
import type { ChannelOptions, SegmentPort } from "./channel.ts";

/** Options of a {@linkcode BusChannel}. */
export interface BusChannelOptions extends ChannelOptions {
  /**
   * Which segment of the engine: only routers with the same word hear each other.
   *
   * @default {"mesh"}
   */
  network?: string;
  /**
   * Use one topic, `aln/NETWORK`, for everything, where access to more cannot be had: everybody is
   * then handed every message.
   *
   * @default {false}
   */
  singleTopic?: boolean;
  /**
   * The goodbye that the engine says for us if we vanish, where it has such a thing: see `mqttWill`.
   */
  will?: LastWill;
}

/** A goodbye, made before its channel: the program gives it to the engine when it connects. */
export interface LastWill {
  /** Where it is to be published. */
  readonly topic: string;
  /** What. */
  readonly payload: Bytes;
}

/** How long the engine may be away before everybody on the segment is taken for gone, in ms. */
const GRACE = 2_000;

/**
 * How long after somebody was not heard it is asked again whether anybody hears it, in ms: what an
 * engine says of somebody who has just come may be wrong, for its servers tell each other later.
 */
const DOUBT = 50;

/**
 * How long somebody may say nothing who was sent something of an application, in ms, before it is
 * asked whether anybody hears it: an engine may notice later than we send that a connection is lost.
 */
const SILENCE = 1_000;

/** What a message has to hold, in bytes: frames of routes, parts of what is larger, and names. */
const MIN_MESSAGE = 1 << 14;

/** Everybody would carry it on. */
const SAID_TO_ALL = [
  "ERR_CHANNEL_PROTOCOL",
  "Cannot accept packet: an application's is not said to all",
] as const;

/** The largest message that packets are put into together, in bytes. */
const MAX_BATCH = 1 << 16;

/** Bytes published after which the engine is waited for. */
const WINDOW = 1 << 18;

/** Neighbours whose addresses are kept; others are not heard. */
const MAX_PEERS = 1 << 15;

/**
 * A segment that many routers share: of NATS, MQTT, Redis, `BroadcastChannel`, or any other
 * {@linkcode Bus}. All who have joined one network are neighbours, one hop from each other.
 *
 * What routers tell each other is published once for all, on `aln/NETWORK/all`; a packet for one of
 * them on `aln/NETWORK/to/ADDRESS`, so that the engine does the filtering. What waits together goes out
 * together. A neighbour that vanishes is noticed by whatever means the engine has, and after 30 seconds
 * of silence else.
 *
 * Whoever may publish on the engine's topics can speak for anybody there: who that is, is the
 * engine's business, and so a router with a network key attaches it with `{ key: null }`.
 *
 * @example Threads of one process, or pages of one origin
 * ```ts
 * import { Router } from "@aln/mesh";
 * import { broadcastBus, BusChannel } from "@aln/mesh/bus";
 * import assert from "node:assert/strict";
 *
 * const join = (address: string) => {
 *   const router = new Router(address);
 *   router.addChannel(new BusChannel(broadcastBus(new BroadcastChannel("example"))));
 *   return router;
 * };
 * const a = join("tab-a");
 * const b = join("tab-b"); // In another tab.
 * b.registerService("ping", () => "pong");
 *
 * await a.waitForService("ping");
 * assert.equal((await a.request("ping")).text(), "pong");
 * await Promise.all([a.close(), b.close()]);
 * ```
 */
export class BusChannel extends BaseChannel<readonly [peer: number, bytes: Bytes]> {
  /** What a channel has that many neighbours share. */
  readonly segment: SegmentPort = {
    open: (address) => void this.#open(address),
    send: (packet, peer) => this.#sendTo(packet, peer),
    forget: (peer) => this.#forget(peer),
    onPacket: null,
    onGone: null,
    onState: null,
  };
  readonly #bus: Bus;
  readonly #network: string;
  readonly #single: boolean;
  readonly #forAll: string;
  /** Our number on the segment, which no other life of us has. */
  readonly #life: number;
  /** Where each neighbour hears what is for it alone. */
  readonly #topics: Map<number, string> = new Map();
  /** Topics that nobody seems to hear, and whether that has been asked again. */
  readonly #doubts: Map<string, { again: boolean; timer: ReturnType<typeof setTimeout> }> =
    new Map();
  /** Topics of those who were sent something, and have said nothing since. */
  readonly #unanswered: Set<string> = new Set();
  #asking: ReturnType<typeof setTimeout> | undefined;
  #head: Bytes | null = null;
  /** For whom the packet is that is being encoded. */
  #to: number = EVERYBODY;
  #there: boolean = false;
  #grace: ReturnType<typeof setTimeout> | undefined;
  #scheduled: boolean = false;
  /** Bytes published since the engine was last known to have taken all. */
  #window: number = 0;
  #flushing: boolean = false;
  #shut: boolean = false;
  #left: boolean = false;

  /**
   * Constructs a new instance, which joins when a router takes it.
   *
   * @param bus The engine; given up when the channel closes.
   * @throws {PacketError} If the will is none of a segment's.
   * @throws {TypeError} If the network has no name, or the will is for another one, or for a single topic where
   *   there are several.
   */
  constructor(bus: Bus, options: BusChannelOptions = {}) {
    super(options);
    const { network = "mesh", singleTopic = false, will } = options;
    this.#bus = bus;
    this.#network = network;
    this.#single = singleTopic;
    this.#forAll = topicOf(wordsForAll(network, singleTopic), bus.separator);
    this.#life = will === undefined ? randomLife() : lifeOf(will);
    this.transport = bus.transport;
    if (will !== undefined && will.topic !== this.#forAll) {
      const why = `it is for "${will.topic}", and this is "${this.#forAll}"`;
      throw new TypeError(`Cannot use will: ${why}`);
    }
  }

  // ── sending ───────────────────────────────────────────────────────────────

  /** Encodes a packet as bytes. */
  protected override encode(packet: Packet): readonly [peer: number, bytes: Bytes] {
    const bytes = encodePacket(packet);
    const room = this.#bus.maxMessage - (this.#head?.length ?? 0) - PACKET_OVERHEAD;
    if (bytes.length > room) {
      const why = `it takes ${bytes.length} bytes, and a message holds ${room}`;
      throw new PacketError("ERR_PACKET_FIELD", `Cannot publish packet: ${why}`);
    }
    return [this.#to, bytes];
  }

  /** What a packet takes in a message. */
  protected override sizeOf([, bytes]: readonly [peer: number, bytes: Bytes]): number {
    return PACKET_OVERHEAD + bytes.length;
  }

  #sendTo(packet: Packet, peer: number): boolean {
    if (packet.net === 0) this.#expect(peer);
    this.#to = peer;
    const sent = this.send(packet);
    this.#to = EVERYBODY;
    return sent;
  }

  /** Notes that somebody is sent something; if it says nothing, the engine is asked about it. */
  #expect(peer: number): void {
    const topic = this.#topics.get(peer);
    if (topic === undefined || this.#single) return;
    this.#unanswered.add(topic);
    this.#asking ??= setTimeout(() => {
      this.#asking = undefined;
      if (this.#there) { for (const topic of this.#unanswered) this.#ask(topic); }
      this.#unanswered.clear();
    }, SILENCE);
  }

  /** Says nothing to somebody: an engine that can will tell whether anybody hears it. */
  #ask(topic: string): void {
    this.#bus.publish(topic, this.#head!.slice());
  }

  /** Publishes what is queued, in the next microtask. */
  protected override flush(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  /** While the engine is waited for, that is no reason to give up. */
  protected override progress(): number {
    return NaN;
  }

  /** Publishes what waits, all for one listener together, until the engine is to be waited for. */
  #pump(): void {
    while (this.#there && !this.#flushing && !this.idle) {
      const batches: Map<number, Bytes[]> = new Map();
      let size = 0;
      while (size < MAX_BATCH) {
        const next = this.next();
        if (next === undefined) break;
        size += this.sizeOf(next);
        const [peer, bytes] = next;
        const batch = batches.get(peer);
        if (batch && (peer !== EVERYBODY || batches.size === 1)) {
          batch.push(bytes);
          continue;
        }
        // What is for all may say who is there, which what comes later needs: it keeps its place.
        if (peer === EVERYBODY) this.#publishAll(batches);
        batches.set(peer, [bytes]);
      }
      this.#publishAll(batches);
      this.#window += size;
      if (this.#window < WINDOW || this.#bus.flush === undefined) this.sent(size);
      else this.#wait(size);
    }
  }

  #publishAll(batches: Map<number, Bytes[]>): void {
    for (const [peer, packets] of batches) this.#publish(peer, packets);
    batches.clear();
  }

  #publish(peer: number, packets: Bytes[]): void {
    const head = this.#head!;
    const room = Math.min(MAX_BATCH, this.#bus.maxMessage) - head.length;
    const topic = peer === EVERYBODY ? this.#forAll : this.#topics.get(peer);
    if (topic === undefined) return this.#tooLate(packets);
    for (let at = 0; at < packets.length;) {
      let end = at;
      for (let size = 0; end < packets.length; end++) {
        size += PACKET_OVERHEAD + packets[end]!.length;
        if (size > room && end > at) break;
      }
      this.#bus.publish(topic, encodeSegmentMessage(head, peer, packets.slice(at, end)));
      at = end;
    }
  }

  /** Somebody has gone for whom something still waited. */
  #tooLate(packets: readonly Bytes[]): void {
    const count = packets.filter((bytes) => Packet.fromBinary(bytes).net === 0).length;
    if (count === 0) return; // What routers say means nothing any more.
    const why = "who it is for has gone";
    this.drop(new ChannelError("ERR_CHANNEL_CLOSED", `Cannot send: ${why}`), null, count);
  }

  /** Waits until the engine has taken what was published. */
  #wait(size: number): void {
    this.#flushing = true;
    const done = () => {
      this.#flushing = false;
      this.#window = 0;
      if (this.#left) return;
      this.sent(size);
      this.#pump();
    };
    this.#bus.flush!().then(done, done); // Whether the engine is there is told otherwise.
  }

  #topicTo(address: string): string {
    if (this.#single) return this.#forAll;
    return topicOf(["aln", this.#network, "to", address], this.#bus.separator);
  }

  // ── hearing ───────────────────────────────────────────────────────────────

  async #open(address: string): Promise<void> {
    this.#head = encodeSegmentHead({ from: this.#life, to: EVERYBODY, address });
    const { maxMessage } = this.#bus;
    if (maxMessage < MIN_MESSAGE) {
      const why = `the engine's messages hold ${maxMessage} bytes, fewer than ${MIN_MESSAGE}`;
      return this.close(new ChannelError("ERR_CHANNEL_CLOSED", `Cannot join segment: ${why}`));
    }
    try {
      await this.#bus.open([...new Set([this.#forAll, this.#topicTo(address)])], this.#events);
    } catch (cause) {
      const why = "Cannot join segment: the engine does not let us subscribe";
      return this.close(new ChannelError("ERR_CHANNEL_CLOSED", why, { cause }));
    }
    if (!this.isOpen) this.#letGo(); // Closed meanwhile: there may have been nothing to give up yet.
    else if (!this.#there) this.#isThere();
  }

  readonly #events: BusEvents = {
    message: (message) => this.#hear(message),
    away: () => {
      if (!this.#there) return;
      this.#there = false;
      clearTimeout(this.#grace);
      this.#grace = setTimeout(() => this.#isAway(), GRACE);
    },
    back: () => {
      if (this.isOpen && !this.#there) this.#isThere();
    },
    unheard: (topic) => this.#doubt(topic),
    closed: (reason) => {
      this.finish(
        reason ?? new ChannelError("ERR_CHANNEL_CLOSED", "Cannot keep channel: the engine is gone"),
      );
    },
  };

  #isThere(): void {
    clearTimeout(this.#grace);
    this.#grace = undefined;
    this.#there = true;
    this.segment.onState?.(true);
    this.#pump();
  }

  /** The engine has been away for too long: what waits will not be of use any more. */
  #isAway(): void {
    const count = this.queue.clear();
    this.sent(0);
    if (count > 0) {
      const why = `the engine is away, and ${count} had not been published`;
      this.drop(new ChannelError("ERR_CHANNEL_CLOSED", `Cannot send: ${why}`), null, count);
    }
    this.segment.onState?.(false);
  }

  /** Nobody hears a topic: if that is so once more, and nobody speaks meanwhile, who did is gone. */
  #doubt(topic: string): void {
    const doubt = this.#doubts.get(topic);
    if (doubt === undefined) {
      const timer = setTimeout(() => {
        this.#doubts.get(topic)!.again = true;
        this.#ask(topic);
      }, DOUBT);
      this.#doubts.set(topic, { again: false, timer });
    } else if (doubt.again) {
      this.#believe(topic);
      for (const [peer, its] of [...this.#topics]) if (its === topic) this.segment.onGone?.(peer);
    }
  }

  /** Whoever was doubted is there, or gone. */
  #believe(topic: string): void {
    this.#unanswered.delete(topic);
    if (this.#doubts.size === 0) return;
    clearTimeout(this.#doubts.get(topic)?.timer);
    this.#doubts.delete(topic);
  }

  #hear(message: Uint8Array): void {
    try {
      const head = this.#headOf(message);
      if (head === null) return;
      const { from, to, address, offset } = head;
      if (from === this.#life || (to !== EVERYBODY && to !== this.#life)) return;
      this.received(message.length);
      const topic = this.#topics.get(from);
      if (topic !== undefined) this.#believe(topic);
      forEachPacket(message, offset, (start, end) => {
        const packet = decodePart(message, start, end, false);
        if (to === EVERYBODY && packet.net === 0) throw new ChannelError(...SAID_TO_ALL);
        if (address !== undefined) this.#note(from, address);
        this.#take(packet, from);
      });
    } catch (error) {
      this.drop(error as PacketError | ChannelError);
    }
  }

  /** What a message begins with, with the address of who is new. `null` if it is of a version to come. */
  #headOf(message: Uint8Array): SegmentPeek & { address?: string } | null {
    const seen = peekSegmentHead(message);
    if (seen !== null && (this.#topics.has(seen.from) || seen.from === this.#life)) return seen;
    return decodeSegmentHead(message);
  }

  /** Notes where somebody hears us who has said something, until the router has it forgotten. */
  #note(peer: number, address: string): void {
    if (!this.isOpen || this.#topics.has(peer)) return;
    if (this.#topics.size >= MAX_PEERS) {
      const why = `Cannot hear "${address}": ${MAX_PEERS} are there already`;
      throw new ChannelError("ERR_CHANNEL_PROTOCOL", why);
    }
    this.#topics.set(peer, this.#topicTo(address));
  }

  #forget(peer: number): void {
    const topic = this.#topics.get(peer);
    if (topic === undefined) return;
    this.#topics.delete(peer);
    this.#believe(topic);
  }

  #take(packet: Packet, from: number): void {
    if (!this.isOpen) return;
    this.passed(1);
    this.segment.onPacket?.(packet, from);
  }

  // ── the end ───────────────────────────────────────────────────────────────

  /** Leaves the segment, and says so: nobody else would notice soon. */
  protected override shut(reason?: unknown): void {
    if (this.#shut) return reason === undefined ? undefined : this.finish(reason);
    this.#shut = true;
    if (this.#there) this.#bus.publish(this.#forAll, goodbye(this.#head!));
    const flushed = reason === undefined && this.#there ? this.#bus.flush?.() : undefined;
    const leave = () => this.finish(reason);
    if (flushed === undefined) leave();
    else flushed.then(leave, leave);
  }

  #letGo(): void {
    this.#bus.close().catch(() => {}); // There is nobody left to tell.
  }

  /** Lets go of the engine. */
  protected override finish(reason?: unknown): void {
    if (!this.#left) this.#letGo();
    this.#left = true;
    this.#there = false;
    clearTimeout(this.#grace);
    clearTimeout(this.#asking);
    for (const topic of [...this.#doubts.keys()]) this.#believe(topic);
    this.#topics.clear();
    super.finish(reason);
  }
}

/**
 * A goodbye for a router that may vanish: what its channel says if it closes.
 *
 * @param separator The engine's.
 * @param address The router's.
 * @param options As the channel will have them.
 * @throws {PacketError} `ERR_PACKET_FIELD` if the address does not fit.
 * @throws {TypeError} If the network has no name.
 */
export function lastWill(
  separator: string,
  address: string,
  { network = "mesh", singleTopic = false }: BusChannelOptions = {},
): LastWill {
  const head = encodeSegmentHead({ from: randomLife(), to: EVERYBODY, address });
  return {
    topic: topicOf(wordsForAll(network, singleTopic), separator),
    payload: goodbye(head),
  };
}

/** What somebody says who leaves. */
function goodbye(head: Bytes): Bytes {
  const frame = new LinkFrameWriter();
  frame.bye(0);
  const packet = new Packet({ net: NET_LINK, data: frame.finish() });
  return encodeSegmentMessage(head, EVERYBODY, [encodePacket(packet)]);
}

/** The topic for all, in words. */
function wordsForAll(network: string, singleTopic: boolean): string[] {
  if (network === "") throw new TypeError("Cannot join segment: its network has no name");
  return singleTopic ? ["aln", network] : ["aln", network, "all"];
}

function randomLife(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]! || 1;
}

function lifeOf({ payload }: LastWill): number {
  const head = decodeSegmentHead(payload);
  if (head !== null) return head.from;
  throw new PacketError("ERR_PACKET_FIELD", "Cannot use will: it is of another version");
}
