/**
 * {@linkcode ReadBuffer}: where the bytes go that a socket is asked for.
 *
 * @module
 */

/** An idle connection waits with so many bytes, which many small reads share. */
const SMALL = 1 << 10;

/** A read that may be followed by others in the same buffer leaves them at least so many. */
const MIN_ROOM = SMALL / 2;

/** While much comes, so many are read at once. */
const LARGE = 1 << 16;

/** Fewer bytes are copied out of a large buffer, more take it with them. */
const COPY_LIMIT = 1 << 13;

/** Room for the next read: little while little comes. What it gives out is never written again. */
export class ReadBuffer {
  #buffer: Uint8Array = new Uint8Array(SMALL);

  /** What to read into, until {@linkcode take}. */
  get room(): Uint8Array {
    return this.#buffer;
  }

  /**
   * Takes what has been read.
   *
   * @param size Bytes at the start of {@linkcode room}.
   * @returns Those bytes, owned by the caller.
   */
  take(size: number): Uint8Array {
    const room = this.#buffer;
    if (room.length <= SMALL) {
      if (size === room.length) this.#buffer = new Uint8Array(LARGE); // There is more.
      else if (room.length - size < MIN_ROOM) this.#buffer = new Uint8Array(SMALL);
      else this.#buffer = room.subarray(size);
      return room.subarray(0, size);
    }
    if (size < COPY_LIMIT) {
      if (size < MIN_ROOM) this.#buffer = new Uint8Array(SMALL);
      return room.slice(0, size);
    }
    this.#buffer = new Uint8Array(LARGE);
    return room.subarray(0, size);
  }
}
