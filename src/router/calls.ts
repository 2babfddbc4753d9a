/**
 * All calls that we make: they end, whatever happens.
 *
 * @module
 */

import { type AlnError, UnreachableError } from "../errors.ts";
import type { Packet } from "../wire/packet.ts";
import { type CallHost, type CallSetup, OutgoingCall, type ReplySink } from "./outgoing_call.ts";

/** All calls in flight. */
export class Calls {
  readonly #host: CallHost;
  readonly #calls: Set<OutgoingCall> = new Set();

  /** Constructs a new instance. */
  constructor(host: CallHost) {
    this.#host = host;
  }

  /** Calls in flight. */
  get size(): number {
    return this.#calls.size;
  }

  /** Makes a call. Its sink may have been told its end before this returns. */
  start(
    setup: CallSetup,
    sink: ReplySink,
    onEnd: (call: OutgoingCall) => void,
  ): OutgoingCall {
    const call = new OutgoingCall(this.#host, setup, sink, () => {
      this.#calls.delete(call);
      onEnd(call);
    });
    this.#calls.add(call);
    call.start();
    return call;
  }

  /** The route to an address is lost: whoever waits for it need not wait longer. */
  routeLost(address: string): void {
    for (const call of [...this.#calls]) {
      if (call.dst !== address || call.reliable) continue;
      const message = `Cannot get a reply: the route to "${address}" is lost`;
      call.fail(new UnreachableError("ERR_NO_ROUTE", message, address));
    }
  }

  /** A packet of ours that was to wait for a route has been dropped: so has the question in it. */
  dropped({ ctx, dst }: Packet, error: AlnError): void {
    for (const call of [...this.#calls]) {
      if (call.ctx === ctx && call.dst === dst && !call.reliable) call.fail(error);
    }
  }

  /** Ends every call. */
  failAll(reason: unknown): void {
    for (const call of [...this.#calls]) call.fail(reason);
  }
}
