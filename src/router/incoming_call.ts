/**
 * {@linkcode IncomingCall}: one call that one of our services answers.
 *
 * @module
 */

import { type CallFrame, SMALL_CHUNK_SIZE } from "../call/frame.ts";
import { callFrame, ItemJoiner } from "../call/items.ts";
import type { AlnErrorCode } from "../errors.ts";
import { encodeUtf8, NO_BYTES } from "../wire/bytes.ts";
import {
  CALL,
  type CallKind,
  type CallMark,
  encodeCallMark,
  OPEN,
  RELIABLE,
} from "../wire/call_mark.ts";
import { Packet, type PacketData, type PacketInit } from "../wire/packet.ts";
import { checkFields } from "../wire/packet_codec.ts";
import { bytesOf, endEarly, isData, isStream, iterate } from "./chunks.ts";
import type { TableCall } from "./call_table.ts";
import type { Clock } from "./clock.ts";
import { Conversation } from "./conversation.ts";
import { inlineSize, MAX_INLINE, PATIENCE } from "./outgoing_call.ts";
import { textOf } from "./text_of.ts";

/** Why a packet was not sent: a stable code, then words. */
export type SendFailure = `${AlnErrorCode}: ${string}`;

/**
 * Answers a call: to where it came from, in its context. Of `init`, `typ` goes with every reply;
 * `seq` and `ack` with those that are one packet. A payload of more than 32 KiB is borrowed until it
 * has been sent.
 *
 * @returns `null`, or why the reply was not sent.
 */
export type Reply = (data?: PacketData, init?: PacketInit) => SendFailure | null;

/** What a handler knows of the call that it serves. */
export interface ServiceCall {
  /**
   * Aborts when nobody waits for the answer any more: the caller has cancelled, or is gone, or our
   * router closes. An old peer cannot cancel.
   */
  readonly signal: AbortSignal;
  /** Whether the caller takes any number of replies; else one is all. */
  readonly streaming: boolean;
  /**
   * What the caller uploads, piece by piece as it gave them; the caller waits while nobody reads. Of
   * a call with one payload, that one.
   */
  readonly body: AsyncIterable<Uint8Array>;
  /** Says that no more replies follow. Async functions and generators need not: they return. */
  end(): void;
}

/** What whoever carries calls on knows of one: any handler's call is such a one. */
export interface CarriedCall extends ServiceCall {
  /** Whether the caller is of our kind: it hears errors, and says when it gives up. */
  readonly marked: boolean;
  /** Whether it outlives the loss of the route to the caller, for a while. */
  readonly reliable: boolean;
  /** Whether the caller uploads: what it sends is in the body alone. */
  readonly uploading: boolean;
}

/** A call that was carried on has failed there: the caller is told just that, and nobody here. */
export class CarriedError extends Error {
  /** Always "CarriedError", also after minification. */
  override readonly name: string = "CarriedError";
  /** The code that the caller is told. */
  readonly code: AlnErrorCode;

