/**
 * {@linkcode MessagePortChannel}: packets as messages between pages, frames and workers.
 *
 * A message is the bytes of one packet; a number, which acknowledges so many of them; `"end"`, the
 * last one of an orderly close, answered with the other side's last; or `"cut"`.
 *
 * @module
 */

import { ChannelError, PacketError } from "../errors.ts";
import type { Bytes } from "../wire/bytes.ts";
import { MAX_PACKET_SIZE } from "../wire/limits.ts";
import { Packet } from "../wire/packet.ts";
import { encodePacket } from "../wire/packet_codec.ts";
import { BaseChannel } from "./base_channel.ts";
import type { ChannelOptions } from "./channel.ts";

/** What a listener of a {@linkcode MessagePortLike} is told. */
export interface MessageLike {
  /** "message", "messageerror" or "close". */
  readonly type: string;
  /** What was posted. */
  readonly data?: unknown;
}

/** The part of a `MessagePort`, a `Worker` or a worker's own global scope that a channel needs. */
export interface MessagePortLike {
  /** Posts a copy of the message. */
  postMessage(message: unknown): void;
  /** Listens. */
  addEventListener(type: string, listener: (event: MessageLike) => void): void;
  /** Listens no more. */
  removeEventListener(type: string, listener: (event: MessageLike) => void): void;
  /** Only a `MessagePort` has it, and only one that has it is closed. */
  start?(): void;
  /** Closes a port; of a worker's global scope it would end the worker, so it is let be. */
  close?(): void;
}

/** Bytes that may be on their way before the far side has acknowledged some of them. */
const WINDOW = 1 << 16;

/** A side acknowledges when it has taken so many bytes: well before the other has to wait. */
const ACKNOWLEDGED = WINDOW / 2;

const EVENTS = ["message", "messageerror", "close"];

/**
 * A channel over a `MessagePort`, a `Worker`, or, inside a worker, `self`. Both ends have to be one
 * of these.
 *
 * Bytes are copied, not transferred: packets are small, and detaching a buffer costs more than
 * copying it. Closing the channel closes a `MessagePort`, but never ends a worker. A worker that is
 * terminated says nothing: the channel then closes once packets have waited for it too long, so
 * close it first. Inside a worker, make the channel before the first `await`: messages do not wait longer.
 *
 * Node's own `Worker` has listeners of another shape: give it one end of a `MessageChannel`.
 *
 * @example
 * ```ts
 * import { Router } from "@aln/mesh";
 * import { MessagePortChannel } from "@aln/mesh/channels";
 * import assert from "node:assert/strict";
 *
 * const { port1, port2 } = new MessageChannel();
 * const page = new Router("page");
 * const worker = new Router("worker");
 * page.addChannel(new MessagePortChannel(port1));
 * worker.addChannel(new MessagePortChannel(port2)); // In a worker that was posted `port2`.
 * worker.registerService("ping", (_packet, reply) => void reply("pong"));
 *
 * await page.waitForService("ping");
 * assert.equal((await page.request("ping")).text(), "pong");
 * await Promise.all([page.close(), worker.close()]);
 * ```
 */
export class MessagePortChannel extends BaseChannel<Bytes> {
  /** What carries it. */
  override transport: string | undefined = "port";
  readonly #port: MessagePortLike;
  readonly #options: ChannelOptions;
  #scheduled: boolean = false;
  #inFlight: number = 0; // Bytes posted and not acknowledged.
  #taken: number = 0; // Bytes received and not acknowledged.
  #ends: number = 0; // "end" posted, "end" received.

  /** Constructs a new instance, which owns the port. */
  constructor(port: MessagePortLike, options: ChannelOptions = {}) {
    super(options);
    this.#port = port;
    this.#options = options;
    for (const type of EVENTS) port.addEventListener(type, this.#hear);
    port.start?.();
  }

  /** Encodes a packet as bytes. */
  protected override encode(packet: Packet): Bytes {
    return encodePacket(packet);
  }

  /** The packet's length. */
  protected override sizeOf(bytes: Bytes): number {
    return bytes.length;
  }

  /** Posts what is queued, in the next microtask. */
  protected override flush(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  /** Says that this was our last message, and waits for the other side's; or cuts the link. */
  protected override shut(reason?: unknown): void {
    this.#post(reason === undefined ? "end" : "cut");
    if (reason !== undefined || ++this.#ends === 2) this.finish(reason);
  }

  /** Lets go of the port. */
  protected override finish(reason?: unknown): void {
    for (const type of EVENTS) this.#port.removeEventListener(type, this.#hear);
    if (this.#port.start) this.#port.close?.();
    super.finish(reason);
  }

  readonly #hear = ({ type, data }: MessageLike): void => {
    if (type === "close") this.close(lost("the port was closed"));
    else if (data === "cut") this.finish(lost("the peer cut it"));
    else if (data === "end") ++this.#ends === 2 ? this.finish() : this.peerEnded();
    else if (typeof data === "number" && data > 0) {
      this.#inFlight = Math.max(0, this.#inFlight - data);
      this.#pump();
    } else this.#receive(data);
  };

  #receive(data: unknown): void {
    let packet: Packet;
    try {
      if (!(data instanceof Uint8Array)) throw refused("it is not bytes");
      this.received(data.length);
      this.#taken += data.length;
      if (this.#taken >= ACKNOWLEDGED) {
        this.#post(this.#taken);
        this.#taken = 0;
      }
      if (data.length > MAX_PACKET_SIZE) {
        throw refused(`it is larger than ${MAX_PACKET_SIZE} bytes`);
      }
      // A copy: the bytes may be a window on something large, or shared with whoever posted them.
      packet = Packet.fromBinary(new Uint8Array(data), this.#options);
    } catch (error) {
      return this.drop(error as PacketError);
    }
    this.deliver(packet);
  }

  /** Posts as much as may be on its way; an acknowledgement comes back for more. */
  #pump(): void {
    for (let bytes; this.#inFlight < WINDOW && (bytes = this.next()) !== undefined;) {
      this.#inFlight += bytes.length;
      this.#post(bytes);
      this.sent(bytes.length);
    }
  }

  #post(message: unknown): void {
    try {
      this.#port.postMessage(message);
    } catch (error) {
      this.finish(error); // Somebody else has closed the port.
    }
  }
}

/** The error of a channel that did not end in order. */
export function lost(why: string): ChannelError {
  return new ChannelError("ERR_CHANNEL_CLOSED", `Cannot keep channel: ${why}`);
}

function refused(why: string): PacketError {
  return new PacketError("ERR_PACKET_FRAME", `Cannot accept message: ${why}`);
}
