/**
 * Finding frames: where each ends in a chunk, and how many of its bytes are escaped, in one pass.
 *
 * Pure state.
 *
 * @module
 */

const END = 0xc0;
const ESC = 0xdb;
const ESC_END = 0xdc;
const ESC_ESC = 0xdd;

/** The highest bit of each byte of a word. */
const HIGHEST = 0x8080_8080 | 0;

/** Chunks of fewer words are looked at byte by byte. */
const MIN_WORDS = 8;

/** What stands for the number of escapes of a frame with one that means nothing. */
export const BROKEN = -1;

/** The frames that end in one chunk; used again for the next. */
export class FrameScan {
  /** How many there are. */
  count: number = 0;
  /** Where the delimiter of each is. */
  ends: Int32Array = new Int32Array(16);
  /** How many escaped bytes each has, or {@linkcode BROKEN}. */
  escapes: Int32Array = new Int32Array(16);
  /** Those of the frame that has not ended. */
  #escapes: number = 0;

  /** Looks through a chunk, which is only borrowed. Its first frame may have begun earlier. */
  scan(chunk: Uint8Array): void {
    this.count = this.#escapes = 0;
    const { buffer, byteOffset, length } = chunk;
    const head = -byteOffset & 3; // Words are aligned.
    const words = (length - head) >> 2;
    if (words < MIN_WORDS) return this.#look(chunk, 0, length);
    this.#look(chunk, 0, head);
    const view = new Int32Array(buffer, byteOffset + head, words);
    for (let i = 0; i < words; i++) {
      const word = view[i]!;
      // Both bytes that matter begin with two one bits; few others do, and none of ASCII.
      if ((word & (word << 1) & HIGHEST) === 0) continue;
      this.#look(chunk, head + 4 * i, head + 4 * i + 4);
    }
    this.#look(chunk, head + 4 * words, length);
  }

  #look(chunk: Uint8Array, start: number, end: number): void {
    for (let i = start; i < end; i++) {
      const byte = chunk[i];
      if (byte === END) {
        this.#end(i);
      } else if (byte === ESC) {
        const next = chunk[i + 1];
        if (next !== ESC_END && next !== ESC_ESC) this.#escapes = BROKEN;
        else if (this.#escapes !== BROKEN) this.#escapes++;
      }
    }
  }

  #end(at: number): void {
    if (this.count === this.ends.length) {
      this.ends = grown(this.ends);
      this.escapes = grown(this.escapes);
    }
    this.ends[this.count] = at;
    this.escapes[this.count++] = this.#escapes;
    this.#escapes = 0;
  }
}

function grown(numbers: Int32Array): Int32Array {
  const copy = new Int32Array(2 * numbers.length);
  copy.set(numbers);
  return copy;
}
