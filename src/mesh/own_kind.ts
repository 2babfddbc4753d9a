/**
 * Hearing neighbours of our own kind: what their link frames say, and whether both sides still agree.
 *
 * Pure: what is told goes out through the announcer and as effects.
 *
 * @module
 */

import { decodeLinkFrame, type LinkDigest, type LinkFrameVisitor } from "../wire/link_frame.ts";
import type { Announcer } from "./announcer.ts";
import type { Choice } from "./choice.ts";
import type { Contests } from "./contests.ts";
import type { Core } from "./core.ts";
import { agree, offeredDigest } from "./digest.ts";
import type { DropTally } from "./drop_tally.ts";
import type { Floods } from "./floods.ts";
import type { Links } from "./links.ts";
import type { Lives } from "./lives.ts";
import type { Searches } from "./search.ts";
import { distance, isNewer, isProxied, nextSequence, seconds } from "./sequence.ts";
import type { ServicePlane } from "./service_plane.ts";
import type { Destination, Neighbour } from "./state.ts";

/** Between full tables told again to one neighbour because it asked, in ms. */
const RESYNC_INTERVAL = 5_000;

/** What a record takes in a link frame, about, in bytes. */
const RECORD_SIZE = 16;

/** Sequence numbers of one origin that are so far apart at the same time are strange. */
const STRANGE_DISTANCE = 64;

/** What hearing needs. */
export interface OwnKindParts {
  /** Tells our own kind. */
  announcer: Announcer;
  /** Looks for routes. */
  searches: Searches;
  /** Keeps services. */
  services: ServicePlane;
  /** Chooses ways. */
  choice: Choice;
  /** Keeps lives apart. */
  lives: Lives;
  /** Keeps links. */
  links: Links;
  /** Keeps floods out. */
  floods: Floods;
  /** Tells of drops. */
  tally: DropTally;
  /** Settles whose name it is. */
  contests: Contests;
  /** Lets go of a neighbour that has said goodbye. */
  part: (neighbour: Neighbour, now: number) => void;
}

/** Hears our own kind. */
export class OwnKind {
  readonly #core: Core;
  readonly #announcer: Announcer;
  readonly #searches: Searches;
  readonly #services: ServicePlane;
  readonly #choice: Choice;
  readonly #lives: Lives;
  readonly #links: Links;
  readonly #floods: Floods;
  readonly #tally: DropTally;
  readonly #contests: Contests;
  readonly #part: (neighbour: Neighbour, now: number) => void;
  readonly #reader: FrameReader = new FrameReader(this);
  /** Whether the frame being read tells more than its neighbour may. */
  #cut: boolean = false;
  /** When each neighbour was last told all again, or will be, in ms. */
  readonly #resyncs: WeakMap<Neighbour, number> = new WeakMap();

  /** Constructs a new instance. */
  constructor(core: Core, parts: OwnKindParts) {
    this.#core = core;
    this.#announcer = parts.announcer;
    this.#searches = parts.searches;
    this.#services = parts.services;
    this.#choice = parts.choice;
    this.#lives = parts.lives;
    this.#links = parts.links;
    this.#floods = parts.floods;
    this.#tally = parts.tally;
    this.#contests = parts.contests;
    this.#part = parts.part;
  }

