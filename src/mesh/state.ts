/**
 * What is remembered of destinations and neighbours.
 *
 * Of a neighbour everything is kept by link: the address in an old peer's packet is a claim, the
 * link that it came over is a fact.
 *
 * @module
 */

import type { AlnError } from "../errors.ts";
import { MAX_LINK_FRAME } from "../wire/link_frame.ts";
import { Budget } from "./budget.ts";
import { Disbelieved } from "./disbelieved.ts";
import type { DropReason } from "./drop_reason.ts";
import type { LinkId, NeighbourKind, PeerId } from "./effects.ts";
import { Ledger } from "./ledger.ts";
import { type LinkRules, OPEN } from "./link_policy.ts";
import type { LinkSettings } from "./options.ts";
import type { Meters } from "./rate_limits.ts";
import { hashName, precedes } from "./sequence.ts";
import type { ServiceRecord } from "./service_records.ts";

/** How near we have said that we are, to one origin's word. */
export interface Source {
  /** The origin, signed. */
  origin: number;
  /** The newest sequence number that we have passed on. */
  seq: number;
  /** The lowest cost, as told, that we have passed on with it. */
  cost: number;
  /** When it was last of use, in seconds. */
  usedAt: number;
}

/** A search for a usable route, or somebody else's that passes through us. */
export interface Search {
  /** Whether it is ours: there is no usable route, and packets wait. */
  starving: boolean;
  /** Whether nobody offers a way, and we only wait for somebody to find one. */
  lingering: boolean;
  /** How often we have asked. */
  tries: number;
  /** When we shall ask next, in ms; `Infinity` if no more. */
  askAt: number;
  /** The origin and number last asked for, and when, in ms. */
  origin: number;
  seq: number;
  askedAt: number;
  /** Neighbours that have asked us, and have had no answer. */
  requesters: Set<Neighbour>;
  /** When we may next ask for a better route, in ms, and whether we are about to. */
  betterAt: number;
  betterDue: boolean;
  /** When we last had it asked whether it is one router, in ms. */
  contradictedAt: number;
}

/** What the border to old peers keeps of a destination. */
export interface Border {
  /** From when hearsay of old peers may be used, in ms. */
  adoptAt: number;
  /** Until when no old peer is told of it, in ms. */
  blockedUntil: number;
  /** When we shall see whether old peers must be told that it is lost or further away. */
  checkAt: number;
  /** How long the next offer after a withdrawal waits, in ms, and since when. */
  backOff: number;
  backOffAt: number;
}

/** One destination. */
export class Destination {
  /** Its address. */
  readonly address: string;
  /** Its number in every ledger. */
  readonly id: number;
  /** Neighbours that offer it, whether or not that is usable, in the order in which they came. */
  offers: Neighbour[] = [];

  /** The neighbour whose own address this is, and which says so; of several, the first. */
  holder: Neighbour | null = null;
  /** The neighbour in use; `null` if there is none. */
  selected: Neighbour | null = null;
  /** Our distance; 0 while there is no way. */
  cost: number = 0;
  /** Whose word the route is, signed, and its sequence number. */
  origin: number = 0;
  seq: number = 0;
  /** Whether the way is an old peer's hearsay. */
  hearsay: boolean = false;

  /** Sources but for the first, which most destinations have alone. */
  source: Source | null = null;
  moreSources: Source[] | null = null;
  /** The latest native origin seen: earlier lives of the destination are not believed. */
  newest: number = 0;
  /** Our own sequence number when we speak for it. */
  proxySeq: number = 0;

  /** Searches; `null` if there have been none lately. */
  search: Search | null = null;
  /** What the border keeps; `null` if no old peer has to do with it. */
  border: Border | null = null;

  /** Changes told since `changesAt`, in seconds; whether news wait until it is calmer. */
  changes: number = 0;
  changesAt: number = 0;
  calming: boolean = false;
  /** When a new sequence number was last passed on by itself, in seconds. */
  refreshedAt: number = 0;

  /** Constructs a new instance. */
  constructor(address: string, id: number) {
    this.address = address;
    this.id = id;
  }
}

/** Name of a service → its capacity. */
export type Capacities = Map<string, number>;

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

/** What has been dropped of one kind. */
export interface Tally {
  /** How many have been told one by one lately. */
  told: number;
  /** How many have not been told. */
  count: number;
  /** Why. */
  readonly reason: DropReason;
  readonly error: AlnError;
}

/** A link that many neighbours share. */
export class Segment {
  /** All of them at once: what it is told, they all hear. */
  readonly voice: Neighbour;
  /** Each of them. */
  readonly members: Map<PeerId, Neighbour> = new Map();
  /** Those who have said their names; of several of one name, one. */
  readonly names: Map<string, Neighbour> = new Map();
  /** Those who have asked what there is, and have had no answer yet. */
  readonly asked: Set<Neighbour> = new Set();
  /** How many may be asked who they are. */
  readonly askBudget: Budget = new Budget(100, 20, -Infinity);
  /** When we have joined it last, in ms. */
  joinedAt: number = 0;

