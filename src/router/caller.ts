/**
 * {@linkcode Caller}: how an application calls services. It chooses instances, and tries others.
 *
 * @module
 */

import { type AlnError, UnreachableError } from "../errors.ts";
import type { Mesh } from "../mesh/mesh.ts";
import { PROBE_SERVICE } from "../mesh/reserved.ts";
import { utf8Size } from "../wire/bytes.ts";
import type { Packet, PacketData } from "../wire/packet.ts";
import { type BalancePolicy, Balancer, checkPolicy } from "./balancer.ts";
import type { CallOptions, GatherOptions, RequestOptions, StreamOptions } from "./call_options.ts";
import type { CallWatcher } from "./call_watcher.ts";
import { isStream, type PacketDataStream } from "./chunks.ts";
import type { Clock } from "./clock.ts";
import { FallbackEvent, type FallbackReason } from "./events.ts";
import { checkName } from "./handlers.ts";
import {
  type CallHost,
  type CallSetup,
  MAX_INLINE,
  OutgoingCall,
  type ReplySink,
} from "./outgoing_call.ts";
import { ReplyStream, type StreamSource } from "./reply_stream.ts";
import { hasNotRun, MAX_REFUSALS, Request } from "./request.ts";

/** How long a request, or a gathering, waits unless told otherwise, in ms. */
const REQUEST_TIMEOUT = 5_000;

/** How long a stream waits for the next reply unless told otherwise, in ms. */
const STREAM_IDLE = 30_000;

/** Instances that are asked at once by a gathering. */
const MAX_GATHERED = 4_096;

/** How long a router may take to say that it is of our kind, in ms. */
const PROBE_TIMEOUT = 1_000;

/** For how long we remember what a router has said, or not said, in ms, and of how many. */
const PROBE_LIFETIME = 600_000;
const MAX_PROBED = 4_096;

/** What the caller needs of its router. */
export interface CallerHost extends Omit<CallHost, "ended"> {
  /** Who waits in each open context: calls, and others. */
  owners(): Iterable<unknown>;
  /** Who waits in a context. */
  owner(ctx: number): unknown;
  /** How instances are chosen, unless a call says otherwise. */
  readonly balance: BalancePolicy;
  /** Throws if the router is closed. */
  throwIfClosed(): void;
  /** Who knows the instances. */
  readonly mesh: Mesh;
  /** Tells that a call does without what it asked for. */
  fallBack(event: FallbackEvent): void;
}

/** What is known of a router that had to be asked. */
interface Probe {
  /** Whether it is of our kind; a promise while it has not answered. */
  ours: boolean | Promise<boolean>;
  /** When it was asked, in ms. */
  at: number;
}

/** Makes calls. */
export class Caller {
  readonly #host: CallerHost;
  readonly #callHost: CallHost;
  readonly #balancer: Balancer;
  /** Routers behind old ones, which had to be asked whether they are of our kind. */
  readonly #probed: Map<string, Probe> = new Map();

  /** Shown each attempt of a call; `null` for nobody. */
  watcher: CallWatcher | null = null;

  /** Constructs a new instance. */
  constructor(host: CallerHost) {
    this.#host = host;
    this.#callHost = { ...host, ended: (call) => this.#ended(call) };
    this.#balancer = new Balancer(host.random, () => host.clock.now());
  }

