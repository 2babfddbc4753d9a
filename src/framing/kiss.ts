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
  for (let i = 0; i < packet.length; i++) {
    if (packet[i] === END || packet[i] === ESC) escapes++;
  }
  const frame = new Uint8Array(packet.length + escapes + 1);
  if (escapes === 0) {
    frame.set(packet);
  } else {
    let at = 0;
    for (let i = 0; i < packet.length; i++) {
      const byte = packet[i]!;
      if (byte === END || byte === ESC) {
        frame[at++] = ESC;
        frame[at++] = byte === END ? ESC_END : ESC_ESC;
      } else {
        frame[at++] = byte;
      }
    }
  }
  frame[frame.length - 1] = END;
  return frame;
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

const INITIAL_CAPACITY = 256; // Bytes: most packets fit, and idle links stay small.

/**
 * Takes a stream in chunks of any size and gives back the frames in it, unescaped. Never throws;
 * holds at most `limit` bytes of an unfinished frame.
 */
export class KissDecoder {
  /** Frames dropped so far. */
  readonly dropped: KissDrops = { oversize: 0, escape: 0 };
  readonly #limit: number;
  readonly #onDrop: ((error: PacketError) => void) | undefined;
  #buffer: Bytes = new Uint8Array(INITIAL_CAPACITY);
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
    if (!Number.isSafeInteger(this.#limit) || this.#limit < 1) {
      throw new RangeError(`Cannot accept limit: ${this.#limit} is not a positive integer`);
    }
    this.#onDrop = options.onDrop;
  }

  /** Bytes of the frame that has begun and not ended. */
  get pending(): number {
    return this.#size;
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
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i]!;
      if (byte === END) {
        const empty = this.#state === "frame" && this.#size === 0;
        if (this.#state === "escape") this.#drop("escape");
        else if (this.#size > 0) onFrame(this.#buffer.slice(0, this.#size), this.#adjoins);
        this.#adjoins = !empty;
        this.#size = 0;
        this.#state = "frame";
      } else if (this.#state === "frame") {
        if (byte === ESC) this.#state = "escape";
        else this.#append(byte);
      } else if (this.#state === "escape") {
        this.#state = "frame";
        if (byte === ESC_END) this.#append(END);
        else if (byte === ESC_ESC) this.#append(ESC);
        else this.#drop("escape");
      }
    }
  }

  /** A frame has been taken out of the stream by somebody else, while none had begun here. */
  skip(): void {
    this.#adjoins = true;
  }

  #append(byte: number): void {
    if (this.#size === this.#limit) return this.#drop("oversize");
    if (this.#size === this.#buffer.length) {
      const grown = new Uint8Array(Math.min(this.#limit, this.#size * 2));
      grown.set(this.#buffer);
      this.#buffer = grown;
    }
    this.#buffer[this.#size++] = byte;
  }

  /** Gives up on this frame, up to its delimiter. */
  #drop(reason: keyof KissDrops): void {
    const at = this.#size;
    this.#size = 0;
    this.#buffer = new Uint8Array(INITIAL_CAPACITY); // Whoever sent too much keeps no room here.
    this.#state = "skip";
    this.dropped[reason]++;
    const why = reason === "oversize"
      ? `it is larger than ${this.#limit} bytes`
      : `byte ${at} is a broken escape`;
    this.#onDrop?.(new PacketError("ERR_PACKET_FRAME", `Cannot accept frame: ${why}`, at));
  }
}
