/**
 * {@linkcode Conversation}: one end of a call whose frames are numbered, with its timer.
 *
 * @module
 */

import { type CallFrame, CHUNK_SIZE, WINDOW } from "../call/frame.ts";
import { ItemCutter } from "../call/items.ts";
import { ReceiveWindow } from "../call/receive_window.ts";
import { type NumberedFrame, SendWindow } from "../call/send_window.ts";
import { ACK_ASKS, CALL, type CallMark, DATA_ASKS, encodeCallMark } from "../wire/call_mark.ts";
import type { Packet, PacketInit } from "../wire/packet.ts";
import type { Clock } from "./clock.ts";

/** Bytes of items that may wait to be cut into frames, beside the first; and how many items. */
const MAX_QUEUED = 1 << 20;
const MAX_ITEMS = 1_024;

/** A caller that hears nothing asks so often whether the call is still known, in ms. */
const ASK_INTERVAL = 5_000;

/** A caller that does not even ask for so long is gone, in ms: a hidden page asks once a minute. */
const CALLER_SILENCE = 100_000;

/** What a conversation needs of its call. */
export interface ConversationHost {
  /** Where time comes from. */
  readonly clock: Clock;
  /** Whether this is the caller's end. */
  readonly toService: boolean;
  /** How much of an item goes into one frame, in bytes. */
  readonly chunkSize: number;
  /** How long the far end may owe us an answer, in ms; `Infinity` for ever. */
  readonly patience: number;
  /** Sends a packet with these fields to the far end; `false` if that is not possible now. */
  transmit(fields: PacketInit): boolean;
  /** There are frames to {@linkcode Conversation.take}, perhaps. */
  arrived(): void;
  /** The far end has been silent for too long. */
  lost(): void;
}

/** One end of a call. */
export class Conversation {
  readonly #host: ConversationHost;
  readonly #sending: SendWindow;
  readonly #receiving: ReceiveWindow = new ReceiveWindow();
  readonly #queue: (ItemCutter | CallFrame)[] = [];
  #queued: number = 0;
  #heardAt: number;
  #askedAt: number;
  /** When the first question was asked that has not been answered. */
  #waitingSince: number = Infinity;
  #cancelTimer: (() => void) | null = null;
  #timerAt: number = Infinity;
  #roomWaiters: (() => void)[] = [];
  #ended: boolean = false;
  #pumping: boolean = false;

  /** Constructs a new instance. */
  constructor(host: ConversationHost) {
    this.#host = host;
    this.#heardAt = this.#askedAt = host.clock.now();
    // A caller's first frame makes the call known; nothing may overtake it.
    this.#sending = new SendWindow(host.toService ? 1 : WINDOW / 4);
  }

  /** Whether all that was to be sent has been acknowledged. */
  get idle(): boolean {
    return this.#queue.length === 0 && this.#sending.idle;
  }

  /** Whether all that the far end has to say is here. */
  get complete(): boolean {
    return this.#receiving.complete;
  }