  /**
   * Takes the data of a link frame. Of a neighbour that tells too much whole frames are dropped
   * unread: whatever is lost with them is asked for again, by either side, or told once more.
   *
   * @throws {PacketError} If it is broken.
   */
  hear(neighbour: Neighbour, data: Uint8Array, now: number): void {
    if (!this.#floods.bears(neighbour, "records", now, data.length / RECORD_SIZE)) return;
    this.#links.heardFrame(neighbour);
    if (!neighbour.meters.of("records").affords(1, now)) {
      return this.#floods.refuse(neighbour, "records", null, now);
    }
    this.#cut = false;
    this.#reader.read(neighbour, data, now);
    if (this.#cut) this.#floods.refuse(neighbour, "records", null, now);
  }

  /** Whether a neighbour may tell one thing more. */
  #mayTell({ meters }: Neighbour, now: number): boolean {
    if (meters.of("records").spend(now)) return true;
    this.#cut = true;
    return false;
  }

  /** A neighbour of our kind tells a route; cost 0 retracts it. */
  heardRoute(
    neighbour: Neighbour,
    address: string,
    cost: number,
    seq: number,
    origin: number,
    now: number,
  ): void {
    const { routes, identity } = this.#core;
    if (!this.#mayTell(neighbour, now)) return;
    if (!neighbour.mayOffer(address)) {
      neighbour.disbelieved.note(address, cost, seq, origin);
      if (address === identity.address && cost > 0 && identity.isClaim(origin, seq)) {
        this.#contests.claimed(routes.self, neighbour, now);
      }
      if (cost > 0) this.#tally.breaksRules(neighbour, address);
      return;
    }
    if (address === identity.address) {
      return this.#heardOwnAddress(neighbour, cost, seq, origin, now);
    }
    let destination = routes.get(address);
    if (cost === 0) {
      if (destination === undefined || neighbour.offers.cost(destination.id) === 0) return;
      neighbour.stale?.delete(destination);
      routes.offer(destination, neighbour, 0, 0, 0);
      if (destination.selected === neighbour || destination.selected === null) {
        this.#choice.reselect(destination, now);
      }
      return;
    }
    destination = destination !== undefined && destination.offers.length > 0
      ? destination
      : routes.find(address) ?? undefined;
    if (destination === undefined) return this.#refuse(neighbour, `"${address}"`, now);
    const keeper = routes.keeper(destination);
    const isKept = keeper !== null && keeper.router !== neighbour.router;
    const later = !isProxied(origin) && origin > destination.newest;
    if (later && !isKept) this.#lives.begins(destination, origin, now);
    if (address === neighbour.address) {
      neighbour.instance = origin;
    } else {
      this.#compare(destination, neighbour, seq, origin, now);
    }
    neighbour.stale?.delete(destination);
    routes.offer(destination, neighbour, cost, seq, origin);
    neighbour.offers.setNote(destination.id, seconds(now));
    if (isKept && cost === 1) this.#contests.claimed(destination, neighbour, now);
    else if (isKept && later) this.#contests.claimed(destination, neighbour, now, origin);
    this.#choice.consider(destination, neighbour, now);
  }

  /**
   * One life of one router does not count up so fast: if two ways say so, two routers have
   * begun their lives in the same second. The one that is behind is asked for what the other has
   * said, and will know that it has not.
   */
  #compare(
    destination: Destination,
    neighbour: Neighbour,
    seq: number,
    origin: number,
    now: number,
  ): void {
    const { selected } = destination;
    if (selected?.kind !== "modern" || selected === neighbour) return;
    if (destination.origin !== origin || distance(seq, destination.seq) < STRANGE_DISTANCE) return;
    const ahead = isNewer(seq, destination.seq);
    const behind = ahead ? selected : neighbour;
    this.#searches.contradict(destination, behind, origin, ahead ? seq : destination.seq, now);
  }

  /** Somebody speaks of our own address. */
  #heardOwnAddress(
    neighbour: Neighbour,
    cost: number,
    seq: number,
    origin: number,
    now: number,
  ): void {
    const { routes } = this.#core;
    neighbour.stale?.delete(routes.self);
    routes.offer(routes.self, neighbour, cost, seq, origin);
    if (cost > 0) this.#lives.claimed(origin, seq, now);
  }

