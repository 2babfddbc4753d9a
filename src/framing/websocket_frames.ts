/**
 * WebSocket framing (RFC 6455), as a server needs it: what clients send, taken apart strictly; what
 * they are sent, put together.
 *
 * Layout of a frame: `fin: 1 | reserved: 3 | opcode: 4 | masked: 1 | length: 7`, then a longer length
 * of 16 bits if that says 126, of 64 if it says 127, then four bytes of mask if masked, then the
 * payload. Big-endian. No extension is ever negotiated, so the reserved bits are 0.
 *
 * Pure state; no I/O.
 *
 * @module
 */

import { type Bytes, decodeUtf8, encodeUtf8, NO_BYTES, uint16At, uint32At } from "../wire/bytes.ts";
import { CLOSE_CODE } from "./websocket_close.ts";

const CONTINUATION = 0x0;
const TEXT = 0x1;
const BINARY = 0x2;
const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;

const FIN = 0x80;
const RESERVED = 0x70;
const OPCODE = 0x0f;
const MASKED = 0x80;
const LENGTH = 0x7f;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

/** Longest payload of a control frame, in bytes. */
const MAX_CONTROL_SIZE = 125;

/** Shortest header: two bytes, a mask. */
const MIN_HEADER_SIZE = 6;

/** Longest header: two bytes, a 64-bit length, a mask. */
const MAX_HEADER_SIZE = 14;

const INITIAL_CAPACITY = 256; // bytes: idle connections stay small

/** Short messages that come together share a buffer of at most so many bytes. */
const SLAB_SIZE = 1 << 13;

/** Fewer bytes than these are unmasked one by one. */
const SHORT = 96;

const IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Something that a peer has sent. */
export type WebSocketEvent =
  /** A whole text message. */
  | { readonly kind: "text"; readonly text: string }
  /** A whole binary message, owned by whoever gets it; the buffer may hold others' bytes beside it. */
  | { readonly kind: "binary"; readonly data: Bytes }
  /** A ping; send a pong with the same data. */
  | { readonly kind: "ping"; readonly data: Bytes }
  /** A pong. */
  | { readonly kind: "pong" }
  /** The peer closes: nothing follows. */
  | { readonly kind: "close"; readonly code: number; readonly reason: string }
  /** The peer broke the rules: close with this code; nothing follows. */
  | { readonly kind: "violation"; readonly code: number; readonly reason: string };

/** Thrown inside the decoder, told as an event. */
class Violation extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** A frame whose header has been read, and whose payload has not. */
interface OpenFrame {
  opcode: number;
  fin: boolean;
  /** Payload bytes still to come. */
  left: number;
  /** The mask's four bytes, beginning with the one for the next byte of the payload. */
  mask: number;
}

/** Bytes that grow as they come in. */
class Buffer {
  #bytes: Bytes = new Uint8Array(INITIAL_CAPACITY);
  size: number = 0;

  /** Makes room for more and returns the whole store; the caller writes behind `size`. */
  reserve(extra: number): Bytes {
    if (this.size + extra > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.size + extra, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, this.size));
      this.#bytes = grown;
    }
    return this.#bytes;
  }

  /** Takes what is in it; it starts empty and small again. */
  take(): Bytes {
    const bytes = this.#bytes.slice(0, this.size);
    this.size = 0;
    if (this.#bytes.length > INITIAL_CAPACITY) this.#bytes = new Uint8Array(INITIAL_CAPACITY);
    return bytes;
  }
}

/** Options of {@linkcode WebSocketDecoder}. */
export interface WebSocketDecoderOptions {
  /** Largest message, in bytes. */
  limit: number;
}

/**
 * Takes what a client sends in chunks of any size and gives back the messages in it. Never throws;
 * after a close or a violation it ignores the rest.
 */
export class WebSocketDecoder {
  readonly #limit: number;
  readonly #header: Uint8Array = new Uint8Array(MAX_HEADER_SIZE);
  #headerSize: number = 0;
  #frame: OpenFrame | null = null;
  /** Opcode of the message whose fragments come in; `null` between messages. */
  #message: number | null = null;
  readonly #data: Buffer = new Buffer();
  readonly #control: Buffer = new Buffer();
  #awaitsPayload: boolean = false;
  #over: boolean = false;

