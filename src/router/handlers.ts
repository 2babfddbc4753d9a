/**
 * Who serves what: the services and contexts of one router, and the packets handed to them.
 *
 * @module
 */

import { HandlerError, PacketError, UnreachableError } from "../errors.ts";
import { isReserved, PROBE_SERVICE } from "../mesh/reserved.ts";
import { utf8Size } from "../wire/bytes.ts";
import { CALL, type CallMark, decodeCallMark } from "../wire/call_mark.ts";
import { MAX_NAME_SIZE } from "../wire/limits.ts";
import type { Packet, PacketInit } from "../wire/packet.ts";
import { type CallWatcher, watched } from "./call_watcher.ts";
import type { Clock } from "./clock.ts";
import type { ContextTable } from "./contexts.ts";
import type { Deadlines } from "./deadlines.ts";
import { DropEvent } from "./events.ts";
import type { SendFailure, ServiceHandler } from "./incoming_call.ts";
import { IncomingCalls } from "./incoming_calls.ts";
import { LocalService, type Registration, type ServiceOptions } from "./local_service.ts";
import { textOf } from "./text_of.ts";

/** Given a packet that has arrived. */
export type PacketHandler = (packet: Packet) => unknown;

/** Given what comes in the context of a call. */
export interface ReplyReceiver {
  /** Takes a packet, what it says about its call, and when it has come, in ms. */
  receive(packet: Packet, mark: CallMark | null, now: number): void;
}

/** Who waits in a context: the application's handler, or a call. */
export type ContextOwner = PacketHandler | ReplyReceiver;

/** What the handlers need of their router. */
export interface HandlersHost {
  /** Where time comes from. */
  readonly clock: Clock;
  /** What calls wait for. */
  readonly deadlines: Deadlines;
  /** The largest payload of one item that is put together, in bytes. */
  readonly maxPayload: number;
  /** How much of a payload goes into one frame on the way to an address, in bytes. */
  chunkSize(address: string): number;
  /** Advertises a service of ours; capacity 0 withdraws it. */
  advertise(service: string, capacity: number): void;
  /** Sends a packet. */
  send(packet: PacketInit): SendFailure | null;
  /** Tells an event. */
  report(event: DropEvent): void;
}

/** The services and contexts of one router. */
export class Handlers {
  readonly #services: Map<string, LocalService> = new Map();
  readonly #contexts: ContextTable<ContextOwner>;
  readonly #host: HandlersHost;
  readonly #incoming: IncomingCalls;
  /** Shown each call; `null` for nobody. */
  watcher: CallWatcher | null = null;

