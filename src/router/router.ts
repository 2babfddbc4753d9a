/**
 * {@linkcode Router}: the shell around the mesh. It carries values between channels, the mesh and
 * the application, owns the one timer, and decides nothing.
 *
 * @module
 */

import { CHUNK_SIZE, SMALL_CHUNK_SIZE } from "../call/frame.ts";
import type { Channel, FrameOutlet, SegmentPort } from "../channel/channel.ts";
import { type AlnError, ChannelError, PacketError, UnreachableError } from "../errors.ts";
import { type DropReason, noDrops } from "../mesh/drop_reason.ts";
import type { Effect, LinkId, RouteInfo, ServiceInfo } from "../mesh/effects.ts";
import { Mesh } from "../mesh/mesh.ts";
import type { MeshOptions } from "../mesh/options.ts";
import { isReserved } from "../mesh/reserved.ts";
import { Packet, type PacketData, type PacketInit } from "../wire/packet.ts";
import { checkFields } from "../wire/packet_codec.ts";
import { Doorkeeper } from "./admission.ts";
import { Arrivals } from "./arrivals.ts";
import type { BalancePolicy } from "./balancer.ts";
import type { GatherOptions, RequestOptions, StreamOptions } from "./call_options.ts";
import type { CallWatcher } from "./call_watcher.ts";
import { Caller } from "./caller.ts";
import type { PacketDataStream } from "./chunks.ts";
import { type Clock, systemClock } from "./clock.ts";
import { ContextTable } from "./contexts.ts";
import { Deadlines } from "./deadlines.ts";
import { Fifo } from "./fifo.ts";
import { checkName, type ContextOwner, Handlers, type PacketHandler } from "./handlers.ts";
import type { SendFailure, ServiceHandler } from "./incoming_call.ts";
import type { Registration, ServiceOptions } from "./local_service.ts";
import type { ReplyStream } from "./reply_stream.ts";
import { textOf } from "./text_of.ts";
import {
  ChannelEvent,
  ConflictEvent,
  type DropDetails,
  DropEvent,
  RouteEvent,
  type RouterEventMap,
  ServiceEvent,
} from "./events.ts";
import { Link, type LinkHost } from "./link.ts";
import {
  type AuthPolicy,
  checkLinkOptions,
  checkSegmentOptions,
  type LinkOptions,
  type NetworkKey,
  passes,
} from "./link_options.ts";
import type { RouterStats } from "./stats.ts";
import { Transit } from "./transit.ts";
import { TypedEventTarget } from "./typed_event_target.ts";

/** Options of a {@linkcode Router}. */
export interface RouterOptions extends MeshOptions {
  /** Where time comes from; by default the platform. */
  clock?: Clock;
  /** Where chance comes from, uniform over [0, 1); by default `Math.random`. */
  random?: () => number;
  /**
   * Which instance of a service is called, unless a call says otherwise.
   *
   * @default {"lowest"}
   */
  balance?: BalancePolicy;
  /**
   * The largest payload that is put together from several packets, in bytes.
   *
   * @default {67108864}
   */
  maxPayload?: number;
  /**
   * A secret that every router of the network knows, 1 byte or more. Nobody becomes a neighbour
   * before it has proved that it knows it; and neither do we there. Packets are not encrypted, and
   * carry no proof of their own. Whoever hears a handshake can try short keys at leisure: take 16
   * bytes of chance, or more.
   */
  networkKey?: NetworkKey;
  /**
   * Whom the key lets in.
   *
   * @default {"require"}
   */
  auth?: AuthPolicy;
}

/** From when lives of a router are counted, in ms. */
const FIRST_INCARNATION = Date.UTC(2024, 0, 1);

/** The largest payload that is put together, in bytes. */
const MAX_PAYLOAD = 1 << 26;

/** How long {@linkcode Router.close} waits for what is queued, before it says goodbye, in ms. */
const DRAIN_TIMEOUT = 1_000;

/** How long {@linkcode Router.close} waits for each channel to say that it has closed, in ms. */
const CLOSE_TIMEOUT = 2_000;

/** What became of a packet that the application sent. */
interface Outcome {
  /** Whether it went anywhere. */
  done: boolean;
  /** Where it did not go. */
  drops: DropEvent[];
}

