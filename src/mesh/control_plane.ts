/**
 * The control plane: hears what neighbours tell, keeps the tables, chooses, and has the others told
 * what changed. How and why: src/mesh/README.md.
 *
 * Pure: time and chance come in as arguments, effects go into a list.
 *
 * @module
 */

import { ChannelError, PacketError } from "../errors.ts";
import { decodeHello } from "../wire/hello.ts";
import { NET_ERROR, NET_LINK, NET_QUERY, NET_ROUTE, NET_SERVICE } from "../wire/limits.ts";
import { decodeLinkFrame, type LinkDigest, type LinkFrameVisitor } from "../wire/link_frame.ts";
import type { Packet } from "../wire/packet.ts";
import { Agenda } from "./agenda.ts";
import { Announcer } from "./announcer.ts";
import { type Core, routeInfo } from "./core.ts";
import { agree, offeredDigest } from "./digest.ts";
import type { Effect, LinkId } from "./effects.ts";
import { Identity } from "./identity.ts";
import { LegacyBorder } from "./legacy_border.ts";
import { Links } from "./links.ts";
import type { MeshOptions } from "./options.ts";
import { RouteTable } from "./route_table.ts";
import { Searches } from "./search.ts";
import { distance, isNewer, isProxied, nextSequence, seconds } from "./sequence.ts";
import { ServicePlane } from "./service_plane.ts";
import { ServiceRecords } from "./service_records.ts";
import { ServiceTable } from "./service_table.ts";
import { type Destination, Neighbour } from "./state.ts";

/** Between fresh words about ourselves that nobody has asked for, in ms, a fifth more or less. */
const REFRESH_INTERVAL = 600_000;

/** Such a word is passed on if the last one is at least so old, in seconds. */
const REFRESH_AGE = 240;

/** An offer that is not confirmed for so long is forgotten, in seconds. */
const OFFER_LIFETIME = 2_100;

/** Between looks at what has become too old, in ms. */
const SWEEP_INTERVAL = 60_000;

/** Between looks whether a name that we have given up is free again, in ms. */
const RECLAIM_INTERVAL = 10_000;

/** Between full tables told again to one neighbour because it asked, in ms. */
const RESYNC_INTERVAL = 5_000;

/** Sequence numbers of one origin that are so far apart at the same time are strange. */
const STRANGE_DISTANCE = 64;

/** Lives that one address may begin within so many seconds before that is strange. */
const STRANGE_LIVES = 4;
const STRANGE_WINDOW = 20;

/** Whom the control plane tells of ways that come and go. */
export interface RouteWatcher {
  /** A way leads to the destination, or another than before. */
  found(destination: Destination, now: number): void;
  /** No way leads there, and none is being looked for. */
  lost(destination: Destination): void;
}

/** Tables, and the talk about them. */
export class ControlPlane {
  /** What the parts share. */
  readonly core: Core;
  /** Looks for routes. */
  readonly searches: Searches;
  /** Speaks with old peers. */
  readonly border: LegacyBorder;
  /** Told of ways that come and go. */
  watcher: RouteWatcher | null = null;

  readonly #announcer: Announcer;
  readonly #links: Links;
  readonly #services: ServicePlane;
  readonly #visitor: FrameReader;
  readonly #resyncs: WeakMap<Neighbour, number> = new WeakMap();
  readonly #lives: Map<string, number[]> = new Map();
  #sweeping: boolean = false;
  #refreshing: boolean = false;

