/**
 * {@linkcode ServerWebSocketChannel}: the server's side of a WebSocket, over the bytes of its
 * connection once the handshake is done.
 *
 * @module
 */

import type { PacketError } from "../errors.ts";
import { decodeMessage, MAX_MESSAGE_SIZE } from "../framing/packet_message.ts";
import { CLOSE_CODE } from "../framing/websocket_close.ts";
import {
  encodeClose,
  encodePong,
  messageSize,
  WebSocketDecoder,
  type WebSocketEvent,
  writeMessage,
} from "../framing/websocket_frames.ts";
import { type Bytes, encodeUtf8, NO_BYTES } from "../wire/bytes.ts";
import type { Packet } from "../wire/packet.ts";
import { encodePacket } from "../wire/packet_codec.ts";
import { encodePacketJson } from "../wire/packet_json.ts";
import { ByteChannel, concat } from "./byte_channel.ts";
import type { ByteDuplex } from "./channel.ts";
import type { OutgoingChunk } from "./duplex_channel.ts";
import type { ByteTransport } from "./transport.ts";
import { closeReason, type WebSocketChannelOptions } from "./websocket_channel.ts";

/** Pongs that may wait to be sent: whoever pings without reading gets no more. */
const MAX_PONGS = 32;

/** A channel over a WebSocket that was accepted. Runs wherever there are streams of bytes. */
export class ServerWebSocketChannel extends ByteChannel {
  /** What carries it. */
  override transport: string | undefined = "ws";
  readonly #format: "json" | "binary" | undefined;
  #binary: boolean;
  readonly #repair: boolean;
  readonly #decoder: WebSocketDecoder = new WebSocketDecoder({ limit: MAX_MESSAGE_SIZE });
  /** They wait outside the queue: they must not be held up by a full one, nor overrun it. */
  #pongs: Bytes[] = [];
  #farewell: Bytes = encodeClose(CLOSE_CODE.normal);
  #closed: boolean = false;

  /**
   * Constructs a new instance, which owns the connection.
   *
   * @param duplex The connection, right after the response that accepts the handshake.
   * @param head What the client has sent since.
   */
  constructor(
    duplex: ByteDuplex | ByteTransport,
    head: Uint8Array,
    options: WebSocketChannelOptions = {},
  ) {
    super(duplex, options);
    this.#format = options.format;
    this.#binary = options.format === "binary";
    this.#repair = options.repair ?? true;
    if (head.length > 0) queueMicrotask(() => this.isOpen && this.receive(head));
  }

  /** Goes over to bytes, or back to text, unless the format was chosen. */
  peerReadsBinary(reads: boolean): void {
    if (this.#format === undefined) this.#binary = reads;
  }

  /** Encodes a packet as a text or binary message. */
  protected override encode(packet: Packet): Bytes {
    const payload = this.#binary ? encodePacket(packet) : encodeUtf8(encodePacketJson(packet));
    const size = messageSize(payload);
    const room = this.room(size, packet.net !== 0);
    writeMessage(this.#binary ? "binary" : "text", payload, room.bytes, room.at);
    return this.inPlace(size);
  }

  /** Pongs first, then as many messages as belong together. */
  protected override nextChunk(): OutgoingChunk<Bytes> | undefined {
    const messages = super.nextChunk();
    const pongs = this.#pongs;
    if (pongs.length === 0 || this.#closed) return messages; // Nothing follows a Close.
    this.#pongs = [];
    const frames = messages ? [...pongs, messages.chunk] : pongs;
    return { chunk: concat(frames), size: messages?.size ?? 0 };
  }

  /** Takes bytes apart into messages. */
  protected override receive(chunk: Uint8Array): void {
    this.received(chunk.length);
    this.#decoder.push(chunk, this.#take);
    if (this.#decoder.awaitsPayload) this.#urge();
  }

  /**
   * A header has come alone: its payload may be held back by Nagle's algorithm, as that of Deno's
   * client is, until the header is acknowledged, for which systems wait 40 ms to have something to
   * send. A pong that nobody has asked for is always allowed, and looked at by nobody.
   */
  #urge(): void {
    if (this.#pongs.length === 0) this.#pongs.push(encodePong(NO_BYTES));
    this.flush();
  }

  /** The Close that ends what we send. */
  protected override farewell(): Bytes {
    this.#closed = true; // Whoever has said so needs no Close in return.
    return this.#farewell;
  }

  /** The connection has ended: in order only after a Close. */
  protected override ended(): void {
    if (this.#closed) return;
    this.peerEnded(closeReason(CLOSE_CODE.abnormal, "it ended without a Close"));
  }

  readonly #take = (event: WebSocketEvent): void => {
    switch (event.kind) {
      case "text":
        return this.#takeMessage(event.text);
      case "binary":
        return this.#takeMessage(event.data);
      case "ping":
        if (this.#pongs.length < MAX_PONGS) this.#pongs.push(encodePong(event.data));
        return this.flush();
      case "close":
      case "violation":
        this.#end(event.kind, event.code, event.reason);
    }
  };

  readonly #onDrop = (error: PacketError): void => this.drop(error);

  #takeMessage(message: string | Uint8Array): void {
    try {
      for (const packet of decodeMessage(message, this.#repair, this.#onDrop)) this.deliver(packet);
    } catch (error) {
      this.drop(error as PacketError);
    }
  }

  /** The peer closes, or must be closed: answer with its code, or tell it what it did. */
  #end(kind: "close" | "violation", code: number, reason: string): void {
    this.#closed = true;
    this.#farewell = code === CLOSE_CODE.none
      ? encodeClose(CLOSE_CODE.normal)
      : encodeClose(code, kind === "violation" ? reason : "");
    this.peerEnded(closeReason(code, reason));
  }
}
