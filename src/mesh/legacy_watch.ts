/**
 * Watching old peers: whether they are still there, and whether both sides still agree (B12). They
 * say nothing by themselves, and know no ping; but they answer a query, with all their tables.
 *
 * Pure: what is sent goes out through the hooks.
 *
 * @module
 */

import { ChannelError } from "../errors.ts";
import type { Core } from "./core.ts";
import type { Destination, Neighbour } from "./state.ts";

/** Between audits of one neighbour, in ms, a quarter more or less by chance. */
const AUDIT_INTERVAL = 120_000;

/** How early an audit may be if the neighbour is asked anyway, in ms. */
const AUDIT_EARLY = 30_000;

/** An audit is over when nothing has come for so long, in ms. */
const AUDIT_SILENCE = 2_000;

/**
 * From a query until the next, if nothing at all has come, in ms; where our timers run late, as long
 * as for the first.
 */
const RETRY = 10_000;

/** Between two queries of one neighbour, at least, in ms: each is answered with a full table. */
const MIN_GAP = 5_000;

/** Queries that bring nothing, before a neighbour that answers is gone. */
const TRIES = 3;

/** In the note beside an offer: an audit has missed it. */
const MISSED = 1;

/** What watching wants of others. */
export interface WatchHooks {
  /** Ask a neighbour for its tables, once. */
  query(neighbour: Neighbour, now: number): void;
  /** A neighbour has left a destination out twice. */
  missed(neighbour: Neighbour, destination: Destination, now: number): void;
  /** A neighbour does not know what we have told it of a destination. */
  lacks(neighbour: Neighbour, destination: Destination, now: number): void;
  /** A neighbour whose name somebody else goes by takes too long to answer, or has answered. */
  judged(neighbour: Neighbour, now: number): void;
  /** A neighbour is gone. */
  drop(neighbour: Neighbour, error: ChannelError, now: number): void;
}

/** How one neighbour is watched. */
interface Vigil {
  /** When it is looked at next, and audited next, in ms. */
  at: number;
  auditAt: number;
  /** Queries in a row that have brought nothing, and how often it had been heard before them. */
  tries: number;
  heard: number;
  /** Answers that it has given: each begins with itself. */
  answers: number;
  /** Whether it had left queries unanswered before it fell silent: it loses some, or answers none. */
  unsure: boolean;
}

/** Watches old peers. */
export class LegacyWatch {
  readonly #core: Core;
  readonly #hooks: WatchHooks;
  readonly #retry: number;
  readonly #vigils: Map<Neighbour, Vigil> = new Map();

  /** Constructs a new instance. */
  constructor(core: Core, hooks: WatchHooks) {
    this.#core = core;
    this.#hooks = hooks;
    this.#retry = core.throttled ? Infinity : RETRY;
  }

