/**
 * {@linkcode Request}: one reply is wanted, of one instance after another if need be.
 *
 * @module
 */

import { CallError, ChannelError, UnreachableError } from "../errors.ts";
import { Packet, type PacketData } from "../wire/packet.ts";
import type { RequestOptions } from "./call_options.ts";
import { isStream, type PacketDataStream } from "./chunks.ts";
import type { Clock } from "./clock.ts";
import type { CallSetup, OutgoingCall, ReplySink } from "./outgoing_call.ts";

/** Instances that are asked for one call, if each of them says that it does not serve it. */
export const MAX_REFUSALS = 8;

/** What a request needs of whoever makes calls. */
export interface RequestHost {
  /** Where time comes from. */
  readonly clock: Clock;
  /** Throws if the router is closed. */
  throwIfClosed(): void;
  /** The instance to call; `null` if there is none. */
  pick(service: string, options: RequestOptions, exclude: Set<string>): string | null;
  /** Calls one instance. */
  start(setup: CallSetup, sink: ReplySink, now: number): OutgoingCall;
}

/** What is asked. */
export interface Question {
  readonly service: string;
  readonly data: PacketData | PacketDataStream | undefined;
  readonly options: RequestOptions;
}

/** How long it may take, in ms, and how often it may fail. */
export interface RequestLimits {
  /** When it is too late. */
  readonly deadline: number;
  /** How long one attempt may take. */
  readonly attemptTimeout: number;
  /** How many other instances may be tried. */
  readonly retries: number;
}

/** One request. */
export class Request implements ReplySink {
  readonly wants: boolean = true;
  readonly #host: RequestHost;
  readonly #question: Question;
  readonly #limits: RequestLimits;
  readonly #resolve: (reply: Packet) => void;
  readonly #reject: (reason: unknown) => void;
  #dst: string = "";
  #replied: boolean = false;
  #exclude: Set<string> | null = null;
  #failures: number = 0;
  #refusals: number = 0;

  /** Constructs a new instance. */
  constructor(
    host: RequestHost,
    question: Question,
    limits: RequestLimits,
    resolve: (reply: Packet) => void,
    reject: (reason: unknown) => void,
  ) {
    this.#host = host;
    this.#question = question;
    this.#limits = limits;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Asks an instance. */
  ask(dst: string, now: number): void {
    const { service, data, options } = this.#question;
    const { typ, reliable = false, signal } = options;
    const { deadline, attemptTimeout } = this.#limits;
    const timeout = Math.min(deadline - now, attemptTimeout);
    const ends = { stream: false, timeout, idle: Infinity };
    this.#dst = dst;
    try {
      const setup = { service, dst, data, typ, reliable, signal, marked: false, ...ends };
      this.#host.start(setup, this, now);
    } catch (error) {
      this.fail(error);
    }
  }

  reply(packet: Packet): void {
    this.#replied = true;
    this.#resolve(packet);
  }

  end(): void {
    if (!this.#replied) this.#resolve(new Packet({ src: this.#dst })); // There was none.
  }

  fail(reason: unknown): void {
    queueMicrotask(() => this.#tryAgain(reason)); // Whoever tells of it may not be done.
  }

  /** Asks another instance if that may help; else the request has failed. */
  #tryAgain(reason: unknown): void {
    const { service, data, options } = this.#question;
    const { clock } = this.#host;
    try {
      this.#host.throwIfClosed();
      const now = clock.now();
      const over = options.signal?.aborted || now >= this.#limits.deadline;
      if (over || options.dst || isStream(data)) return this.#reject(reason);
      const again = hasNotRun(reason)
        ? this.#refusals++ < MAX_REFUSALS
        : mayDoBetter(reason) && this.#failures++ < this.#limits.retries;
      const exclude = this.#exclude ??= new Set();
      exclude.add(this.#dst);
      const other = again ? this.#host.pick(service, options, exclude) : null;
      if (other === null) this.#reject(reason);
      else this.ask(other, now);
    } catch (error) {
      this.#reject(error);
    }
  }
}

/** Whether a call has certainly not run. */
export function hasNotRun(error: unknown): boolean {
  if (error instanceof UnreachableError) return error.code === "ERR_NO_SERVICE";
  return error instanceof CallError && error.code === "ERR_CALL_REFUSED";
}

/** Whether another instance may do better. */
function mayDoBetter(error: unknown): boolean {
  if (error instanceof UnreachableError || error instanceof ChannelError) return true;
  if (error instanceof CallError) return error.code !== "ERR_CALL_SIZE";
  return error instanceof DOMException && error.name === "TimeoutError";
}