  /** What holds for each of them. */
  readonly settings: LinkSettings;

  /** Constructs a new instance. */
  constructor(voice: Neighbour, settings: LinkSettings) {
    this.voice = voice;
    this.settings = settings;
    voice.segment = this;
    voice.kind = "segment";
  }
}

/** Between two frames to one neighbour that need not be quick, in ms, at first. */
export const FRAME_GAP = 50;

/** Silence of an old peer after which it is asked whether it is there, in ms, unless told other. */
const KEEPALIVE = 25_000;

const NOTHING: readonly never[] = [];

/** The state of one link. */
export class Neighbour {
  /** The link. */
  readonly link: LinkId;
  /** How many links had come up before it. */
  readonly order: number;
  /** What a hop over this link costs, at least 1. */
  readonly cost: number;
  /** What it may tell us, know of us, and use. */
  readonly rules: LinkRules;
  /** Whether its packets may be for the services of routers themselves. */
  readonly trusted: boolean;
  /** What it offers against its rules. */
  get disbelieved(): Disbelieved {
    return this.#disbelieved ??= new Disbelieved();
  }
  /** Whether the application has been told that it does. */
  breaksRules: boolean = false;
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
  readonly told: Ledger;
  /** The segment that it is on, or that it stands for. */
  segment: Segment | null;
  /** Which neighbour on its segment it is. */
  peer: PeerId = 0;

  /** Not preferred until then, in ms, and not passed on: its link comes and goes too often. */
  dampedUntil: number = 0;
  /** Whether somebody else goes by its name, and it has yet to prove alive. */
  doubted: boolean = false;
  /** How often that has been so, and when it proved alive last, in ms. */
  doubts: number = 0;
  provedAt: number = -Infinity;
  /** Whether packets for it wait until it has. */
  suspended: boolean = false;
  /** Whether it takes too long: whoever goes by its name is preferred. */
  overtaken: boolean = false;
  /** Equal for links that are known to lead to the same router. */
  router: LinkId;
  /** When it was last heard, in ms, and how often. */
  heardAt: number;
  heard: number = 0;
  /** Whether it has told more than it may, and we have yet to ask for it again. */
  flooded: boolean = false;
  /** When something that it told was last refused, in ms. */
  refusedAt: number = -Infinity;
  /** How much it may say. */
  readonly meters: Meters;
  /** What has been dropped of what it says, and not told yet. */
  get tallies(): Map<string, Tally> {
    return this.#tallies ??= new Map();
  }
  /** Destinations that it offered and that we had no room for. */
  refused: number = 0;
  /** Digests that are compared for it: each takes as long as its table is. */
  get digestBudget(): Budget {
    return this.#digestBudget ??= new Budget(5, 1, -Infinity);
  }
  /** Requests for fresher routes that it may have us carry. */
  get requestBudget(): Budget {
    return this.#requestBudget ??= new Budget(2_000, 100, -Infinity);
  }

  // ── our own kind ──────────────────────────────────────────────────────────

  /** Its native origin, by which two lives of one address differ, signed; 0 for none. */
  instance: number = 0;
  /** Its session on this link; `""` until it has said so. */
  session: string = "";
  /** Our session on this link. */
  ownSession: string = "";
  /** Its session on another link, of which it says here that it is its own. */
  also: string = "";
  /** When we last said hello, in ms. */
  helloAt: number = -Infinity;
  /** How often it has begun anew on this link, and when it did last, in ms. */
  welcomes: number = 0;
  welcomedAt: number = -Infinity;
  /** Whether it is known to hear us. */
  proven: boolean = false;
  /** Whether it has told us something before we knew that it is of our kind. */
  missed: boolean = false;
  /** Whether it takes packets with trailers. */
  takesTrailers: boolean = false;
  /** Whether it compares digests. */
  takesDigests: boolean = false;
  /** Whether the link's channel chooses between text and bytes, and reads both. */
  choosesFormat: boolean = false;
  /** Whether its channel has been told that it reads packets in bytes. */
  takesBinary: boolean = false;
  /** Whether it keeps services from us. */
  hidesServices: boolean = false;
  /** Largest link frame that it takes, in bytes of data. */
  maxFrame: number = MAX_LINK_FRAME;
  /** For how long it may be silent, in ms. */
  deadAfter: number = 30_000;
  /** Time of a round trip, smoothed, in ms; 0 while unknown. */
  roundTrip: number = 0;
  /** The last ping's number, and when it was sent, in ms; -1 when it was answered. */
  pingAt: number = -1;
  /** Number of the last ping. */
  pingToken: number = 0;

  // What is due to it; null if nothing is, as of most neighbours at most times.

