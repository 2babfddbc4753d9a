/**
 * KISS framing: packets on a stream of bytes.
 *
 * Each packet is byte-stuffed and followed by `C0`; inside, `C0` becomes `DB DC` and `DB` becomes
 * `DB DD`. There is no opening delimiter, and empty frames mean nothing.
 *
 * @module
 */

import { PacketError } from "../errors.ts";
import type { Bytes } from "../wire/bytes.ts";
import { MAX_PACKET_SIZE } from "../wire/limits.ts";

const END = 0xc0;
const ESC = 0xdb;
const ESC_END = 0xdc;
const ESC_ESC = 0xdd;

/**
 * Frames one packet.
 *
 * @returns Bytes owned by the caller.
 *
 * @example
 * ```ts
 * import { encodeFrame } from "@aln/mesh/wire";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(encodeFrame(Uint8Array.of(1, 0xc0)), Uint8Array.of(1, 0xdb, 0xdc, 0xc0));
 * ```
 */
export function encodeFrame(packet: Uint8Array): Bytes {
  let escapes = 0;
  for (let at = findSpecial(packet, 0, packet.length); at < packet.length; escapes++) {
    at = findSpecial(packet, at + 1, packet.length);
  }
  const frame = new Uint8Array(packet.length + escapes + 1);
  frame[copyEscaped(packet, frame, 0)] = END;
  return frame;
}

/** Where the next `C0` or `DB` is, or `end`. */
export function findSpecial(bytes: Uint8Array, at: number, end: number): number {
  const near = Math.min(end, at + NEAR);
  for (; at + 4 <= near; at += 4) { // ASCII is passed over four at a time.
    if (((bytes[at]! | bytes[at + 1]! | bytes[at + 2]! | bytes[at + 3]!) & 0x80) === 0) continue;
    if (isSpecial(bytes[at]!)) return at;
    if (isSpecial(bytes[at + 1]!)) return at + 1;
    if (isSpecial(bytes[at + 2]!)) return at + 2;
    if (isSpecial(bytes[at + 3]!)) return at + 3;
  }
  if (end > near) at = passWords(bytes, at, end);
  while (at < end && !isSpecial(bytes[at]!)) at++;
  return at;
}

/** So far it is looked byte by byte: in random bytes, something is found on the way. */
const NEAR = 128;

/** Where the next `C0` or `DB` is, looked for in words of four bytes; less than one word is left over. */
function passWords(bytes: Uint8Array, at: number, end: number): number {
  const unaligned = bytes.byteOffset + at & 3;
  if (unaligned > 0) {
    const aligned = Math.min(end, at + 4 - unaligned);
    for (; at < aligned; at++) if (isSpecial(bytes[at]!)) return at;
  }
  const count = end - at >> 2;
  if (count === 0) return at;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, count);
  for (let i = 0; i < count; i++) {
    const word = words[i]!;
    if ((word & 0x8080_8080) === 0) continue;
    const rest = word & 0xe4e4_e4e4 ^ 0xc0c0_c0c0; // A byte of it is 0 where C0 or DB may be.
    if ((rest - 0x0101_0101 & ~rest & 0x8080_8080) === 0) continue;
    const start = at + 4 * i;
    for (let j = start; j < start + 4; j++) if (isSpecial(bytes[j]!)) return j;
  }
  return at + 4 * count;
}

function isSpecial(byte: number): boolean {
  return byte === END || byte === ESC;
}

/**
 * Writes bytes as they stand in a frame.
 *
 * @param target Has room for twice as many.
 * @returns Where they end there.
 */
export function copyEscaped(source: Uint8Array, target: Uint8Array, at: number): number {
  const end = source.length;
  for (let from = 0;;) {
    const special = findSpecial(source, from, end);
    at = copyPart(source, from, special, target, at);
    if (special === end) return at;
    target[at] = ESC;
    target[at + 1] = source[special] === END ? ESC_END : ESC_ESC;
    at += 2;
    from = special + 1;
  }
}

/**
 * Escapes bytes where they are; what follows them is written over.
 *
 * @returns Where they end.
 */
