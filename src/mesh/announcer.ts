/**
 * What is told to neighbours of our own kind, and when: nothing twice, much in one frame, bad news
 * first.
 *
 * Pure: frames go out as effects.
 *
 * @module
 */

import { LinkFrameWriter, MAX_LINK_FRAME } from "../wire/link_frame.ts";
import { NET_LINK } from "../wire/limits.ts";
import { Packet } from "../wire/packet.ts";
import type { Core } from "./core.ts";
import { toldDigest } from "./digest.ts";
import { isNewer, seconds } from "./sequence.ts";
import type { ServiceRecord } from "./service_records.ts";
import {
  type Destination,
  FRAME_GAP,
  type Neighbour,
  type Segment,
  type SequenceRequest,
  type Signal,
} from "./state.ts";

// The note beside what a neighbour was told: flags, then when, in seconds.
const DIRTY = 1;
const FORCED = 2;
const RETRACTED = 4;
const FLAG_BITS = 3;

/** Between frames to one neighbour, in ms, if something is urgent. */
const URGENT_GAP = 5;

/** Longest gap that a neighbour to whom there is always something to tell has to wait, in ms. */
const MAX_GAP = 1_000;

/** Frames in a row that had to wait, before the gap grows. */
const PATIENCE = 8;

/** Records in frames that go out at the same time; the rest waits for the next gap. */
const MAX_BATCH = 4_096;

/** Changes of one destination within a while, in seconds, after which its news must wait. */
const NOISY_CHANGES = 12;
const NOISY_WINDOW = 10;

/** How long the news of a noisy destination wait, in ms. */
const CALM_DELAY = 1_000;

/** A neighbour keeps a host's services for a while after its route is retracted, in seconds. */
const SERVICES_KEPT = 30;

/** Writes a record into a frame; false if there is no room. */
type Write = (writer: LinkFrameWriter) => boolean;

/** Largest distance that can be told. */
const MAX_COST = 65_534;

/** Tells our own kind. */
export class Announcer {
  readonly #core: Core;
  readonly #large: LinkFrameWriter = new LinkFrameWriter();
  #writer: LinkFrameWriter = this.#large;

  /** Constructs a new instance. */
  constructor(core: Core) {
    this.#core = core;
  }

  /** The way to a destination has changed: tell whoever should know. */
  news(destination: Destination, now: number, why: "change" | "refresh" = "change"): void {
    for (const neighbour of this.#core.listeners.values()) {
      if (isOwnKind(neighbour)) this.tell(neighbour, destination, now, why);
    }
  }