  /** Destinations whose news are due to it. */
  dirty: Destination[] | null = null;
  /** Services whose news are due to it. */
  dueServices: Set<ServiceRecord> | null = null;
  /** Requests that are due to it. */
  dueRequests: SequenceRequest[] | null = null;
  /** What else is due to it: written into the next frame. */
  dueSignals: Signal[] | null = null;
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
  /** The same of services at hosts that it leads to. */
  staleServices: Set<ServiceRecord> | null = null;

  // ── old peers ─────────────────────────────────────────────────────────────

  /** Changes that it may tell. */
  get changeBudget(): Budget {
    return this.#changeBudget ??= new Budget(20_000, 500, -Infinity);
  }
  /** Answers to its queries that may follow closely on each other. */
  get answerBudget(): Budget {
    return this.#answerBudget ??= new Budget(20, 0.2, -Infinity);
  }
  /** Adverts that said again what had just been said, and were not read. */
  repeats: number = 0;

  /** What an old peer says that each host offers, in no particular relation to routes. */
  get services(): Map<string, Capacities> {
    return this.#services ??= new Map();
  }
  /** How many services that is. */
  serviceCount: number = 0;
  /** What we have told an old peer that each host offers, our own services included. */
  get toldServices(): Map<string, Capacities> {
    return this.#toldServices ??= new Map();
  }
  /** Whether it has withdrawn itself, and we have yet to ask what it means. */
  withdrewItself: boolean = false;
  /**
   * Silence after which it is asked whether it is there, in ms; of a segment, how often we say there
   * that we are.
   */
  keepalive: number;
  /** Queries sent. */
  queries: number = 0;
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

  // Made when they are first needed: most links do without most of them.
  #disbelieved: Disbelieved | null = null;
  #tallies: Map<string, Tally> | null = null;
  #digestBudget: Budget | null = null;
  #requestBudget: Budget | null = null;
  #changeBudget: Budget | null = null;
  #answerBudget: Budget | null = null;
  #services: Map<string, Capacities> | null = null;
  #toldServices: Map<string, Capacities> | null = null;

  /** Constructs a new instance. */
  constructor(
    link: LinkId,
    settings: LinkSettings,
    meters: Meters,
    now: number,
    order: number = 0,
    rules: LinkRules = OPEN,
    segment: Segment | null = null,
  ) {
    const { cost = 1, trusted = true, keepalive = KEEPALIVE } = settings;
    this.link = this.router = link;
    this.order = order;
    this.cost = cost;
    this.keepalive = keepalive || Infinity;
    this.trusted = trusted;
    this.rules = rules;
    this.heardAt = now;
    this.meters = meters;
    this.segment = segment;
    this.told = segment?.voice.told ?? new Ledger();
  }

  /** Whether it is one of many on a segment. */
  get isMember(): boolean {
    return this.segment !== null && this.segment.voice !== this;
  }

  /** Whether it has asked all on its segment who they are, and has had no answer from us yet. */
  get isOwed(): boolean {
    return this.segment !== null && this.segment.asked.has(this);
  }

  /** Who hears what it is told: all on its segment, or it alone. */
  get listener(): Neighbour {
    return this.segment?.voice ?? this;
  }

  /** Notes its address. */
  name(address: string, ownHash: number, own: string): void {
    this.address = address;
    this.hash = hashName(address);
    this.precedesUs = precedes(this.hash, address, ownHash, own);
  }

  /** Whether it may offer ways to an address. */
  mayOffer(address: string): boolean {
    const { stub, advertises } = this.rules;
    return (!stub || address === this.address) && advertises(address);
  }

  /** Whether it is told of an address, and may send packets there. */
  mayKnow(address: string): boolean {
    return this.rules.hears(address) || address === this.address;
  }

  /** Whether others are to be preferred for now. */
  isDemoted(now: number): boolean {
    return this.overtaken || this.dampedUntil > now;
  }

  /** Forgets all that was said on either side. */
  forget(): void {
    this.offers.clearAll();
    if (!this.isMember) this.told.clearAll();
    this.dirty = this.dueRequests = this.dueSignals = null;
    this.serviceCount = 0;
    this.stale = this.audit = null;
    this.dueServices = this.staleServices = null;
    this.#services =
      this.#toldServices =
      this.#disbelieved =
        null;
    this.differs = this.withdrewItself = this.flooded = false;
    this.doubted = this.suspended = this.overtaken = false;
    this.refused = 0;
    this.takesTrailers = this.takesDigests = this.hidesServices = false;
    this.queryAt =
      this.retryAt =
      this.answerAt =
      this.flushAt =
        Infinity;
  }

  /** What has been dropped of what it says, and not told yet, if anything. */
  takeTallies(): Iterable<Tally> {
    const tallies = this.#tallies;
    this.#tallies = null;
    return tallies?.values() ?? NOTHING;
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
  /** Tell all again; or, 0: that was all. */
  | { readonly kind: "resync"; readonly what: number }
  | { readonly kind: "digest" }
  | { readonly kind: "bye"; readonly reason: number };