  /** Constructs a new instance. */
  constructor(
    address: string,
    random: () => number,
    emit: (effect: Effect) => void,
    options: MeshOptions,
  ) {
    const identity = new Identity(address, random, options.incarnation);
    const neighbours = new Map<LinkId, Neighbour>();
    const maxRoutes = options.maxRoutes ?? 10_000;
    const maxServices = options.maxServices ?? 20_000;
    const core: Core = {
      identity,
      neighbours,
      routes: new RouteTable(
        address,
        neighbours,
        identity.proxyOrigin,
        (destination, neighbour, now) => this.border.judge(destination, neighbour, now),
        maxRoutes,
      ),
      services: new ServiceTable(),
      records: new ServiceRecords(maxServices),
      agenda: new Agenda(),
      random,
      stub: options.stub ?? false,
      hidden: options.hidden ?? false,
      throttled: options.throttled ?? false,
      emit,
    };
    this.core = core;
    this.#announcer = new Announcer(core);
    this.border = new LegacyBorder(core, {
      reselect: (destination, now) => this.reselect(destination, now),
      refresh: (destination, now) => this.#services.refresh(destination, now),
      query: (neighbour, now) => this.#links.query(neighbour, now),
      named: (neighbour, now) => this.#links.named(neighbour, now),
    }, {
      removal: options.removal ?? "reannounce",
      repair: options.repair ?? true,
      maxServices,
    });
    this.searches = new Searches(
      core,
      this.#announcer,
      (destination, now) => this.#lostForGood(destination, now),
    );
    this.#services = new ServicePlane(core, this.#announcer, this.border);
    this.#links = new Links(core, this.#announcer, this.border, {
      forgetOffers: (neighbour, now) => this.#forgetOffers(neighbour, now),
      reconsider: (neighbour, now) => this.#reconsider(neighbour, now),
      drop: (neighbour, error, now) => this.#drop(neighbour, error, now),
    }, maxRoutes);
    this.#visitor = new FrameReader(this);
    this.#updateSelf();
  }

  // ── inputs ────────────────────────────────────────────────────────────────

  /** A link has come up. */
  linkUp(link: LinkId, cost: number, now: number): void {
    const neighbour = new Neighbour(link, cost, now);
    this.core.neighbours.set(link, neighbour);
    this.#refreshLater(now);
    this.#sweepLater(now);
    this.#links.up(neighbour, now);
  }

  /** A link has gone down: choose again for all that its neighbour offered. */
  linkDown(link: LinkId, now: number): void {
    const neighbour = this.core.neighbours.get(link);
    if (neighbour === undefined) return;
    this.core.neighbours.delete(link);
    this.#links.down(neighbour, now);
    this.#part(neighbour, now);
  }

  /** We leave: our own kind is told, and need not notice. */
  leave(now: number): void {
    for (const neighbour of this.core.neighbours.values()) {
      if (neighbour.kind === "modern") this.#announcer.leave(neighbour, now);
    }
  }

  /** A packet is about to go to a neighbour: it must know whom to answer. */
  introduce(neighbour: Neighbour, address: string, now: number): void {
    this.#announcer.introduce(neighbour, address, now);
  }

  /** Takes a packet with `net` set. */
  receive(neighbour: Neighbour, packet: Packet, now: number): void {
    try {
      this.#hear(neighbour, packet, now);
    } catch (error) {
      if (!(error instanceof PacketError || error instanceof ChannelError)) throw error;
      this.core.emit({ kind: "drop", packet, error });
    }
  }

  /** Offers a service of our own; capacity 0 withdraws it. */
  offer(service: string, capacity: number, now: number): void {
    this.#services.offer(service, capacity, now);
  }

  /** Does what is due. */
  tick(now: number): void {
    for (let task; (task = this.core.agenda.take(now)) !== undefined;) task(now);
  }

  // ── hearing ───────────────────────────────────────────────────────────────

  #hear(neighbour: Neighbour, packet: Packet, now: number): void {
    const { net } = packet;
    switch (net) {
      case NET_ROUTE:
      case NET_SERVICE:
        if (neighbour.kind === "gone") return;
        if (neighbour.kind === "modern") return this.#links.takenForOld(neighbour, now);
        this.#links.beOld(neighbour, now);
        return this.border.hear(neighbour, packet, now);
      case NET_QUERY: {
        const hello = decodeHello(packet.data);
        if (hello !== null) return this.#links.heardHello(neighbour, hello, now);
        return this.#links.heardQuery(neighbour, now);
      }
      case NET_LINK:
        return this.#hearFrame(neighbour, packet, now);
      case NET_ERROR:
        throw new ChannelError(
          "ERR_CHANNEL_PEER",
          `Peer "${neighbour.address}" reports: ${packet.text()}`,
        );
      default:
        throw new PacketError("ERR_PACKET_FIELD", `Cannot accept net: ${net} means nothing`, 2);
    }
  }

  #hearFrame(neighbour: Neighbour, packet: Packet, now: number): void {
    if (neighbour.kind !== "modern") {
      neighbour.missed = true; // Its hello is still to come, and then it must tell us again.
      return;
    }
    this.#links.heardFrame(neighbour);
    this.#visitor.read(neighbour, packet.data, now);
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
    const { routes, identity } = this.core;
    if (!neighbour.budget.spend(now)) return this.#flooded(neighbour, now);
    if (address === identity.address) {
      return this.#heardOwnAddress(neighbour, cost, seq, origin, now);
    }
    let destination = routes.get(address);
    if (cost === 0) {
      if (destination === undefined || neighbour.offers.cost(destination.id) === 0) return;
      neighbour.stale?.delete(destination);
      routes.offer(destination, neighbour, 0, 0, 0);
      if (destination.selected === neighbour || destination.selected === null) {
        this.reselect(destination, now);
      }
      return;
    }
    destination = destination !== undefined && destination.offers > 0
      ? destination
      : routes.find(address) ?? undefined;
    if (destination === undefined) return this.#refuse(neighbour, address);
    if (!isProxied(origin) && origin > destination.newest) this.#newLife(destination, origin, now);
    if (address === neighbour.address) {
      neighbour.instance = origin;
    } else {
      this.#compare(destination, neighbour, seq, origin, now);
    }
    neighbour.stale?.delete(destination);
    routes.offer(destination, neighbour, cost, seq, origin);
    neighbour.offers.setNote(destination.id, seconds(now));
    this.#consider(destination, neighbour, now);
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
    this.searches.contradict(destination, behind, ahead ? seq : destination.seq, now);
  }

  /** Chooses again after one neighbour's offer has come or changed, looking no further than needed. */
  #consider(destination: Destination, neighbour: Neighbour, now: number): void {
    const { routes } = this.core;
    const { selected } = destination;
    if (selected === null || selected === neighbour || selected.kind !== "modern") {
      return this.reselect(destination, now);
    }
    const rank = routes.judge(destination, neighbour, now);
    const current = routes.judge(destination, selected, now);
    if (current === Infinity) return this.reselect(destination, now); // Of an earlier life.
    if (rank < current) this.#use(destination, neighbour, now);
    else if (rank === Infinity) this.searches.considerBetter(destination, now);
  }

  /** Somebody speaks of our own address. */
  #heardOwnAddress(
    neighbour: Neighbour,
    cost: number,
    seq: number,
    origin: number,
    now: number,
  ): void {
    const { routes } = this.core;
    neighbour.stale?.delete(routes.self);
    routes.offer(routes.self, neighbour, cost, seq, origin);
    if (cost > 0) this.#claimed(origin, seq, now);
  }

  #claimed(origin: number, seq: number, now: number): void {
    const { identity, routes, emit } = this.core;
    if (identity.yielded) return;
    const claim = identity.claimed(origin, seq, now);
    if (claim === "echo") return;
    if (claim !== "contradicted") emit({ kind: "conflict", address: identity.address });
    if (claim === "yielded") {
      this.#announcer.news(routes.self, now);
      this.#reclaimLater(now);
    } else {
      this.#beginLife(now);
    }
  }

  /** We go by a new origin from now on. */
  #beginLife(now: number): void {
    this.#updateSelf();
    this.#services.renew(now);
    this.#announcer.news(this.core.routes.self, now);
  }

  #updateSelf(): void {
    const { identity, routes } = this.core;
    routes.self.origin = identity.origin;
    routes.self.seq = identity.seq;
  }

  /** Takes our name back when nobody else goes by it any more. */
  #reclaimLater(now: number): void {
    this.core.agenda.add(now + RECLAIM_INTERVAL, (later) => {
      const { identity, neighbours, routes } = this.core;
      const taken = [...neighbours.values()].some(({ offers }) =>
        offers.cost(routes.self.id) > 0 && !isProxied(offers.origin(routes.self.id))
      );
      if (taken) return this.#reclaimLater(later);
      identity.beginAfter(identity.origin);
      this.#beginLife(later);
    });
  }

  /** A destination has begun a new life: what was said of earlier ones is void. */
  #newLife(destination: Destination, origin: number, now: number): void {
    const { address, newest } = destination;
    destination.newest = origin;
    this.core.records.supersede(address, origin);
    if (newest === 0) return;
    const at = seconds(now);
    const lives = (this.#lives.get(address) ?? []).filter((life) => at - life < STRANGE_WINDOW);
    lives.push(at);
    if (lives.length >= STRANGE_LIVES) {
      this.core.emit({ kind: "conflict", address });
      this.#lives.delete(address);
    } else {
      this.#lives.set(address, lives);
    }
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
    if (!neighbour.budget.spend(now)) return this.#flooded(neighbour, now);
    if (this.#services.heard(neighbour, host, origin, name, load, version, now)) return;
    this.#refuse(neighbour, `${name}@${host}`);
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
    const { identity, routes } = this.core;
    if (address !== identity.address) {
      return this.searches.requested(neighbour, { address, origin, seq, hops }, now);
    }
    if (origin === identity.origin && seq === nextSequence(identity.seq)) {
      if (identity.allowsRefresh(now)) {
        identity.refresh();
        this.#updateSelf();
      }
    } else if (seq !== 0) { // 0: any word of this life will do.
      this.#claimed(origin, seq, now);
    } else if (origin > identity.origin) {
      this.#claimed(origin, 1, now);
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
    const { stale, offers } = neighbour;
    neighbour.stale = null;
    const itself = this.core.routes.get(neighbour.address); // What was asked may have been lost.
    if (itself && offers.cost(itself.id) > 0) {
      this.#compare(itself, neighbour, offers.seq(itself.id), offers.origin(itself.id), now);
    }
    for (const destination of stale ?? []) { // It has told all again but this.
      if (neighbour.offers.cost(destination.id) === 0) continue;
      this.core.routes.offer(destination, neighbour, 0, 0, 0);
      if (destination !== this.core.routes.self) this.reselect(destination, now);
    }
    if (stale !== null) this.#services.settle(neighbour, now);
    if (neighbour.refused > 0) { // It tells more than we keep; there may be room by now.
      neighbour.refused = 0;
      if (this.core.routes.hasRoom) this.#askForAll(neighbour, now);
      return;
    }
    if (agree(digest, offeredDigest(this.core, neighbour))) {
      neighbour.differs = false;
    } else if (!neighbour.differs) {
      neighbour.differs = true; // Something may still be on its way; if not, the next will tell.
    } else {
      neighbour.differs = false;
      this.#askForAll(neighbour, now);
    }
  }

  #askForAll(neighbour: Neighbour, now: number): void {
    const { routes } = this.core;
    neighbour.stale = new Set(
      [routes.self, ...routes.values()].filter(({ id }) => neighbour.offers.cost(id) > 0),
    );
    this.#services.doubt(neighbour);
    this.#announcer.signal(neighbour, { kind: "resync", what: 3 }, now);
  }

  /** A neighbour of our kind wants to be told all again. */
  heardResync(neighbour: Neighbour, now: number): void {
    const last = this.#resyncs.get(neighbour) ?? -Infinity;
    if (now - last < RESYNC_INTERVAL) return;
    this.#resyncs.set(neighbour, now);
    this.#announcer.tellAllAgain(neighbour, now);
  }

  /** A neighbour of our kind leaves: its link need not be seen to break. */
  heardBye(neighbour: Neighbour, now: number): void {
    neighbour.kind = "gone";
    neighbour.session = "";
    this.#part(neighbour, now);
  }

  /** There is no room. What else the neighbour has to say is heard all the same. */
  #refuse(neighbour: Neighbour, what: string): void {
    if (neighbour.refused++ > 0) return; // Told already.
    const why = `Cannot keep "${what}": the table is full`;
    const error = new ChannelError("ERR_CHANNEL_PROTOCOL", why);
    this.core.emit({ kind: "drop", packet: null, error });
  }

  /** A neighbour tells more than anybody should: what was dropped is asked for when it is over. */
  #flooded(neighbour: Neighbour, now: number): void {
    if (neighbour.flooded) return;
    neighbour.flooded = true;
    this.core.agenda.add(now + 1_000, (later) => {
      neighbour.flooded = false;
      if (neighbour.kind === "modern") this.#askForAll(neighbour, later);
    });
    const why = `"${neighbour.address}" changes its mind too often`;
    throw new ChannelError("ERR_CHANNEL_PROTOCOL", `Cannot follow advertisements: ${why}`);
  }

  // ── choosing ──────────────────────────────────────────────────────────────

  /** Chooses again for one destination, and tells whoever should know. */
  reselect(destination: Destination, now: number): void {
    const { routes } = this.core;
    const { selected } = destination;
    if (selected !== null && routes.judge(destination, selected, now) === Infinity) {
      this.border.loses(destination, now);
    }
    const best = routes.best(destination, now);
    if (best === null) this.#lose(destination, now);
    else this.#use(destination, best, now);
  }

  #use(destination: Destination, neighbour: Neighbour, now: number): void {
    const { identity, emit } = this.core;
    const { offers, kind } = neighbour;
    const { id, address } = destination;
    const old = kind !== "modern";
    const direct = old && address === neighbour.address;
    const cost = direct ? neighbour.cost : offers.cost(id) - 1 + neighbour.cost;
    const origin = old ? identity.proxyOrigin : offers.origin(id);
    const seq = old ? this.#proxySeq(destination, cost) : offers.seq(id);
    const moved = destination.selected !== neighbour || destination.origin !== origin;
    const changed = moved || destination.cost !== cost;
    const fresher = destination.seq !== seq;
    destination.selected = neighbour;
    destination.cost = cost;
    destination.origin = origin;
    destination.seq = seq;
    destination.hearsay = old && !direct;
    if (changed) {
      destination.refreshedAt = seconds(now);
      emit({ kind: "route", route: routeInfo(destination) });
      this.#announcer.changed(destination, now);
      this.#announcer.news(destination, now);
    } else if (fresher && seconds(now) - destination.refreshedAt >= REFRESH_AGE) {
      destination.refreshedAt = seconds(now);
      this.#announcer.news(destination, now, "refresh");
    }
    this.searches.found(destination, now);
    if (!changed) return;
    if (moved) this.#services.refresh(destination, now);
    this.border.changed(destination, now);
    this.watcher?.found(destination, now);
    this.searches.considerBetter(destination, now);
  }

  /** Our own sequence number for an old peer: a longer way than we have told needs a newer word. */
  #proxySeq(destination: Destination, cost: number): number {
    const { routes, identity } = this.core;
    const source = routes.source(destination, identity.proxyOrigin);
    let seq = destination.proxySeq || 1;
    if (source !== null && isNewer(source.seq, seq)) seq = source.seq;
    if (source !== null && source.seq === seq && cost + 1 > source.cost) seq = nextSequence(seq);
    return destination.proxySeq = seq;
  }

  /** No offer is usable: withdraws, and looks for one if there is hope. */
  #lose(destination: Destination, now: number): void {
    const { emit } = this.core;
    const had = destination.selected !== null;
    const hoped = this.searches.isStarving(destination);
    destination.selected = null;
    destination.cost = 0;
    const hope = this.searches.starve(destination, had, now);
    if (had) {
      const route = routeInfo(destination);
      emit(hope ? { kind: "route", route, held: true } : { kind: "route", route });
      this.#announcer.changed(destination, now);
      this.#announcer.news(destination, now);
      this.border.lost(destination, now);
    }
    if (hope || (!had && !hoped)) return;
    if (!had) emit({ kind: "route", route: routeInfo(destination) });
    this.#services.refresh(destination, now);
    this.watcher?.lost(destination);
  }

  /** Nobody has answered. */
  #lostForGood(destination: Destination, now: number): void {
    this.core.emit({ kind: "route", route: routeInfo(destination) });
    this.#services.refresh(destination, now);
    this.watcher?.lost(destination);
  }

  // ── links ─────────────────────────────────────────────────────────────────

  /** Lets go of a neighbour's offers and of all that was due to it. */
  #part(neighbour: Neighbour, now: number): void {
    neighbour.kind = "gone";
    this.#forgetOffers(neighbour, now);
    this.searches.forget(neighbour, now);
    this.border.farewell(neighbour);
    neighbour.forget();
  }

  #forgetOffers(neighbour: Neighbour, now: number): void {
    const { routes } = this.core;
    const lost: Destination[] = [];
    for (const destination of routes.values()) {
      if (neighbour.offers.cost(destination.id) === 0) continue;
      routes.offer(destination, neighbour, 0, 0, 0);
      lost.push(destination);
    }
    for (const destination of lost) {
      if (destination.selected === neighbour || destination.selected === null) {
        this.reselect(destination, now);
      }
    }
  }

  /** Chooses again for all that a neighbour offers, and tells what may now be told. */
  #reconsider(neighbour: Neighbour, now: number): void {
    for (const destination of this.core.routes.values()) {
      if (neighbour.offers.cost(destination.id) === 0) continue;
      this.reselect(destination, now);
      if (destination.selected !== neighbour) {
        this.searches.considerBetter(destination, now); // Its word may have become too old.
        continue;
      }
      this.#announcer.news(destination, now);
      this.border.changed(destination, now);
    }
  }

  #drop(neighbour: Neighbour, error: ChannelError, now: number): void {
    const { link } = neighbour;
    this.core.emit({ kind: "close", link, error });
    this.linkDown(link, now);
  }

  // ── time ──────────────────────────────────────────────────────────────────

  /** Gives a fresh word about ourselves now and then, so that others know that we are still there. */
  #refreshLater(now: number): void {
    if (this.#refreshing) return;
    this.#refreshing = true;
    const at = now + REFRESH_INTERVAL * (0.8 + 0.4 * this.core.random());
    this.core.agenda.add(at, (later) => {
      this.#refreshing = false;
      const { identity, neighbours, routes } = this.core;
      if (neighbours.size === 0) return;
      identity.refresh();
      this.#updateSelf();
      this.#announcer.news(routes.self, later, "refresh");
      for (const destination of routes.values()) {
        if (destination.selected?.kind !== "legacy") continue;
        destination.seq = destination.proxySeq = nextSequence(destination.proxySeq);
        this.#announcer.news(destination, later, "refresh");
      }
      this.#refreshLater(later);
    });
  }

  #sweepLater(now: number): void {
    if (this.#sweeping) return;
    this.#sweeping = true;
    this.core.agenda.add(now + SWEEP_INTERVAL, (later) => {
      this.#sweeping = false;
      this.#sweep(later);
      const { neighbours, routes } = this.core;
      if (neighbours.size > 0 || routes.size > 0) this.#sweepLater(later);
    });
  }

  /** Forgets what is too old. */
  #sweep(now: number): void {
    const { routes, records, neighbours, identity } = this.core;
    const at = seconds(now);
    for (const destination of [...routes.values()]) {
      for (const neighbour of neighbours.values()) {
        const { offers, kind } = neighbour;
        if (kind !== "modern" || offers.cost(destination.id) === 0) continue;
        if (at - offers.note(destination.id) < OFFER_LIFETIME) continue;
        routes.offer(destination, neighbour, 0, 0, 0);
        this.reselect(destination, now);
      }
      const { search } = destination;
      if (search?.askAt === Infinity && !search.betterDue && search.requesters.size === 0) {
        destination.search = null;
      }
    }
    routes.sweep(now);
    records.sweep(now, (host, origin) => {
      if (host === identity.address) return origin === identity.origin;
      const destination = routes.get(host);
      if (destination === undefined) return false;
      if (destination.selected !== null && destination.origin === origin) return true;
      return [...neighbours.values()].some(({ offers }) =>
        offers.cost(destination.id) > 0 && offers.origin(destination.id) === origin
      );
    });
    for (const [address, lives] of this.#lives) {
      if (at - lives.at(-1)! >= STRANGE_WINDOW) this.#lives.delete(address);
    }
  }
}