  /** The instance to call; `null` if there is none. */
  pick(service: string, options: CallOptions = {}, exclude?: Set<string>): string | null {
    const { balance = this.#host.balance, key } = options;
    const only = this.#host.mesh.onlyInstance(service);
    if (only !== null) { // Mostly.
      checkPolicy(balance, key);
      return exclude?.has(only) ? null : only;
    }
    const candidates = this.#host.mesh.shortlist(service, balance, key, exclude);
    return this.#balancer.pick(candidates, { service, policy: balance, key, exclude });
  }

  /** See {@linkcode Router.request}. */
  request(
    service: string,
    data: PacketData | PacketDataStream | undefined,
    options: RequestOptions,
  ): Promise<Packet> {
    return new Promise((resolve, reject) => { // What is thrown here rejects it.
      const { timeout = REQUEST_TIMEOUT, retries = 0 } = options;
      const { attemptTimeout = timeout / (retries + 1) } = options;
      checkTime("timeout", timeout);
      checkTime("attempt timeout", attemptTimeout);
      const now = this.#host.clock.now();
      const dst = this.#pickOrThrow(service, options);
      const limits = { deadline: now + timeout, attemptTimeout, retries };
      new Request(this, { service, data, options }, limits, resolve, reject).ask(dst, now);
    });
  }

  /** See {@linkcode Router.stream}. */
  stream(
    service: string,
    data: PacketData | PacketDataStream | undefined,
    options: StreamOptions,
  ): ReplyStream {
    const { idle = STREAM_IDLE, timeout = Infinity, limit } = options;
    checkTime("idle", idle);
    checkTime("timeout", timeout);
    if (limit !== undefined && !(limit >= 1)) {
      throw new RangeError(`Cannot call "${service}": a limit of ${limit} replies is none`);
    }
    const { clock } = this.#host;
    const deadline = clock.now() + timeout;
    const begin = (sink: ReplySink): StreamSource => {
      const exclude = new Set<string>();
      let call!: OutgoingCall;
      const ask = (dst: string): void => {
        const now = clock.now();
        const { typ, reliable = false, signal } = options;
        const ends = { stream: true, timeout: deadline - now, idle };
        const setup = { service, dst, data, typ, reliable, signal, marked: false, ...ends };
        const asked = exclude.size;
        const started = this.start(setup, {
          get wants() {
            return sink.wants;
          },
          reply: (packet) => sink.reply(packet),
          end: () => sink.end(),
          fail: (reason) => {
            exclude.add(dst);
            const mayAsk = hasNotRun(reason) && exclude.size <= MAX_REFUSALS;
            const over = options.dst || isStream(data) || options.signal?.aborted;
            const other = mayAsk && !over ? this.pick(service, options, exclude) : null;
            if (other === null) return sink.fail(reason);
            try {
              ask(other);
            } catch (error) {
              sink.fail(error);
            }
          },
        }, now);
        if (exclude.size === asked) call = started; // Else it has failed, and another is asked.
      };
      ask(this.#pickOrThrow(service, options));
      return { resume: () => call.resume(), cancel: () => call.cancel() };
    };
    return new ReplyStream(begin, options);
  }

  /** See {@linkcode Router.gather}. */
  async gather(
    service: string,
    data: PacketData | undefined,
    options: GatherOptions,
  ): Promise<Packet[]> {
    const { first = false, timeout = REQUEST_TIMEOUT, typ, onFailure, signal } = options;
    const { count = first ? 1 : Infinity } = options;
    checkTime("timeout", timeout);
    signal?.throwIfAborted();
    const instances = this.#host.mesh.candidates(service).slice(0, MAX_GATHERED);
    if (instances.length === 0) this.#pickOrThrow(service, {});
    const enough = new AbortController();
    const ends = signal === undefined ? enough.signal : AbortSignal.any([signal, enough.signal]);
    const replies: Packet[] = [];
    const failures: unknown[] = [];
    const ask = async (dst: string) => {
      try {
        const reply = await this.request(service, data, { dst, typ, timeout, signal: ends });
        if (enough.signal.aborted) return;
        replies.push(reply);
        if (replies.length >= count) enough.abort();
      } catch (error) {
        if (ends.aborted) return;
        failures.push(error);
        onFailure?.(dst, error);
      }
    };
    try {
      await Promise.all(instances.map(({ address }) => ask(address)));
    } finally {
      enough.abort(); // `onFailure` may have thrown.
    }
    signal?.throwIfAborted();
    if (replies.length > 0) return replies;
    throw new AggregateError(failures, `Cannot gather: no instance of "${service}" has replied`);
  }

  /** The route to an address is lost. */
  routeLost(address: string): void {
    for (const call of this.#calls()) {
      if (call.dst !== address || call.reliable) continue;
      const message = `Cannot get a reply: the route to "${address}" is lost`;
      call.fail(new UnreachableError("ERR_NO_ROUTE", message, address));
    }
    this.#probed.delete(address);
  }

  /** An instance is gone. */
  serviceGone(service: string, address: string): void {
    this.#balancer.forget(address, service);
  }

  /** A packet of ours that was to wait for a route has been dropped: so has the question in it. */
  dropped({ ctx, dst }: Packet, error: AlnError): void {
    const call = this.#host.owner(ctx);
    if (call instanceof OutgoingCall && call.dst === dst && !call.reliable) call.fail(error);
  }

  /** Ends every call. */
  failAll(reason: unknown): void {
    for (const call of this.#calls()) call.fail(reason);
  }

  /** Calls in flight. */
  #calls(): OutgoingCall[] {
    return [...this.#host.owners()].filter((owner) => owner instanceof OutgoingCall);
  }

  // ── one attempt ───────────────────────────────────────────────────────────

  /**
   * Calls one instance. Its sink may have been told its end before this returns.
   *
   * @param setup All but `marked`, which is set here.
   */
  start(setup: CallSetup, sink: ReplySink, now: number): OutgoingCall {
    this.throwIfClosed();
    setup.signal?.throwIfAborted();
    setup.marked = this.#understands(setup, now);
    const call = new OutgoingCall(this.#callHost, setup, sink, now);
    this.#balancer.began(setup.service, setup.dst);
    this.watcher?.began(call, "caller", setup.service, setup.dst);
    call.start();
    return call;
  }

  /** Throws if the router is closed. */
  throwIfClosed(): void {
    this.#host.throwIfClosed();
  }

  /** Where time comes from. */
  get clock(): Clock {
    return this.#host.clock;
  }

  #ended(call: OutgoingCall): void {
    const { service, dst, since, repliedAt, failed } = call;
    const took = repliedAt !== null ? repliedAt - since : failed ? null : undefined;
    this.#balancer.ended(service, dst, took);
    if (this.watcher === null) return;
    if (call.failure !== null) this.watcher.failed(call, call.failure);
    this.watcher.ended(call);
  }

  #pickOrThrow(service: string, options: CallOptions, exclude?: Set<string>): string {
    this.#host.throwIfClosed();
    checkName("service", service);
    const address = options.dst || this.pick(service, options, exclude);
    if (address !== null) return address;
    throw new UnreachableError(
      "ERR_NO_SERVICE",
      `Cannot call "${service}": nobody offers it`,
      service,
    );
  }

  // ── what the far end understands ──────────────────────────────────────────

  /** Whether a call can be marked; a promise if its far end has to be asked. */
  #understands(setup: CallSetup, now: number): boolean | Promise<boolean> {
    const { dst, service, data, stream, reliable } = setup;
    const kind = this.#host.mesh.kindOf(dst);
    if (kind === "own") return true;
    const wanted = isStream(data)
      ? "upload"
      : reliable
      ? "reliable"
      : stream
      ? "stream"
      : sizeOf(data) > MAX_INLINE
      ? "payload"
      : null;
    if (kind === "old") return this.#fallBack(wanted, service, dst);
    const known = this.#probed.get(dst);
    if (known !== undefined && now - known.at < PROBE_LIFETIME) {
      if (known.ours === true) return true;
      if (known.ours === false || wanted === null) return this.#fallBack(wanted, service, dst);
    }
    if (wanted === null) return false; // Not worth asking.
    const ours = known?.ours instanceof Promise ? known.ours : this.#probe(dst, now);
    return ours.then((answer) => answer || this.#fallBack(wanted, service, dst));
  }

  #fallBack(wanted: FallbackReason | null, service: string, dst: string): false {
    if (wanted !== null) this.#host.fallBack(new FallbackEvent(wanted, service, dst));
    return false;
  }

  /** Asks a router behind old ones whether it is of our kind. */
  #probe(dst: string, now: number): Promise<boolean> {
    const options = { dst, timeout: PROBE_TIMEOUT };
    const ours = this.request(PROBE_SERVICE, undefined, options).then(() => true, () => false);
    const entry: Probe = { ours, at: now };
    this.#probed.delete(dst);
    if (this.#probed.size >= MAX_PROBED) {
      for (const oldest of this.#probed.keys()) {
        this.#probed.delete(oldest);
        break;
      }
    }
    this.#probed.set(dst, entry);
    ours.then((answer) => entry.ours = answer);
    return ours;
  }
}

function sizeOf(data: unknown): number {
  if (typeof data === "string") return 3 * data.length <= MAX_INLINE ? 0 : utf8Size(data);
  return (data as { byteLength?: number } | null | undefined)?.byteLength ?? 0;
}

function checkTime(what: string, ms: number): void {
  if (ms > 0) return;
  throw new RangeError(`Cannot call: a ${what} of ${ms} ms is none`);
}
