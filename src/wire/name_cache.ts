/**
 * Names that come again and again, so that reading one makes no string anew.
 *
 * @module
 */

const SLOTS = 1 << 10; // A power of two.

/**
 * Remembers ASCII names by their bytes, one in each slot: the last that fell into it. It is a memo
 * and no state: what it answers does not depend on what it holds.
 */
export class NameCache {
  readonly #slots: string[] = new Array(SLOTS).fill("");

  /** The name in these bytes, or `null` if they are not ASCII. */
  read(bytes: Uint8Array, start: number, end: number): string | null {
    let hash = 0;
    let high = 0;
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!;
      high |= byte;
      hash = Math.imul(hash, 31) + byte | 0;
    }
    if (high >= 0x80) return null;
    const slot = (hash ^ hash >>> 10) & SLOTS - 1;
    const known = this.#slots[slot]!;
    if (isSame(known, bytes, start, end)) return known;
    const name = String.fromCharCode.apply(null, bytes.subarray(start, end) as unknown as number[]);
    this.#slots[slot] = name;
    return name;
  }
}

function isSame(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  const size = end - start;
  if (text.length !== size) return false;
  for (let i = 0; i < size; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}