  /** Whether an item of some size may be queued; an only one may have any. */
  get hasRoom(): boolean {
    if (this.#queue.length >= MAX_ITEMS) return false;
    return this.#queued === 0 || this.#queued < MAX_QUEUED;
  }

  /** Resolves when the next item would be sent at once, or the conversation has ended. */
  room(): Promise<void> {
    if (this.#ended || this.#hasWindow) return Promise.resolve();
    return new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  /** Queues an item; its data is borrowed until it has been sent. */
  item(data: Uint8Array, typ: number): void {
    if (this.#ended) return;
    this.#queue.push(new ItemCutter(data, typ, this.#host.chunkSize));
    this.#queued += data.length;
    this.#pump();
  }

  /** Queues a frame. */
  push(frame: CallFrame): void {
    if (this.#ended) return;
    this.#queue.push(frame);
    this.#pump();
  }

  /** Asks the far end for a word: if it knows the call no more, it says so. */
  ask(): void {
    if (!this.#ended) this.#acknowledge(ACK_ASKS);
    this.flush();
  }

  /** A marked packet has come, other than `cancel` and `gone`. */
  receive(mark: CallMark, packet: Packet): void {
    if (this.#ended) return;
    const now = this.#host.clock.now();
    this.#heardAt = now;
    this.#waitingSince = Infinity;
    const { kind, flags, number, argument } = mark;
    if (kind === CALL.ack) {
      this.#sending.acknowledge(argument, number, packet.data, now);
      if ((flags & ACK_ASKS) !== 0) this.#acknowledge();
    } else {
      const { data, typ } = packet;
      if (data.length > CHUNK_SIZE) return; // Nobody cuts such frames; whoever forges them is not heard.
      this.#receiving.receive(number, { kind, flags, argument, data, typ }, now);
      this.#host.arrived();
    }
    this.#pump();
  }

  /** Takes the next frame in order, if it is here; also when the conversation has ended. */
  take(): CallFrame | undefined {
    return this.#receiving.take(this.#host.clock.now());
  }

  /** Does what is due: after {@linkcode take}, for that makes room. */
  flush(): void {
    if (!this.#ended) this.#pump();
  }

  /** Ends it here, after a last word on what has been received. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#receiving.deadline !== Infinity) this.#acknowledge();
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.#wakeWaiters();
  }

  get #hasWindow(): boolean {
    return this.#queue.length === 0 && this.#sending.size < WINDOW;
  }

  #pump(): void {
    if (this.#pumping) return; // What is sent may be answered before we are done: done below.
    this.#pumping = true;
    const now = this.#host.clock.now();
    while (!this.#ended && this.#act(now));
    this.#pumping = false;
    if (this.#ended) return;
    const lostAt = this.#lostAt(now);
    if (now >= lostAt) return this.#host.lost();
    if (this.#hasWindow) this.#wakeWaiters();
    this.#arm(Math.min(this.#sending.deadline, this.#receiving.deadline, this.#askAt, lostAt));
  }

  /** Does one thing that is due; `false` if nothing is. */
  #act(now: number): boolean {
    this.#cut(now);
    const next = this.#sending.next(now);
    if (next === "probe") {
      this.#acknowledge(ACK_ASKS);
    } else if (next !== null) {
      if (!this.#transmit(next)) this.#sending.refused(next.number, now);
    } else if (this.#receiving.deadline <= now) {
      this.#acknowledge();
    } else if (now >= this.#askAt) {
      this.#askedAt = now;
      this.#waitingSince = Math.min(this.#waitingSince, now);
      this.#acknowledge(ACK_ASKS);
    } else {
      return false;
    }
    return true;
  }

  /** When the far end is taken for gone, if nothing is heard of it. */
  #lostAt(now: number): number {
    const { patience, toService } = this.#host;
    const stalledAt = this.#sending.idle
      ? Infinity
      : now - this.#sending.stalledFor(now) + patience;
    const silentAt = toService ? this.#waitingSince + patience : this.#heardAt + CALLER_SILENCE;
    return Math.min(stalledAt, silentAt);
  }

  /** When a caller asks whether it is still known. */
  get #askAt(): number {
    if (!this.#host.toService || !this.#sending.idle) return Infinity;
    return Math.max(this.#heardAt, this.#askedAt) + ASK_INTERVAL;
  }

  /** Cuts items into frames, while they would be sent soon. */
  #cut(now: number): void {
    while (this.#queue.length > 0 && this.#sending.size < WINDOW) {
      const head = this.#queue[0]!;
      if (head instanceof ItemCutter) {
        const before = head.left;
        this.#sending.push(head.next(), now);
        this.#queued -= before - head.left;
        if (head.left > 0) continue;
      } else {
        this.#sending.push(head, now);
      }
      this.#queue.shift();
    }
  }

  #transmit({ frame, number, last }: NumberedFrame): boolean {
    const { kind, argument, data, typ } = frame;
    const { toService } = this.#host;
    const flags = frame.flags | (last && kind === CALL.data ? DATA_ASKS : 0);
    const mark = encodeCallMark({ kind, toService, flags, number, argument });
    return this.#host.transmit({ ...mark, data, typ });
  }

  #acknowledge(flags: number = 0): void {
    const { next, limit, gaps } = this.#receiving.acknowledge();
    const { toService } = this.#host;
    const mark = { kind: CALL.ack, toService, flags, number: limit, argument: next };
    this.#host.transmit({ ...encodeCallMark(mark), data: gaps });
  }

  /** A timer that is too early does no harm; there is one at most. */
  #arm(at: number): void {
    if (at >= this.#timerAt) return;
    this.#cancelTimer?.();
    this.#timerAt = at;
    this.#cancelTimer = this.#host.clock.schedule(at, () => {
      this.#timerAt = Infinity;
      this.#cancelTimer = null;
      if (!this.#ended) this.#pump();
    });
  }

  #wakeWaiters(): void {
    const waiters = this.#roomWaiters;
    this.#roomWaiters = [];
    for (const resolve of waiters) resolve();
  }
}
