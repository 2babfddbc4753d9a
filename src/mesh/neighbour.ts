/**
 * One neighbour: who it is, what it has told us, what we have told it, and what is due to it.
 *
 * Everything is kept by link. The address in an old peer's packet is a claim; the link that it came
 * over is a fact.
 *
 * @module
 */

import type { Destination } from "./destination.ts";
import type { LinkId } from "./effects.ts";
import { Ledger } from "./ledger.ts";
import { hashName, precedes } from "./sequence.ts";
import type { ServiceRecord } from "./service_records.ts";

/** Name of a service → its capacity. */
export type Capacities = Map<string, number>;

/**
 * What a neighbour is: not yet known, of our kind (it has negotiated), an old router, or gone,
 * though its link may still be up.
 */
export type NeighbourKind = "open" | "modern" | "legacy" | "gone";

/** A request for a fresher route, on its way to a neighbour. */
export interface SequenceRequest {
  /** Destination. */
  address: string;
  /** Whose sequence number is meant, signed. */
  origin: number;
  /** The number that is wanted, or a newer one. */
  seq: number;
  /** How often it may still be passed on. */
  hops: number;
}

/** Between two frames to one neighbour that need not be quick, in ms, at first. */
export const FRAME_GAP = 50;

/** Bounds what somebody may do: so much at once, so much a second for long. */
export class Budget {
  readonly #burst: number;
  readonly #rate: number;
  #left: number;
  #at: number;

  /** Constructs a new instance. */
  constructor(burst: number, rate: number, now: number) {
    this.#burst = this.#left = burst;
    this.#rate = rate;
    this.#at = now;
  }