  /**
   * Sees to it that a neighbour is told, if it does not know yet.
   *
   * @param why With a reason other than a change, it is told what differs in the sequence number
   *   alone, too; an answer is urgent.
   */
  tell(
    { listener: neighbour }: Neighbour,
    destination: Destination,
    now: number,
    why: "change" | "refresh" | "answer" = "change",
  ): void {
    const { told } = neighbour;
    const { id } = destination;
    const before = told.cost(id);
    const isLost = destination.selected === null && destination !== this.#core.routes.self;
    if (isLost && before === 0) return; // Mostly: it has never heard of it.
    const tellable = this.#mayTell(neighbour, destination, now);
    if (!tellable && before === 0) return;
    const forced = why !== "change";
    if (
      tellable && !forced && before === destination.cost + 1 &&
      told.origin(id) === destination.origin
    ) return;
    const note = told.note(id);
    // That it leads there itself is no news to it: it has only to forget what it heard before.
    const lost = !tellable && destination.selected?.listener !== neighbour;
    const urgent = lost || why === "answer" || (before === 0 && (note & RETRACTED) !== 0);
    if (tellable && !urgent && !forced && this.#isNoisy(destination, now)) return;
    if ((note & DIRTY) === 0) (neighbour.dirty ??= []).push(destination);
    told.setNote(id, note | DIRTY | (forced ? FORCED : 0));
    this.#schedule(neighbour, urgent, now);
  }

  /** Counts a change of a destination. */
  changed(destination: Destination, now: number): void {
    const at = seconds(now);
    if (at - destination.changesAt > NOISY_WINDOW) {
      destination.changesAt = at;
      destination.changes = 0;
    }
    destination.changes++;
  }

  /** A service has changed: tell those who know its host by the same word. */
  serviceNews(record: ServiceRecord, except: Neighbour | null, now: number): void {
    const { identity, routes, listeners } = this.#core;
    const own = record.host === identity.address;
    const host = own ? routes.self : routes.get(record.host);
    if (host === undefined) return;
    for (const neighbour of listeners.values()) {
      if (!isOwnKind(neighbour) || neighbour === except?.listener) continue;
      if (neighbour.address === record.host) continue;
      if (!neighbour.rules.sees(record.name, record.host)) continue;
      const { told } = neighbour;
      if (told.origin(host.id) !== record.origin) continue; // It will be told with the route.
      if (told.cost(host.id) === 0) {
        told.set(host.id, 0, 0, 0); // It was retracted just now: all is told again afterwards.
      } else {
        (neighbour.dueServices ??= new Set()).add(record);
        this.#schedule(neighbour, false, now);
      }
    }
  }

  /** Sends a request for a fresher route. */
  request(neighbour: Neighbour, request: SequenceRequest, now: number): void {
    (neighbour.dueRequests ??= []).push(request);
    this.#schedule(neighbour, true, now);
  }

  /** Sends something short. */
  signal(neighbour: Neighbour, signal: Signal, now: number): void {
    (neighbour.dueSignals ??= []).push(signal);
    this.#schedule(neighbour, true, now);
  }

  /** Tells a neighbour all there is. */
  tellAll(neighbour: Neighbour, now: number): void {
    const { routes } = this.#core;
    this.tell(neighbour, routes.self, now);
    for (const destination of routes.values()) {
      if (destination.selected !== null) this.tell(neighbour, destination, now);
    }
  }

  /** Tells a neighbour all again, though it has heard it, and then what that comes to. */
  tellAllAgain(neighbour: Neighbour, now: number): void {
    const { routes } = this.#core;
    if (neighbour.isMember) return this.retell(neighbour, now);
    for (const { id } of routes.in(neighbour.told)) neighbour.told.set(id, 0, 0, 0);
    this.tellAll(neighbour, now);
    this.signal(neighbour, { kind: "resync", what: 0 }, now);
    this.signal(neighbour, { kind: "digest" }, now);
  }

  /** Tells a neighbour that has just come all there is, at once. */
  greet(neighbour: Neighbour, now: number): void {
    this.tellAll(neighbour, now);
    this.#flush(neighbour, now);
  }

  /**
   * Tells one neighbour on a segment, or all of them, once more what all of them have been told, and
   * that this was all.
   */
  retell(neighbour: Neighbour, now: number): void {
    this.#retellSome(neighbour, this.#allTold(neighbour), now);
  }

  /** Sends something short at once, and all else that is due. */
  utter(neighbour: Neighbour, signal: Signal, now: number): void {
    (neighbour.dueSignals ??= []).push(signal);
    this.#flush(neighbour, now);
  }

  /** Tells a neighbour what is due at once if it does not know yet who is there at an address. */
  introduce({ listener: neighbour }: Neighbour, address: string, now: number): void {
    const { routes } = this.#core;
    const destination = address === routes.self.address ? routes.self : routes.get(address);
    if (destination === undefined || neighbour.told.cost(destination.id) > 0) return;
    if ((neighbour.told.note(destination.id) & DIRTY) !== 0) this.#flush(neighbour, now);
  }

  /** Says goodbye at once. */
  leave(neighbour: Neighbour, now: number): void {
    this.utter(neighbour, { kind: "bye", reason: 0 }, now);
  }

  // ── what may be told ──────────────────────────────────────────────────────

  #mayTell(neighbour: Neighbour, destination: Destination, now: number): boolean {
    const { stub, hidden, routes } = this.#core;
    const { selected, address } = destination;
    if (!neighbour.mayKnow(address)) return false;
    if (destination === routes.self) return !hidden;
    if (stub || selected === null || selected.listener === neighbour) return false;
    if (destination.cost >= MAX_COST) return false;
    if (isSameRouter(selected, neighbour)) return false; // Another link to the same router.
    if (neighbour.segment !== null && this.#isKnownOn(neighbour.segment, destination)) return false;
    if (address === neighbour.address) return isContradicted(neighbour, destination);
    return selected.dampedUntil <= now;
  }

  /**
   * Whether those on a segment have it from somebody who is there: from the destination itself, or
   * from the router that leads there over another link.
   */
  #isKnownOn(segment: Segment, { address, selected }: Destination): boolean {
    const { namesakes } = this.#core;
    if (namesakes.isOn(segment, address)) return true;
    const via = selected!;
    if (!namesakes.isOn(segment, via.address)) return false;
    return namesakes.of(via.address).some((one) => {
      return one.segment === segment && isSameRouter(one, via);
    });
  }

