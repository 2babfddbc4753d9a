/**
 * Tells of what is dropped again and again: the first at once, and then once a second how many it
 * were. A flood of events is a flood, too.
 *
 * Pure: what is told goes out as effects.
 *
 * @module
 */

import { type AlnError, ChannelError } from "../errors.ts";
import type { Packet } from "../wire/packet.ts";
import type { Core } from "./core.ts";
import type { DropReason } from "./drop_reason.ts";
import type { Neighbour, Tally } from "./state.ts";

/** Between two events of one kind, in ms. */
const INTERVAL = 1_000;

/** Tells of drops, kind by kind and neighbour by neighbour. */
export class DropTally {
  readonly #core: Core;

  /** Constructs a new instance. */
  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * Something was dropped.
   *
   * @param kind What is told together.
   * @param why Makes the error, if this one is told.
   */
  add(
    neighbour: Neighbour,
    kind: string,
    packet: Packet | null,
    reason: DropReason,
    why: () => AlnError,
    now: number,
  ): void {
    const known = neighbour.tallies.get(kind);
    if (known !== undefined) return void known.count++;
    const tally: Tally = { count: 0, reason, error: why() };
    neighbour.tallies.set(kind, tally);
    const { error } = tally;
    this.#core.emit({ kind: "drop", packet, error, reason, link: neighbour.link });
    this.#tellLater(neighbour, kind, tally, now);
  }

  /** There was no room in a table for something that a neighbour tells. */
  full(neighbour: Neighbour, what: string, now: number): void {
    this.add(neighbour, "full", null, "table", () => {
      return new ChannelError("ERR_CHANNEL_PROTOCOL", `Cannot keep ${what}: the table is full`);
    }, now);
  }

  /** A neighbour's link is gone: tells what is yet untold. */
  end(neighbour: Neighbour): void {
    for (const tally of neighbour.tallies.values()) this.#tell(neighbour, tally);
    neighbour.tallies.clear();
  }

  #tellLater(neighbour: Neighbour, kind: string, tally: Tally, now: number): void {
    this.#core.agenda.add(now + INTERVAL, (later) => {
      if (neighbour.tallies.get(kind) !== tally) return;
      if (tally.count === 0) return void neighbour.tallies.delete(kind);
      this.#tell(neighbour, tally);
      this.#tellLater(neighbour, kind, tally, later);
    });
  }

  #tell({ link }: Neighbour, tally: Tally): void {
    const { count, error, reason } = tally;
    if (count === 0) return;
    tally.count = 0;
    this.#core.emit({ kind: "drop", packet: null, error, reason, link, count });
  }
}
