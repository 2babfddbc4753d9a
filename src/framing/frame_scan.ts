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

/** The highest bit of each byte of a word, and the lowest. */
const HIGHEST = 0x8080_8080 | 0;
const LOWEST = 0x0101_0101;

/** Words of nothing but delimiters, and of escapes. */
const ENDS = 0xc0c0_c0c0 | 0;
const ESCS = 0xdbdb_dbdb | 0;

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
    const fours = words & ~3;
    let i = 0;
    while (i < fours) {
      // Text has no byte that matters: sixteen at a time.
      const any = view[i]! | view[i + 1]! | view[i + 2]! | view[i + 3]!;
      if ((any & HIGHEST) === 0) {
        i += 4;
        continue;
      }
      for (const end = i + 4; i < end; i++) {
        if (mayMatter(view[i]!)) this.#look(chunk, head + 4 * i, head + 4 * i + 4);
      }
    }
    for (; i < words; i++) {
      if (mayMatter(view[i]!)) this.#look(chunk, head + 4 * i, head + 4 * i + 4);
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

/** Whether a word has a delimiter or an escape in it; now and then it is wrong to say so. */
function mayMatter(word: number): boolean {
  const ends = word ^ ENDS; // A byte of 0 for each.
  const escapes = word ^ ESCS;
  return ((ends - LOWEST & ~ends | escapes - LOWEST & ~escapes) & HIGHEST) !== 0;
}

function grown(numbers: Int32Array): Int32Array {
  const copy = new Int32Array(2 * numbers.length);
  copy.set(numbers);
  return copy;
}
