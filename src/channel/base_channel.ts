/**
 * What every channel of this library shares: a bounded send queue, an end that comes exactly once,
 * and packets that wait for the router that will take them.
 *
 * @module
 */

import { type AlnError, ChannelError, type PacketError } from "../errors.ts";
import { Packet } from "../wire/packet.ts";
import type {
  Channel,
  ChannelCounters,
  ChannelOptions,
  ChannelSide,
  OverflowPolicy,
  PeerCertificate,
} from "./channel.ts";
import { type OutgoingQueue, SendQueue } from "./send_queue.ts";
import { StallWatch } from "./stall_watch.ts";

const HIGH_WATER = 1 << 20; // bytes

/** How long the transport may take nothing, in ms. */
const STALL_TIMEOUT = 8_000;

const OVERFLOW_POLICIES: OverflowPolicy[] = ["refuse", "drop-oldest", "drop-newest", "close"];

/** How long an orderly end may take before it is cut short, in ms. */
const CLOSE_TIMEOUT = 1_000;

/** Packets that may arrive before anybody has set `onPacket`. */
const MAX_EARLY_PACKETS = 1_024;

/** Someone waiting in {@linkcode BaseChannel.drained}. */
interface Waiter {
  resolve: () => void;
  reject: (reason: unknown) => void;
}

/**
 * A channel but for its transport. To make one, extend it with the four abstract methods; to see
 * whether it keeps the contract, run `channelConformance` of `@aln/mesh/testing` on it.
 *
 * `Unit` is what a packet is encoded as: bytes, text, or the packet itself.
 */
export abstract class BaseChannel<Unit> implements Channel, AsyncDisposable {
  /** What it has carried so far. */
  readonly counters: Readonly<ChannelCounters>;
  /**
   * Told of what arrived and was no packet, or was lost on its way out. With no packet at hand, it
   * may stand for several: `count`, 1 unless said otherwise.
   */
  onDrop: ((error: AlnError, packet: Packet | null, count?: number) => void) | null = null;
  /** Which side this is; set by whoever has opened or accepted the connection. */
  side: ChannelSide | undefined = undefined;
  /**
   * What carries it, in one word: "tcp", "tls", "ws", "wss", "memory", "stream", "port", "broadcast",
   * "serial", "ble", or another; set by whoever has made it.
   */
  transport: string | undefined = undefined;
  /** The peer's verified certificate; set by whoever has opened or accepted the connection. */
  peer: PeerCertificate | null = null;

  /**
   * What waits to be sent.
   *
   * @internal
   */
  protected readonly queue: OutgoingQueue<Unit>;

  readonly #counters: ChannelCounters = { packetsIn: 0, packetsOut: 0, bytesIn: 0, bytesOut: 0 };
  readonly #overflow: OverflowPolicy;
  readonly #stallTimeout: number;
  readonly #signal: AbortSignal | undefined;
  #state: "open" | "closing" | "closed" = "open";
  #reason: unknown = undefined;
  #onPacket: ((packet: Packet) => void) | null = null;
  #onClose: ((reason?: unknown) => void) | null = null;
  #closeTimer: ReturnType<typeof setTimeout> | undefined;
  // Made when they are needed: a channel at rest has none of them.
  #early: Packet[] | null = null;
  #waiters: Set<Waiter> | null = null;
  #stall: StallWatch | null = null;
  #abort: (() => void) | null = null;
  #closed: Promise<unknown> | null = null;
  #settle: ((reason: unknown) => void) | null = null;