  /** A neighbour of our kind tells a service; load 0 removes it. */
  heardService(
    neighbour: Neighbour,
    host: string,
    name: string,
    load: number,
    origin: number,
    version: number,
    now: number,
  ): void {
    if (!this.#mayTell(neighbour, now)) return;
    if (!neighbour.mayOffer(host) || this.#isNotBelieved(neighbour, host, name, origin)) {
      neighbour.disbelieved.services = true;
      return this.#tally.breaksRules(neighbour, `${name}@${host}`);
    }
    if (this.#services.heard(neighbour, host, origin, name, load, version, now)) return;
    this.#refuse(neighbour, `"${name}@${host}"`, now);
  }

  /** Whether a neighbour tells of a service that may not be on its side, and that is new to us. */
  #isNotBelieved(neighbour: Neighbour, host: string, name: string, origin: number): boolean {
    return !neighbour.rules.offers(name, host) &&
      this.#core.records.get(host, origin, name) === undefined;
  }

  /** A neighbour of our kind asks for a fresher route. */
  heardRequest(
    neighbour: Neighbour,
    address: string,
    origin: number,
    seq: number,
    hops: number,
    now: number,
  ): void {
    const { identity, routes } = this.#core;
    if (!neighbour.mayKnow(address)) return;
    if (address !== identity.address) {
      return this.#searches.requested(neighbour, { address, origin, seq, hops }, now);
    }
    if (origin === identity.origin && seq === nextSequence(identity.seq)) {
      if (identity.allowsRefresh(now)) {
        identity.refresh();
        this.#lives.updateSelf();
      }
    } else if (seq !== 0) { // 0: any word of this life will do.
      this.#lives.claimed(origin, seq, now);
    } else if (origin > identity.origin) {
      this.#lives.wanted(origin, now);
    }
    this.#announcer.tell(neighbour, routes.self, now, "answer");
  }

  /** A neighbour of our kind wants to hear a number again. */
  heardPing(neighbour: Neighbour, token: number, now: number): void {
    this.#announcer.signal(neighbour, { kind: "pong", token }, now);
  }

  /** A neighbour of our kind has heard a number. */
  heardPong(neighbour: Neighbour, token: number, now: number): void {
    this.#links.heardPong(neighbour, token, now);
  }

  /** A neighbour of our kind says what all that it has told us comes to. */
  heardDigest(neighbour: Neighbour, digest: LinkDigest, now: number): void {
    const { offers } = neighbour;
    const itself = this.#core.routes.get(neighbour.address); // What was asked may have been lost.
    if (itself && offers.cost(itself.id) > 0) {
      this.#compare(itself, neighbour, offers.seq(itself.id), offers.origin(itself.id), now);
    }
    if (neighbour.refused > 0) { // It tells more than we keep; there may be room by now.
      neighbour.refused = 0;
      if (this.#core.routes.hasRoom) this.askForAll(neighbour, now);
      return;
    }
    const { disbelieved } = neighbour;
    if (!disbelieved.complete || !neighbour.digestBudget.spend(now)) return;
    const withServices = !neighbour.hidesServices && !disbelieved.services &&
      disbelieved.size === 0;
    if (agree(digest, offeredDigest(this.#core, neighbour), withServices)) {
      neighbour.differs = false;
    } else if (!neighbour.differs) {
      neighbour.differs = true; // Something may still be on its way; if not, the next will tell.
    } else {
      neighbour.differs = false;
      this.askForAll(neighbour, now);
    }
  }

  /** Asks a neighbour of our kind to tell all again. */
  askForAll(neighbour: Neighbour, now: number): void {
    this.doubt(neighbour);
    this.#announcer.signal(neighbour, { kind: "resync", what: 3 }, now);
  }

  /** A neighbour of our kind is about to tell all again: notes what it has told. */
  doubt(neighbour: Neighbour): void {
    const { routes } = this.#core;
    neighbour.stale = new Set(
      [routes.self, ...routes.values()].filter(({ id }) => neighbour.offers.cost(id) > 0),
    );
    neighbour.disbelieved.clear();
    if (!neighbour.hidesServices) this.#services.doubt(neighbour);
  }

  /**
   * A neighbour of our kind wants to be told all again: soon, if it was only just.
   *
   * @param what 0: it is the neighbour that has told all again.
   */
  heardResync(neighbour: Neighbour, what: number, now: number): void {
    if (what === 0) return this.#toldAll(neighbour, now);
    const last = this.#resyncs.get(neighbour) ?? -Infinity;
    if (last > now) return; // It will be.
    const at = Math.max(now, last + RESYNC_INTERVAL);
    this.#resyncs.set(neighbour, at);
    if (at === now) return this.#announcer.tellAllAgain(neighbour, now);
    this.#core.agenda.add(at, (later) => {
      if (neighbour.kind === "modern") this.#announcer.tellAllAgain(neighbour, later);
    });
  }

  /** A neighbour has told all again: what it has left out is gone. */
  #toldAll(neighbour: Neighbour, now: number): void {
    const { routes } = this.#core;
    const { stale } = neighbour;
    neighbour.stale = null;
    if (stale === null || neighbour.flooded) return; // Not all of it was heard: we ask once more.
    for (const destination of stale) {
      if (neighbour.offers.cost(destination.id) === 0) continue;
      routes.offer(destination, neighbour, 0, 0, 0);
      if (destination !== routes.self) this.#choice.reselect(destination, now);
    }
    this.#services.settle(neighbour, now);
  }

  /** A neighbour of our kind leaves: its link need not be seen to break. */
  heardBye(neighbour: Neighbour, now: number): void {
    neighbour.kind = "gone";
    neighbour.session = "";
    this.#part(neighbour, now);
  }

  /** There is no room. What else the neighbour has to say is heard all the same. */
  #refuse(neighbour: Neighbour, what: string, now: number): void {
    neighbour.refused++;
    this.#tally.full(neighbour, what, now);
  }
}

/** Hands on what link frames say. */
class FrameReader implements LinkFrameVisitor {
  readonly #kind: OwnKind;
  #neighbour!: Neighbour;
  #now: number = 0;

  constructor(kind: OwnKind) {
    this.#kind = kind;
  }

  read(neighbour: Neighbour, data: Uint8Array, now: number): void {
    this.#neighbour = neighbour;
    this.#now = now;
    decodeLinkFrame(data, this);
  }

  route(address: string, cost: number, seq: number, origin: number): void {
    this.#kind.heardRoute(this.#neighbour, address, cost, seq, origin | 0, this.#now);
  }

  service(host: string, name: string, load: number, instance: number, version: number): void {
    const neighbour = this.#neighbour;
    this.#kind.heardService(neighbour, host, name, load, instance | 0, version, this.#now);
  }

  seqRequest(address: string, origin: number, seq: number, hops: number): void {
    this.#kind.heardRequest(this.#neighbour, address, origin | 0, seq, hops, this.#now);
  }

  ping(token: number): void {
    this.#kind.heardPing(this.#neighbour, token, this.#now);
  }

  pong(token: number): void {
    this.#kind.heardPong(this.#neighbour, token, this.#now);
  }

  digest(digest: LinkDigest): void {
    this.#kind.heardDigest(this.#neighbour, digest, this.#now);
  }

  resync(what: number): void {
    this.#kind.heardResync(this.#neighbour, what, this.#now);
  }

  bye(): void {
    this.#kind.heardBye(this.#neighbour, this.#now);
  }
}
