/**
 * Remembers packets that have come by, to notice those that go round in circles through old
 * routers, which know no hop limit.
 *
 * Pure state.
 *
 * @module
 */

import type { Packet } from "../wire/packet.ts";
import { hashName, mix } from "./sequence.ts";

const SLOTS = 4_096;

/** For how long a packet is remembered, in ms. */
const LIFETIME = 2_000;

/** How often the same bytes may come over one link meanwhile: programs do repeat themselves. */
const MAX_REPEATS = 8;

/** Bytes of a payload that are looked at, from each end. */
const SAMPLE = 64;

/** The last packets, by two hashes of all that stays the same on their way. */
export class SeenCache {
  readonly #first: Int32Array = new Int32Array(SLOTS);
  readonly #second: Int32Array = new Int32Array(SLOTS);
  readonly #links: Int32Array = new Int32Array(SLOTS);
  readonly #counts: Uint8Array = new Uint8Array(SLOTS);
  readonly #times: Float64Array = new Float64Array(SLOTS).fill(-Infinity);

  /** Notes a packet. True if it has been here before, over another link, or too often. */
  goesRound(packet: Packet, link: number, now: number): boolean {
    const first = fingerprint(packet);
    const second = mix(first, packet.ctx, packet.seq, packet.ack, sample(packet.data, 1));
    const slot = first & (SLOTS - 1);
    const known = this.#first[slot] === first && this.#second[slot] === second &&
      now - this.#times[slot]! < LIFETIME;
    if (!known) {
      this.#first[slot] = first;
      this.#second[slot] = second;
      this.#links[slot] = link;
      this.#counts[slot] = 1;
      this.#times[slot] = now;
      return false;
    }
    if (this.#links[slot] !== link) return true;
    return ++this.#counts[slot]! > MAX_REPEATS;
  }
}

function fingerprint({ srv, src, dst, seq, ack, ctx, typ, data }: Packet): number {
  return mix(hashName(srv), hashName(src), hashName(dst), seq, ack, ctx, typ, sample(data, 0));
}

/** A hash of a payload's size, beginning and end. */
function sample(data: Uint8Array, seed: number): number {
  let hash = mix(data.length, seed);
  const end = data.length;
  for (let i = 0; i < Math.min(SAMPLE, end); i++) hash = Math.imul(hash ^ data[i]!, 0x0100_0193);
  for (let i = Math.max(SAMPLE, end - SAMPLE); i < end; i++) {
    hash = Math.imul(hash ^ data[i]!, 0x0100_0193);
  }
  return hash;
}
