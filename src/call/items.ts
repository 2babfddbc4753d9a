/**
 * Items of a call, cut into frames and put together again.
 *
 * Pure.
 *
 * @module
 */

import { CALL, type CallKind, DATA_MORE } from "../wire/call_mark.ts";
import { type CallFrame, CHUNK_SIZE } from "./frame.ts";

const NO_BYTES: Uint8Array = new Uint8Array(0);

/** A frame; what is left out is 0 or empty. */
export function callFrame(kind: CallKind, fields: Partial<CallFrame> = {}): CallFrame {
  return { kind, flags: 0, argument: 0, data: NO_BYTES, typ: 0, ...fields };
}

/** An item that is being cut into frames, one at a time, so that only those in use are copied. */
export class ItemCutter {
  readonly #data: Uint8Array;
  readonly #typ: number;
  readonly #size: number;
  #at: number = 0;

  /**
   * Constructs a new instance.
   *
   * @param data Borrowed until the last frame has been cut.
   * @param size How much of it goes into one frame, in bytes.
   */
  constructor(data: Uint8Array, typ: number, size: number = CHUNK_SIZE) {
    this.#data = data;
    this.#typ = typ;
    this.#size = size;
  }

  /** Bytes that have not been cut. */
  get left(): number {
    return this.#data.length - this.#at;
  }

  /** The next frame, with data of its own; the last one if nothing is {@linkcode left} then. */
  next(): CallFrame {
    const data = new Uint8Array(this.#data.subarray(this.#at, this.#at + this.#size));
    this.#at += data.length;
    return callFrame(CALL.data, { flags: this.left > 0 ? DATA_MORE : 0, data, typ: this.#typ });
  }
}

/** Puts items together. */
export class ItemJoiner {
  readonly #limit: number;
  /** The item so far; any two parts that follow each other are more than a chunk. */
  #parts: Uint8Array[] = [];
  #size: number = 0;

  /** Constructs a new instance; an item may have `limit` bytes. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether an item was too large. Nothing is put together after that. */
  get overflown(): boolean {
    return this.#size > this.#limit;
  }

  /**
   * Takes a frame of kind `data`; its data is borrowed until the item is whole.
   *
   * @returns The item if that was its last frame, else `null`.
   */
  push({ data, flags }: CallFrame): Uint8Array | null {
    this.#size += data.length;
    if (this.overflown) {
      this.#parts = [];
      return null;
    }
    const previous = this.#parts.at(-1);
    if (previous !== undefined && previous.length + data.length <= CHUNK_SIZE) {
      // Whoever sends crumbs is no friend: apart, they take far more memory than they have bytes.
      this.#parts[this.#parts.length - 1] = joined([previous, data]);
    } else {
      this.#parts.push(data);
    }
    if ((flags & DATA_MORE) !== 0) return null;
    const item = this.#parts.length === 1 ? this.#parts[0]! : joined(this.#parts);
    this.#parts = [];
    this.#size = 0;
    return item;
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
