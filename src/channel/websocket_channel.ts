/**
 * {@linkcode WebSocketChannel}: packets as WebSocket messages, over any standard `WebSocket`.
 *
 * @module
 */

import { ChannelError, PacketError } from "../errors.ts";
import { decodeMessage } from "../framing/packet_message.ts";
import { CLOSE_CODE } from "../framing/websocket_close.ts";
import type { Bytes } from "../wire/bytes.ts";
import type { Packet } from "../wire/packet.ts";
import { encodePacket } from "../wire/packet_codec.ts";
import { encodePacketJson } from "../wire/packet_json.ts";
import { BaseChannel } from "./base_channel.ts";
import type { ChannelOptions } from "./channel.ts";

/** The part of a standard `WebSocket` that a channel needs. */
export interface WebSocketLike {
  /** Set to "arraybuffer". */
  binaryType: string;
  /** 0 connecting, 1 open, 2 closing, 3 closed. */
  readonly readyState: number;
  /** Bytes that the socket has yet to send. */
  readonly bufferedAmount: number;
  /** Sends one message. */
  send(data: string | Bytes): void;
  /** Begins to close. */
  close(code?: number, reason?: string): void;
  /** Listens. */
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  /** Listens. */
  addEventListener(
    type: "close",
    listener: (event: { readonly code: number; readonly reason: string }) => void,
  ): void;
  /** Listens. */
  addEventListener(type: "open" | "error", listener: () => void): void;
}

/** Options of a {@linkcode WebSocketChannel}. */
export interface WebSocketChannelOptions extends ChannelOptions {
  /**
   * How packets are sent: as text, which every peer understands, or as bytes. By default as text
   * until the peer has said that it reads bytes, as routers of this library do; from then on as
   * bytes. Both forms are understood, whatever is said here.
   */
  format?: "json" | "binary";
}

const OPEN = 1;
const CLOSED = 3;

/** Bytes given to the socket before it has sent what it was given earlier. */
const WINDOW = 1 << 16;

/**
 * How often a full socket is looked at, in ms: the standard has no event for it. At first at once,
 * for most are full for microseconds; then twice as late each time, up to this.
 */
const POLL_INTERVAL = 10;

/** A channel over a WebSocket, which may still be connecting. */
export class WebSocketChannel extends BaseChannel<string | Bytes> {
  /** What carries it. */
  override transport: string | undefined = "ws";
  readonly #socket: WebSocketLike;
  readonly #format: "json" | "binary" | undefined;
  #binary: boolean;
  readonly #repair: boolean;
  #poll: ReturnType<typeof setTimeout> | undefined;
  #pollAfter: number = 0;
  #scheduled: boolean = false;

