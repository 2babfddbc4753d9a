/**
 * {@linkcode Dialer}: a link that comes back. It opens a channel, gives it to a router, and opens
 * another when that one has closed.
 *
 * @module
 */

import type { Channel } from "../channel/channel.ts";
import { ChannelError } from "../errors.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { ChannelEvent } from "./events.ts";
import { checkLink } from "./link_key.ts";
import { checkLinkOptions, type LinkOptions } from "./link_options.ts";
import type { Router } from "./router.ts";
import { TypedEventTarget } from "./typed_event_target.ts";

/** What a {@linkcode Dialer} is doing: `"waiting"` is the pause before the next attempt. */
export type DialerState = "connecting" | "connected" | "waiting" | "closed";

/** Options of a {@linkcode Dialer}. */
export interface DialerOptions {
  /**
   * The longest first pause, in ms. Each next one may be twice as long; how long it is, is chosen
   * at random from nothing to that, so that those who lost one server do not return all at once.
   *
   * @default {100}
   */
  minDelay?: number;
  /**
   * The longest that any pause may be, in ms.
   *
   * @default {30000}
   */
  maxDelay?: number;
  /**
   * Attempts in a row, at most, without a connection that lived for `stableAfter`.
   *
   * @default {Infinity}
   */
  maxAttempts?: number;
  /**
   * How long one attempt may take, in ms.
   *
   * @default {10000}
   */
  timeout?: number;
  /**
   * How long a connection must have lived for attempts and pauses to be counted from the start
   * again, in ms: a server that accepts and drops at once is none to hurry back to.
   *
   * @default {10000}
   */
  stableAfter?: number;
  /**
   * Whether another attempt is no use after this error, of an attempt or a connection. If it
   * throws, that is fatal, too. By default only a neighbour that does not let us in, or may not come
   * in, is (`ERR_CHANNEL_AUTH`); `dial` of `@aln/mesh/net` knows more.
   */
  isFatal?: (error: unknown) => boolean;
  /** What the router is told about each channel. */
  link?: LinkOptions;
  /** Closes the dialer when it aborts. */
  signal?: AbortSignal;
  /** Where time comes from; by default the platform. */
  clock?: Clock;
  /** Where chance comes from, uniform over [0, 1); by default `Math.random`. */
  random?: () => number;
}

/** How long the last channel may take to close, in ms. */
const CLOSE_TIMEOUT = 2_000;

/** Doublings of the pause, at most: beyond any cap, and still a number. */
const MAX_DOUBLINGS = 50;

/** A {@linkcode Dialer} has changed its state. */
export class DialerEvent extends Event {
  /** The new state. */
  readonly state: DialerState;
  /** Attempts since the start, or since a connection lived for `stableAfter`. */
  readonly attempt: number;
  /** How long until the next attempt, in ms, when `"waiting"`; else 0. */
  readonly delay: number;
  /** Why it waits or is closed, unless the connection was closed in order. */
  readonly error: unknown;

  /** Constructs a new instance. */
  constructor(state: DialerState, attempt: number, delay: number = 0, error?: unknown) {
    super("status");
    this.state = state;
    this.attempt = attempt;
    this.delay = delay;
    this.error = error;
  }
}

/** A dialer's events by type. */
export interface DialerEventMap {
  /** It has changed its state. */
  status: DialerEvent;
}

/**
 * Keeps a router linked: opens a channel, attaches it, and again whenever it has closed, until the
 * dialer or the router is closed. What the router knows and offers stays with the router: nothing is
 * registered twice.
 *
 * It begins in the next microtask, and tells what it does by `status` events, of
 * {@linkcode DialerEvent}. Nothing that goes wrong is thrown.
 *
 * @example
 * ```ts
 * import { createChannelPair, Router } from "@aln/mesh";
 * import { Dialer } from "@aln/mesh/net";
 * import assert from "node:assert/strict";
 *
 * const server = new Router("server");
 * server.registerService("ping", (_packet, reply) => void reply("pong"));
 *
 * const client = new Router("client");
 * const dialer = new Dialer(client, () => {
 *   const [near, far] = createChannelPair(); // Or a serial port, a worker, a child process.
 *   server.addChannel(far);
 *   return near;
 * });
 *
 * (await dialer.connected()).close(); // The link is lost,
 * await client.waitForService("ping"); // and comes back.
 * assert.equal((await client.request("ping")).text(), "pong");
 * await Promise.all([client.close(), server.close()]);
 * assert.equal(dialer.state, "closed");
 * ```
 */