  /** Whether a destination changes so often that its news should wait; sees that they come. */
  #isNoisy(destination: Destination, now: number): boolean {
    if (destination.changes <= NOISY_CHANGES) return false;
    if (seconds(now) - destination.changesAt > NOISY_WINDOW) return false;
    if (destination.calming) return true;
    destination.calming = true;
    this.#core.agenda.add(now + CALM_DELAY, (later) => {
      destination.calming = false;
      if (!this.#core.routes.holds(destination)) return;
      const { changes } = destination;
      destination.changes = 0; // They are told now, whatever it does.
      this.news(destination, later);
      destination.changes = changes;
    });
    return true;
  }

  // ── when ──────────────────────────────────────────────────────────────────

  #schedule(neighbour: Neighbour, urgent: boolean, now: number): void {
    const { random, agenda } = this.#core;
    const at = urgent
      ? Math.max(now + 0.5 + 1.5 * random(), neighbour.flushedAt + URGENT_GAP)
      : Math.max(now + 5 + 10 * random(), neighbour.flushedAt + neighbour.gap);
    if (at >= neighbour.flushAt) return;
    neighbour.flushAt = at;
    agenda.add(at, (later) => {
      if (neighbour.flushAt === at) this.#flush(neighbour, later);
    });
  }

  /** Lets the gap grow while there is always something to tell, and shrink when there is not. */
  #pace(neighbour: Neighbour, now: number): void {
    if (now - neighbour.flushedAt > 2 * neighbour.gap) {
      neighbour.gap = FRAME_GAP;
      neighbour.waits = 0;
    } else if (++neighbour.waits >= PATIENCE) {
      neighbour.gap = Math.min(MAX_GAP, 2 * neighbour.gap);
      neighbour.waits = 0;
    }
    neighbour.flushedAt = now;
  }

  // ── writing ───────────────────────────────────────────────────────────────

  /** Writes everything that is due to a neighbour into as few frames as it takes. */
  #flush(neighbour: Neighbour, now: number): void {
    neighbour.flushAt = Infinity;
    const { maxFrame } = neighbour;
    this.#writer = maxFrame === MAX_LINK_FRAME ? this.#large : new LinkFrameWriter(maxFrame);
    this.#pace(neighbour, now);
    const due = neighbour.dirty ?? [];
    const rest = due.length > MAX_BATCH ? due.splice(MAX_BATCH) : null;
    neighbour.dirty = rest;
    for (const destination of due) this.#writeRoute(neighbour, destination, now);
    for (const request of neighbour.dueRequests ?? []) this.#writeRequest(neighbour, request);
    for (const record of neighbour.dueServices ?? []) this.#writeService(neighbour, record);
    // What sums up all that was told has to wait until it is.
    const signals = neighbour.dueSignals ?? [];
    const early = rest !== null ? signals.filter(sumsUp) : [];
    for (const signal of signals) {
      if (!early.includes(signal)) this.#writeSignal(neighbour, signal);
    }
    neighbour.dueRequests = neighbour.dueServices = null;
    neighbour.dueSignals = early.length > 0 ? early : null;
    if (!this.#writer.empty) this.#send(neighbour);
    if (rest !== null) this.#schedule(neighbour, false, now);
  }

  #writeRoute(neighbour: Neighbour, destination: Destination, now: number): void {
    const { routes } = this.#core;
    const { told } = neighbour;
    const { id, address, origin, seq } = destination;
    if (!routes.holds(destination)) return;
    const note = told.note(id);
    const before = told.cost(id);
    const at = seconds(now) << FLAG_BITS;
    if (!this.#mayTell(neighbour, destination, now)) {
      told.setNote(id, before > 0 ? at | RETRACTED : note & ~(DIRTY | FORCED));
      if (before === 0) return;
      told.set(id, 0, 0, told.origin(id));
      return this.#put(neighbour, (writer) => writer.route(address, 0, 0, 0));
    }
    const cost = destination.cost + 1;
    const knows = told.origin(id) === origin;
    const same = before === cost && knows && (note & FORCED) === 0;
    told.setNote(id, at);
    if (same) return;
    routes.passedOn(destination, cost, now);
    told.set(id, cost, seq, origin);
    this.#put(neighbour, (writer) => writer.route(address, cost, seq, origin >>> 0));
    if (address === neighbour.address) return; // Whoever has its name, it knows what it offers.
    const kept = knows && (before > 0 || seconds(now) - (note >> FLAG_BITS) < SERVICES_KEPT);
    if (kept) return;
    for (const record of this.#core.records.of(address, origin)) {
      if (neighbour.rules.sees(record.name, address)) {
        (neighbour.dueServices ??= new Set()).add(record);
      }
    }
  }

  #writeService(neighbour: Neighbour, record: ServiceRecord): void {
    const { routes, identity } = this.#core;
    const { host, name, origin, load, version } = record;
    const destination = host === identity.address ? routes.self : routes.get(host);
    if (destination === undefined) return;
    const { told } = neighbour;
    if (told.origin(destination.id) !== origin) return; // It will be told with the route.
    if (told.cost(destination.id) === 0) return told.set(destination.id, 0, 0, 0); // The same.
    this.#put(neighbour, (writer) => writer.service(host, name, load, origin >>> 0, version));
  }

  #writeRequest(neighbour: Neighbour, request: SequenceRequest): void {
    const { address, origin, seq, hops } = request;
    this.#put(neighbour, (writer) => writer.seqRequest(address, origin >>> 0, seq, hops));
  }

  #writeSignal(neighbour: Neighbour, signal: Signal): void {
    this.#put(neighbour, (writer) => {
      switch (signal.kind) {
        case "ping":
          return writer.ping(signal.token);
        case "pong":
          return writer.pong(signal.token);
        case "resync":
          return writer.resync(signal.what);
        case "digest":
          return writer.digest(toldDigest(this.#core, neighbour));
        case "bye":
          return writer.bye(signal.reason);
      }
    });
  }

  /** Writes what all on a segment have been told, as it is by then; more than a batch, bit by bit. */
  #retellSome(neighbour: Neighbour, all: Iterator<Write>, now: number): void {
    this.#writer = this.#large;
    for (let i = 0; i < MAX_BATCH; i++) {
      const { value, done } = all.next();
      if (!done) {
        this.#put(neighbour, value);
        continue;
      }
      this.#writeSignal(neighbour, { kind: "resync", what: 0 });
      this.#writeSignal(neighbour, { kind: "digest" });
      return this.#send(neighbour);
    }
    this.#send(neighbour);
    const { agenda, listeners, neighbours } = this.#core;
    agenda.add(now + FRAME_GAP, (later) => {
      const { link, listener } = neighbour;
      const isThere = neighbours.get(link) === neighbour;
      if (isThere && listeners.has(listener.link)) this.#retellSome(neighbour, all, later);
    });
  }

  /** Everything that has been told: routes, then services. */
  *#allTold({ told, rules }: Neighbour): Generator<Write, void> {
    const { routes, records } = this.#core;
    const known = routes.in(told);
    const isTold = (one: Destination) => routes.holds(one) && told.cost(one.id) > 0; // Still.
    for (const destination of known) {
      const { id, address } = destination;
      if (!isTold(destination)) continue;
      yield (to) => to.route(address, told.cost(id), told.seq(id), told.origin(id) >>> 0);
    }
    for (const destination of known) {
      const { id, address } = destination;
      if (!isTold(destination)) continue;
      for (const { name, load, origin, version } of records.of(address, told.origin(id))) {
        if (!rules.sees(name, address)) continue;
        yield (to) => to.service(address, name, load, origin >>> 0, version);
      }
    }
  }

  /** Writes something into the frame, or into the next one if it is full. */
  #put(neighbour: Neighbour, write: Write): void {
    if (write(this.#writer)) return;
    this.#send(neighbour);
    write(this.#writer);
  }

  #send(neighbour: Neighbour): void {
    const packet = new Packet({ net: NET_LINK, data: this.#writer.finish() });
    this.#core.emit({ kind: "transmit", link: neighbour.link, packet });
  }
}

/** Whether a signal means something only after all that is due has been told. */
function sumsUp(signal: Signal): boolean {
  return signal.kind === "digest" || (signal.kind === "resync" && signal.what === 0);
}

/** Whether a neighbour must be told of its own address: somebody else speaks under it. */
function isContradicted(
  { instance, offers }: Neighbour,
  { id, origin, seq }: Destination,
): boolean {
  return origin > instance || (origin === instance && isNewer(seq, offers.seq(id)));
}

/** Whether a neighbour has to be told: of a segment's, all are at once. */
function isOwnKind({ kind }: Neighbour): boolean {
  return kind === "modern" || kind === "segment";
}

function isSameRouter(a: Neighbour, b: Neighbour): boolean {
  return a.address === b.address && a.instance === b.instance;
}
