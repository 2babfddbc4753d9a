/**
 * {@linkcode OutgoingCall}: one call that we make, to one instance, from its question to its end.
 *
 * @module
 */

import { CHUNK_SIZE, SMALL_CHUNK_SIZE } from "../call/frame.ts";
import { callFrame, ItemJoiner } from "../call/items.ts";
import { CallError, type CallErrorCode, UnreachableError } from "../errors.ts";
import { compact } from "../wire/bytes.ts";
import {
  CALL,
  type CallMark,
  decodeCallMark,
  encodeCallMark,
  OPEN,
  RELIABLE,
} from "../wire/call_mark.ts";
import { Packet, type PacketInit } from "../wire/packet.ts";
import { bytesOf, endEarly, isStream, iterate, type PacketDataStream } from "./chunks.ts";
import type { Clock } from "./clock.ts";
import { Conversation } from "./conversation.ts";
import { type Deadline, type Deadlines, newDeadline } from "./deadlines.ts";

/** The largest payload that goes into a packet of its own, if all on the way are of our kind. */
export const MAX_INLINE = 32_768; // bytes

/** The largest payload that goes into a packet of its own on a way that is cut like this. */
export function inlineSize(chunkSize: number): number {
  return chunkSize < CHUNK_SIZE ? chunkSize : MAX_INLINE;
}

/** How long the far end of a call whose frames are numbered may be silent, in ms. */
export const PATIENCE = 30_000;

/** Packets of an old peer that may wait for the application. */
const MAX_WAITING = 1_024;

/** Who wants the replies. */
export interface ReplySink {
  /** Whether another reply is wanted now; else {@linkcode OutgoingCall.resume} says when. */
  readonly wants: boolean;
  /** A reply has come. */
  reply(packet: Packet): void;
  /** There will be no more. */
  end(): void;
  /** The call has failed. */
  fail(reason: unknown): void;
}

/** What calls need of their router. */
export interface CallHost {
  /** Where time comes from. */
  readonly clock: Clock;
  /** What calls wait for. */
  readonly deadlines: Deadlines;
  /** Uniform over [0, 1). */
  readonly random: () => number;
  /** The largest payload of one item that is put together, in bytes. */
  readonly maxPayload: number;
  /** How much of a payload goes into one frame on the way to an address, in bytes. */
  chunkSize(address: string): number;
  /** Sends a packet, or throws why not. */
  send(packet: PacketInit, now?: number): void;
  /** Opens a context. */
  open(call: OutgoingCall): number;
  /** Closes a context. */
  release(ctx: number): void;
  /** A call has ended, or nothing more is said in it. */
  ended(call: OutgoingCall): void;
  /** Tells that a packet could not be delivered. */
  drop(packet: Packet, why: string, target: string): void;
}

/** A call to be made. */
export interface CallSetup {
  /** The service. */
  service: string;
  /** Address of the instance. */
  dst: string;
  /** What to send: one payload, or many. */
  data: unknown;
  /** Data type, u8. */
  typ: number | undefined;
  /** Whether the far end is of our kind; a promise while it is being asked. */
  marked: boolean | Promise<boolean>;
  /** Whether any number of replies is wanted. */
  stream: boolean;
  /** Whether it goes on though the route is lost. */
  reliable: boolean;
  /** How long it may take, and how long until the next reply, in ms; `Infinity` for ever. */
  timeout: number;
  /** How long until the next reply, in ms. */
  idle: number;
  /** Ends it when it aborts. */
  signal: AbortSignal | undefined;
}

const ASK_MARK = encodeCallMark({
  kind: CALL.ask,
  toService: true,
  flags: 0,
  number: 0,
  argument: 0,
});

/** One call; it is its own deadline. */
export class OutgoingCall implements Deadline {
  at: number = Infinity;
  order: number = 0;
  place: number = -1;
  /** Its context. */
  readonly ctx: number;
  /** When it began, in ms. */
  readonly since: number;
  /** When the first reply came, in ms; `null` if none has. */
  repliedAt: number | null = null;
  /** Whether it has ended with an error that was not the application's wish. */
  failed: boolean = false;
  /** That error, or any other with which it has ended; `null` if there was none. */
  failure: unknown = null;
  readonly #host: CallHost;
  readonly #setup: CallSetup;
  readonly #sink: ReplySink;
  #joiner: ItemJoiner | null = null;
  #waiting: Packet[] | null = null;
  #conversation: Conversation | null = null;
  #uploading: AsyncIterator<unknown> | null = null;
  #failure: unknown = null;
  #idle: Deadline | null = null;
  #onAbort: (() => void) | null = null;
  #marked: boolean = false;
  #started: boolean = false;
  #hungUp: boolean = false;
  #ended: boolean = false;

