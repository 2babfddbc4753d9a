/**
 * {@linkcode LocalService}: one service that this router offers.
 *
 * @module
 */

import { PacketError } from "../errors.ts";
import type { Clock } from "./clock.ts";
import type { ServiceHandler } from "./incoming_call.ts";
import { LoadMeter } from "./load_meter.ts";

/** The highest load there is: callers take such an instance only if there is no other. */
const FULL = 0xffff;

/** Options of `Router.registerService`. */
export interface ServiceOptions {
  /**
   * Advertised load, 1-65535: callers prefer the lowest. Those of our kind take 65,535 only if there
   * is nothing else.
   *
   * @default {1}
   */
  capacity?: number;
  /**
   * Let the advertised load follow the calls that are being served: one more for each, told at most
   * once a second.
   *
   * @default {false}
   */
  followCalls?: boolean;
  /** Unregisters the service when it aborts. */
  signal?: AbortSignal;
}

/** A service that is registered; disposing of it unregisters it. */
export interface Registration extends Disposable {
  /** The service's name. */
  readonly service: string;
  /** Advertised load of the idle service, 1-65535; assigning advertises the new value. */
  capacity: number;
  /** Calls that are being served now. */
  readonly calls: number;
  /**
   * Takes no more calls: advertises the highest load, refuses what comes all the same, so that
   * callers of our kind go elsewhere, waits for the calls that are being served, and unregisters the
   * service. More than once is fine.
   *
   * @param options `signal` ends the waiting, and unregisters the service at once.
   * @throws The signal's reason, if it aborts before the last call has ended.
   */
  drain(options?: { signal?: AbortSignal }): Promise<void>;
}

/** What a service needs of its router. */
export interface LocalServiceHost {
  /** Where time comes from. */
  readonly clock: Clock;
  /** Advertises this service, if it is still the one of its name. */
  advertise(service: LocalService, load: number): void;
  /** Forgets this service and withdraws it, if it is still the one of its name. */
  withdraw(service: LocalService): void;
}

/** One service. */
export class LocalService implements Registration {
  readonly service: string;
  /** Serves its calls. */
  readonly handler: ServiceHandler;
  readonly #host: LocalServiceHost;
  readonly #meter: LoadMeter | null;
  readonly #signal: AbortSignal | undefined;
  readonly #idleWaiters: Set<() => void> = new Set();
  #capacity: number;
  #calls: number = 0;
  #draining: boolean = false;
  #released: boolean = false;
  #cancelTimer: (() => void) | null = null;

  /**
   * Constructs a new instance, which is not advertised yet.
   *
   * @throws {PacketError} `ERR_PACKET_FIELD` if the capacity does not fit.
   */
  constructor(
    host: LocalServiceHost,
    service: string,
    handler: ServiceHandler,
    options: ServiceOptions,
  ) {
    const { capacity = 1, followCalls = false, signal } = options;
    checkCapacity(capacity);
    signal?.throwIfAborted();
    this.#host = host;
    this.service = service;
    this.handler = handler;
    this.#capacity = capacity;
    this.#meter = followCalls ? new LoadMeter(capacity) : null;
    this.#signal = signal;
    signal?.addEventListener("abort", this.#unregister, { once: true });
  }

  get capacity(): number {
    return this.#capacity;
  }

  set capacity(value: number) {
    checkCapacity(value);
    this.#capacity = value;
    if (this.#meter !== null) {
      this.#meter.rebase(value, this.#host.clock.now());
      this.#tellLoad();
    } else if (!this.#draining) {
      this.#host.advertise(this, value);
    }
  }

  get calls(): number {
    return this.#calls;
  }

  /** Whether it takes no more calls. */
  get draining(): boolean {
    return this.#draining;
  }

  /** A call has begun. */
  began(): void {
    this.#calls++;
    if (this.#meter === null) return;
    this.#meter.began(this.#host.clock.now());
    this.#tellLoad();
  }

  /** A call has ended. */
  ended(): void {
    this.#calls--;
    if (this.#calls === 0) { for (const wake of [...this.#idleWaiters]) wake(); }
    if (this.#meter === null) return;
    this.#meter.ended(this.#host.clock.now());
    this.#tellLoad();
  }

  async drain(options: { signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options;
    if (!this.#draining) {
      this.#draining = true;
      this.#host.advertise(this, FULL);
    }
    try {
      signal?.throwIfAborted();
      if (this.#calls > 0) await this.#idle(signal);
    } finally {
      this[Symbol.dispose]();
    }
  }

  [Symbol.dispose](): void {
    this.#unregister();
  }

  /** Lets go of everything that could call it. */
  release(): void {
    this.#released = true;
    this.#signal?.removeEventListener("abort", this.#unregister);
    this.#cancelTimer?.();
    this.#cancelTimer = null;
  }

  readonly #unregister = (): void => {
    this.release();
    this.#host.withdraw(this);
  };

  /** Advertises the load that the calls make, when it is due. */
  #tellLoad(): void {
    if (this.#draining || this.#released) return;
    const { clock } = this.#host;
    const load = this.#meter!.due(clock.now());
    if (load !== null) this.#host.advertise(this, load);
    const deadline = this.#meter!.deadline();
    if (this.#cancelTimer !== null || deadline === Infinity) return;
    this.#cancelTimer = clock.schedule(deadline, () => {
      this.#cancelTimer = null;
      this.#tellLoad();
    });
  }

  #idle(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = () => {
        this.#idleWaiters.delete(done);
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
      const onAbort = () => {
        this.#idleWaiters.delete(done);
        reject(signal!.reason);
      };
      this.#idleWaiters.add(done);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }
}

function checkCapacity(capacity: number): void {
  if (Number.isInteger(capacity) && capacity >= 1 && capacity <= FULL) return;
  const why = `${capacity} is not an integer in 1-65535`;
  throw new PacketError("ERR_PACKET_FIELD", `Cannot accept capacity: ${why}`);
}
