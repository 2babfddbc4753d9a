/**
 * All calls that our services answer.
 *
 * @module
 */

import { CALL, type CallMark, decodeCallMark, encodeCallMark } from "../wire/call_mark.ts";
import type { Packet } from "../wire/packet.ts";
import { IncomingCall, type IncomingHost, type ServiceHandler } from "./incoming_call.ts";

/** Calls at once. */
const MAX_CALLS = 16_384;

/** Calls at once whose frames are numbered: each may hold a window of them. */
const MAX_NUMBERED = 1_024;

/** How long a call that has ended is remembered, in ms, and how many: it may come once more. */
const MEMORY = 60_000;
const MAX_REMEMBERED = 8_192;

/** How often is looked whose answer is long in coming, in ms. */
const WATCH_INTERVAL = 5_000;

/** The service that is called. */
export interface CalledService {
  /** Serves its calls. */
  readonly handler: ServiceHandler;
  /** A call has begun. */
  began(): void;
  /** A call has ended. */
  ended(): void;
}

/** All incoming calls. */
export class IncomingCalls {
  readonly #host: IncomingHost;
  readonly #services: Map<IncomingCall, CalledService> = new Map();
  /** Marked calls, by the caller's address and context. */
  readonly #callers: Map<string, Map<number, IncomingCall>> = new Map();
  /** Calls of old peers whose handlers are not done. */
  readonly #plain: Set<IncomingCall> = new Set();
  /** Numbered calls that have ended, by caller, context and random number, and when. */
  readonly #remembered: Map<string, number> = new Map();
  #numbered: number = 0;
  #cancelWatch: (() => void) | null = null;

  /** Constructs a new instance. */
  constructor(host: Omit<IncomingHost, "ended">) {
    this.#host = { ...host, ended: (call) => this.#ended(call) };
  }

  /** Calls at this moment. */
  get size(): number {
    return this.#services.size;
  }

  /** Begins a call, or finds that it has begun before. */
  begin(packet: Packet, mark: CallMark | null, service: CalledService): void {
    const { src, ctx } = packet;
    if (mark !== null) {
      const earlier = this.#callers.get(src)?.get(ctx);
      if (mark.kind === CALL.open && this.#remembered.has(keyOf(packet, mark))) {
        if (earlier === undefined) this.disown(packet); // Else it would hit the wrong one.
        return;
      }
      if (earlier !== undefined) {
        const same = mark.kind === CALL.open && earlier.numbered &&
          earlier.nonce === mark.argument;
        if (same) return earlier.receive(mark, packet);
        // The caller has forgotten the earlier one, and uses its context again.
        earlier.abort(new DOMException("The caller has made another call", "AbortError"));
      }
    }
    const call = new IncomingCall(this.#host, packet, mark);
    if (this.size >= MAX_CALLS || (call.numbered && this.#numbered >= MAX_NUMBERED)) {
      const why = `"${packet.srv}" serves too many calls at once`;
      return call.refuse("ERR_CALL_REFUSED", `Cannot accept call: ${why}`);
    }
    this.#add(call, service);
    call.start(service.handler);
    this.#watch();
  }

  /** Refuses a call of a service that is there but takes no more, or is not there. */
  refuse(packet: Packet, mark: CallMark, isThere: boolean): void {
    const call = new IncomingCall(this.#host, packet, mark);
    const { srv, dst } = packet;
    if (isThere) call.refuse("ERR_CALL_REFUSED", `Cannot accept call: "${srv}" is being drained`);
    else call.refuse("ERR_NO_SERVICE", `Cannot accept call: "${dst}" does not offer "${srv}"`);
  }

  /** Says that a packet belongs to no call that is known here. */
  disown({ src, ctx, ack }: Packet): void {
    const toService = decodeCallMark({ seq: 0, ack })?.toService === false;
    const mark = { kind: CALL.gone, toService, flags: 0, number: 0, argument: 0 };
    this.#host.send({ ...encodeCallMark(mark), dst: src, ctx });
  }

  /** A marked packet for a call that should have begun. */
  receive(packet: Packet, mark: CallMark): void {
    const call = this.#callers.get(packet.src)?.get(packet.ctx);
    if (call !== undefined) call.receive(mark, packet);
    else if (mark.kind !== CALL.cancel && mark.kind !== CALL.gone) this.disown(packet);
  }

  /** The route to an address is lost: who has called from there does not hear us. */
  routeLost(address: string): void {
    const reason = new DOMException("The route to the caller is lost", "AbortError");
    for (const call of [...this.#callers.get(address)?.values() ?? [], ...this.#plain]) {
      if (call.caller === address && !call.reliable) call.abort(reason);
    }
  }

  /** Ends every call. */
  abortAll(reason: unknown): void {
    for (const call of [...this.#services.keys()]) call.abort(reason);
  }

  /** Looks now and then after calls that are not answered at once. */
  #watch(): void {
    if (this.#cancelWatch !== null || this.#callers.size === 0) return;
    const { clock } = this.#host;
    this.#cancelWatch = clock.schedule(clock.now() + WATCH_INTERVAL, () => {
      this.#cancelWatch = null;
      for (const calls of [...this.#callers.values()]) {
        for (const call of [...calls.values()]) call.watch();
      }
      this.#watch();
    });
  }

  #add(call: IncomingCall, service: CalledService): void {
    const { caller: src, ctx } = call;
    this.#services.set(call, service);
    service.began();
    if (!call.marked) return void this.#plain.add(call);
    let calls = this.#callers.get(src);
    if (calls === undefined) this.#callers.set(src, calls = new Map());
    calls.set(ctx, call);
    if (call.numbered) this.#numbered++;
  }

  #ended(call: IncomingCall): void {
    const service = this.#services.get(call);
    if (service === undefined) return; // It was refused.
    this.#services.delete(call);
    const { caller: src, ctx } = call;
    if (call.marked) {
      const calls = this.#callers.get(src)!;
      calls.delete(ctx);
      if (calls.size === 0) this.#callers.delete(src);
      if (this.#callers.size === 0) {
        this.#cancelWatch?.();
        this.#cancelWatch = null;
      }
      if (call.numbered) {
        this.#numbered--;
        this.#remember(`${src}\n${ctx}\n${call.nonce}`);
      }
    } else {
      this.#plain.delete(call);
    }
    service.ended();
  }

  #remember(key: string): void {
    const now = this.#host.clock.now();
    for (const [old, since] of this.#remembered) {
      if (now - since < MEMORY && this.#remembered.size < MAX_REMEMBERED) break;
      this.#remembered.delete(old);
    }
    this.#remembered.set(key, now);
  }
}

function keyOf({ src, ctx }: Packet, { argument }: CallMark): string {
  return `${src}\n${ctx}\n${argument}`;
}