  /** Constructs a new instance. */
  constructor(
    host: CallHost,
    setup: CallSetup,
    sink: ReplySink,
    now: number,
  ) {
    this.#host = host;
    this.#setup = setup;
    this.#sink = sink;
    this.since = now;
    this.ctx = host.open(this);
  }

  /** Begins; it may have failed before this returns. */
  start(): void {
    const { signal, timeout, marked } = this.#setup;
    if (signal !== undefined) {
      this.#onAbort = () => this.fail(signal.reason);
      signal.addEventListener("abort", this.#onAbort, { once: true });
    }
    this.#host.deadlines.add(this, this.since + timeout);
    if (typeof marked === "boolean") this.#begin(marked);
    else marked.then((known) => this.#begin(known));
  }

  /** It has taken too long. */
  expire(): void {
    const { dst, timeout } = this.#setup;
    const message = `Cannot wait longer: "${dst}" has not replied within ${Math.round(timeout)} ms`;
    this.fail(new DOMException(message, "TimeoutError"));
  }

  /** Name of the service. */
  get service(): string {
    return this.#setup.service;
  }

  /** Address of the instance. */
  get dst(): string {
    return this.#setup.dst;
  }

  /** Whether it goes on though the route is lost. */
  get reliable(): boolean {
    return this.#setup.reliable && this.#conversation !== null;
  }

  /** The sink wants replies again. */
  resume(): void {
    if (this.#ended) return;
    this.#waitForReply();
    const waiting = this.#waiting ?? [];
    while (this.#sink.wants && waiting.length > 0) this.#give(waiting.shift()!);
    this.#drain();
  }

  /** Ends it: no more replies are wanted. The service is told. */
  cancel(): void {
    const talking = !this.#hungUp;
    if (this.#end() && talking) this.#say(CALL.cancel);
  }

  /** Ends it with an error. The service is told. */
  fail(reason: unknown): void {
    const talking = !this.#hungUp;
    if (!this.#end(reason)) return;
    if (talking) this.#say(CALL.cancel);
    this.#sink.fail(reason);
  }

  // ── sending ───────────────────────────────────────────────────────────────

  #begin(marked: boolean): void {
    if (this.#ended) return;
    this.#marked = marked;
    try {
      this.#ask();
    } catch (error) {
      this.fail(error);
    }
    this.#started = true;
  }

  #ask(): void {
    const { data, typ, stream, reliable } = this.#setup;
    if (isStream(data)) {
      if (this.#marked) this.#open(OPEN.upload);
      return void this.#upload(data);
    }
    const payload = data === undefined || data === null ? undefined : bytesOf(data);
    if (!this.#marked) return this.#sendPlain(payload);
    const size = payload?.length ?? 0;
    const numbered = stream || reliable;
    if (size > SMALL_CHUNK_SIZE && size > this.#mostInOne(numbered)) {
      this.#open(OPEN.body);
      this.#conversation!.item(payload!, typ ?? 0);
      this.#conversation!.push(callFrame(CALL.end));
    } else if (numbered) {
      this.#open(0, payload);
    } else {
      const { dst, service: srv, marked } = this.#setup;
      const { seq, ack } = ASK_MARK;
      const now = marked === true ? this.since : undefined; // Else it has been asked meanwhile.
      this.#host.send({ srv, dst, seq, ack, ctx: this.ctx, typ, data: payload }, now);
    }
  }

  /** The largest payload that goes with the question, in bytes. */
  #mostInOne(numbered: boolean): number {
    const chunk = this.#host.chunkSize(this.dst);
    return numbered ? chunk : inlineSize(chunk);
  }

  /** Begins a conversation. Throws if not even its first frame could be sent. */
  #open(flags: number, data: Uint8Array = new Uint8Array(0)): void {
    const { stream, reliable, typ = 0 } = this.#setup;
    const nonce = Math.floor(this.#host.random() * RELIABLE);
    const conversation = this.#converse();
    const argument = nonce | (reliable ? RELIABLE : 0);
    const open = flags | (stream ? OPEN.stream : 0);
    const own = new Uint8Array(data); // It may have to be sent again.
    conversation.push(callFrame(CALL.open, { flags: open, argument, data: own, typ }));
    if (this.#failure !== null) throw this.#failure;
  }

  #converse(): Conversation {
    const { reliable } = this.#setup;
    return this.#conversation = new Conversation({
      clock: this.#host.clock,
      toService: true,
      chunkSize: this.#host.chunkSize(this.dst),
      patience: reliable ? Infinity : PATIENCE,
      transmit: (fields) => {
        try {
          // The first packet names the service; those that follow are known by their context.
          const first = decodeCallMark(fields as { seq: number; ack: number })?.kind === CALL.open;
          this.#host.send({ ...this.#address(first), ...fields });
          return true;
        } catch (error) {
          this.#failure = error;
          return false;
        }
      },
      arrived: () => this.#drain(),
      lost: () => this.fail(this.#error("ERR_CALL_LOST", "has not been heard for too long")),
    });
  }

  /** Sends payloads as they come, as fast as the service takes them. */
  async #upload(data: PacketDataStream): Promise<void> {
    try {
      const iterator = this.#uploading = iterate(data);
      for (;;) {
        await this.#conversation?.room();
        if (this.#hungUp) return;
        const next = await iterator.next();
        if (this.#hungUp) return;
        if (next.done) break;
        const item = bytesOf(next.value);
        if (this.#conversation === null) this.#sendPlain(item);
        else this.#conversation.item(item, this.#setup.typ ?? 0); // Borrowed until there is room.
      }
      this.#uploading = null;
      this.#conversation?.push(callFrame(CALL.end));
    } catch (error) {
      this.fail(error);
    }
  }

  #sendPlain(data: Uint8Array | undefined): void {
    this.#host.send({ ...this.#address(true), data, typ: this.#setup.typ });
  }

  #address(withService: boolean): PacketInit {
    const { dst, service } = this.#setup;
    return { dst, ctx: this.ctx, srv: withService ? service : "" };
  }

  /** Says something without a payload, once; it may be lost. */
  #say(kind: typeof CALL.cancel | typeof CALL.gone): void {
    if (!this.#marked || !this.#started) return;
    const mark = { kind, toService: true, flags: 0, number: 0, argument: 0 };
    try {
      this.#host.send({ ...this.#address(false), ...encodeCallMark(mark) });
    } catch {
      // The service notices by itself, later.
    }
  }

  // ── receiving ─────────────────────────────────────────────────────────────

  /**
   * A packet has come in its context.
   *
   * @param found What it says about its call, if anything.
   */
  receive(packet: Packet, found: CallMark | null, now: number): void {
    const { dst } = this.#setup;
    const { src, srv } = packet;
    // A reply names no service, and comes from whom was asked, if it says so at all.
    if (srv !== "" || src !== "" && src !== dst) {
      return this.#host.drop(packet, `it is no reply in context ${this.ctx}`, srv || src);
    }
    const mark = this.#marked ? found : null;
    if (mark === null) return this.#receivePlain(packet, now);
    packet.seq = packet.ack = 0; // They were for us, not for the application.
    if (mark.kind === CALL.gone) {
      this.fail(this.#error("ERR_CALL_LOST", "does not know the call any more"));
    } else if (mark.number > 0) {
      (this.#conversation ?? this.#converse()).receive(mark, packet);
    } else {
      this.#receiveSingle(mark, packet, now);
    }
  }

  /** A packet without marks, of an old peer or sent by hand. */
  #receivePlain(packet: Packet, now: number): void {
    if (this.#sink.wants) return this.#give(packet, now);
    const waiting = this.#waiting ??= [];
    if (waiting.length < MAX_WAITING) {
      packet.data = compact(packet.data);
      return void waiting.push(packet);
    }
    this.#host.drop(packet, "too many replies wait to be read", this.#setup.service);
  }

  /** The one reply to a question that was one packet. */
  #receiveSingle({ kind }: CallMark, packet: Packet, now: number): void {
    if (kind === CALL.error) this.#failThere(packet.text());
    else if (kind === CALL.data) this.#give(packet, now);
    else if (kind === CALL.end) this.#finish();
  }

  /** Takes what has come of the conversation, as far as it is wanted. */
  #drain(): void {
    const conversation = this.#conversation;
    if (conversation === null) return;
    while (!this.#ended && this.#sink.wants) {
      const frame = conversation.take();
      if (frame === undefined) break;
      if (frame.kind === CALL.end) {
        this.#finish();
      } else if (frame.kind === CALL.error) {
        this.#failThere(new TextDecoder().decode(frame.data));
      } else if (frame.kind === CALL.data) {
        const joiner = this.#joiner ??= new ItemJoiner(this.#host.maxPayload);
        const data = joiner.push(frame);
        if (joiner.overflown) {
          const why = `has sent more than ${this.#host.maxPayload} bytes at once`;
          this.fail(this.#error("ERR_CALL_SIZE", why));
        } else if (data !== null) {
          this.#give(new Packet({ src: this.dst, ctx: this.ctx, data, typ: frame.typ }));
        }
      }
    }
    if (conversation.complete) this.#hangUp();
    else conversation.flush();
  }

  #give(packet: Packet, now?: number): void {
    if (this.#idle !== null) this.#host.deadlines.remove(this.#idle);
    this.repliedAt ??= now ?? this.#host.clock.now();
    this.#sink.reply(packet);
    if (this.#ended) return;
    if (this.#setup.stream) {
      if (this.#sink.wants) this.#waitForReply();
    } else if (this.#conversation === null) {
      this.#finish();
    } // Else the end follows, in a frame of its own.
  }

  /** The service has said that it is done. */
  #finish(): void {
    if (this.#end()) this.#sink.end();
  }

  /** The service has said what went wrong. */
  #failThere(text: string): void {
    const [code = "", ...words] = text.split(" ");
    const message = words.join(" ");
    const { service } = this.#setup;
    const error = code === "ERR_NO_SERVICE"
      ? new UnreachableError(code, message, service)
      : new CallError(codeOf(code), message, service, this.dst);
    if (this.#end(error)) this.#sink.fail(error);
  }

  // ── the end ───────────────────────────────────────────────────────────────

  #waitForReply(): void {
    const { idle, dst } = this.#setup;
    if (idle === Infinity) return;
    const { clock, deadlines } = this.#host;
    this.#idle ??= newDeadline(() => {
      const message = `Cannot wait longer: "${dst}" has sent nothing for ${idle} ms`;
      this.fail(new DOMException(message, "TimeoutError"));
    });
    // It may wait already: a reader may ask for more while it is given something.
    if (this.#idle.place < 0) deadlines.add(this.#idle, clock.now() + idle);
  }

  /** Lets go of everything; `false` if that was done before. */
  #end(failure: unknown = null): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    const { signal } = this.#setup;
    this.failure = failure;
    this.failed = failure !== null && !signal?.aborted;
    if (this.#onAbort !== null) signal!.removeEventListener("abort", this.#onAbort);
    if (this.#idle !== null) this.#host.deadlines.remove(this.#idle);
    this.#hangUp();
    return true;
  }

  /** Nothing more is said. What has come can still be read, whatever becomes of the far end. */
  #hangUp(): void {
    if (this.#hungUp) return;
    this.#hungUp = true;
    this.#conversation?.end();
    this.#host.release(this.ctx);
    this.#host.deadlines.remove(this);
    // It was ours to end; what it thinks of it is not.
    if (this.#uploading !== null) endEarly(this.#uploading).catch(() => {});
    this.#host.ended(this);
  }

  #error(code: CallErrorCode, why: string): CallError {
    const { service, dst } = this.#setup;
    return new CallError(
      code,
      `Cannot get the reply of "${service}": "${dst}" ${why}`,
      service,
      dst,
    );
  }
}

const CODES: readonly string[] = [
  "ERR_CALL_HANDLER",
  "ERR_CALL_REFUSED",
  "ERR_CALL_LOST",
  "ERR_CALL_SIZE",
];

/** A code that came from elsewhere. */
function codeOf(text: string): CallErrorCode {
  return CODES.includes(text) ? text as CallErrorCode : "ERR_CALL_HANDLER";
}