export function escapeInPlace(bytes: Uint8Array, start: number, end: number): number {
  const first = findSpecial(bytes, start, end);
  if (first === end) return end;
  let escapes = 0;
  for (let i = first; i < end; i++) if (isSpecial(bytes[i]!)) escapes++;
  let to = end + escapes;
  for (let i = end - 1; i >= first; i--) {
    const byte = bytes[i]!;
    if (isSpecial(byte)) {
      bytes[--to] = byte === END ? ESC_END : ESC_ESC;
      bytes[--to] = ESC;
    } else {
      bytes[--to] = byte;
    }
  }
  return end + escapes;
}

/** Copies a part; a short one byte by byte, which costs less than a view of it. */
function copyPart(
  source: Uint8Array,
  from: number,
  to: number,
  target: Uint8Array,
  at: number,
): number {
  if (to - from < 32) { while (from < to) target[at++] = source[from++]!; }
  else {
    target.set(from === 0 && to === source.length ? source : source.subarray(from, to), at);
    at += to - from;
  }
  return at;
}

/** Options of {@linkcode KissDecoder}. */
export interface KissOptions {
  /**
   * Largest frame, in unescaped bytes. A larger one is dropped to its end.
   *
   * @default {66608}
   */
  limit?: number;
  /** Told of each frame that is dropped, where it would have stood among the others. */
  onDrop?: (error: PacketError) => void;
}

/** How many frames a {@linkcode KissDecoder} has dropped, by reason. */
export interface KissDrops {
  /** Larger than the limit. */
  oversize: number;
  /** `DB` followed by neither `DC` nor `DD`. */
  escape: number;
}

/** Room for frames that come in parts: most fit, and idle links stay small. */
const MIN_CAPACITY = 256; // bytes

/** Most room made for frames that are yet to come. */
const MAX_AHEAD = 1 << 14; // bytes

const NO_ROOM: Bytes = new Uint8Array(0);

/** Throws a `RangeError` if frames cannot be that large. */
export function checkLimit(limit: number): void {
  if (Number.isSafeInteger(limit) && limit >= 1) return;
  throw new RangeError(`Cannot accept limit: ${limit} is not a positive integer`);
}

/**
 * Takes a stream in chunks of any size and gives back the frames in it, unescaped. Never throws;
 * holds at most `limit` bytes of an unfinished frame.
 */
export class KissDecoder {
  /** Frames dropped so far. */
  readonly dropped: KissDrops = { oversize: 0, escape: 0 };
  readonly #limit: number;
  readonly #onDrop: ((error: PacketError) => void) | undefined;
  /** Where frames are put together that do not lie in a chunk as they are, one behind another. */
  #buffer: Bytes = NO_ROOM;
  /** Where the one that has begun starts. */
  #start: number = 0;
  /** How much there is of it. */
  #size: number = 0;
  #state: "frame" | "escape" | "skip" = "frame";
  #adjoins: boolean = false;

