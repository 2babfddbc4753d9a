/**
 * Bytes that come in parts and are wanted whole.
 *
 * @module
 */

import { type Bytes, NO_BYTES } from "../wire/bytes.ts";

/** Grows as bytes come in; takes no room while there are none. Pure state. */
export class ByteBuffer {
  #bytes: Bytes = NO_BYTES;
  #size: number = 0;

  /** How many there are. */
  get size(): number {
    return this.#size;
  }

  /** Adds a copy of bytes. */
  append(bytes: Uint8Array): void {
    const size = this.#size + bytes.length;
    if (size > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(size, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, this.#size));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, this.#size);
    this.#size = size;
  }

  /** Takes them all out. */
  take(): Bytes {
    const bytes = this.#bytes.subarray(0, this.#size);
    this.#bytes = NO_BYTES;
    this.#size = 0;
    return bytes;
  }
}