  /** A neighbour has turned out to be old. */
  begin(neighbour: Neighbour, now: number): void {
    const vigil: Vigil = {
      ...{ at: Infinity, auditAt: this.#nextAudit(now), tries: 0, heard: 0 },
      ...{ answers: 0, unsure: false },
    };
    this.#vigils.set(neighbour, vigil);
    this.#lookLater(neighbour, vigil);
  }

  /** A neighbour has gone, or turned out to be of our kind. */
  end(neighbour: Neighbour): void {
    this.#vigils.delete(neighbour);
  }

  /** A neighbour has advertised itself: so begins each answer. */
  answered(neighbour: Neighbour): void {
    this.#vigils.get(neighbour)!.answers++;
  }

  /** A neighbour is to be audited now. */
  audit(neighbour: Neighbour, now: number): void {
    const vigil = this.#vigils.get(neighbour)!;
    vigil.auditAt = now;
    this.#lookLater(neighbour, vigil);
  }

  /** Somebody else goes by a neighbour's name: is it still there? */
  challenge(neighbour: Neighbour, now: number): void {
    const vigil = this.#vigils.get(neighbour);
    if (vigil === undefined || neighbour.doubted) return;
    neighbour.doubted = true;
    if (neighbour.heard !== vigil.heard) vigil.tries = 0; // That was before.
    vigil.heard = neighbour.heard;
    if (now - neighbour.helloAt >= MIN_GAP) this.#ask(neighbour, vigil, now);
    else if (vigil.tries === 0) vigil.tries = 1; // It has just been asked.
    this.#lookLater(neighbour, vigil);
  }

  // ── is it there? ──────────────────────────────────────────────────────────

  #nextAudit(now: number): number {
    return now + AUDIT_INTERVAL * (0.75 + 0.5 * this.#core.random());
  }

  /** When a silent neighbour is to be asked, or given up. */
  #due({ keepalive, heardAt, helloAt, doubted }: Neighbour, vigil: Vigil): number {
    const { tries } = vigil;
    if (tries === 0) return Math.max(heardAt + keepalive, helloAt + MIN_GAP);
    if (tries >= TRIES && vigil.unsure) return helloAt + Math.max(keepalive, MIN_GAP);
    if (doubted) return helloAt + MIN_GAP;
    return keepalive === Infinity
      ? Infinity
      : helloAt + Math.min(this.#retry, Math.max(keepalive, MIN_GAP));
  }

  #lookLater(neighbour: Neighbour, vigil: Vigil): void {
    const at = Math.min(vigil.auditAt, this.#due(neighbour, vigil));
    if (at >= vigil.at) return;
    vigil.at = at;
    this.#core.agenda.add(at, (now) => {
      if (this.#vigils.get(neighbour) !== vigil || vigil.at !== at) return;
      vigil.at = Infinity;
      if (this.#look(neighbour, vigil, now)) this.#lookLater(neighbour, vigil);
    });
  }

  /** Asks a neighbour if that is due; false if it is given up. */
  #look(neighbour: Neighbour, vigil: Vigil, now: number): boolean {
    if (vigil.tries > 0 && neighbour.heard !== vigil.heard) {
      vigil.tries = 0;
      if (neighbour.doubted) this.#judge(neighbour, false, now);
    }
    if (now >= this.#due(neighbour, vigil) - 1) { // Sums of times are not exact.
      if (vigil.tries >= TRIES && !vigil.unsure) {
        const silence = Math.round((now - neighbour.heardAt) / 1_000);
        const why = `nothing was heard for ${silence} s, in spite of ${TRIES} queries`;
        this.#hooks.drop(
          neighbour,
          new ChannelError("ERR_CHANNEL_CLOSED", `Cannot keep channel: ${why}`),
          now,
        );
        return false;
      }
      if (neighbour.doubted && vigil.tries > 0) this.#judge(neighbour, true, now);
      this.#ask(neighbour, vigil, now);
    } else if (now >= vigil.auditAt) {
      this.#ask(neighbour, vigil, now);
    }
    return true;
  }

  #judge(neighbour: Neighbour, overtaken: boolean, now: number): void {
    if (!overtaken) neighbour.doubted = false;
    if (overtaken && neighbour.overtaken) return;
    neighbour.overtaken = overtaken;
    this.#hooks.judged(neighbour, now);
  }

  #ask(neighbour: Neighbour, vigil: Vigil, now: number): void {
    if (vigil.tries === 0) {
      vigil.heard = neighbour.heard;
      vigil.unsure = neighbour.queries > vigil.answers;
    }
    vigil.tries++;
    if (now >= vigil.auditAt - AUDIT_EARLY) this.#audit(neighbour, vigil, now);
    this.#hooks.query(neighbour, now);
  }

  // ── do we agree? ──────────────────────────────────────────────────────────

  /** B12: a neighbour that never repeats itself is asked whether all is still so. */
  #audit(neighbour: Neighbour, vigil: Vigil, now: number): void {
    vigil.auditAt = this.#nextAudit(now);
    neighbour.audit = new Set();
    neighbour.auditHeardAt = now;
    this.#awaitAudit(neighbour, now + AUDIT_SILENCE);
  }

  #awaitAudit(neighbour: Neighbour, at: number): void {
    this.#core.agenda.add(at, (now) => {
      if (!this.#vigils.has(neighbour) || neighbour.audit === null) return;
      const over = neighbour.auditHeardAt + AUDIT_SILENCE;
      if (now < over) this.#awaitAudit(neighbour, over);
      else this.#endAudit(neighbour, neighbour.audit, now);
    });
  }

  /** Finds what was missing twice, and what the neighbour has forgotten. */
  #endAudit(neighbour: Neighbour, seen: Set<Destination>, now: number): void {
    const { routes } = this.#core;
    const { offers, told } = neighbour;
    neighbour.audit = null;
    if (seen.size === 0) return; // It has said nothing at all: that means nothing.
    for (const destination of [routes.self, ...routes.values()]) {
      const { id, address } = destination;
      if (seen.has(destination) || address === neighbour.address) continue;
      if (offers.cost(id) > 0) {
        if ((offers.note(id) & MISSED) !== 0) this.#hooks.missed(neighbour, destination, now);
        else offers.setNote(id, MISSED);
      }
      if (told.cost(id) > 0) this.#hooks.lacks(neighbour, destination, now);
    }
  }
}