export class Dialer extends TypedEventTarget<DialerEventMap> implements AsyncDisposable {
  /**
   * Settles once, when the dialer has ended and its channel has closed; never rejects. The value is
   * what was given to `close`, the signal's reason, the error that was fatal, or the last of too
   * many; `undefined` if it, or the router, was closed in order.
   */
  readonly closed: Promise<unknown>;

  readonly #router: Router;
  readonly #open: (signal: AbortSignal) => Channel | Promise<Channel>;
  readonly #options: Required<Omit<DialerOptions, "signal">>;
  readonly #signal: AbortSignal | undefined;
  #state: DialerState = "connecting";
  #attempts: number = 0;
  #attempt: AbortController | null = null;
  #channel: Channel | null = null;
  #attaching: boolean = false;
  #admitted: boolean = false;
  #since: number = 0;
  #cancelTimer: () => void = () => {};
  #next!: Promise<Channel>;
  #resolve!: (channel: Channel) => void;
  #reject!: (reason: unknown) => void;
  #reason: unknown = undefined;
  #settle!: (reason: unknown) => void;

  /**
   * Constructs a new instance.
   *
   * @param router What to attach channels to.
   * @param open Opens a channel that nobody else owns, or fails. Its signal aborts when the attempt
   *   takes too long or is no longer wanted; a channel that comes after that is closed.
   * @throws {RangeError} If a number among the options is negative or none, or `maxAttempts` 0.
   * @throws {TypeError | RangeError} If an option of the link is of no use.
   */
  constructor(
    router: Router,
    open: (signal: AbortSignal) => Channel | Promise<Channel>,
    options: DialerOptions = {},
  ) {
    super();
    const { signal, ...given } = options;
    this.#options = {
      minDelay: number("minDelay", given.minDelay ?? 100),
      maxDelay: number("maxDelay", given.maxDelay ?? 30_000),
      maxAttempts: number("maxAttempts", given.maxAttempts ?? Infinity, 1),
      timeout: number("timeout", given.timeout ?? 10_000),
      stableAfter: number("stableAfter", given.stableAfter ?? 10_000),
      isFatal: given.isFatal ?? isRefusal,
      link: checkLink(given.link ?? {}),
      clock: given.clock ?? systemClock,
      random: given.random ?? Math.random,
    };
    checkLinkOptions(this.#options.link);
    this.#router = router;
    this.#open = open;
    this.#signal = signal;
    this.closed = new Promise((resolve) => this.#settle = resolve);
    this.#expect();
    router.addEventListener("channel", this.#onChannel);
    for (const ender of [signal, router.signal]) ender?.addEventListener("abort", this.#onAbort);
    queueMicrotask(() => {
      if (signal?.aborted || router.signal.aborted) this.#onAbort();
      else if (this.#state !== "closed") this.#connect();
    });
  }

  /** What it is doing. */
  get state(): DialerState {
    return this.#state;
  }

  /**
   * Waits until there is a connection, and both sides have let each other in; there may be one
   * already.
   *
   * @returns Its channel, which the router owns.
   * @throws What {@linkcode Dialer.closed} settles with, if the dialer ends before; a
   *   {@linkcode ChannelError} `ERR_CHANNEL_CLOSED` if that is nothing.
   */
  connected(): Promise<Channel> {
    const channel = this.#state === "connected" ? this.#channel : null;
    return channel === null ? this.#next : Promise.resolve(channel);
  }

  /**
   * Ends it: no more attempts, and the channel is closed; more than once is fine. Without a reason,
   * what is queued is sent first.
   *
   * @returns Resolves when the channel has closed.
   */
  async close(reason?: unknown): Promise<void> {
    this.#end(reason);
    await this.closed;
  }

  /** The same as {@linkcode Dialer.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // ── within: each change ends with its event, for who hears it may change things again ────────

  async #connect(): Promise<void> {
    const attempt = this.#attempt = new AbortController();
    const { signal } = attempt;
    const { timeout } = this.#options;
    this.#attempts++;
    this.#schedule(timeout, () => {
      const message = `Cannot open channel: it takes longer than ${timeout} ms`;
      const error = new DOMException(message, "TimeoutError");
      attempt.abort(error);
      this.#lost(error);
    });
    this.#become("connecting");
    try {
      signal.throwIfAborted();
      const channel = await this.#open(signal);
      if (signal.aborted) channel.close(signal.reason); // It comes too late: nobody else owns it.
      else this.#attach(channel);
    } catch (error) {
      if (!signal.aborted) this.#lost(error);
    }
  }

  #attach(channel: Channel): void {
    this.#cancelTimer();
    this.#attempt = null;
    this.#channel = channel;
    this.#since = this.#options.clock.now();
    this.#admitted = false;
    this.#attaching = true;
    this.#router.addChannel(channel, this.#options.link);
    this.#attaching = false;
    if (this.#admitted) this.#opened(channel);
  }

  readonly #onChannel = ({ channel, open, reason }: ChannelEvent): void => {
    if (channel !== this.#channel) return;
    if (open && this.#attaching) this.#admitted = true; // It may be over before it is attached.
    else if (open) this.#opened(channel);
    else if (this.#state === "closed") this.#finish();
    else this.#lost(reason);
  };

  #opened(channel: Channel): void {
    if (this.#channel !== channel || this.#state === "closed") return; // It is over already.
    this.#since = this.#options.clock.now();
    this.#resolve(channel);
    this.#expect();
    this.#become("connected");
  }

  /** There is no channel, or none any more. */
  #lost(error: unknown): void {
    const { clock, random, isFatal, maxAttempts, minDelay, maxDelay, stableAfter } = this.#options;
    this.#cancelTimer();
    this.#attempt = null;
    if (this.#channel !== null) {
      if (clock.now() - this.#since >= stableAfter) this.#attempts = 0;
      this.#channel = null;
    }
    try {
      if (error !== undefined && isFatal(error)) return this.#end(error);
    } catch (thrown) {
      return this.#end(thrown);
    }
    if (this.#attempts >= maxAttempts) return this.#end(error ?? closedError("it does not last"));
    const doublings = Math.min(Math.max(0, this.#attempts - 1), MAX_DOUBLINGS);
    const delay = random() * Math.min(maxDelay, minDelay * 2 ** doublings);
    this.#schedule(delay, () => this.#connect());
    this.#become("waiting", delay, error);
  }

  /** A router that closes is no reason to tell: it is in order. */
  readonly #onAbort = (): void => this.#end(this.#signal?.reason);

  #end(reason: unknown): void {
    if (this.#state === "closed") return;
    this.#cancelTimer();
    for (const ender of [this.#signal, this.#router.signal]) {
      ender?.removeEventListener("abort", this.#onAbort);
    }
    this.#reason = reason;
    this.#state = "closed";
    this.#reject(reason ?? closedError("its dialer or router is closed"));
    this.#attempt?.abort(reason);
    const channel = this.#channel;
    if (channel === null || this.#router.signal.aborted) this.#finish(); // A router sees to its own.
    else {
      this.#schedule(CLOSE_TIMEOUT, () => {
        this.#router.removeChannel(channel);
        this.#finish();
      });
      channel.close(reason);
    }
    this.#become("closed", 0, reason);
  }

  #finish(): void {
    this.#cancelTimer();
    this.#router.removeEventListener("channel", this.#onChannel as (event: Event) => void);
    this.#settle(this.#reason);
  }

  #become(state: DialerState, delay?: number, error?: unknown): void {
    this.#state = state;
    this.dispatchEvent(new DialerEvent(state, this.#attempts, delay, error));
  }

  /** The only timer there is. */
  #schedule(delay: number, run: () => void): void {
    const { clock } = this.#options;
    this.#cancelTimer = clock.schedule(clock.now() + delay, run);
  }

  /** From here on `connected` waits for another connection. */
  #expect(): void {
    this.#next = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#next.catch(() => {}); // Nobody has to wait for it.
  }
}

function number(name: string, value: number, min: number = 0): number {
  if (value >= min) return value;
  throw new RangeError(`Cannot dial: ${name} is "${value}", and must be at least ${min}`);
}

/** Whether a neighbour was refused for good, by either side. */
export function isRefusal(error: unknown): boolean {
  return error instanceof ChannelError && error.code === "ERR_CHANNEL_AUTH";
}

function closedError(why: string): ChannelError {
  return new ChannelError("ERR_CHANNEL_CLOSED", `Cannot keep link: ${why}`);
}