  /**
   * Constructs a new instance.
   *
   * @throws {RangeError} If the limit is not a positive integer.
   */
  constructor(options: KissOptions = {}) {
    this.#limit = options.limit ?? MAX_PACKET_SIZE;
    checkLimit(this.#limit);
    this.#onDrop = options.onDrop;
  }

  /** Bytes of the frame that has begun and not ended. */
  get pending(): number {
    return this.#size;
  }

  /** Whether no frame has begun, not even one that is being dropped. */
  get between(): boolean {
    return this.#state === "frame" && this.#size === 0;
  }

  /**
   * Takes the next bytes of the stream.
   *
   * @param chunk Borrowed.
   * @returns The frames that end in it, each owned by the caller; empty ones are left out.
   */
  push(chunk: Uint8Array): Bytes[] {
    const frames: Bytes[] = [];
    this.forEach(chunk, (frame) => frames.push(frame));
    return frames;
  }

  /**
   * Like {@linkcode push}, but hands each frame over where it ends, in order with `onDrop`.
   *
   * @param chunk Borrowed.
   * @param onFrame Given frames that it then owns. Must not push into this decoder. `adjoins` says
   *   whether one delimiter alone divides it from the frame before, which may have been dropped; an
   *   empty frame or the start of the stream is no such frame.
   */
  forEach(chunk: Uint8Array, onFrame: (frame: Bytes, adjoins: boolean) => void): void {
    this.scan(chunk, (bytes, start, end, adjoins) => {
      onFrame(new Uint8Array(bytes.subarray(start, end)), adjoins);
    });
  }

  /**
   * Like {@linkcode forEach}, but copies no frame that lies in the chunk as it is.
   *
   * @param chunk The frames may be kept for as long as it does not change.
   * @param onFrame Given the bytes of which each frame is a part, and from where to where. They are
   *   the chunk's, or nobody's: they do not change any more.
   */
  scan(
    chunk: Uint8Array,
    onFrame: (bytes: Uint8Array, start: number, end: number, adjoins: boolean) => void,
  ): void {
    const { length } = chunk;
    for (let at = 0; at < length;) {
      if (this.#state === "skip") {
        const end = chunk.indexOf(END, at);
        if (end < 0) return;
        this.#begin();
        at = end + 1;
      } else if (this.#state === "escape") {
        const byte = chunk[at++]!;
        this.#state = "frame";
        if (byte === ESC_END) this.#append(END, length - at);
        else if (byte === ESC_ESC) this.#append(ESC, length - at);
        else this.#drop("escape");
        if (byte === END) this.#begin();
      } else {
        const special = findSpecial(chunk, at, length);
        const ends = special < length && chunk[special] === END;
        if (ends && this.#size === 0) {
          const start = at;
          const adjoins = this.#adjoins;
          at = special + 1;
          this.#adjoins = special > start;
          if (special - start > this.#limit) this.#drop("oversize", true);
          else if (special > start) onFrame(chunk, start, special, adjoins);
          continue;
        }
        const fits = this.#appendPart(chunk, at, special);
        at = special;
        if (special === length || !fits) continue;
        at++;
        if (ends) this.#finish(onFrame);
        else this.#state = "escape";
      }
    }
    if (this.#size === 0) this.#buffer = NO_ROOM;
  }

  /**
   * Takes a frame out of the stream, delimiter and all, that somebody else has found: while this is
   * {@linkcode between} two.
   *
   * @returns What {@linkcode scan} would have said of `adjoins`.
   */
  skip(): boolean {
    const adjoins = this.#adjoins;
    this.#adjoins = true;
    return adjoins;
  }

  /** A frame may begin, right behind a delimiter that has ended another. */
  #begin(): void {
    this.#state = "frame";
    this.#adjoins = true;
  }

  /** Hands over what has been put together. */
  #finish(
    onFrame: (bytes: Uint8Array, start: number, end: number, adjoins: boolean) => void,
  ): void {
    const adjoins = this.#adjoins;
    const start = this.#start;
    const end = start + this.#size;
    this.#start = end;
    this.#size = 0;
    this.#adjoins = true;
    onFrame(this.#buffer, start, end, adjoins);
  }

  #append(byte: number, left: number): void {
    if (this.#size === this.#limit) return this.#drop("oversize");
    this.#reserve(1, left);
    this.#buffer[this.#start + this.#size++] = byte;
  }

  /** Whether it is not too much. */
  #appendPart(chunk: Uint8Array, from: number, to: number): boolean {
    if (this.#size + to - from > this.#limit) {
      this.#drop("oversize");
      return false;
    }
    this.#reserve(to - from, chunk.length - to);
    copyPart(chunk, from, to, this.#buffer, this.#start + this.#size);
    this.#size += to - from;
    return true;
  }

  /**
   * Makes room for the frame to grow. What is in the buffer has been handed over: it is not used
   * again.
   *
   * @param left Bytes of the chunk that are yet to come.
   */
  #reserve(extra: number, left: number): void {
    const size = this.#size + extra;
    if (this.#start + size <= this.#buffer.length) return;
    const wanted = Math.max(MIN_CAPACITY, 2 * this.#size, Math.min(left, MAX_AHEAD));
    const grown = new Uint8Array(Math.max(size, Math.min(this.#limit, wanted)));
    copyPart(this.#buffer, this.#start, this.#start + this.#size, grown, 0);
    this.#buffer = grown;
    this.#start = 0;
  }

  /** Gives up on this frame, up to its delimiter, unless that has been seen. */
  #drop(reason: keyof KissDrops, over: boolean = false): void {
    const at = reason === "oversize" ? this.#limit : this.#size;
    this.#size = this.#start = 0;
    this.#buffer = NO_ROOM; // Whoever sent too much keeps no room here.
    if (!over) this.#state = "skip";
    this.dropped[reason]++;
    const why = reason === "oversize"
      ? `it is larger than ${this.#limit} bytes`
      : `byte ${at} is a broken escape`;
    this.#onDrop?.(new PacketError("ERR_PACKET_FRAME", `Cannot accept frame: ${why}`, at));
  }
}
