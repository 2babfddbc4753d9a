/**
 * Keeps floods out: what a neighbour says beyond what it may is dropped, and asked for again when
 * the flood is over. Rings of old routers repeat their adverts for ever, thousands a second.
 *
 * Pure: what is told goes out as effects.
 *
 * @module
 */

import { type AlnError, ChannelError } from "../errors.ts";
import type { Packet } from "../wire/packet.ts";
import type { Core } from "./core.ts";
import type { DropReason } from "./drop_reason.ts";
import type { DropTally } from "./drop_tally.ts";
import type { Metered } from "./rate_limits.ts";
import type { Neighbour } from "./state.ts";

/** What is no packet is told one by one, for whoever looks for the fault; in a second so often. */
const UNREADABLE = 20;

/** A flood is over when nothing was dropped for so long, in ms. */
const CALM = 1_000;

/** Until a neighbour is asked to tell all again, it must be able to: so much, and what it told, twice. */
const ROOM = 1_000;

/** What a kind of thing is called. */
const WORDS: Record<Metered, string> = {
  adverts: "routes and services",
  withdrawals: "withdrawals",
  records: "routes and services",
  packets: "packets",
  unreadable: "what is no packet",
};

/** What floods want of others. */
export interface FloodHooks {
  /** Ask a neighbour to tell all again. */
  ask(neighbour: Neighbour, now: number): void;
  /** The link is of no use: treat it as down. */
  drop(neighbour: Neighbour, error: ChannelError, now: number): void;
}

/** Keeps floods out. */
export class Floods {
  readonly #core: Core;
  readonly #tally: DropTally;
  readonly #hooks: FloodHooks;
  /** The most that a neighbour may tell at once. */
  readonly #burst: number;

  /** Constructs a new instance. */
  constructor(core: Core, tally: DropTally, hooks: FloodHooks, burst: number) {
    this.#core = core;
    this.#tally = tally;
    this.#hooks = hooks;
    this.#burst = burst;
  }

  /** Something has come, of which a neighbour says so much. False if its link is closed for that. */
  bears(neighbour: Neighbour, kind: Metered, now: number, count: number = 1): boolean {
    const meter = neighbour.meters.of(kind);
    if (!meter.floods(now, count)) return true;
    const why = `${nameOf(neighbour)} floods it with ${WORDS[kind]}`;
    const error = new ChannelError("ERR_CHANNEL_PROTOCOL", `Cannot keep channel: ${why}`);
    this.#hooks.drop(neighbour, error, now);
    return false;
  }

  /** Whether a neighbour may say this; else it is dropped. */
  admits(neighbour: Neighbour, kind: Metered, packet: Packet, now: number): boolean {
    if (neighbour.meters.of(kind).spend(now)) return true;
    this.refuse(neighbour, kind, packet, now);
    return false;
  }

  /** Drops what a neighbour may not say. */
  refuse(neighbour: Neighbour, kind: Metered, packet: Packet | null, now: number): void {
    this.#tally.add(neighbour, kind, packet, "rate", () => {
      const what = `more than ${neighbour.meters.of(kind).limit} ${WORDS[kind]} a second`;
      const why = `Cannot follow ${nameOf(neighbour)}: it sends ${what}`;
      return new ChannelError("ERR_CHANNEL_PROTOCOL", why);
    }, now);
    if (kind !== "packets") this.askAgain(neighbour, now);
  }

  /**
   * Something has come that is no packet, or that means nothing.
   *
   * @param why Makes the error, if this one is told: that is what takes long.
   */
  unreadable(
    neighbour: Neighbour,
    packet: Packet | null,
    reason: DropReason,
    why: () => AlnError,
    now: number,
  ): void {
    this.#tally.add(neighbour, reason, packet, reason, why, now, UNREADABLE);
    // Nobody knows who says it on a segment: that is no reason for all to leave.
    if (neighbour.kind !== "segment") this.bears(neighbour, "unreadable", now);
  }

  /** Something that a neighbour has told was not heard: asks for all when the flood is over. */
  askAgain(neighbour: Neighbour, now: number): void {
    neighbour.refusedAt = now;
    if (neighbour.flooded) return;
    neighbour.flooded = true;
    this.#askLater(neighbour, now);
  }

  #askLater(neighbour: Neighbour, now: number): void {
    this.#core.agenda.add(now + CALM, (later) => {
      if (this.#core.neighbours.get(neighbour.link) !== neighbour || !neighbour.flooded) return;
      const calm = later - neighbour.refusedAt >= CALM;
      if (!calm || !this.#hasRoom(neighbour, later)) return this.#askLater(neighbour, later);
      neighbour.flooded = false;
      this.#hooks.ask(neighbour, later);
    });
  }

  /** Whether a neighbour may tell all again at once, as far as that is known: else it is in vain. */
  #hasRoom(neighbour: Neighbour, now: number): boolean {
    const { serviceCount, meters, kind } = neighbour;
    const told = serviceCount + this.#core.routes.offeredBy(neighbour).length;
    const meter = meters.of(kind === "modern" ? "records" : "adverts");
    return meter.affords(Math.min(this.#burst / 2, ROOM + 2 * told), now);
  }
}

function nameOf({ address }: Neighbour): string {
  return address === "" ? "the peer" : `"${address}"`;
}
