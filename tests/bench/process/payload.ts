/**
 * What messages carry.
 *
 * @module
 */

/** Printable ASCII, or random bytes, of which some need escaping in a stream of frames. */
export type Filling = "text" | "random";

/** Makes one payload, always the same. */
export function payload(size: number, filling: Filling = "text"): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let state = 0x2545_f491;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = filling === "random" ? state >>> 24 : 32 + (state >>> 24) % 95;
  }
  return bytes;
}