  /** Constructs a new instance. */
  constructor(contexts: ContextTable<ContextOwner>, host: HandlersHost) {
    this.#contexts = contexts;
    this.#host = host;
    this.#incoming = new IncomingCalls({
      clock: host.clock,
      deadlines: host.deadlines,
      maxPayload: host.maxPayload,
      chunkSize: (address) => host.chunkSize(address),
      send: (packet) => host.send(packet),
      threw: (packet, service, cause) => {
        this.watcher?.failed(packet, cause);
        this.#threw(packet, `service "${service}"`, cause);
      },
    });
  }

  /** Calls that are being served. */
  get incoming(): number {
    return this.#incoming.size;
  }

  /** Registers a service; one of the same name is replaced. One that is reserved is not advertised. */
  register(name: string, handler: ServiceHandler, options: ServiceOptions): Registration {
    checkName("service", name);
    if (typeof handler !== "function") {
      throw new TypeError(`Cannot register "${name}": its handler is not a function`);
    }
    const hidden = isReserved(name);
    const isCurrent = (one: LocalService) => this.#services.get(name) === one;
    const host = {
      clock: this.#host.clock,
      advertise: (one: LocalService, load: number) => {
        if (isCurrent(one) && !hidden) this.#host.advertise(name, load);
      },
      withdraw: (one: LocalService) => {
        if (!isCurrent(one)) return;
        this.#services.delete(name);
        if (!hidden) this.#host.advertise(name, 0);
      },
    };
    const service = new LocalService(host, name, handler, options);
    this.#services.get(name)?.release();
    this.#services.set(name, service);
    if (!hidden) this.#host.advertise(name, service.capacity);
    return service;
  }

  /** Whether a service is registered. */
  has(service: string): boolean {
    return this.#services.has(service);
  }

  /** Unregisters a service; one that is not registered is fine. */
  unregister(service: string): void {
    this.#services.get(service)?.[Symbol.dispose]();
  }

  /** Ends every call, unregisters every service, and closes every context. */
  clear(reason: unknown): void {
    this.#incoming.abortAll(reason);
    for (const service of [...this.#services.keys()]) this.unregister(service);
    this.#contexts.clear();
  }

  /** The route to an address is lost: who has called from there does not hear us. */
  routeLost(address: string): void {
    this.#incoming.routeLost(address);
  }

  /** Hands a packet that has come at `now`, in ms, to its service, else to its context. */
  deliver(packet: Packet, now: number): void {
    const { srv, ctx, dst } = packet;
    const mark = packet.ack === 0 || ctx === 0 ? null : decodeCallMark(packet);
    if (mark?.toService && srv === "") return this.#incoming.receive(packet, mark);
    const begins = mark?.toService && (mark.kind === CALL.ask || mark.kind === CALL.open);
    const service = srv === "" ? undefined : this.#services.get(srv);
    if (service?.draining === false) {
      const { watcher } = this;
      const called = watcher && watched(watcher, packet, service, srv, packet.src);
      return this.#incoming.begin(packet, begins ? mark : null, called ?? service, now);
    }
    const context = ctx === 0 ? undefined : this.#contexts.get(ctx);
    if (context !== undefined && !begins && srv !== PROBE_SERVICE) {
      if (typeof context !== "function") return context.receive(packet, mark, now);
      return this.#handle(packet, context);
    }
    if (srv === PROBE_SERVICE) {
      this.#host.send({ dst: packet.src, ctx, data: "1" });
    } else if (begins) {
      this.#incoming.refuse(packet, mark, service !== undefined);
    } else if (mark !== null && mark.number > 0) {
      this.#incoming.disown(packet); // It was on its way when we ended the call.
    } else if (mark?.kind !== CALL.gone) {
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

  /** Runs a callback of the application; what it throws becomes a `drop` event. */
  guard(what: string, run: () => unknown): void {
    try {
      const result = run(); // It may return anything, as long as it is not waited for.
      if (result instanceof Promise) result.catch((cause) => this.#threw(null, what, cause));
    } catch (cause) {
      this.#threw(null, what, cause);
    }
  }

  /** The same with the handler of a context. */
  #handle(packet: Packet, handler: PacketHandler): void {
    const { ctx } = packet; // Before the handler may change it.
    const threw = (cause: unknown) => this.#threw(packet, `context ${ctx}`, cause);
    try {
      const result = handler(packet);
      if (result instanceof Promise) result.catch(threw);
    } catch (cause) {
      threw(cause);
    }
  }

  #threw(packet: Packet | null, what: string, cause: unknown): void {
    const why = `${what} threw "${textOf(cause)}"`;
    const error = new HandlerError(`Cannot handle packet: ${why}`, { cause });
    this.#host.report(new DropEvent(packet, error));
  }
}

/**
 * Checks the name of a router or a service.
 *
 * @throws {PacketError} `ERR_PACKET_FIELD`.
 */
export function checkName(what: string, name: string): void {
  if (typeof name === "string" && name !== "" && 3 * name.length <= MAX_NAME_SIZE) return;
  const size = typeof name === "string" ? utf8Size(name) : 0;
  if (size >= 1 && size <= MAX_NAME_SIZE) return;
  const why = typeof name === "string"
    ? `"${name}" takes ${size} bytes, not 1-${MAX_NAME_SIZE}`
    : "it is not a string";
  throw new PacketError("ERR_PACKET_FIELD", `Cannot accept ${what}: ${why}`);
}
