/**
 * All calls that our services answer.
 *
 * @module
 */

import { CALL, type CallMark, decodeCallMark, encodeCallMark } from "../wire/call_mark.ts";
import type { Packet } from "../wire/packet.ts";
import { CallTable } from "./call_table.ts";
import { type Deadline, type Deadlines, newDeadline } from "./deadlines.ts";
import { type CalledService, IncomingCall, type IncomingHost } from "./incoming_call.ts";

/** Calls at once. */
const MAX_CALLS = 16_384;

/** Calls at once whose frames are numbered: each may hold a window of them. */
const MAX_NUMBERED = 1_024;

/** How long a call that has ended is remembered, in ms, and how many: it may come once more. */
const MEMORY = 60_000;
const MAX_REMEMBERED = 8_192;

/** How often is looked whose answer is long in coming, in ms. */
const WATCH_INTERVAL = 5_000;

/** What all incoming calls together need of their router. */
export interface IncomingCallsHost extends Omit<IncomingHost, "ended"> {
  /** What calls wait for. */
  readonly deadlines: Deadlines;
}

/** All incoming calls. Those that are answered while their handlers run are in no table. */
export class IncomingCalls {
  readonly #host: IncomingHost;
  readonly #deadlines: Deadlines;
  /** Marked calls, by the caller's address and context. */
  readonly #callers: Map<string, CallTable<IncomingCall>> = new Map();
  /** Calls of old peers whose handlers are not done. */
  readonly #plain: Set<IncomingCall> = new Set();
  /** Numbered calls that have ended, by caller, context and random number, and when. */
  readonly #remembered: Map<string, number> = new Map();
  #size: number = 0;
  #numbered: number = 0;
  readonly #watching: Deadline = newDeadline(() => this.#look());

  /** Constructs a new instance. */
  constructor(host: IncomingCallsHost) {
    this.#host = { ...host, ended: (call, service) => this.#ended(call, service) };
    this.#deadlines = host.deadlines;
  }

  /** Calls at this moment. */
  get size(): number {
    return this.#size;
  }

  /** Begins a call that has come at `now`, in ms, or finds that it has begun before. */
  begin(packet: Packet, mark: CallMark | null, service: CalledService, now: number): void {
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
    const call = new IncomingCall(this.#host, packet, mark, now);
    if (this.#size >= MAX_CALLS || (call.numbered && this.#numbered >= MAX_NUMBERED)) {
      const why = `"${packet.srv}" serves too many calls at once`;
      return call.refuse("ERR_CALL_REFUSED", `Cannot accept call: ${why}`);
    }
    this.#size++;
    if (call.numbered) this.#numbered++;
    // Nothing can reach it while its handler runs: what comes meanwhile is told afterwards.
    call.start(service);
    if (call.hasEnded) return;
    this.#add(call);
    this.#watch();
  }

  /** Refuses a call of a service that is there but takes no more, or is not there. */
  refuse(packet: Packet, mark: CallMark, isThere: boolean): void {
    const call = new IncomingCall(this.#host, packet, mark, this.#host.clock.now());
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
    for (const call of [...this.#marked(), ...this.#plain]) call.abort(reason);
  }

  /** Looks now and then after calls that are not answered at once. */
  #watch(): void {
    if (this.#watching.place >= 0 || this.#callers.size === 0) return;
    this.#deadlines.add(this.#watching, this.#host.clock.now() + WATCH_INTERVAL);
  }

  #look(): void {
    for (const call of this.#marked()) call.watch();
    this.#watch();
  }

  #marked(): IncomingCall[] {
    return [...this.#callers.values()].flatMap((calls) => calls.values());
  }

  #add(call: IncomingCall): void {
    if (!call.marked) return void this.#plain.add(call);
    let calls = this.#callers.get(call.caller);
    if (calls === undefined) this.#callers.set(call.caller, calls = new CallTable());
    calls.add(call);
  }

  #ended(call: IncomingCall, service: CalledService): void {
    this.#size--;
    if (!call.marked) this.#plain.delete(call);
    else this.#forget(call);
    if (call.numbered) {
      this.#numbered--;
      this.#remember(`${call.caller}\n${call.ctx}\n${call.nonce}`);
    }
    service.ended();
  }

  #forget(call: IncomingCall): void {
    const calls = this.#callers.get(call.caller);
    if (!calls?.delete(call) || calls.size > 0) return; // Or it was answered at once.
    this.#callers.delete(call.caller);
    if (this.#callers.size === 0) this.#deadlines.remove(this.#watching);
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
