/**
 * Notices packets that go round in circles: through old routers, which know no hop limit, and where
 * several of us speak for one destination and disagree.
 *
 * Pure state.
 *
 * @module
 */

import type { Packet } from "../wire/packet.ts";
import type { Trailer } from "../wire/trailer.ts";
import { RecentPackets } from "./recent_packets.ts";
import { hashName, mix } from "./sequence.ts";

/** How often the same bytes may come over one link within 2 s: programs do repeat themselves. */
const MAX_REPEATS = 8;

/** How often a numbered packet may come by: twice is no loop, the route may have turned round. */
const MAX_PASSES = 3;

/** Bytes of a payload that are looked at, from each end. */
const SAMPLE = 64;

/** The last packets, by number where they have one, else by all that stays the same on their way. */
export class SeenCache {
  // Each takes 90 KiB: they are made when the first packet comes that may go round.
  #numbered: RecentPackets | null = null;
  #others: RecentPackets | null = null;

  /** Notes a numbered packet. True if it has been here too often. */
  numberGoesRound({ instance, counter }: Trailer, link: number, now: number): boolean {
    const slot = mix(instance, counter);
    const numbered = this.#numbered ??= new RecentPackets();
    return Math.abs(numbered.note(slot, instance, counter, link, now)) > MAX_PASSES;
  }

  /** Notes a packet. True if it has been here before over another link, or too often. */
  goesRound(packet: Packet, link: number, now: number): boolean {
    const first = fingerprint(packet);
    const second = mix(first, packet.ctx, packet.seq, packet.ack, sample(packet.data, 1));
    const others = this.#others ??= new RecentPackets();
    const times = others.note(first, first, second, link, now);
    return times < 0 || times > MAX_REPEATS;
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
