/**
 * Tells of what is dropped again and again: the first ones at once, and then once a second how many
 * it were. A flood of events is a flood, too.
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

/** How long what is dropped of one kind is summed up, in ms. */
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
   * @param kind What is summed up together.
   * @param why Makes the error, if this one is told.
   * @param singly How many are told one by one.
   */
  add(
    neighbour: Neighbour,
    kind: string,
    packet: Packet | null,
    reason: DropReason,
    why: () => AlnError,
    now: number,
    singly: number = 1,
  ): void {
    const { tallies, link } = neighbour;
    let tally = tallies.get(kind);
    if (tally !== undefined && tally.told >= singly) return void tally.count++;
    const error = why();
    if (tally === undefined) {
      tallies.set(kind, tally = { told: 0, count: 0, reason, error });
      this.#sumUpLater(neighbour, kind, tally, now);
    }
    tally.told++;
    this.#core.emit({ kind: "drop", packet, error, reason, link });
  }

  /** There was no room in a table for something that a neighbour tells. */
  full(neighbour: Neighbour, what: string, now: number): void {
    this.add(neighbour, "full", null, "table", () => {
      return new ChannelError("ERR_CHANNEL_PROTOCOL", `Cannot keep ${what}: the table is full`);
    }, now);
  }

  /** A neighbour offers what the policy of its link does not let it: that is told once. */
  breaksRules(neighbour: Neighbour, what: string): void {
    if (neighbour.breaksRules) return;
    neighbour.breaksRules = true;
    const { link, address } = neighbour;
    const who = address === "" ? "the peer" : `"${address}"`;
    const why = `the policy of the link does not let ${who} offer it`;
    const error = new ChannelError("ERR_CHANNEL_REFUSED", `Cannot believe "${what}": ${why}`);
    this.#core.emit({ kind: "drop", packet: null, error, reason: "refused", link });
  }

  /** A neighbour's link is gone: tells what is yet untold. */
  end(neighbour: Neighbour): void {
    for (const tally of neighbour.takeTallies()) this.#tell(neighbour, tally);
  }

  #sumUpLater(neighbour: Neighbour, kind: string, tally: Tally, now: number): void {
    this.#core.agenda.add(now + INTERVAL, (later) => {
      if (neighbour.tallies.get(kind) !== tally) return;
      if (tally.told === 0) return void neighbour.tallies.delete(kind);
      tally.told = tally.count > 0 ? tally.told : 0; // While it goes on, only sums are told.
      this.#tell(neighbour, tally);
      this.#sumUpLater(neighbour, kind, tally, later);
    });
  }

  #tell({ link }: Neighbour, tally: Tally): void {
    const { count, error, reason } = tally;
    if (count === 0) return;
    tally.count = 0;
    this.#core.emit({ kind: "drop", packet: null, error, reason, link, count });
  }
}
