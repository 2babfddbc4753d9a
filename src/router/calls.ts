/**
 * Calls: one question, one reply, and an end in any case.
 *
 * @module
 */

import { type AlnError, UnreachableError } from "../errors.ts";
import type { Packet } from "../wire/packet.ts";
import type { Clock } from "./clock.ts";
import type { ContextTable } from "./contexts.ts";
import type { Handlers, PacketHandler } from "./handlers.ts";

/** How long a request waits for its reply unless told otherwise, in ms. */
export const REQUEST_TIMEOUT = 5_000;

/** A call that waits for its reply. */
interface Call {
  /** Its context. */
  ctx: number;
  /** Address of who is to reply. */
  dst: string;
  /** Ends it with an error. */
  fail: (reason: unknown) => void;
}

/** How to make a call. */
export interface CallSetup {
  /** Address of who is to reply. */
  dst: string;
  /** How long to wait, in ms. */
  timeout: number;
  /** Ends the call when it aborts. */
  signal: AbortSignal | undefined;
  /** Sends the question in this context; throws if that cannot be done. */
  ask: (ctx: number) => void;
}

/** All calls in flight. */
export class Calls {
  readonly #contexts: ContextTable<PacketHandler>;
  readonly #clock: Clock;
  readonly #handlers: Handlers;
  readonly #calls: Set<Call> = new Set();

  /** Constructs a new instance. */
  constructor(contexts: ContextTable<PacketHandler>, clock: Clock, handlers: Handlers) {
    this.#contexts = contexts;
    this.#clock = clock;
    this.#handlers = handlers;
  }

  /**
   * Makes a call. Whichever way it ends, its context, timer and listener are gone by then.
   *
   * @returns The reply.
   */
  call(setup: CallSetup): Promise<Packet> {
    const { dst, timeout, signal, ask } = setup;
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const ctx = this.#contexts.open((packet) => {
        const { src, srv } = packet;
        // A reply names no service, and comes from whom was asked, if it says so at all.
        if (srv !== "" || src !== "" && src !== dst) {
          return this.#handlers.drop(packet, `it is no reply in context ${ctx}`, srv || src);
        }
        end();
        resolve(packet);
      });
      const fail = (reason: unknown) => {
        end();
        reject(reason);
      };
      const onAbort = () => fail(signal!.reason);
      const cancelTimer = this.#clock.schedule(this.#clock.now() + timeout, () => {
        const message = `Cannot wait longer: "${dst}" has not replied within ${timeout} ms`;
        fail(new DOMException(message, "TimeoutError"));
      });
      const call: Call = { ctx, dst, fail };
      const end = () => {
        this.#contexts.release(ctx);
        this.#calls.delete(call);
        cancelTimer();
        signal?.removeEventListener("abort", onAbort);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#calls.add(call);
      try {
        ask(ctx);
      } catch (error) {
        fail(error);
      }
    });
  }

  /** The route to an address is lost: whoever waits for it need not wait longer. */
  routeLost(address: string): void {
    for (const call of [...this.#calls]) {
      if (call.dst !== address) continue;
      const message = `Cannot get a reply: the route to "${address}" is lost`;
      call.fail(new UnreachableError("ERR_NO_ROUTE", message, address));
    }
  }

  /** A packet of ours that was to wait for a route has been dropped: so has the question in it. */
  dropped({ ctx, dst }: Packet, error: AlnError): void {
    for (const call of [...this.#calls]) {
      if (call.ctx === ctx && call.dst === dst) call.fail(error);
    }
  }

  /** Ends every call. */
  failAll(reason: unknown): void {
    for (const call of [...this.#calls]) call.fail(reason);
  }
}