  /**
   * Constructs a new instance.
   *
   * @throws {TypeError} If `overflow` is no policy.
   * @throws {RangeError} If `highWater` or `stallTimeout` is not above 0.
   */
  constructor(options: ChannelOptions = {}) {
    const { highWater = HIGH_WATER, overflow = "refuse", stallTimeout = STALL_TIMEOUT } = options;
    if (!OVERFLOW_POLICIES.includes(overflow)) {
      throw new TypeError(`Cannot accept overflow: "${overflow}" is no policy`);
    }
    checkPositive("highWater", highWater);
    checkPositive("stallTimeout", stallTimeout);
    this.counters = this.#counters;
    this.queue = this.createQueue(highWater, overflow === "drop-oldest");
    this.#overflow = overflow;
    this.#stallTimeout = stallTimeout;
    const signal = this.#signal = options.signal;
    if (signal === undefined) return;
    this.#abort = () => this.close(signal.reason);
    if (signal.aborted) queueMicrotask(this.#abort);
    else signal.addEventListener("abort", this.#abort, { once: true });
  }

  /** Settles once the channel has closed, with the reason if it was not orderly. Never rejects. */
  get closed(): Promise<unknown> {
    return this.#closed ??= this.#state === "closed"
      ? Promise.resolve(this.#reason)
      : new Promise((resolve) => this.#settle = resolve);
  }

  /** Given each packet that arrives. Those that came before it was set come first. */
  get onPacket(): ((packet: Packet) => void) | null {
    return this.#onPacket;
  }

  /** Sets who is given each packet. */
  set onPacket(handler: ((packet: Packet) => void) | null) {
    this.#onPacket = handler;
    if (handler !== null && this.#early !== null) queueMicrotask(() => this.#deliverEarly());
  }

  /** Told once that the channel has closed, even if it had closed before this was set. */
  get onClose(): ((reason?: unknown) => void) | null {
    return this.#onClose;
  }

  /** Sets who is told that the channel has closed. */
  set onClose(handler: ((reason?: unknown) => void) | null) {
    this.#onClose = handler;
    if (handler !== null && this.#state === "closed") queueMicrotask(() => this.#tellClosed());
  }

  /** Bytes that wait to be sent. */
  get bufferedBytes(): number {
    return this.#state === "closed" ? 0 : this.queue.bytes;
  }

  /** Whether packets can be sent. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  /**
   * Queues one packet, which the caller may go on using. Never throws and never blocks.
   *
   * @returns `false` if it was refused: the queue is full, unless {@linkcode ChannelOptions.overflow}
   *   says otherwise, or the channel closed. A packet whose fields do not fit is refused too, and told
   *   to `onDrop`.
   */
  send(packet: Packet): boolean {
    if (this.#state !== "open") return false;
    let unit: Unit;
    try {
      unit = this.encode(packet);
    } catch (error) {
      this.drop(error as PacketError, packet);
      return false;
    }
    return this.enqueue(unit, packet.net !== 0, packet);
  }

  /**
   * Resolves when nothing is queued any more.
   *
   * @throws {ChannelError} `ERR_CHANNEL_CLOSED` if the channel closes before.
   * @throws The signal's reason, if it aborts before.
   */
  drained(options: { signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.queue.bytes === 0 && this.#state !== "closed") return Promise.resolve();
    if (this.#state === "closed") return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      const done = () => {
        this.#waiters?.delete(waiter);
        signal?.removeEventListener("abort", onAbort);
      };
      const waiter: Waiter = {
        resolve: () => (done(), resolve()),
        reject: (reason) => (done(), reject(reason)),
      };
      const onAbort = () => waiter.reject(signal!.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
      (this.#waiters ??= new Set()).add(waiter);
    });
  }

  /**
   * Closes the channel; more than once is fine. Without a reason, what is queued is sent first,
   * for at most a second; with one, it is dropped. Packets of applications that were not sent are
   * told to `onDrop`, all at once.
   */
  close(reason?: unknown): void {
    this.#early = null; // Whoever closes wants to hear no more; a peer that does may have been heard.
    this.#end(reason);
  }

  /** Closes the channel in an orderly way, and waits until it has. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.closed;
  }

  // ── for those who extend it ───────────────────────────────────────────────

  /**
   * Encodes a packet for the transport.
   *
   * @throws {PacketError} If its fields do not fit.
   */
  protected abstract encode(packet: Packet): Unit;

  /** How many bytes an encoded packet counts for. */
  protected abstract sizeOf(unit: Unit): number;

  /** Called when something has been queued: {@linkcode next} has it. Must not throw. */
  protected abstract flush(): void;

  /**
   * Called when the transport is to end: in an orderly way, or at once for a reason. May be called
   * again with a reason. Must not throw; leads to {@linkcode finish}.
   */
  protected abstract shut(reason?: unknown): void;

  /**
   * Counts bytes that the transport has taken of what is not yet {@linkcode sent}, and of all before:
   * a transport that is slow overrides it, so as not to be mistaken for one that is stuck. While
   * nothing can be sent yet, it may return `NaN`, which is never the same.
   */
  protected progress(): number {
    return 0;
  }

  /**
   * Queues something encoded. What is control traffic goes first, and if there is no room for it,
   * the channel closes.
   *
   * @param packet What was encoded, to be told if it is dropped.
   * @returns `false` if there is no room.
   */
  protected enqueue(unit: Unit, control: boolean, packet: Packet | null = null): boolean {
    const size = this.sizeOf(unit);
    const admission = this.queue.push(unit, size, control);
    if (admission === "full") return this.#overflows(unit, size, packet);
    if (admission === "overrun") {
      this.close(fullError("keep channel", "cannot even hold what routers tell each other"));
      return false;
    }
    this.flush();
    this.#stall ??= this.#watch();
    this.#stall.start();
    return true;
  }

  /**
   * Makes the queue. Called once, by the constructor.
   *
   * @param evicts Whether the oldest has to make room.
   * @internal
   */
  protected createQueue(highWater: number, _evicts: boolean): OutgoingQueue<Unit> {
    return new SendQueue(highWater);
  }

  /** Takes the next packet to send, control traffic first; or several, if they are queued as one. */
  protected next(): Unit | undefined {
    const entry = this.queue.shift();
    if (entry === undefined) return undefined;
    this.#counters.packetsOut += entry.count ?? 1;
    return entry.unit;
  }

  /** Whether nothing waits to be taken. */
  protected get idle(): boolean {
    return this.queue.empty;
  }

  /** Says that so many bytes, taken with {@linkcode next}, have left. */
  protected sent(size: number): void {
    this.queue.release(size);
    this.#counters.bytesOut += size;
    this.#stall?.moved();
    if (this.queue.bytes > 0) return;
    this.#takeWaiters()?.forEach((waiter) => waiter.resolve());
    if (this.#state === "closing") this.shut();
  }

  /** Counts bytes that have arrived. */
  protected received(size: number): void {
    this.#counters.bytesIn += size;
  }

  /** Counts packets that have arrived, and were carried on without being decoded. */
  protected passed(count: number): void {
    this.#counters.packetsIn += count;
  }

  /** Hands on a packet that has arrived. */
  protected deliver(packet: Packet): void {
    if (this.#state !== "open") return;
    this.#counters.packetsIn++;
    if (this.#onPacket !== null && this.#early === null) this.#onPacket(packet);
    else if ((this.#early ??= []).length < MAX_EARLY_PACKETS) this.#early.push(packet);
    else this.drop(new ChannelError("ERR_CHANNEL_FULL", "Cannot hold packet: no reader"), packet);
  }

  /**
   * Says that the peer has sent its last: ends the channel as in order, though there may be a reason
   * to tell. What came is still told.
   */
  protected peerEnded(reason?: unknown): void {
    this.#end();
    this.#reason ??= reason;
  }

  /** Reports something that was dropped, or, without a packet, several of a kind. */
  protected drop(error: AlnError, packet: Packet | null = null, count: number = 1): void {
    this.onDrop?.(error, packet, count);
  }

  /** Says that the transport has ended. The channel is closed from here on. */
  protected finish(reason?: unknown): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#reason ??= reason;
    clearTimeout(this.#closeTimer);
    this.#stall?.stop();
    if (this.#abort !== null) this.#signal?.removeEventListener("abort", this.#abort);
    this.#discard();
    this.#takeWaiters()?.forEach((waiter) => waiter.reject(closedError()));
    this.#settle?.(this.#reason);
    this.#tellClosed();
  }

  // ── within ────────────────────────────────────────────────────────────────

  /** From when something waits until nothing has for a while. */
  #watch(): StallWatch {
    return new StallWatch(this.#stallTimeout, {
      waits: () => this.#state === "open" && this.queue.bytes > 0,
      idle: () => {
        this.queue.shrink();
        this.#stall = null;
      },
      progress: () => this.progress(),
      stalled: () => this.close(stalledError(this.#stallTimeout)),
    });
  }

  #takeWaiters(): Set<Waiter> | null {
    const waiters = this.#waiters;
    this.#waiters = null;
    return waiters;
  }

  /** There is no room for a packet of an application. */
  #overflows(unit: Unit, size: number, packet: Packet | null): boolean {
    const error = fullError("queue packet", "is full");
    switch (this.#overflow) {
      case "refuse":
        return false;
      case "close":
        this.close(fullError("keep channel", "is full"));
        return false;
      case "drop-oldest": {
        const evicted = this.queue.evict(size);
        const admitted = this.queue.push(unit, size, false) === "queued";
        if (admitted) this.flush();
        for (const old of evicted) this.drop(error, old instanceof Packet ? old : null);
        if (!admitted) this.drop(error, packet);
        return true;
      }
      case "drop-newest":
        this.drop(error, packet);
        return true;
    }
  }

  /** Drops what waits. Packets of applications are told; what routers say means nothing any more. */
  #discard(): void {
    const count = this.queue.clear();
    if (count === 0) return;
    const why = `the channel has closed, and ${count} had not been sent`;
    this.drop(new ChannelError("ERR_CHANNEL_CLOSED", `Cannot send: ${why}`), null, count);
  }

  #end(reason?: unknown): void {
    if (this.#state === "closed") return;
    if (this.#state === "open") {
      this.#state = "closing";
      this.#reason = reason;
      this.#closeTimer = setTimeout(() => this.#expire(), CLOSE_TIMEOUT);
    } else if (reason === undefined) {
      return; // It is closing already, and no worse for it.
    }
    if (reason !== undefined) this.#discard();
    if (reason !== undefined || this.queue.bytes === 0) this.shut(reason);
  }

  /** The peer does not let go: cut the link. */
  #expire(): void {
    this.#discard();
    this.shut(
      new ChannelError("ERR_CHANNEL_CLOSED", "Cannot close channel in order: it takes too long"),
    );
    this.finish();
  }

  #deliverEarly(): void {
    while (this.#early !== null && this.#onPacket !== null) {
      const packet = this.#early.shift()!;
      if (this.#early.length === 0) this.#early = null;
      this.#onPacket(packet);
    }
  }

  #tellClosed(): void {
    const handler = this.#onClose;
    this.#onClose = null;
    handler?.(this.#reason);
  }
}

function checkPositive(name: string, value: number): void {
  if (value > 0) return;
  throw new RangeError(`Cannot accept ${name}: ${value} is not above 0`);
}

function fullError(action: string, what: string): ChannelError {
  return new ChannelError("ERR_CHANNEL_FULL", `Cannot ${action}: the channel's queue ${what}`);
}

function stalledError(timeout: number): ChannelError {
  const why = `what waits has not moved for ${timeout} ms`;
  return new ChannelError("ERR_CHANNEL_CLOSED", `Cannot keep channel: ${why}`);
}

function closedError(): ChannelError {
  return new ChannelError("ERR_CHANNEL_CLOSED", "Cannot send: the channel is closed");
}