  /** Constructs a new instance. */
  constructor(code: AlnErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Serves the calls of a service, in any of these ways:
 *
 * - it calls `reply`, now or later, as often as the caller likes; then `call.end()`, if that was
 *   more than once;
 * - it returns a payload, or a promise of one: that is the reply;
 * - it is an async generator: what it yields are the replies, and its end is their end. A caller
 *   that wants one reply gets the first, and then the generator is ended. Of a {@linkcode Packet}
 *   that it yields, data and type are the reply.
 *
 * If it throws, or returns a promise that rejects, a caller of our kind gets a {@linkcode CallError}
 * with its message, and a `drop` event tells it here.
 */
export type ServiceHandler = (packet: Packet, reply: Reply, call: ServiceCall) => unknown;

/** The service that is called. */
export interface CalledService {
  /** Serves its calls. */
  readonly handler: ServiceHandler;
  /** A call has begun. */
  began(): void;
  /** A call has ended. */
  ended(): void;
}

/** What incoming calls need of their router. */
export interface IncomingHost {
  /** Where time comes from. */
  readonly clock: Clock;
  /** The largest payload of one item that is put together, in bytes. */
  readonly maxPayload: number;
  /** How much of a payload goes into one frame on the way to an address, in bytes. */
  chunkSize(address: string): number;
  /** Sends a packet. */
  send(packet: PacketInit): SendFailure | null;
  /** A handler has thrown. */
  threw(packet: Packet, service: string, cause: unknown): void;
  /** A call of a service has ended. */
  ended(call: IncomingCall, service: CalledService): void;
}

/** How long a caller that waits for a lost route to come back may be silent, in ms. */
const RELIABLE_PATIENCE = 100_000;

/** How long a reply to an old peer waits for room in a queue, in ms, and how often it looks. */
const ROOM_TIMEOUT = 5_000;
const ROOM_INTERVAL = 20;

/** When a caller that waits for the answer to a question of one packet is asked whether it does, in ms. */
const ASK_AFTER = 15_000;

const REPLY_MARK = encodeCallMark({
  kind: CALL.data,
  toService: false,
  flags: 0,
  number: 0,
  argument: 0,
});

/** One call. */
export class IncomingCall implements CarriedCall, TableCall<IncomingCall> {
  next: IncomingCall | null = null;
  /** The packet that began it. */
  readonly packet: Packet;
  /** Name of the service. */
  readonly service: string;
  /** Address of the caller. */
  readonly caller: string;
  /** The caller's context. */
  readonly ctx: number;
  readonly #host: IncomingHost;
  readonly #mark: CallMark | null;
  readonly #conversation: Conversation | null = null;
  #joiner: ItemJoiner | null = null;
  /** What began as one packet goes on in frames: the answer is large, or is long in coming. */
  #later: Conversation | null = null;
  readonly #since: number;
  /** The service that serves it; `null` if it is refused. */
  #called: CalledService | null = null;
  /** Whether the handler is still to be run. */
  #waits: boolean = false;
  #controller: AbortController | null = null;
  #abortReason: unknown = undefined;
  #items: AsyncIterator<unknown> | null = null;
  #stopWaiting: (() => void) | null = null;
  #wakeBody: (() => void) | null = null;
  #bodyEnded: boolean = false;
  #replied: boolean = false;
  #answered: boolean = false;
  #running: boolean = false;
  #ended: boolean = false;

  /** Constructs a new instance. */
  constructor(host: IncomingHost, packet: Packet, mark: CallMark | null, now: number) {
    this.#host = host;
    this.packet = packet;
    this.service = packet.srv;
    this.caller = packet.src;
    this.ctx = packet.ctx;
    this.#mark = mark;
    this.#since = now;
    if (mark?.kind === CALL.open) this.#conversation = this.#converse();
  }

  /** Whether the caller is of our kind. */
  get marked(): boolean {
    return this.#mark !== null;
  }

  /** Whether it has ended. */
  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Whether the caller's frames are numbered. */
  get numbered(): boolean {
    return this.#conversation !== null;
  }

  /** The random number that tells this call from an earlier one in the same context. */
  get nonce(): number {
    return this.#mark?.argument ?? 0;
  }

  /** Whether it outlives the loss of the route to the caller, for a while. */
  get reliable(): boolean {
    return (this.nonce & RELIABLE) !== 0;
  }

  /** Whether the caller uploads. */
  get uploading(): boolean {
    return this.#has(OPEN.upload);
  }

  /** Begins. */
  start(service: CalledService): void {
    this.#called = service;
    this.#waits = true;
    service.began();
    if (this.#conversation !== null) this.receive(this.#mark!, this.packet);
    else this.#run();
  }

  /** A marked packet of the caller has come. */
  receive(mark: CallMark, packet: Packet): void {
    if (mark.kind === CALL.cancel || mark.kind === CALL.gone) {
      return this.abort(new DOMException("The caller has cancelled the call", "AbortError"));
    }
    const conversation = this.#conversation ?? this.#later;
    conversation?.receive(mark, packet);
    if (this.#answered && conversation?.idle) this.#settle();
  }

  /**
   * The answer is long in coming. That the caller had enough of waiting may have been lost on its way,
   * and then nobody would ever say so: it is asked, and from then on asks us.
   */
  watch(): void {
    if (this.#conversation !== null || this.#later !== null || this.#answered) return;
    if (this.#host.clock.now() - this.#since < ASK_AFTER) return;
    this.#later = this.#converse();
    this.#later.ask();
  }

  /** Nobody waits for the answer any more. */
  abort(reason: unknown): void {
    const done = this.#answered && !this.#running;
    if (!this.#end() || done) return; // If it has said all, it need not hear of it.
    this.#abortReason = reason;
    this.#controller?.abort(reason);
    if (this.#items === null) return;
    endEarly(this.#items).catch((cause) => this.#host.threw(this.packet, this.service, cause));
  }

  /** Refuses it: the service takes no more. */
  refuse(code: AlnErrorCode, why: string): void {
    this.#fail(code, why);
    if (this.#conversation !== null) this.#end(); // Asked again, it is refused again.
  }

  // ── what the handler sees ─────────────────────────────────────────────────

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason);
    return this.#controller.signal;
  }

  get streaming(): boolean {
    return this.#mark === null || this.#has(OPEN.stream);
  }

  get body(): AsyncIterable<Uint8Array> {
    return { [Symbol.asyncIterator]: () => this.#readBody() };
  }

  end(): void {
    if (this.#answered || this.#mark === null) return;
    this.#answered = true;
    if (this.#conversation !== null) this.#conversation.push(callFrame(CALL.end));
    else if (!this.#replied) this.#say(CALL.end);
    this.#settle();
  }

  readonly reply: Reply = (data, init) => {
    this.#replied = true;
    const { caller: dst, ctx } = this;
    if (dst === "") return "ERR_NO_ROUTE: Cannot reply: the packet does not say who sent it";
    const payload = data ?? init?.data;
    if (this.#mark === null) {
      if (init === undefined) return this.#host.send({ data: payload, dst, ctx });
      return this.#host.send({ ...init, data: payload, srv: "", dst, ctx });
    }
    if (this.#answered || this.#ended) return "ERR_CALL_LOST: Cannot reply: the call has ended";
    try {
      return this.#answer(payload === undefined || payload === null ? "" : payload, init);
    } catch (error) {
      return `ERR_PACKET_FIELD: ${textOf(error)}`;
    }
  };

  #answer(payload: PacketData, init: PacketInit = NO_FIELDS): SendFailure | null {
    const data = bytesOf(payload);
    const { typ = 0 } = init;
    // Frames are sent later, when it is too late to say so.
    if (typ !== 0) checkFields(new Packet({ typ }));
    const conversation = this.#conversation;
    if (conversation !== null) {
      if (!conversation.hasRoom) return "ERR_CHANNEL_FULL: Cannot reply: too much waits already";
      conversation.item(data.length > MAX_INLINE ? data : new Uint8Array(data), typ);
      if (!this.streaming) this.end();
      return null;
    }
    if (init.seq || init.ack) { // Fields of the application's own: there is no room for a mark.
      const failure = this.#host.send({ ...init, data, srv: "", dst: this.caller, ctx: this.ctx });
      if (failure !== null) return failure;
    } else if (data.length > SMALL_CHUNK_SIZE && data.length > this.#mostInOne()) {
      this.#later ??= this.#converse();
      this.#later.item(data, typ);
      this.#later.push(callFrame(CALL.end));
    } else {
      const { caller: dst, ctx } = this;
      const { seq, ack } = REPLY_MARK;
      const fields = { seq, ack, srv: "", dst, ctx, typ, data };
      const failure = this.#host.send(init === NO_FIELDS ? fields : { ...init, ...fields });
      if (failure !== null) return failure;
    }
    this.#answered = true;
    this.#settle();
    return null;
  }

  /** The largest payload that is one packet, in bytes. */
  #mostInOne(): number {
    return inlineSize(this.#host.chunkSize(this.caller));
  }

  // ── running the handler ───────────────────────────────────────────────────

  #run(): void {
    const { handler } = this.#called!;
    this.#waits = false;
    const { packet } = this;
    if (this.#mark !== null) packet.seq = packet.ack = 0; // For us, not for the application.
    try {
      const result = handler(packet, this.reply, this);
      // It may have answered `reply()`, which is text if that has failed.
      const says = isThenable(result) || isStream(result) || isData(result) && !this.#replied;
      if (says && !this.#answersAtOnce(result)) return this.#follow(result);
    } catch (cause) {
      return this.#threw(cause);
    }
    this.#settle();
  }

  /** Sends what a handler has returned, if that is a payload and there is room for it now. */
  #answersAtOnce(result: unknown): boolean {
    if (!isData(result) || this.ctx === 0) return false;
    if (this.reply(result) === null) {
      this.end();
      return true;
    }
    this.#replied = false; // It is tried again.
    return false;
  }

  #follow(result: unknown): void {
    this.#running = true;
    const done = () => {
      this.#running = false;
      this.#settle();
    };
    this.#answerWith(result).then(done, (cause) => {
      this.#threw(cause);
      done();
    });
  }

  /** Sends what a handler has returned or promised. */
  async #answerWith(result: unknown): Promise<void> {
    const value = isThenable(result) ? await result : result;
    if (isStream(value)) return await this.#sendAll(iterate(value));
    if (!this.#replied && this.ctx !== 0) {
      if (isData(value)) await this.#sendItem(value);
      else if (this.#mark !== null) await this.#sendItem(NO_BYTES);
    }
    this.end();
  }

  /** Sends what a generator yields, as fast as the caller takes it. */
  async #sendAll(items: AsyncIterator<unknown>): Promise<void> {
    this.#items = items;
    try {
      for (;;) {
        await this.#conversation?.room();
        if (this.#ended || this.#answered) return;
        const next = await items.next();
        if (next.done) return this.end();
        if (!await this.#sendItem(next.value)) return;
      }
    } finally {
      this.#items = null;
      await items.return?.(); // At its end, that does nothing.
    }
  }

  /** Sends one item; `false` if no more are wanted. */
  async #sendItem(item: unknown): Promise<boolean> {
    const { clock } = this.#host;
    const typed = item instanceof Packet && item.typ !== 0;
    const init = typed ? { typ: item.typ } : undefined;
    const data = item instanceof Packet ? item.data : bytesOf(item);
    const start = clock.now();
    for (;;) {
      const failure = this.reply(data, init);
      if (failure === null) return true;
      const full = failure.startsWith("ERR_CHANNEL_FULL");
      if (!full || this.#ended || clock.now() - start > ROOM_TIMEOUT) return false;
      await new Promise<void>((resolve) => {
        const cancelTimer = clock.schedule(clock.now() + ROOM_INTERVAL, resolve);
        this.#stopWaiting = () => (cancelTimer(), resolve());
      });
      this.#stopWaiting = null;
    }
  }

  #threw(cause: unknown): void {
    if (this.#ended && this.#abortReason !== undefined) return; // It was told to stop.
    if (cause instanceof CarriedError) return this.#fail(cause.code, cause.message);
    this.#host.threw(this.packet, this.service, cause);
    const why = `the handler of "${this.service}" threw "${textOf(cause)}"`;
    this.#fail("ERR_CALL_HANDLER", `Cannot get a reply: ${why}`);
  }

  #fail(code: AlnErrorCode, message: string): void {
    if (this.#mark === null || this.#answered) return this.#settle();
    this.#answered = true;
    const data = encodeUtf8(`${code} ${message}`.slice(0, 1_024));
    if (this.#conversation !== null) this.#conversation.push(callFrame(CALL.error, { data }));
    else this.#say(CALL.error, { data });
    this.#settle();
  }

  // ── the caller's frames ───────────────────────────────────────────────────

  #converse(): Conversation {
    return new Conversation({
      clock: this.#host.clock,
      toService: false,
      chunkSize: this.#host.chunkSize(this.caller),
      patience: this.reliable ? RELIABLE_PATIENCE : PATIENCE,
      transmit: (fields) => {
        return this.#host.send({ ...fields, dst: this.caller, ctx: this.ctx }) === null;
      },
      arrived: () => this.#arrived(),
      lost: () => this.abort(new DOMException("The caller is gone", "AbortError")),
    });
  }

  #arrived(): void {
    this.#wakeBody?.();
    if (!this.#waits) return;
    // The question comes first; where its payload follows in frames, the handler waits for it.
    for (let frame; (frame = this.#conversation!.take()) !== undefined;) {
      if (frame.kind === CALL.open && !this.#has(OPEN.body)) return this.#run();
      if (frame.kind !== CALL.data) continue;
      const data = this.#join(frame);
      if (this.#joiner!.overflown) return void this.#failTooLarge();
      if (data === null) continue;
      this.packet.data = data;
      this.packet.typ = frame.typ;
      return this.#run();
    }
  }

  /** Puts frames together: an item when it is whole, else `null`. */
  #join(frame: CallFrame): Uint8Array | null {
    return (this.#joiner ??= new ItemJoiner(this.#host.maxPayload)).push(frame);
  }

  /** Tells the caller, and returns what is told. */
  #failTooLarge(): string {
    const why = `"${this.service}" takes no more than ${this.#host.maxPayload} bytes at once`;
    const message = `Cannot receive payload: ${why}`;
    this.#fail("ERR_CALL_SIZE", message);
    return message;
  }

  async *#readBody(): AsyncGenerator<Uint8Array, void> {
    if (!this.#has(OPEN.upload)) {
      if (this.packet.data.length > 0) yield this.packet.data;
      return;
    }
    const conversation = this.#conversation!;
    for (;;) {
      if (this.#abortReason !== undefined) throw this.#abortReason;
      if (this.#bodyEnded) return;
      const frame = conversation.take();
      conversation.flush(); // The caller may wait for the room that this has made.
      if (frame === undefined) {
        if (this.#ended) throw new DOMException("The call has ended", "AbortError");
        await new Promise<void>((resolve) => this.#wakeBody = resolve);
        this.#wakeBody = null;
        continue;
      }
      if (frame.kind === CALL.end) this.#bodyEnded = true;
      if (frame.kind !== CALL.data) continue;
      const data = this.#join(frame);
      if (this.#joiner!.overflown) throw new RangeError(this.#failTooLarge());
      if (data !== null) yield data;
    }
  }

  // ── the end ───────────────────────────────────────────────────────────────

  #has(flag: number): boolean {
    return this.#mark?.kind === CALL.open && (this.#mark.flags & flag) !== 0;
  }

  /** Sends one packet that is not numbered. */
  #say(kind: CallKind, init: PacketInit = {}): SendFailure | null {
    const mark = encodeCallMark({ kind, toService: false, flags: 0, number: 0, argument: 0 });
    return this.#host.send({ ...init, ...mark, srv: "", dst: this.caller, ctx: this.ctx });
  }

  /** Ends it if all has been said and heard. */
  #settle(): void {
    if (this.#running) return;
    if (this.#mark !== null) {
      if (!this.#answered) return;
      if (this.#conversation?.idle === false || this.#later?.idle === false) return;
    }
    this.#end();
  }

  #end(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#stopWaiting?.();
    this.#wakeBody?.();
    this.#conversation?.end();
    this.#later?.end();
    if (this.#called !== null) this.#host.ended(this, this.#called);
    return true;
  }
}

/** What a reply says beside its payload, if it says nothing. */
const NO_FIELDS: PacketInit = {};

function isThenable(value: unknown): boolean {
  return typeof value === "object" && value !== null && "then" in value;
}