  /** Constructs a new instance, which owns the socket. */
  constructor(socket: WebSocketLike, options: WebSocketChannelOptions = {}) {
    super(options);
    this.#socket = socket;
    this.#format = options.format;
    this.#binary = options.format === "binary";
    this.#repair = options.repair ?? true;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => this.#receive(data));
    socket.addEventListener("open", () => this.#pump());
    socket.addEventListener("error", () => {
      // Whether "close" follows a handshake that failed depends on the runtime.
      if (socket.readyState !== OPEN) this.#lost(0, "");
    });
    socket.addEventListener("close", ({ code, reason }) => this.#lost(code, reason));
    if (socket.readyState === CLOSED) queueMicrotask(() => this.#lost(0, ""));
  }

  /** Goes over to bytes, or back to text, unless the format was chosen. */
  peerReadsBinary(reads: boolean): void {
    if (this.#format === undefined) this.#binary = reads;
  }

  /** Encodes a packet as text or bytes. */
  protected override encode(packet: Packet): string | Bytes {
    return this.#binary ? encodePacket(packet) : encodePacketJson(packet);
  }

  /** The message's length; our JSON is ASCII but for names. */
  protected override sizeOf(message: string | Bytes): number {
    return message.length;
  }

  /** Gives messages to the socket in the next microtask. */
  protected override flush(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  /** What the socket has yet to send; nobody is to blame while it is connecting. */
  protected override progress(): number {
    return this.#socket.readyState < OPEN ? NaN : this.#socket.bufferedAmount;
  }

  /** Begins the closing handshake. */
  protected override shut(reason?: unknown): void {
    clearTimeout(this.#poll);
    this.#poll = undefined;
    if (this.#socket.readyState <= OPEN) {
      this.#socket.close(CLOSE_CODE.normal, ""); // While connecting, too: the standard says so.
    }
    if (reason !== undefined) this.finish(reason);
  }

  /** Gives the socket as much as it should hold; comes back while there is more. */
  #pump(): void {
    if (this.#poll !== undefined || this.#socket.readyState !== OPEN) return;
    try {
      while (!this.idle && this.#socket.bufferedAmount < WINDOW) {
        const message = this.next()!;
        this.#socket.send(message);
        this.sent(this.sizeOf(message));
        this.#pollAfter = 0;
      }
    } catch (error) {
      return this.close(error);
    }
    if (this.idle) return;
    this.#poll = setTimeout(() => {
      this.#poll = undefined;
      this.#pump();
    }, this.#pollAfter);
    this.#pollAfter = Math.min(Math.max(1, 2 * this.#pollAfter), POLL_INTERVAL);
  }

  readonly #onDrop = (error: PacketError): void => this.drop(error);

  #receive(data: unknown): void {
    if (!this.isOpen) return; // Some runtimes go on delivering after close().
    const message = data instanceof ArrayBuffer ? new Uint8Array(data) : data;
    try {
      if (typeof message !== "string" && !(message instanceof Uint8Array)) {
        throw new PacketError("ERR_PACKET_FRAME", "Cannot accept message: a Blob");
      }
      this.received(message.length);
      for (const packet of decodeMessage(message, this.#repair, this.#onDrop)) this.deliver(packet);
    } catch (error) {
      if (!(error instanceof PacketError)) throw error;
      this.drop(error);
    }
  }

  #lost(code: number, reason: string): void {
    clearTimeout(this.#poll);
    this.#poll = undefined;
    this.finish(closeReason(code, reason));
  }
}

/** Why a WebSocket has closed, unless it did in order; code 0 is a connection that failed. */
export function closeReason(code: number, reason: string): ChannelError | undefined {
  const { normal, none, goingAway } = CLOSE_CODE;
  if (code === normal || code === none || code === goingAway) return undefined;
  const why = `${code === 0 ? "the connection failed" : `code ${code}`}${reason && `, ${reason}`}`;
  return new ChannelError("ERR_CHANNEL_CLOSED", `Cannot keep WebSocket open: ${why}`);
}

/**
 * Opens a WebSocket with the platform's own client.
 *
 * @param url `ws:` or `wss:`.
 * @returns The channel, open.
 * @throws {ChannelError} `ERR_CHANNEL_CLOSED` if the connection fails.
 * @throws The signal's reason, if it aborts before the channel is open.
 * @throws {SyntaxError} A `DOMException` of that name, if the URL is not one.
 */
export async function connectWebSocket(
  url: string | URL,
  options: WebSocketChannelOptions = {},
): Promise<WebSocketChannel> {
  options.signal?.throwIfAborted();
  const socket = new WebSocket(url);
  const channel = new WebSocketChannel(socket, options);
  channel.side = "opened";
  if (socket.url.startsWith("wss:")) channel.transport = "wss";
  const opened = new Promise<void>((resolve) => {
    socket.addEventListener("open", () => resolve(), { once: true });
  });
  await Promise.race([opened, channel.closed]);
  if (socket.readyState === OPEN) return channel;
  options.signal?.throwIfAborted();
  throw await channel.closed ??
    new ChannelError("ERR_CHANNEL_CLOSED", "Cannot open WebSocket: it was closed at once");
}
