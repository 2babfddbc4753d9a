/**
 * A WebSocket on a plain socket, as far as a handshake between routers needs one: a channel of binary
 * messages that can be cut off from what comes.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { type Channel, Packet } from "../../../mod.ts";
import { clientFrame, OPCODE } from "../../support/websocket_frames.ts";
import { handshake } from "../../support/websocket_client.ts";
import { connected } from "./dialect.ts";

/** Bytes in the longest header of a message. */
const MAX_HEAD = 10;

const OPCODE_BITS = 0x0f;

const END_OF_HEAD = "\r\n\r\n";

/** One of them. */
export class RawWebSocketChannel implements Channel {
  onPacket: ((packet: Packet) => void) | null = null;
  onClose: ((reason?: unknown) => void) | null = null;
  readonly #socket: Socket;
  #rest: Buffer;
  #onBytes: ((bytes: Uint8Array) => void) | null = null;

  private constructor(socket: Socket, rest: Buffer) {
    this.#socket = socket;
    this.#rest = rest;
    socket.on("data", (chunk) => this.#receive(chunk));
    socket.on("close", () => this.onClose?.());
  }

  /** Shakes hands with the server. */
  static async open(socket: Socket): Promise<RawWebSocketChannel> {
    await connected(socket);
    socket.write(handshake());
    let heard = Buffer.alloc(0);
    await new Promise<void>((resolve) => {
      const listen = (chunk: Uint8Array) => {
        heard = Buffer.concat([heard, chunk]);
        if (!heard.includes(END_OF_HEAD)) return;
        socket.off("data", listen);
        resolve();
      };
      socket.on("data", listen);
    });
    const rest = heard.subarray(heard.indexOf(END_OF_HEAD) + END_OF_HEAD.length);
    return new RawWebSocketChannel(socket, rest);
  }

  /** From now on nobody else is given what comes. */
  divert(onBytes: (bytes: Uint8Array) => void): void {
    this.#onBytes = onBytes;
  }

  send(packet: Packet): void {
    this.#socket.write(encodeClientMessage(packet));
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Uint8Array): void {
    if (this.#onBytes !== null) return this.#onBytes(chunk);
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const { messages, size } = readMessages(this.#rest);
    this.#rest = this.#rest.subarray(size);
    for (const { data } of messages) this.onPacket?.(Packet.fromBinary(data));
  }
}

/** One packet in one message, as a client sends it. */
export function encodeClientMessage(packet: Packet): Uint8Array {
  return clientFrame(OPCODE.binary, packet.toBinary());
}

/**
 * The whole messages of a server, none of which is in pieces, and the bytes that they take. One that
 * is shorter than the longest header waits for the next.
 */
export function readMessages(
  bytes: Uint8Array,
): { messages: { data: Uint8Array; size: number }[]; size: number } {
  const messages: { data: Uint8Array; size: number }[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  while (at + MAX_HEAD <= bytes.length) {
    const short = bytes[at + 1]!;
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    const length = head === 2
      ? short
      : head === 4
      ? view.getUint16(at + 2)
      : view.getUint32(at + 6);
    const size = head + length;
    if (at + size > bytes.length) break;
    // A server may send a Pong at any time.
    const isMessage = (bytes[at]! & OPCODE_BITS) === OPCODE.binary;
    if (isMessage) messages.push({ data: bytes.subarray(at + head, at + size), size });
    at += size;
  }
  return { messages, size: at };
}