/** Reads link frames to the control plane. */
class FrameReader implements LinkFrameVisitor {
  readonly #plane: ControlPlane;
  #neighbour!: Neighbour;
  #now: number = 0;

  constructor(plane: ControlPlane) {
    this.#plane = plane;
  }

  read(neighbour: Neighbour, data: Uint8Array, now: number): void {
    this.#neighbour = neighbour;
    this.#now = now;
    decodeLinkFrame(data, this);
  }

  route(address: string, cost: number, seq: number, origin: number): void {
    this.#plane.heardRoute(this.#neighbour, address, cost, seq, origin | 0, this.#now);
  }

  service(host: string, name: string, load: number, instance: number, version: number): void {
    const neighbour = this.#neighbour;
    this.#plane.heardService(neighbour, host, name, load, instance | 0, version, this.#now);
  }

  seqRequest(address: string, origin: number, seq: number, hops: number): void {
    this.#plane.heardRequest(this.#neighbour, address, origin | 0, seq, hops, this.#now);
  }

  ping(token: number): void {
    this.#plane.heardPing(this.#neighbour, token, this.#now);
  }

  pong(token: number): void {
    this.#plane.heardPong(this.#neighbour, token, this.#now);
  }

  digest(digest: LinkDigest): void {
    this.#plane.heardDigest(this.#neighbour, digest, this.#now);
  }

  resync(): void {
    this.#plane.heardResync(this.#neighbour, this.#now);
  }

  bye(): void {
    this.#plane.heardBye(this.#neighbour, this.#now);
  }
}
