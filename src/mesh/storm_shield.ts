/**
 * What keeps a storm out: rings of old routers repeat some adverts for ever, thousands a second.
 *
 * @module
 */

import type { Packet } from "../wire/packet.ts";
import { NET_ROUTE, NET_SERVICE } from "../wire/limits.ts";

/** Adverts that are remembered. */
const SLOTS = 64;

/** For how long, in ms. */
const LIFETIME = 1_000;

/** The last advert of each of 64 kinds that came over one link. */
export class StormShield {
  readonly #hashes: Int32Array = new Int32Array(SLOTS);
  readonly #times: Float64Array = new Float64Array(SLOTS).fill(-Infinity);

  /**
   * Whether a packet says again, within a second, the last thing that was said of its service, or
   * withdraws a route that was withdrawn last. It need not even be read.
   */
  repeats({ net, data }: Packet, now: number): boolean {
    if (net !== NET_SERVICE && net !== NET_ROUTE) return false;
    const end = data.length - 2; // Before the number at the end is what it is about.
    let hash = net;
    for (let i = 0; i < end; i++) hash = Math.imul(hash ^ data[i]!, 0x0100_0193);
    const slot = (hash ^ (hash >>> 16)) & (SLOTS - 1);
    for (let i = Math.max(0, end); i < data.length; i++) {
      hash = Math.imul(hash ^ data[i]!, 0x0100_0193);
    }
    const same = this.#hashes[slot] === hash && now - this.#times[slot]! < LIFETIME;
    this.#hashes[slot] = hash;
    if (!same) this.#times[slot] = now;
    // An offer of a route is worth reading: we may have forgotten it meanwhile.
    return same && (net === NET_SERVICE || (data[end] === 0 && data[end + 1] === 0));
  }

  /** Forgets everything: what is repeated from now on is news. */
  clear(): void {
    this.#times.fill(-Infinity);
  }
}
