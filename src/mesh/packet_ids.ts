/**
 * Remembers numbered packets, to notice those that go round in circles.
 *
 * Pure state.
 *
 * @module
 */

import type { Trailer } from "../wire/trailer.ts";
import { mix } from "./sequence.ts";

const SLOTS = 4_096;

/** For how long a packet is remembered, in ms. */
const LIFETIME = 2_000;

/** How often it may come by: twice is no loop, for the route may have turned round under it. */
const MAX_PASSES = 3;

/** The last numbered packets. */
export class PacketIds {
  readonly #instances: Int32Array = new Int32Array(SLOTS);
  readonly #counters: Int32Array = new Int32Array(SLOTS);
  readonly #passes: Uint8Array = new Uint8Array(SLOTS);
  readonly #times: Float64Array = new Float64Array(SLOTS).fill(-Infinity);

  /** Notes a packet. True if it has been here too often. */
  goesRound({ instance, counter }: Trailer, now: number): boolean {
    const slot = mix(instance, counter) & (SLOTS - 1);
    const known = this.#instances[slot] === (instance | 0) &&
      this.#counters[slot] === (counter | 0) && now - this.#times[slot]! < LIFETIME;
    if (known) return ++this.#passes[slot]! > MAX_PASSES;
    this.#instances[slot] = instance;
    this.#counters[slot] = counter;
    this.#passes[slot] = 1;
    this.#times[slot] = now;
    return false;
  }
}
