/**
 * Who serves what: the services and contexts of one router, and the packets handed to them.
 *
 * @module
 */

import { type AlnErrorCode, HandlerError, PacketError, UnreachableError } from "../errors.ts";
import { utf8Size } from "../wire/bytes.ts";
import { MAX_NAME_SIZE } from "../wire/limits.ts";
import type { Packet, PacketData, PacketInit } from "../wire/packet.ts";
import type { ContextTable } from "./contexts.ts";
import { DropEvent } from "./events.ts";

/** Why a packet was not sent: a stable code, then words. */
export type SendFailure = `${AlnErrorCode}: ${string}`;

/**
 * Answers a request: to where it came from, in its context.
 *
 * @returns `null`, or why the reply was not sent.
 */
export type Reply = (data?: PacketData, init?: PacketInit) => SendFailure | null;

/**
 * Serves the packets of a service. What it returns is not looked at, but if it throws, or returns a
 * promise that rejects, that becomes a `drop` event.
 */
export type ServiceHandler = (packet: Packet, reply: Reply) => unknown;

/** Given a packet that has arrived. */
export type PacketHandler = (packet: Packet) => unknown;

/** Options of `Router.registerService`. */
export interface ServiceOptions {
  /**
   * Advertised load, 1-65535: callers prefer the lowest.
   *
   * @default {1}
   */
  capacity?: number;
  /** Unregisters the service when it aborts. */
  signal?: AbortSignal;
}

/** A service that is registered; disposing of it unregisters it. */
export interface Registration extends Disposable {
  /** The service's name. */
  readonly service: string;
  /** Advertised load, 1-65535; assigning advertises the new value. */
  capacity: number;
}

/** A service, as it is kept. */
interface Service {
  handler: ServiceHandler;
  registration: Registration;
  /** Stops listening to the signal that would unregister it. */
  forget: () => void;
}

/** What the handlers need of their router. */
export interface HandlersHost {
  /** Advertises a service of ours; capacity 0 withdraws it. */
  advertise(service: string, capacity: number): void;
  /** Sends a packet. */
  send(packet: PacketInit): SendFailure | null;
  /** Tells an event. */
  report(event: DropEvent): void;
}

/** The services and contexts of one router. */
export class Handlers {
  readonly #services: Map<string, Service> = new Map();
  readonly #contexts: ContextTable<PacketHandler>;
  readonly #host: HandlersHost;

  /** Constructs a new instance. */
  constructor(contexts: ContextTable<PacketHandler>, host: HandlersHost) {
    this.#contexts = contexts;
    this.#host = host;
  }

  /** Registers a service; one of the same name is replaced. */
  register(service: string, handler: ServiceHandler, options: ServiceOptions): Registration {
    checkName("service", service);
    if (typeof handler !== "function") {
      throw new TypeError(`Cannot register "${service}": its handler is not a function`);
    }
    const { capacity = 1, signal } = options;
    checkCapacity(capacity);
    signal?.throwIfAborted();

    let current = capacity;
    const advertise = (value: number) => {
      if (this.#services.get(service)?.registration !== registration) return;
      if (value === 0) this.#services.delete(service);
      this.#host.advertise(service, value);
    };
    const forget = () => signal?.removeEventListener("abort", unregister);
    const unregister = () => {
      forget();
      advertise(0);
    };
    const registration: Registration = {
      service,
      get capacity() {
        return current;
      },
      set capacity(value) {
        checkCapacity(value);
        current = value;
        advertise(value);
      },
      [Symbol.dispose]: unregister,
    };
    signal?.addEventListener("abort", unregister, { once: true });
    this.#services.get(service)?.forget();
    this.#services.set(service, { handler, registration, forget });
    advertise(capacity);
    return registration;
  }

  /** Unregisters a service; one that is not registered is fine. */
  unregister(service: string): void {
    this.#services.get(service)?.registration[Symbol.dispose]();
  }

  /** Unregisters every service, and closes every context. */
  clear(): void {
    for (const service of [...this.#services.keys()]) this.unregister(service);
    this.#contexts.clear();
  }

  /** Hands a packet to its service, else to its context. */
  deliver(packet: Packet): void {
    const { srv, ctx, dst } = packet;
    const service = this.#services.get(srv);
    const context = this.#contexts.get(ctx);
    if (service) {
      const reply = this.#replyTo(packet);
      this.guard(packet, `service "${srv}"`, () => service.handler(packet, reply));
    } else if (context) {
      this.guard(packet, `context ${ctx}`, () => context(packet));
    } else {
      const [what, target] = srv !== ""
        ? [`nobody here offers "${srv}"`, srv]
        : [`nobody waits in context ${ctx}`, dst];
      this.drop(packet, what, target);
    }
  }

  /** Tells that a packet could not be delivered. */
  drop(packet: Packet, why: string, target: string): void {
    const message = `Cannot deliver packet: ${why}`;
    const error = new UnreachableError("ERR_NO_SERVICE", message, target);
    this.#host.report(new DropEvent(packet, error));
  }

  /** Runs a handler of the application; what it throws becomes a `drop` event. */
  guard(packet: Packet | null, what: string, run: () => unknown): void {
    const failed = (cause: unknown) => {
      const why = `${what} threw "${textOf(cause)}"`;
      const error = new HandlerError(`Cannot handle packet: ${why}`, { cause });
      this.#host.report(new DropEvent(packet, error));
    };
    try {
      const result = run(); // A handler may return anything, as long as it is not waited for.
      if (result instanceof Promise) result.catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  #replyTo({ src, ctx }: Packet): Reply {
    return (data, init = {}) => {
      if (src === "") return "ERR_NO_ROUTE: Cannot reply: the packet does not say who sent it";
      return this.#host.send({ ...init, data: data ?? init.data, srv: "", dst: src, ctx });
    };
  }
}

/** What was thrown, in words. It need not be an error, nor even have a text. */
export function textOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown);
  } catch {
    return "something without a text";
  }
}

/**
 * Checks the name of a router or a service.
 *
 * @throws {PacketError} `ERR_PACKET_FIELD`.
 */
export function checkName(what: string, name: string): void {
  const size = typeof name === "string" ? utf8Size(name) : 0;
  if (size >= 1 && size <= MAX_NAME_SIZE) return;
  const why = typeof name === "string"
    ? `"${name}" takes ${size} bytes, not 1-${MAX_NAME_SIZE}`
    : "it is not a string";
  throw new PacketError("ERR_PACKET_FIELD", `Cannot accept ${what}: ${why}`);
}

function checkCapacity(capacity: number): void {
  if (Number.isInteger(capacity) && capacity >= 1 && capacity <= 0xffff) return;
  const why = `${capacity} is not an integer in 1-65535`;
  throw new PacketError("ERR_PACKET_FIELD", `Cannot accept capacity: ${why}`);
}
