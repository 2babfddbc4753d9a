/**
 * Packets that have come by lately, by two numbers that tell one from another.
 *
 * Pure state.
 *
 * @module
 */

const SLOTS = 4_096;

/** For how long a packet is remembered, in ms. */
const LIFETIME = 2_000;

/** How often a packet is counted at most. */
const MAX_COUNT = 255;

/** The last packets; a newer one takes the place of an older one in the same slot. */
export class RecentPackets {
  readonly #first: Int32Array = new Int32Array(SLOTS);
  readonly #second: Int32Array = new Int32Array(SLOTS);
  readonly #links: Int32Array = new Int32Array(SLOTS);
  readonly #counts: Uint8Array = new Uint8Array(SLOTS);
  readonly #times: Float64Array = new Float64Array(SLOTS).fill(-Infinity);

  /**
   * Notes a packet.
   *
   * @param slot Any whole number; equal packets must have equal ones.
   * @returns How often it has come by, this time included; less than 0 if it came over another link
   *   at first.
   */
  note(slot: number, first: number, second: number, link: number, now: number): number {
    const at = slot & (SLOTS - 1);
    const known = this.#first[at] === (first | 0) && this.#second[at] === (second | 0) &&
      now - this.#times[at]! < LIFETIME;
    if (known) {
      const count = this.#counts[at] = Math.min(MAX_COUNT, this.#counts[at]! + 1);
      return this.#links[at] === link ? count : -count;
    }
    this.#first[at] = first;
    this.#second[at] = second;
    this.#links[at] = link;
    this.#counts[at] = 1;
    this.#times[at] = now;
    return 1;
  }
}
