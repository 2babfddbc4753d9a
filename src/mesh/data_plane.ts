/**
 * Carrying application packets: which link each goes over, which must not go on, and which wait.
 *
 * Pure: what is sent goes out as effects.
 *
 * @module
 */

import { ChannelError, UnreachableError } from "../errors.ts";
import { compact } from "../wire/bytes.ts";
import { Packet } from "../wire/packet.ts";
import type { Trailer } from "../wire/trailer.ts";
import type { Core } from "./core.ts";
import type { DropReason } from "./drop_reason.ts";
import { isRevealing } from "./reserved.ts";
import { SeenCache } from "./seen_cache.ts";
import { isProxied } from "./sequence.ts";
import type { Destination, Neighbour } from "./state.ts";

/** How long a packet may wait for a route that is being looked for, in ms. */
const HOLD_TIME = 1_000;

/** Packets that may wait for one destination, and bytes for all together. */
const MAX_HELD = 1_024;
const MAX_HELD_BYTES = 1 << 20;

/** What a waiting packet counts for beside its payload, in bytes. */
const HELD_OVERHEAD = 64;

/** The highest hop limit there is. */
const MAX_HOPS = 255;

/** Trailers with a hop limit alone: the same for all packets, for they are never changed. */
const HOP_LIMITS: readonly Trailer[] = Array.from({ length: MAX_HOPS + 1 }, (_, hops) => {
  return { hops, instance: 0, counter: 0 };
});

/** A packet that waits. */
interface Held {
  packet: Packet;
  from: Neighbour | null;
  until: number;
}

/** Carries packets. */
export class DataPlane {
  readonly #core: Core;
  readonly #isStarving: (destination: Destination) => boolean;
  readonly #introduce: (neighbour: Neighbour, address: string, now: number) => void;
  readonly #seen: SeenCache = new SeenCache();
  readonly #held: Map<Destination, Held[]> = new Map();
  /** Destinations for which somebody will look whether packets have waited too long. */
  readonly #timed: Set<Destination> = new Set();
  #heldBytes: number = 0;
  #counter: number = 0;

  /** Constructs a new instance. */
  constructor(
    core: Core,
    isStarving: (destination: Destination) => boolean,
    introduce: (neighbour: Neighbour, address: string, now: number) => void,
  ) {
    this.#core = core;
    this.#isStarving = isStarving;
    this.#introduce = introduce;
  }

  /** Brings a packet on its way; `from` is who sent it to us, `null` the application. */
  carry(packet: Packet, from: Neighbour | null, now: number): void {
    const { identity, emit, stub } = this.#core;
    if (from !== null && !mayBring(from, packet)) return this.#refuse(packet, from);
    if (packet.dst === identity.address) {
      emit({ kind: "deliver", packet });
    } else if (stub && from !== null && packet.dst !== "") {
      this.#unreachable(packet, "stub", "this router carries nothing for others", from);
    } else if (packet.dst !== "") {
      this.#forward(packet, from, now);
    } else {
      this.#multicast(packet, from, now);
    }
  }

  /** Whether a packet to ourselves is to be delivered; else it is told that it is refused. */
  mayEnd(packet: Packet, from: Neighbour): boolean {
    if (mayBring(from, packet)) return true;
    this.#refuse(packet, from);
    return false;
  }

  /**
   * Makes a packet of our own ready to go to another router.
   *
   * @returns Over whose link; `null`, and nothing is done, if it cannot go at once, or something has
   *   to be told first.
   */
  dispatch(packet: Packet): Neighbour | null {
    const { routes, identity } = this.#core;
    const { address } = identity;
    const destination = routes.get(packet.dst);
    if (destination === undefined || packet.dst === address) return null;
    const to = destination.selected;
    if (to === null || to.suspended) return null;
    if (packet.src !== "" && packet.src !== address) return null;
    if (to.kind === "modern" && (to.isOwed || to.told.cost(routes.self.id) === 0)) return null;
    packet.src = address;
    packet.nxt = to.address;
    packet.trailer = null;
    packet.trailer = to.takesTrailers ? this.#trailer(packet, destination) : null;
    return to;
  }