  /** Constructs a new instance. */
  constructor(options: WebSocketDecoderOptions) {
    this.#limit = options.limit;
  }

  /** Whether the last byte was that of a header, and its payload is yet to come. */
  get awaitsPayload(): boolean {
    return this.#awaitsPayload;
  }

  /** Bytes held of a message that is not whole. */
  get pending(): number {
    return this.#data.size + this.#control.size + this.#headerSize;
  }

  /**
   * Takes the next bytes.
   *
   * @param chunk Borrowed.
   * @param onEvent Given each event, in order.
   */
  push(chunk: Uint8Array, onEvent: (event: WebSocketEvent) => void): void {
    try {
      for (let at = 0; at < chunk.length && !this.#over;) {
        if (this.#frame === null) at = this.#readMessages(chunk, at, onEvent);
        if (this.#frame === null) at = this.#readHeader(chunk, at);
        const frame = this.#frame;
        this.#awaitsPayload = frame !== null && frame.left > 0 && at === chunk.length;
        if (frame !== null) at = this.#readPayload(frame, chunk, at, onEvent);
      }
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.#over = true;
      onEvent({ kind: "violation", code: error.code, reason: error.message });
    }
  }

  /**
   * Reads short messages that are there as a whole, each in one frame, as nearly all are. Whatever is
   * not so plain, or not allowed, is left to the others.
   *
   * @returns Where it has stopped.
   */
  #readMessages(
    chunk: Uint8Array,
    at: number,
    onEvent: (event: WebSocketEvent) => void,
  ): number {
    if (this.#headerSize > 0 || this.#message !== null) return at;
    let slab = NO_BYTES;
    let used = 0;
    while (at + MIN_HEADER_SIZE <= chunk.length) {
      const isText = chunk[at] === (FIN | TEXT);
      if (!isText && chunk[at] !== (FIN | BINARY)) break;
      let start = at + MIN_HEADER_SIZE;
      let size = chunk[at + 1]! ^ MASKED; // Without a mask, it is too much.
      if (size === LENGTH_16) {
        size = uint16At(chunk, at + 2);
        start += 2;
        if (size < LENGTH_16) break;
      } else if (size > LENGTH_16) {
        break;
      }
      const end = start + size;
      if (end > chunk.length || size > this.#limit) break;
      if (used + size > slab.length) {
        slab = new Uint8Array(Math.max(size, Math.min(SLAB_SIZE, chunk.length - start)));
        used = 0;
      }
      unmask(chunk, start, size, uint32At(chunk, start - 4), slab, used);
      const data = slab.subarray(used, used + size);
      at = end;
      if (isText) {
        onEvent({ kind: "text", text: readText(data) });
      } else {
        used += size;
        onEvent({ kind: "binary", data });
      }
    }
    return at;
  }

  /** Reads as much of a header as there is; opens the frame once it is whole. */
  #readHeader(chunk: Uint8Array, at: number): number {
    const header = this.#header;
    while (at < chunk.length) {
      header[this.#headerSize++] = chunk[at++]!;
      if (this.#headerSize === 2) checkStart(header[0]!, header[1]!);
      if (this.#headerSize >= 2 && this.#headerSize === headerSize(header[1]!)) {
        this.#headerSize = 0;
        this.#open(header);
        break;
      }
    }
    return at;
  }

  #open(header: Uint8Array): void {
    const opcode = header[0]! & OPCODE;
    const size = headerSize(header[1]!);
    const length = payloadLength(header);
    if (opcode < CLOSE) {
      if (opcode === CONTINUATION) {
        if (this.#message === null) throw protocol("a continuation of nothing");
      } else {
        if (this.#message !== null) throw protocol("a message inside another");
        this.#message = opcode;
      }
      if (this.#data.size + length > this.#limit) {
        throw new Violation(CLOSE_CODE.tooLarge, `a message of more than ${this.#limit} bytes`);
      }
    }
    this.#frame = {
      opcode,
      fin: (header[0]! & FIN) !== 0,
      left: length,
      mask: uint32At(header, size - 4),
    };
  }

  /** Reads as much of the payload as there is; tells what it completes. */
  #readPayload(
    frame: OpenFrame,
    chunk: Uint8Array,
    at: number,
    onEvent: (event: WebSocketEvent) => void,
  ): number {
    const size = Math.min(frame.left, chunk.length - at);
    const buffer = frame.opcode < CLOSE ? this.#data : this.#control;
    const store = buffer.reserve(size);
    unmask(chunk, at, size, frame.mask, store, buffer.size);
    buffer.size += size;
    frame.mask = rotate(frame.mask, size);
    frame.left -= size;
    if (frame.left === 0) {
      this.#frame = null;
      if (frame.opcode >= CLOSE) this.#tellControl(frame.opcode, onEvent);
      else if (frame.fin) this.#tellMessage(onEvent);
    }
    return at + size;
  }

  #tellMessage(onEvent: (event: WebSocketEvent) => void): void {
    const data = this.#data.take();
    const isText = this.#message === TEXT;
    this.#message = null;
    if (!isText) return onEvent({ kind: "binary", data });
    onEvent({ kind: "text", text: readText(data) });
  }

  #tellControl(opcode: number, onEvent: (event: WebSocketEvent) => void): void {
    const data = this.#control.take();
    if (opcode === PING) return onEvent({ kind: "ping", data });
    if (opcode === PONG) return onEvent({ kind: "pong" });
    if (data.length === 1) throw protocol("a close code of one byte");
    const code = data.length === 0 ? CLOSE_CODE.none : data[0]! << 8 | data[1]!;
    if (data.length > 0 && !mayBeSent(code)) throw protocol(`close code ${code}`);
    const reason = decodeUtf8(data.subarray(2));
    if (reason === null) throw new Violation(CLOSE_CODE.badPayload, "a reason that is not UTF-8");
    this.#over = true;
    onEvent({ kind: "close", code, reason });
  }
}

/** The text of a message. */
function readText(data: Uint8Array): string {
  const text = decodeUtf8(data);
  if (text === null) throw new Violation(CLOSE_CODE.badPayload, "text that is not UTF-8");
  return text;
}

/**
 * Copies bytes of a payload, unmasked.
 *
 * @param mask Four bytes, the first of which belongs to the first of the payload.
 */
function unmask(
  from: Uint8Array,
  at: number,
  size: number,
  mask: number,
  to: Bytes,
  start: number,
): void {
  let i = 0;
  if (size >= SHORT) {
    to.set(from.subarray(at, at + size), start);
    const head = -(to.byteOffset + start) & 3; // Words are aligned.
    for (; i < head; i++) to[start + i]! ^= mask >>> (24 - 8 * i);
    const words = new Int32Array(to.buffer, to.byteOffset + start + head, (size - head) >> 2);
    const turned = rotate(mask, head);
    const word = IS_LITTLE_ENDIAN ? swap(turned) : turned;
    for (let j = 0; j < words.length; j++) words[j]! ^= word;
    i += 4 * words.length;
    for (let shift = 24; i < size; i++, shift -= 8) to[start + i]! ^= turned >>> shift;
    return;
  }
  for (const whole = size & ~3; i < whole; i += 4) {
    to[start + i] = from[at + i]! ^ mask >>> 24;
    to[start + i + 1] = from[at + i + 1]! ^ mask >>> 16;
    to[start + i + 2] = from[at + i + 2]! ^ mask >>> 8;
    to[start + i + 3] = from[at + i + 3]! ^ mask;
  }
  for (let shift = 24; i < size; i++, shift -= 8) to[start + i] = from[at + i]! ^ mask >>> shift;
}

/** The mask as it stands after so many bytes. */
function rotate(mask: number, bytes: number): number {
  const bits = 8 * (bytes & 3);
  return bits === 0 ? mask : mask << bits | mask >>> (32 - bits);
}

/** The same four bytes in the other order. */
function swap(word: number): number {
  return word << 24 | (word & 0xff00) << 8 | word >>> 8 & 0xff00 | word >>> 24;
}

/** Checks all that the first two bytes say. */
function checkStart(first: number, second: number): void {
  const opcode = first & OPCODE;
  if (first & RESERVED) throw protocol("a reserved bit");
  if (opcode > BINARY && opcode < CLOSE || opcode > PONG) throw protocol(`opcode ${opcode}`);
  if (!(second & MASKED)) throw protocol("a frame without a mask");
  if (opcode < CLOSE) return;
  if (!(first & FIN)) throw protocol("a control frame in pieces");
  if ((second & LENGTH) > MAX_CONTROL_SIZE) throw protocol("a control frame that is too long");
}

/** How long the header of a masked frame is, by its second byte. */
function headerSize(second: number): number {
  const length = second & LENGTH;
  return 6 + (length === LENGTH_16 ? 2 : length === LENGTH_64 ? 8 : 0);
}

function payloadLength(header: Uint8Array): number {
  const short = header[1]! & LENGTH;
  if (short < LENGTH_16) return short;
  const size = short === LENGTH_16 ? 2 : 8;
  let length = 0;
  for (let i = 2; i < 2 + size; i++) length = length * 256 + header[i]!;
  if (length < LENGTH_16 || size === 8 && length <= 0xffff) throw protocol("a padded length");
  return length;
}

/** Which codes a Close may carry: those defined, and those left to applications. */
function mayBeSent(code: number): boolean {
  return code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 ||
    code >= 3000 && code <= 4999;
}

function protocol(what: string): Violation {
  return new Violation(CLOSE_CODE.protocolError, `it sent ${what}`);
}

/** How long the header of a frame is that has no mask. */
function serverHeaderSize(payload: number): number {
  return payload < LENGTH_16 ? 2 : payload <= 0xffff ? 4 : 10;
}

/** Puts a frame together, unmasked, as servers send it. */
function writeServerFrame(opcode: number, payload: Uint8Array, to: Bytes, at: number): void {
  const { length } = payload;
  const header = serverHeaderSize(length);
  to[at] = FIN | opcode;
  to[at + 1] = header === 2 ? length : header === 4 ? LENGTH_16 : LENGTH_64;
  for (let i = header - 1, rest = length; i > 1; i--, rest = Math.floor(rest / 256)) {
    to[at + i] = rest;
  }
  to.set(payload, at + header);
}

/** A frame as servers send it. Owned by the caller. */
function encodeServerFrame(opcode: number, payload: Uint8Array): Bytes {
  const frame = new Uint8Array(messageSize(payload));
  writeServerFrame(opcode, payload, frame, 0);
  return frame;
}

/** How many bytes a message takes, as servers send it. */
export function messageSize(payload: Uint8Array): number {
  return serverHeaderSize(payload.length) + payload.length;
}

/**
 * Writes a message, as servers send it.
 *
 * @param kind Of text, the payload is its UTF-8.
 * @param to Has room for {@linkcode messageSize} bytes.
 * @param at Where the message begins.
 */
export function writeMessage(
  kind: "text" | "binary",
  payload: Uint8Array,
  to: Bytes,
  at: number,
): void {
  writeServerFrame(kind === "text" ? TEXT : BINARY, payload, to, at);
}

/** A text message, as servers send it. */
export function encodeTextMessage(text: string): Bytes {
  return encodeServerFrame(TEXT, encodeUtf8(text));
}

/** A binary message, as servers send it. */
export function encodeBinaryMessage(data: Uint8Array): Bytes {
  return encodeServerFrame(BINARY, data);
}

/** The answer to a ping. */
export function encodePong(data: Uint8Array): Bytes {
  return encodeServerFrame(PONG, data);
}

/** A Close with a code, and as much of a reason as fits. */
export function encodeClose(code: number, reason: string = ""): Bytes {
  const text = encodeUtf8(reason);
  let end = Math.min(text.length, MAX_CONTROL_SIZE - 2);
  while (end < text.length && (text[end]! & 0xc0) === 0x80) end--; // No character is cut in two.
  return encodeServerFrame(CLOSE, Uint8Array.of(code >> 8, code & 0xff, ...text.subarray(0, end)));
}
