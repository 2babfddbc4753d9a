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
  #at: number = 0;

  /** Constructs a new instance; the data is borrowed until the last frame has been cut. */
  constructor(data: Uint8Array, typ: number) {
    this.#data = data;
    this.#typ = typ;
  }

  /** Bytes that have not been cut. */
  get left(): number {
    return this.#data.length - this.#at;
  }

  /** The next frame, with data of its own; the last one if nothing is {@linkcode left} then. */
  next(): CallFrame {
    const data = new Uint8Array(this.#data.subarray(this.#at, this.#at + CHUNK_SIZE));
    this.#at += data.length;
    return callFrame(CALL.data, { flags: this.left > 0 ? DATA_MORE : 0, data, typ: this.#typ });
  }
}

/** Puts items together. */
export class ItemJoiner {
  readonly #limit: number;
  #parts: Uint8Array[] = [];
  #size: number = 0;

  /** Constructs a new instance; an item may have `limit` bytes. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether the item has become too large. */
  get overflown(): boolean {
    return this.#size > this.#limit;
  }

  /** Takes a frame of kind `data`; returns the item if that was its last. */
  push({ data, flags }: CallFrame): Uint8Array | null {
    const last = (flags & DATA_MORE) === 0;
    if (last && this.#parts.length === 0 && data.length <= this.#limit) return data;
    this.#size += data.length;
    if (this.overflown) {
      this.#parts = [];
      return null;
    }
    this.#parts.push(data);
    if (!last) return null;
    const item = new Uint8Array(this.#size);
    let at = 0;
    for (const part of this.#parts) {
      item.set(part, at);
      at += part.length;
    }
    this.#parts = [];
    this.#size = 0;
    return item;
  }
}