  /** There is a way again: what has waited goes on. */
  release(destination: Destination, now: number): void {
    const held = this.#take(destination);
    for (const { packet, from } of held) this.#send(packet, destination, from, now);
  }

  /** A neighbour may be sent packets again: what has waited for it goes on. */
  resume(neighbour: Neighbour, now: number): void {
    for (const destination of [...this.#held.keys()]) {
      if (destination.selected === neighbour) this.release(destination, now);
    }
  }

  /** There is no hope: what has waited is dropped. */
  lost(destination: Destination): void {
    for (const { packet, from } of this.#take(destination)) this.#noRoute(packet, from);
  }

  // ── forwarding ────────────────────────────────────────────────────────────

  /** One copy to every instance of the service, our own first. */
  #multicast(packet: Packet, from: Neighbour | null, now: number): void {
    const instances = this.#core.services.sorted(packet.srv);
    if (instances.length === 0) {
      const error = new UnreachableError(
        "ERR_NO_SERVICE",
        `Cannot send packet: nobody offers "${packet.srv}"`,
        packet.srv,
      );
      this.#core.emit({ kind: "drop", packet, error, reason: "no-service", link: from?.link });
    }
    const allowed = from === null
      ? instances
      : instances.filter((address) => mayCall(from, packet.srv, address));
    if (from !== null && allowed.length === 0 && instances.length > 0) this.#refuse(packet, from);
    for (const address of allowed) {
      const copy = new Packet(packet);
      copy.dst = address;
      this.carry(copy, from, now);
    }
  }

  #forward(packet: Packet, from: Neighbour | null, now: number): void {
    if (from !== null && !this.#mayGoOn(packet, from, now)) return;
    const destination = this.#core.routes.get(packet.dst);
    if (destination === undefined) return this.#noRoute(packet, from);
    const { selected } = destination;
    if (selected !== null && !selected.suspended) return this.#send(packet, destination, from, now);
    if (selected === null && !this.#isStarving(destination)) return this.#noRoute(packet, from);
    this.#hold(packet, destination, from, now);
  }

  /** Whether a packet that came over a link has not been going round. */
  #mayGoOn(packet: Packet, from: Neighbour, now: number): boolean {
    const { trailer, dst } = packet;
    if (from.kind === "modern" && trailer !== null && trailer.hops > 0) {
      if (trailer.hops === 1) {
        const why = `it has been forwarded too often on its way to "${dst}"`;
        this.#unreachable(packet, "hops", why, from);
        return false;
      }
      const numbered = trailer.counter !== 0;
      if (!numbered || !this.#seen.numberGoesRound(trailer, from.link, now)) return true;
    } else {
      const ours = packet.src === this.#core.identity.address;
      if (!ours && !this.#seen.goesRound(packet, from.link, now)) return true;
    }
    this.#unreachable(packet, "loop", `it has come back on its way to "${dst}"`, from);
    return false;
  }

  /** Sends a packet over the link that leads to its destination. */
  #send(packet: Packet, destination: Destination, from: Neighbour | null, now: number): void {
    const { routes, emit } = this.#core;
    let to = destination.selected!;
    if (to === from) {
      // Not back where it came from, if there is another way without a loop. Else one of our kind
      // may have it again: it has been on its way while the route turned round. An old peer may
      // not: it would send it here once more.
      to = routes.alternative(destination, from, now) ?? to;
      if (to === from && from.kind !== "modern") {
        return this.#unreachable(packet, "loop", `"${packet.dst}" is where it came from`, from);
      }
    }
    if (to.kind === "modern") this.#introduce(to, packet.src, now);
    packet.nxt = to.address;
    packet.trailer = to.takesTrailers ? this.#trailer(packet, destination) : null;
    emit({ kind: "transmit", link: to.link, packet });
  }

  /** What goes with a packet to one of our kind: a limit that nobody on the way can raise by much. */
  #trailer({ trailer }: Packet, { cost, origin }: Destination): NonNullable<Packet["trailer"]> {
    const known = trailer !== null && trailer.hops > 0;
    const hops = known
      ? Math.min(trailer.hops - 1, maxHops(cost))
      : Math.min(MAX_HOPS, 2 * cost + 8);
    if (trailer !== null && trailer.counter !== 0) return { ...trailer, hops };
    // Where others speak for the destination, they may disagree, and packets go round.
    if (!isProxied(origin)) return HOP_LIMITS[hops]!;
    this.#counter = (this.#counter + 1) >>> 0 || 1;
    return { hops, instance: this.#core.identity.proxyOrigin >>> 0, counter: this.#counter };
  }

  // ── waiting ───────────────────────────────────────────────────────────────

  #hold(packet: Packet, destination: Destination, from: Neighbour | null, now: number): void {
    const size = packet.data.length + HELD_OVERHEAD;
    const held = this.#held.get(destination) ?? [];
    if (held.length >= MAX_HELD || this.#heldBytes + size > MAX_HELD_BYTES) {
      const why = `too much waits for "${packet.dst}" already`;
      return this.#unreachable(packet, "hold", why, from);
    }
    packet.data = compact(packet.data);
    held.push({ packet, from, until: now + HOLD_TIME });
    this.#held.set(destination, held);
    this.#heldBytes += size;
    if (!this.#timed.has(destination)) this.#expireAt(destination, now + HOLD_TIME);
  }

  #expireAt(destination: Destination, at: number): void {
    this.#timed.add(destination);
    this.#core.agenda.add(at, (now) => {
      this.#timed.delete(destination);
      const waiting = this.#take(destination);
      const left = waiting.filter(({ until }) => until > now);
      for (const { packet, from } of waiting.slice(0, waiting.length - left.length)) {
        if (destination.selected === null) this.#noRoute(packet, from);
        else this.#send(packet, destination, from, now);
      }
      if (left.length === 0) return;
      this.#held.set(destination, left);
      for (const { packet } of left) this.#heldBytes += packet.data.length + HELD_OVERHEAD;
      this.#expireAt(destination, left[0]!.until);
    });
  }

  #take(destination: Destination): Held[] {
    const held = this.#held.get(destination);
    if (held === undefined) return [];
    this.#held.delete(destination);
    for (const { packet } of held) this.#heldBytes -= packet.data.length + HELD_OVERHEAD;
    return held;
  }

  // ── giving up ─────────────────────────────────────────────────────────────

  #refuse(packet: Packet, from: Neighbour): void {
    const { srv, dst } = packet;
    const what = srv === "" ? `packet to "${dst}"` : `packet for "${srv}"${dst && ` at "${dst}"`}`;
    const why = `the policy of the link does not let "${from.address}" send it`;
    const error = new ChannelError("ERR_CHANNEL_REFUSED", `Cannot carry ${what}: ${why}`);
    this.#core.emit({ kind: "drop", packet, error, reason: "refused", link: from.link });
  }

  #noRoute(packet: Packet, from: Neighbour | null): void {
    this.#unreachable(packet, "no-route", `no route leads to "${packet.dst}"`, from);
  }

  #unreachable(packet: Packet, reason: DropReason, why: string, from: Neighbour | null): void {
    const error = new UnreachableError("ERR_NO_ROUTE", `Cannot send packet: ${why}`, packet.dst);
    this.#core.emit({ kind: "drop", packet, error, reason, link: from?.link });
  }
}

/** The highest hop limit that a packet is sent on with, over so long a way. */
export function maxHops(cost: number): number {
  return 2 * cost + 16;
}

/** Whether a neighbour may send a packet, as far as that is a matter of policy. */
export function mayBring(neighbour: Neighbour, { src, dst, srv }: Packet): boolean {
  const { rules, address, trusted } = neighbour;
  if (!trusted && isRevealing(srv)) return false;
  if (rules.stub && address !== "" && src !== "" && src !== address) return false;
  if (dst === "") return true; // Each copy is looked at.
  return srv === "" ? neighbour.mayKnow(dst) : mayCall(neighbour, srv, dst);
}

/** Whether a neighbour may call a service. */
function mayCall(neighbour: Neighbour, service: string, host: string): boolean {
  return neighbour.mayKnow(host) && neighbour.rules.calls(service, host);
}