/**
 * A node of the mesh.
 *
 * Give it channels, register services, call services by name; it finds the others and the ways to
 * them by itself. Everything that happens is also told as an event: `service`, `route`, `channel`,
 * `drop`, `conflict`.
 *
 * @example
 * ```ts
 * import { createChannelPair, Router } from "@aln/mesh";
 * import assert from "node:assert/strict";
 *
 * const home = new Router("home");
 * const lamp = new Router("lamp");
 * const [here, there] = createChannelPair();
 * home.addChannel(here);
 * lamp.addChannel(there);
 *
 * let on = false;
 * lamp.registerService("switch", (packet, reply) => {
 *   on = packet.text() === "on";
 *   reply("ok");
 * });
 *
 * await home.waitForService("switch");
 * await home.request("switch", "on");
 * assert(on);
 * await Promise.all([home.close(), lamp.close()]);
 * ```
 */
export class Router extends TypedEventTarget<RouterEventMap> implements AsyncDisposable {
  readonly #mesh: Mesh;
  readonly #clock: Clock;
  readonly #doorkeeper: Doorkeeper;
  /** Those whose neighbours have been let in. */
  readonly #links: Map<LinkId, Link> = new Map();
  readonly #byChannel: Map<Channel, Link> = new Map();
  /** Neighbours on segments. */
  readonly #members: Map<LinkId, { link: Link; peer: number }> = new Map();
  readonly #contexts: ContextTable<ContextOwner>;
  readonly #deadlines: Deadlines = new Deadlines(() => this.#arm());
  readonly #handlers: Handlers;
  readonly #caller: Caller;
  readonly #arrivals: Arrivals = new Arrivals();
  readonly #effects: Fifo<{ effect: Effect; outcome: Outcome | null }> = new Fifo();
  readonly #news: Fifo<() => void> = new Fifo();
  #acting: boolean = false;
  #telling: boolean = false;
  #nextLink: LinkId = 1;
  #cancelTimer: (() => void) | null = null;
  #timerAt: number = Infinity;
  #onCapacity: ((service: string, capacity: number, address: string) => void) | null = null;
  #closing: Promise<void> | null = null;
  readonly #ending: AbortController = new AbortController();
  readonly #drops: Record<DropReason, number> = noDrops();
  readonly #start: number;
  /** What is done for every link. */
  readonly #host: LinkHost = {
    now: () => this.#clock.now(),
    open: ({ channel }, identity) =>
      this.#news.push(() =>
        this.dispatchEvent(new ChannelEvent(channel, true, undefined, identity))
      ),
    up: (link) => {
      this.#links.set(link.id, link);
      const { segment } = link.channel;
      if (segment) return segment.open(this.address);
      const choosesFormat = link.channel.peerReadsBinary !== undefined;
      this.#apply(this.#mesh.linkUp(link.id, this.#clock.now(), link.options, choosesFormat));
    },
    receive: (link, packet) => this.#receive(link.id, packet),
    refuse: (link, error) => {
      this.#detach(link, error, false);
      link.channel.close();
    },
    isIdle: () => !this.#acting && this.#closing === null,
    outlet: (to) => this.#outlet(to),
    carried: (link, count) => this.#mesh.passed(link.id, count, this.#clock.now()),
  };

  /**
   * Constructs a new instance.
   *
   * @param address Its name in the mesh, 1-255 bytes of UTF-8. Must be unique there. ASCII of at
   *   most 127 bytes is safe with every old peer.
   * @throws {PacketError} `ERR_PACKET_FIELD` if the address does not fit.
   * @throws {TypeError} If the key is of no use.
   */
  constructor(address: string, options: RouterOptions = {}) {
    super();
    checkName("address", address);
    const random = options.random ?? Math.random;
    this.#clock = options.clock ?? systemClock;
    this.#doorkeeper = new Doorkeeper(address, this.#clock, options);
    this.#start = this.#clock.now();
    const incarnation = Math.floor((Date.now() - FIRST_INCARNATION) / 1_000);
    const throttled = "document" in globalThis; // A page that is hidden gets few timers.
    this.#mesh = new Mesh(address, random, { incarnation, throttled, ...options });
    this.#contexts = new ContextTable(random);
    const { balance = "lowest", maxPayload = MAX_PAYLOAD } = options;
    const chunkSize = (address: string) =>
      this.#mesh.kindOf(address) === "own" ? CHUNK_SIZE : SMALL_CHUNK_SIZE;
    this.#handlers = new Handlers(this.#contexts, {
      clock: this.#clock,
      deadlines: this.#deadlines,
      maxPayload,
      chunkSize,
      advertise: (service, capacity) =>
        this.#apply(this.#mesh.offer(service, capacity, this.#clock.now())),
      send: (packet) => this.send(packet),
      report: (event) => this.#report(event),
    });
    this.#caller = new Caller({
      clock: this.#clock,
      deadlines: this.#deadlines,
      random,
      balance,
      maxPayload,
      chunkSize,
      mesh: this.#mesh,
      throwIfClosed: () => {
        if (this.#closing) throw closedError();
      },
      send: (packet, now) => this.#send(packet, now),
      open: (call) => this.#contexts.open(call),
      release: (ctx) => this.#contexts.release(ctx),
      owners: () => this.#contexts.owners(),
      owner: (ctx) => this.#contexts.get(ctx),
      drop: (packet, why, target) => this.#handlers.drop(packet, why, target),
      fallBack: (event) => {
        this.#news.push(() => this.dispatchEvent(event));
        this.#tell();
      },
    });
  }

  /** Its name in the mesh. */
  get address(): string {
    return this.#mesh.address;
  }

  // ── channels ──────────────────────────────────────────────────────────────

  /**
   * Attaches a channel: from now on the router owns it, and talks to whoever is at its far end,
   * once that has been let in.
   *
   * @throws {TypeError} If the channel is attached already, or an option is of no use.
   * @throws {RangeError} If an option is out of its range.
   */
  addChannel(channel: Channel, options: LinkOptions = {}): void {
    checkLinkOptions(options);
    const { segment } = channel;
    if (segment) checkSegmentOptions(options, this.#doorkeeper.key !== null);
    if (this.#byChannel.has(channel)) {
      throw new TypeError("Cannot add channel: it is attached already");
    }
    const keyless = segment ? { ...options, key: null } : options;
    const link = new Link(this.#nextLink++, channel, keyless, this.#doorkeeper, this.#host);
    if (this.#closing) return channel.close(closedError());
    this.#byChannel.set(channel, link);
    channel.onDrop = (error, packet, count) => this.#dropped(link, error, packet, count);
    channel.onPacket = (packet) => {
      link.counters.packetsIn++;
      link.admission.receive(packet);
    };
    channel.onClose = (reason) => this.#detach(link, link.admission.closed(reason), true);
    if (segment) this.#listen(link, segment);
    if ("carrier" in channel) channel.carrier = new Transit(this.#mesh, link.id, link);
    link.admission.start(); // Last: the channel may answer, or close, before its send() returns.
  }

  /** Takes what a segment tells. */
  #listen(link: Link, segment: SegmentPort): void {
    segment.onPacket = (packet, peer) => {
      link.counters.packetsIn++;
      const member = link.members!.get(peer);
      if (member !== undefined) return this.#receive(member, packet);
      if (this.#closing || !link.isUp) return segment.forget(peer);
      this.#apply(this.#mesh.receiveFrom(link.id, peer, packet, this.#clock.now()));
      if (!this.#mesh.knows(link.id, peer)) segment.forget(peer); // There was no room, say.
    };
    segment.onGone = (peer) => {
      if (!this.#closing) this.#apply(this.#mesh.neighbourDown(link.id, peer, this.#clock.now()));
    };
    segment.onState = (there) => {
      const now = this.#clock.now();
      if (this.#closing || !this.#links.has(link.id)) return;
      if (!there) this.#apply(this.#mesh.segmentAway(link.id, now));
      else if (link.isUp) this.#apply(this.#mesh.segmentBack(link.id, now));
      else {
        link.isUp = true;
        this.#apply(this.#mesh.segmentUp(link.id, now, link.options));
      }
    };
  }

  /** The link that a number of the mesh's stands for: its own, or that of the segment. */
  #linkOf(id: LinkId): Link | undefined {
    return this.#links.get(id) ?? this.#members.get(id)?.link;
  }

  /** A channel has dropped something. */
  #dropped(link: Link, error: AlnError, packet: Packet | null, count?: number): void {
    const isUnreadable = error instanceof PacketError && packet === null;
    if (isUnreadable && !this.#closing && this.#links.has(link.id)) {
      return this.#apply(this.#mesh.unreadable(link.id, error, this.#clock.now()));
    }
    const reason = error instanceof PacketError && packet !== null ? "field" : undefined;
    this.#report(new DropEvent(packet, error, { reason, count, channel: link.channel }));
  }

  /** Detaches a channel and closes it. A channel that is not attached is fine. */
  removeChannel(channel: Channel): void {
    const link = this.#byChannel.get(channel);
    if (link === undefined) return;
    this.#detach(link, undefined, false);
    channel.close();
  }

  /** Lets go of a channel. Until it is closed, it may have packets to tell of that it has to drop. */
  #detach(link: Link, reason: unknown, closed: boolean): void {
    const { channel, admission } = link;
    if (!this.#byChannel.delete(channel)) return;
    this.#links.delete(link.id);
    admission.end();
    const forget = () => channel.onClose = channel.onDrop = null;
    channel.onPacket = null;
    const { segment } = channel;
    if (segment) segment.onPacket = segment.onGone = segment.onState = null;
    for (const member of link.members?.values() ?? []) this.#members.delete(member);
    if (channel.carrier) channel.carrier = null;
    if (closed) forget();
    else channel.onClose = forget;
    this.#news.push(() => this.dispatchEvent(new ChannelEvent(channel, false, reason)));
    const effects = this.#mesh.linkDown(link.id, this.#clock.now());
    this.#apply(effects);
  }

  // ── services ──────────────────────────────────────────────────────────────

  /**
   * Offers a service to the whole mesh. A service of the same name is replaced.
   *
   * @param service Its name, 1-255 bytes of UTF-8. What begins with "aln." belongs to the routers.
   * @throws {PacketError} `ERR_PACKET_FIELD` if the name or the capacity does not fit.
   * @throws {TypeError} If the handler is not a function, or the name is reserved.
   * @throws {ChannelError} `ERR_CHANNEL_CLOSED` if the router is closed.
   * @throws The signal's reason, if it has aborted.
   */
  registerService(
    service: string,
    handler: ServiceHandler,
    options: ServiceOptions = {},
  ): Registration {
    if (this.#closing) throw closedError();
    if (typeof service === "string" && isReserved(service)) {
      throw new TypeError(
        `Cannot register "${service}": names that begin so belong to the routers`,
      );
    }
    return this.#handlers.register(service, handler, options);
  }

  /**
   * Answers calls of a service whose name begins with "aln.". Nobody is told of it: it is called with
   * `dst`. For `@aln/mesh/inspect` and `@aln/mesh/border`.
   *
   * @param only Whether there may be none of that name already; else that is replaced.
   * @internal
   */
  registerReserved(service: string, handler: ServiceHandler, only: boolean = false): Registration {
    if (this.#closing) throw closedError();
    if (only && this.#handlers.has(service)) {
      throw new TypeError(`Cannot register "${service}": it is there already`);
    }
    return this.#handlers.register(service, handler, {});
  }

  /**
   * Withdraws a service, and tells the neighbours as {@linkcode MeshOptions.removal} says. A
   * service that is not registered is fine.
   */
  unregisterService(service: string): void {
    this.#handlers.unregister(service);
  }

  /** Is told of every instance that comes, goes (capacity 0) or changes; `null` for nobody. */
  setOnServiceCapacityChanged(
    callback: ((service: string, capacity: number, address: string) => void) | null,
  ): void {
    this.#onCapacity = callback;
  }

  /** Addresses that offer a service now: our own first, then the least loaded. */
  serviceAddresses(service: string): string[] {
    return this.#mesh.instances(service);
  }

  /** The instance to call: ours, else one of the least loaded; `null` if there is none. */
  selectService(service: string): string | null {
    return this.#caller.pick(service);
  }

  /**
   * Waits until a service can be called.
   *
   * @returns The address of an instance.
   * @throws The signal's reason, if it aborts before.
   * @throws {ChannelError} `ERR_CHANNEL_CLOSED` if the router closes before.
   */
  waitForService(service: string, options: { signal?: AbortSignal } = {}): Promise<string> {
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#closing) return Promise.reject(closedError());
    const found = this.selectService(service);
    return found !== null ? Promise.resolve(found) : this.#arrivals.wait(service, signal);
  }

  // ── packets ───────────────────────────────────────────────────────────────

  /**
   * Sends a packet: to `dst`, or without it to every instance of `srv`, our own first. The packet
   * is copied; `src` is ours unless set. Never throws.
   *
   * @returns `null`, or why it could not be sent, beginning with a stable code.
   *
   * @example
   * ```ts
   * import { Router } from "@aln/mesh";
   * import assert from "node:assert/strict";
   *
   * const router = new Router("a");
   * const failure = router.send({ dst: "b", srv: "ping" });
   * assert.equal(failure, 'ERR_NO_ROUTE: Cannot send packet: no route leads to "b"');
   * await router.close();
   * ```
   */
  send(packet: Packet | PacketInit): SendFailure | null {
    try {
      this.#send(packet);
      return null;
    } catch (error) {
      return failure(error);
    }
  }

  /** Sends a packet, or throws why not. */
  #send(init: Packet | PacketInit, now: number = this.#clock.now()): void {
    if (this.#closing) throw closedError();
    if (typeof init !== "object" || init === null) {
      throw new PacketError("ERR_PACKET_FIELD", "Cannot send packet: it is not an object");
    }
    const packet = new Packet(init);
    checkFields(packet);
    if (!this.#acting) {
      const link = this.#mesh.dispatch(packet);
      if (link !== null) return this.#sendOver(link, packet);
    }
    // In the middle of a channel's send() the outcome comes too late: it is told as an event.
    const outcome: Outcome | null = this.#acting ? null : { done: false, drops: [] };
    this.#apply(this.#mesh.send(packet.copy(), now), outcome); // It may have to wait.
    if (outcome === null) return;
    if (!outcome.done && outcome.drops.length > 0) throw outcome.drops[0]!.error;
    for (const drop of outcome.drops) this.#report(drop); // Some of a multicast went through.
  }

  /** Sends a packet over a link at once, or throws why not. Its data is borrowed. */
  #sendOver(link: LinkId, packet: Packet): void {
    this.#acting = true;
    const error = this.#transmit(link, packet);
    this.#acting = false;
    if (this.#effects.length > 0) this.#apply([]); // Of what the channel did meanwhile.
    else if (this.#news.length > 0) this.#tell();
    if (error !== null) throw error;
  }

  /**
   * Calls a service and waits for one reply.
   *
   * It never hangs: it fails at once if nobody offers the service or no route leads there, within
   * four seconds if the route is lost meanwhile and no other is found, and at its timeout otherwise.
   * An instance that refuses the call, or does not offer the service any more, is replaced by
   * another if there is one.
   *
   * @param data One payload, or many: an async iterable or a stream, which the handler reads as
   *   `call.body`. What is larger than 32 KiB is borrowed until the call has ended.
   * @returns The reply.
   * @throws {UnreachableError} `ERR_NO_SERVICE` or `ERR_NO_ROUTE`.
   * @throws {CallError} If the handler threw, or the far end has forgotten the call.
   * @throws {ChannelError} `ERR_CHANNEL_FULL`, or `ERR_CHANNEL_CLOSED` if the router closes.
   * @throws {PacketError} `ERR_PACKET_FIELD` if a value does not fit.
   * @throws {DOMException} A `TimeoutError`, or the signal's reason.
   * @throws {RangeError} If too many contexts are open, or an option is out of range.
   */
  request(
    service: string,
    data?: PacketData | PacketDataStream,
    options: RequestOptions = {},
  ): Promise<Packet> {
    return this.#caller.request(service, data, options);
  }

  /**
   * Calls a service that may reply any number of times.
   *
   * Nothing is lost, doubled or out of order if the service's router is of our kind, and it sends
   * only as fast as the replies are read. An old peer's replies are taken as they come.
   *
   * @param data As {@linkcode Router.request} takes it.
   * @returns The replies. Errors that `request` would throw are thrown where they are read.
   */
  stream(
    service: string,
    data?: PacketData | PacketDataStream,
    options: StreamOptions = {},
  ): ReplyStream {
    return this.#caller.stream(service, data, options);
  }

  /**
   * Calls every instance of a service, and collects their replies, one each.
   *
   * @returns The replies in the order in which they came: all, or those that had come when
   *   `first`, `count` or `timeout` said that it is enough. Instances that fail are left out.
   * @throws {UnreachableError} `ERR_NO_SERVICE` if nobody offers the service.
   * @throws {AggregateError} If every instance failed.
   * @throws The signal's reason, if it aborts.
   */
  gather(service: string, data?: PacketData, options: GatherOptions = {}): Promise<Packet[]> {
    return this.#caller.gather(service, data, options);
  }

  /**
   * Opens a context: packets that come with its id, and for no service of ours, go to the handler.
   *
   * @returns The id to send as `ctx`, 1-65535, not in use. Release it.
   * @throws {RangeError} If too many contexts are open.
   */
  registerContextHandler(handler: PacketHandler): number {
    return this.#contexts.open(handler);
  }

  /** Closes a context; its id may be used again. An id that is not open is fine. */
  releaseContext(ctx: number): void {
    this.#contexts.release(ctx);
  }

  /**
   * Shows somebody each call, on both sides; `null` for nobody. For `@aln/mesh/inspect`.
   *
   * @throws {TypeError} If somebody is shown them already.
   * @internal
   */
  watchCalls(watcher: CallWatcher | null): void {
    if (watcher !== null && this.#caller.watcher !== null) {
      throw new TypeError("Cannot watch calls: somebody does already");
    }
    this.#caller.watcher = this.#handlers.watcher = watcher;
  }

  // ── what is known ─────────────────────────────────────────────────────────

  /** Every router that can be reached, and how. */
  routes(): RouteInfo[] {
    return this.#mesh.routes();
  }

  /** Every instance of every service that can be called, our own included. */
  services(): ServiceInfo[] {
    return this.#mesh.services();
  }

  /**
   * What it has done so far, in numbers: a snapshot that is plain JSON.
   *
   * @example
   * ```ts
   * import { Router } from "@aln/mesh";
   * import assert from "node:assert/strict";
   *
   * const router = new Router("a");
   * assert.equal(router.stats().drops["no-route"], 0);
   * await router.close();
   * ```
   */
  stats(): RouterStats {
    const now = this.#clock.now();
    return {
      address: this.address,
      uptime: Math.round(now - this.#start),
      ...this.#mesh.counts(),
      contexts: this.#contexts.size,
      drops: { ...this.#drops },
      channels: [...this.#links.values()].map(({ id, channel, counters }) =>
        counters.snapshot(id, channel, this.#mesh.neighbour(id), this.#mesh.members(id), now)
      ),
    };
  }

  // ── the end ───────────────────────────────────────────────────────────────

  /** Aborts when the router begins to close, with a {@linkcode ChannelError}. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /**
   * Leaves the mesh: calls in flight fail, what is queued is sent, the neighbours are told, every
   * channel is closed. More than once is fine.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** The same as {@linkcode Router.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await Promise.resolve(); // From here on #closing is set.
    this.#ending.abort(closedError());
    const goodbyes = this.#mesh.leave(this.#clock.now());
    this.#cancelTimer?.();
    this.#caller.failAll(closedError());
    this.#arrivals.failAll(closedError());
    this.#handlers.clear(closedError());
    const links = [...this.#byChannel.values()];
    await Promise.all(links.map((link) => this.#closeLink(link, goodbyes)));
  }

  /** Says goodbye over a channel and closes it; waits until it has closed, or long enough. */
  #closeLink(link: Link, goodbyes: Effect[]): Promise<void> {
    const { channel, admission } = link;
    admission.end();
    const start = this.#clock.now();
    return new Promise((resolve) => {
      let leaving = false;
      const leave = () => {
        cancelDrain();
        if (leaving || !this.#byChannel.has(channel)) return;
        leaving = true;
        for (const effect of goodbyes) {
          if (effect.kind === "transmit" && effect.link === link.id) {
            this.#transmit(link.id, effect.packet);
          }
        }
        if (this.#byChannel.has(channel)) channel.close();
        else done(); // It did not even take that, and is closed.
      };
      const done = (reason?: unknown) => {
        cancelDrain();
        cancel();
        this.#detach(link, reason, true);
        resolve();
      };
      const cancelDrain = this.#clock.schedule(start + DRAIN_TIMEOUT, leave);
      const cancel = this.#clock.schedule(start + CLOSE_TIMEOUT, done);
      channel.onClose = done;
      // What routers tell each other overtakes data: a reply that is still queued would find nobody
      // who waits for it.
      if (channel.drained) channel.drained().then(leave, leave);
      else leave();
    });
  }

  // ── doing what the mesh wants ─────────────────────────────────────────────

  /** Takes a packet that has come over a link. */
  #receive(link: LinkId, packet: Packet): void {
    if (this.#closing || this.#linkOf(link) === undefined) return;
    const now = this.#clock.now();
    if (this.#acting || this.#telling || this.#news.length > 0) { // It has to wait for its turn.
      return this.#apply(this.#mesh.receive(link, packet, now));
    }
    const effects = this.#mesh.arrive(link, packet, now);
    if (effects !== null) return this.#apply(effects);
    packet.trailer = null; // It was for us, not for the application.
    this.#telling = true;
    this.#handlers.deliver(packet, now);
    this.#telling = false;
    if (this.#news.length > 0) this.#tell();
  }

  /**
   * Carries out effects in order, then tells the application. A channel that closes meanwhile adds
   * its own to the end, so that no neighbour hears old news after new.
   */
  #apply(effects: Effect[], outcome: Outcome | null = null): void {
    if (this.#closing) effects = []; // Whoever leaves says no more than goodbye.
    if (this.#acting) {
      for (const effect of effects) this.#effects.push({ effect, outcome });
      return;
    }
    this.#acting = true;
    for (const effect of effects) this.#perform(effect, outcome);
    for (let next; (next = this.#effects.shift()) !== undefined;) {
      this.#perform(next.effect, next.outcome);
    }
    this.#acting = false;
    this.#arm();
    this.#tell();
  }

  #perform(effect: Effect, outcome: Outcome | null): void {
    switch (effect.kind) {
      case "transmit": {
        const channel = this.#linkOf(effect.link)?.channel;
        const error = this.#transmit(effect.link, effect.packet);
        if (error !== null) this.#drop(effect.packet, error, outcome, { channel });
        else if (outcome) outcome.done = true;
        return;
      }
      case "deliver":
        if (outcome) outcome.done = true;
        effect.packet.trailer = null; // It was for us, not for the application.
        this.#news.push(() => this.#handlers.deliver(effect.packet, this.#clock.now()));
        return;
      case "drop": {
        const { packet, error, reason, count, link = 0 } = effect;
        const channel = this.#linkOf(link)?.channel;
        return this.#drop(packet, error, outcome, { reason, count, channel });
      }
      case "route":
        if (effect.held) return; // Packets wait; there is nothing to tell yet.
        this.#news.push(() => this.#tellRoute(effect.route));
        return;
      case "join": {
        const { link: id, segment, peer } = effect;
        const link = this.#links.get(segment);
        if (link === undefined) return;
        link.members!.set(peer, id);
        return void this.#members.set(id, { link, peer });
      }
      case "part": {
        const member = this.#members.get(effect.link);
        if (member === undefined) return;
        const { link, peer } = member;
        this.#members.delete(effect.link);
        if (link.members!.get(peer) === effect.link) link.members!.delete(peer);
        if (!this.#mesh.knows(link.id, peer)) link.channel.segment!.forget(peer);
        return;
      }
      case "format":
        return this.#links.get(effect.link)?.channel.peerReadsBinary?.(effect.binary);
      case "close": {
        const link = this.#links.get(effect.link);
        if (link === undefined) return;
        this.#detach(link, effect.error, false);
        return link.channel.close(effect.error);
      }
      case "conflict":
        this.#news.push(() => this.dispatchEvent(new ConflictEvent(effect.address)));
        return;
      case "service":
        this.#news.push(() => this.#tellService(effect.service));
    }
  }

  /** Where frames for a link may be written that are not read. */
  #outlet(id: LinkId): FrameOutlet | undefined {
    const link = this.#links.get(id);
    return link === undefined || link.gate ? undefined : link.channel.outlet;
  }

  /** Gives a packet to a channel; says why if it does not take it. */
  #transmit(id: LinkId, packet: Packet): ChannelError | null {
    const member = id < 0 ? this.#members.get(id) : undefined;
    const link = member?.link ?? this.#links.get(id);
    if (link === undefined) return linkError("ERR_CHANNEL_CLOSED", "the channel has closed");
    const { channel } = link;
    let error: ChannelError;
    try {
      const passed = passes(link.gate, packet);
      const sent = passed &&
        (member ? channel.segment!.send(packet, member.peer) : channel.send(packet)) !== false;
      if (sent) {
        link.counters.packetsOut++;
        return null;
      }
      error = passed
        ? linkError("ERR_CHANNEL_FULL", "the channel's queue is full")
        : linkError("ERR_CHANNEL_REFUSED", "the channel's gate refuses it");
      if (packet.net === 0) return error;
    } catch (cause) {
      error = linkError("ERR_CHANNEL_CLOSED", "the channel threw", { cause }); // It must not.
    }
    this.#detach(link, error, false); // It must not keep routes it cannot carry.
    channel.close(); // In order: it may be doing just that, with data yet to go out.
    return error;
  }

  #drop(
    packet: Packet | null,
    error: AlnError,
    outcome: Outcome | null,
    details: DropDetails,
  ): void {
    const drop = new DropEvent(packet, error, details);
    if (outcome) return void outcome.drops.push(drop);
    if (packet?.src === this.address && packet.ctx !== 0 && packet.srv !== "") {
      this.#news.push(() => this.#caller.dropped(packet, error));
    }
    this.#report(drop);
  }

  /**
   * Keeps the one timer at the first deadline, of the mesh or of a call. Without a link, what is due
   * in the mesh can wait for one.
   */
  #arm(): void {
    const alone = this.#links.size === 0; // No timer without a call: programs may end.
    const calls = this.#deadlines.next;
    const deadline = this.#closing !== null
      ? Infinity
      : alone
      ? calls
      : Math.min(calls, this.#mesh.deadline());
    if (deadline === this.#timerAt) return;
    // Most calls end in time: a timer that is too early then is cheaper than a new one for each.
    if (deadline > this.#timerAt && deadline !== Infinity) return;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.#timerAt = deadline;
    if (deadline === Infinity) return;
    this.#cancelTimer = this.#clock.schedule(deadline, () => {
      this.#timerAt = Infinity;
      this.#cancelTimer = null;
      this.#tick();
    });
  }

  /** Does what is due. */
  #tick(): void {
    const now = this.#clock.now();
    for (let due; (due = this.#deadlines.take(now)) !== undefined;) due.expire();
    this.#apply(this.#links.size === 0 ? [] : this.#mesh.tick(now));
  }

  // ── telling the application ───────────────────────────────────────────────

  /** Counts a drop, and tells of it in its turn. */
  #report(event: DropEvent): void {
    this.#drops[event.reason] += event.count;
    if (event.channel) this.#byChannel.get(event.channel)?.counters.dropped(event);
    this.#news.push(() => this.dispatchEvent(event));
    this.#tell();
  }

  /** Tells all there is to tell, unless the mesh is not done or somebody is telling already. */
  #tell(): void {
    if (this.#acting || this.#telling) return;
    this.#telling = true;
    for (let next; (next = this.#news.shift()) !== undefined;) next();
    this.#telling = false;
  }

  #tellRoute(route: RouteInfo): void {
    if (route.cost === 0) {
      this.#caller.routeLost(route.address);
      this.#handlers.routeLost(route.address);
    }
    this.dispatchEvent(new RouteEvent(route));
  }

  #tellService(info: ServiceInfo): void {
    if (info.capacity === 0) this.#caller.serviceGone(info.service, info.address);
    this.#arrivals.tell(info);
    this.dispatchEvent(new ServiceEvent(info));
    const { service, capacity, address } = info;
    this.#handlers.guard("the capacity callback", () => {
      this.#onCapacity?.(service, capacity, address);
    });
  }
}

/** What `send` answers. A getter of the caller's packet may have thrown anything at all. */
function failure(error: unknown): SendFailure {
  const ours = error instanceof PacketError || error instanceof UnreachableError ||
    error instanceof ChannelError;
  if (ours) return `${error.code}: ${error.message}`;
  return `ERR_PACKET_FIELD: Cannot read packet: it threw "${textOf(error)}"`;
}

function closedError(): ChannelError {
  return new ChannelError("ERR_CHANNEL_CLOSED", "Cannot go on: the router is closed");
}

function linkError(
  code: "ERR_CHANNEL_CLOSED" | "ERR_CHANNEL_FULL" | "ERR_CHANNEL_REFUSED",
  why: string,
  options?: ErrorOptions,
): ChannelError {
  return new ChannelError(code, `Cannot send packet: ${why}`, options);
}