  /** Pays for one thing. False if there have been too many. */
  spend(now: number): boolean {
    const earned = Math.max(0, now - this.#at) / 1_000 * this.#rate;
    this.#left = Math.min(this.#burst, this.#left + earned);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}

/** The state of one link. */
export class Neighbour {
  /** The link. */
  readonly link: LinkId;
  /** What a hop over this link costs, at least 1. */
  readonly cost: number;
  /** What it is. */
  kind: NeighbourKind = "open";
  /** What it calls itself; `""` until it has said so. */
  address: string = "";
  /** {@linkcode hashName} of the address. */
  hash: number = 0;
  /** Whether its address comes before ours: of two equal distances, one side has to yield. */
  precedesUs: boolean = false;

  /** What it offers us, as it told it. The note is when, in seconds. */
  readonly offers: Ledger = new Ledger();
  /**
   * What we have told it: our own kind exactly that, an old peer the least that it may still hold.
   * The note is the announcer's.
   */
  readonly told: Ledger = new Ledger();

  /** Not preferred until then, in ms, and not passed on: its link comes and goes too often. */
  dampedUntil: number = 0;
  /** Whether another link to the same router has come up, and this one has yet to prove alive. */
  doubted: boolean = false;
  /** When it was last heard, in ms. */
  heardAt: number;
  /** Whether it has told more than it may, and we have yet to start over with it. */
  flooded: boolean = false;
  /** Destinations that it offered and that we had no room for. */
  refused: number = 0;
  /** Changes that it may tell. */
  budget: Budget;
  /** Requests for fresher routes that it may have us carry. */
  readonly requestBudget: Budget;

  // ── our own kind ──────────────────────────────────────────────────────────

  /** Its native origin, by which two lives of one address differ, signed; 0 for none. */
  instance: number = 0;
  /** Its session on this link; `""` until it has said so. */
  session: string = "";
  /** Our session on this link. */
  ownSession: string = "";
  /** When we last said hello, in ms. */
  helloAt: number = -Infinity;
  /** Whether it is known to hear us. */
  proven: boolean = false;
  /** Whether it has told us something before we knew that it is of our kind. */
  missed: boolean = false;
  /** For how long it may be silent, in ms. */
  deadAfter: number = 30_000;
  /** Time of a round trip, smoothed, in ms; 0 while unknown. */
  roundTrip: number = 0;
  /** The last ping's number, and when it was sent, in ms; -1 when it was answered. */
  pingAt: number = -1;
  /** Number of the last ping. */
  pingToken: number = 0;

  /** Destinations whose news are due to it. */
  dirty: Destination[] = [];
  /** Services whose news are due to it. */
  readonly dueServices: Set<ServiceRecord> = new Set();
  /** Requests that are due to it. */
  dueRequests: SequenceRequest[] = [];
  /** What else is due to it: written into the next frame. */
  dueSignals: Signal[] = [];
  /** When the next frame goes out, in ms; `Infinity` if nothing is due. */
  flushAt: number = Infinity;
  /** When the last one did, in ms. */
  flushedAt: number = -Infinity;
  /** How long the next one has to wait after it unless it is urgent, in ms. */
  gap: number = FRAME_GAP;
  /** Frames in a row that had to wait. */
  waits: number = 0;
  /** Whether its digest has differed from ours, and it has not told us all again since. */
  differs: boolean = false;
  /** While it tells us all again: what it has not yet named. */
  stale: Set<Destination> | null = null;

  // ── old peers ─────────────────────────────────────────────────────────────

  /** What an old peer says that each host offers, in no particular relation to routes. */
  readonly services: Map<string, Capacities> = new Map();
  /** How many services that is. */
  serviceCount: number = 0;
  /** What we have told an old peer that each host offers, our own services included. */
  readonly toldServices: Map<string, Capacities> = new Map();
  /** Whether it has withdrawn itself, and we have yet to ask what it means. */
  withdrewItself: boolean = false;
  /** Queries sent since it last answered. */
  unanswered: number = 0;
  /** When we shall query it, in ms; `Infinity` if there is no need. */
  queryAt: number = Infinity;
  /** When we shall query it again for want of an answer, in ms; `Infinity` if it has answered. */
  retryAt: number = Infinity;
  /** When we last answered its query with our tables, in ms. */
  answeredAt: number = -Infinity;
  /** When we shall answer its query, in ms; `Infinity` if it has not asked. */
  answerAt: number = Infinity;
  /** What it has named since the audit began; `null` if there is none. */
  audit: Set<Destination> | null = null;
  /** When it last told anything during an audit, in ms. */
  auditHeardAt: number = 0;

  /** Constructs a new instance. */
  constructor(link: LinkId, cost: number, now: number) {
    this.link = link;
    this.cost = cost;
    this.heardAt = now;
    this.budget = new Budget(20_000, 4_000, now);
    this.requestBudget = new Budget(2_000, 100, now);
  }

  /** Notes its address. */
  name(address: string, ownHash: number, own: string): void {
    this.address = address;
    this.hash = hashName(address);
    this.precedesUs = precedes(this.hash, address, ownHash, own);
  }

  /** Whether others are to be preferred for now. */
  isDemoted(now: number): boolean {
    return this.doubted || this.dampedUntil > now;
  }

  /** Forgets all that was said on either side. */
  forget(): void {
    this.offers.clearAll();
    this.told.clearAll();
    this.dirty = [];
    this.dueServices.clear();
    this.dueRequests = [];
    this.dueSignals = [];
    this.services.clear();
    this.serviceCount = 0;
    this.toldServices.clear();
    this.stale = this.audit = null;
    this.differs = this.withdrewItself = this.flooded = false;
    this.refused = 0;
    this.queryAt = this.retryAt = this.answerAt = this.flushAt = Infinity;
  }

  /** Notes that it was told of one service. */
  noteToldService(host: string, service: string, capacity: number): void {
    const told = this.toldServices.get(host);
    if (told) told.set(service, capacity);
    else this.toldServices.set(host, new Map([[service, capacity]]));
  }

  /** Notes what it says of one service. */
  noteService(host: string, service: string, capacity: number): void {
    const known = this.services.get(host);
    const before = known?.get(service) ?? 0;
    if (before === capacity) return;
    if (capacity === 0) {
      known!.delete(service);
      if (known!.size === 0) this.services.delete(host);
      this.serviceCount--;
    } else {
      if (known === undefined) this.services.set(host, new Map([[service, capacity]]));
      else known.set(service, capacity);
      if (before === 0) this.serviceCount++;
    }
  }

  /** Forgets what it said of a host. */
  forgetServices(host: string): void {
    this.serviceCount -= this.services.get(host)?.size ?? 0;
    this.services.delete(host);
  }
}

/** One short thing to tell a neighbour of our kind. */
export type Signal =
  | { readonly kind: "ping" | "pong"; readonly token: number }
  | { readonly kind: "resync"; readonly what: number }
  | { readonly kind: "digest" }
  | { readonly kind: "bye"; readonly reason: number };
