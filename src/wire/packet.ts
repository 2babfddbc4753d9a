/**
 * {@linkcode Packet}, the class that applications see, over the two codecs.
 *
 * @module
 */

import { PacketError } from "../errors.ts";
import { type Bytes, encodeUtf8, NO_BYTES } from "./bytes.ts";
import {
  decodePacket,
  type EncodeOptions,
  encodePacket,
  type PacketFields,
  readSoundPacket,
} from "./packet_codec.ts";
import { decodePacketJson, encodePacketJson } from "./packet_json.ts";
import { decodeLeniently } from "./repair.ts";
import type { Trailer } from "./trailer.ts";

/** What a payload may be given as; strings become UTF-8. */
export type PacketData = Uint8Array | ArrayBuffer | string;

/** The fields to start a packet with; those left out are absent. */
export type PacketInit = Partial<Omit<PacketFields, "data">> & {
  /** Payload; `null` is absent. */
  data?: PacketData | null;
};

/** Options of {@linkcode Packet.fromBinary}. */
export interface DecodeOptions {
  /**
   * Understand the known damaged encodings of other peers, too.
   *
   * @default {true}
   */
  repair?: boolean;
}

const lenientDecoder = new TextDecoder();

/**
 * One packet: what travels between routers.
 *
 * Fields may be set freely; whether they fit is checked when the packet is encoded or sent.
 *
 * @example
 * ```ts
 * import { Packet } from "@aln/mesh";
 * import assert from "node:assert/strict";
 *
 * const packet = new Packet({ srv: "echo", data: "grüß dich" });
 * const received = Packet.fromBinary(packet.toBinary());
 * assert.equal(received.srv, "echo");
 * assert.equal(received.text(), "grüß dich");
 * ```
 */
export class Packet implements PacketFields {
  /** Net state: 0 for application data; the rest is between routers. */
  net: number;
  /** Service that it is for; absent in replies. */
  srv: string;
  /** Address of the router that sent it first. */
  src: string;
  /** Address of the router that it is for. */
  dst: string;
  /** Address of the neighbour that carries it on. */
  nxt: string;
  /** Sequence number, u16: free for applications. */
  seq: number;
  /** Acknowledgement block, u32: free for applications. */
  ack: number;
  /** Context id, u16: ties replies to their request. */
  ctx: number;
  /** Data type, u8: free for applications. */
  typ: number;
  /** What it carries for the neighbour alone; `null` is absent. Routers set it. */
  trailer: Trailer | null;
  /** `null` while it is only known where it stands. */
  #data: Uint8Array | null = NO_BYTES;
  #source: Uint8Array = NO_BYTES;
  #start: number = 0;
  #size: number = 0;

  /**
   * Constructs a new instance.
   *
   * @param init Fields, or the bytes of a packet.
   * @throws {PacketError} If bytes were given and they are not a packet.
   */
  constructor(init: PacketInit | Uint8Array = {}) {
    const fields = init instanceof Uint8Array ? decodeLeniently(init) : init;
    this.net = fields.net ?? 0;
    this.srv = fields.srv ?? "";
    this.src = fields.src ?? "";
    this.dst = fields.dst ?? "";
    this.nxt = fields.nxt ?? "";
    this.seq = fields.seq ?? 0;
    this.ack = fields.ack ?? 0;
    this.ctx = fields.ctx ?? 0;
    this.typ = fields.typ ?? 0;
    this.trailer = fields.trailer ?? null;
    this.data = fields.data ?? null;
  }

  /** Payload; no bytes when absent. Borrowed from whatever it was set from. */
  get data(): Uint8Array {
    return this.#data ??= this.#borrowed();
  }

  /** Sets the payload: bytes are borrowed, strings become UTF-8, `null` is absent. */
  set data(value: PacketData | null) {
    this.#data = toBytes(value);
    this.#source = NO_BYTES;
  }

  /**
   * Sets the payload to part of these bytes, of which a view is made when it is asked for.
   *
   * @internal
   */
  borrow(source: Uint8Array, start: number, size: number): void {
    this.#data = null;
    this.#source = source;
    this.#start = start;
    this.#size = size;
  }

  #borrowed(): Uint8Array {
    // Not subarray(): a Node Buffer's is a Buffer, whose slice() shares its bytes.
    const { buffer, byteOffset } = this.#source;
    this.#source = NO_BYTES;
    return new Uint8Array(buffer, byteOffset + this.#start, this.#size);
  }

  /** The payload as text. Bytes that are not UTF-8 become U+FFFD. */
  text(): string {
    return lenientDecoder.decode(this.data);
  }

  /**
   * The payload as a value from JSON text.
   *
   * @throws {SyntaxError} If it is not JSON.
   */
  json<T = unknown>(): T {
    return JSON.parse(this.text());
  }

  /**
   * The packet as bytes, owned by the caller.
   *
   * @throws {PacketError} `ERR_PACKET_FIELD` if a value does not fit its field.
   */
  toBinary(options: EncodeOptions = {}): Bytes {
    return encodePacket(this, options);
  }

  /**
   * The packet as the text that a WebSocket carries. (It is a string, not an object: the name is
   * the original's, and `JSON.stringify` does not call it.)
   *
   * @throws {PacketError} `ERR_PACKET_FIELD` if a value does not fit its field.
   */
  toJson(): string {
    return encodePacketJson(this);
  }

  /** A packet with the same fields and data of its own. */
  copy(): Packet {
    const copy = new Packet(this);
    copy.#data = new Uint8Array(this.data); // Not slice(): a Node Buffer's shares its bytes.
    return copy;
  }

  /**
   * Decodes bytes.
   *
   * @param bytes One whole packet, unescaped; the payload is borrowed from them.
   * @throws {PacketError} If they are not a packet.
   */
  static fromBinary(bytes: Uint8Array, options: DecodeOptions = {}): Packet {
    return decodePart(bytes, 0, bytes.length, options.repair ?? true);
  }

  /**
   * Decodes JSON text, in any peer's dialect.
   *
   * @throws {PacketError} If it is not a packet.
   */
  static fromJson(text: string): Packet {
    return new Packet(decodePacketJson(text));
  }
}

/**
 * Decodes the packet that is part of these bytes, as {@linkcode Packet.fromBinary} does.
 *
 * @param start Where it begins; where it stands in errors is counted from here.
 * @param end Where it ends.
 */
export function decodePart(
  bytes: Uint8Array,
  start: number,
  end: number,
  repair: boolean,
): Packet {
  const packet = new Packet();
  if (readSoundPacket(packet, bytes, start, end)) return packet;
  const part = new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start);
  return new Packet(repair ? decodeLeniently(part) : decodePacket(part));
}

function toBytes(value: PacketData | null | undefined): Uint8Array {
  if (value === null || value === undefined) return NO_BYTES;
  if (typeof value === "string") return encodeUtf8(value);
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  throw new PacketError(
    "ERR_PACKET_FIELD",
    "Cannot accept data: it is not a string, a Uint8Array or an ArrayBuffer",
  );
}
