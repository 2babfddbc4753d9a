/**
 * The control plane: hears what neighbours tell, keeps the tables, chooses, and has the others told
 * what changed. How and why: src/mesh/README.md.
 *
 * Pure: time and chance come in as arguments, effects go into a list.
 *
 * @module
 */

import { type AlnError, ChannelError, PacketError } from "../errors.ts";
import { decodeHello } from "../wire/hello.ts";
import { NET_ERROR, NET_LINK, NET_QUERY, NET_ROUTE, NET_SERVICE } from "../wire/limits.ts";
import type { Packet } from "../wire/packet.ts";
import { Agenda } from "./agenda.ts";
import { Announcer } from "./announcer.ts";
import { Choice } from "./choice.ts";
import { Contests } from "./contests.ts";
import type { Core } from "./core.ts";
import { reasonOf } from "./drop_reason.ts";
import { DropTally } from "./drop_tally.ts";
import type { Effect, LinkId, PeerId } from "./effects.ts";
import { Floods } from "./floods.ts";
import { Identity } from "./identity.ts";
import { LegacyBorder } from "./legacy_border.ts";
import { type LinkRules, OPEN, rulesOf } from "./link_policy.ts";
import { Links } from "./links.ts";
import { Lives } from "./lives.ts";
import { Namesakes } from "./namesakes.ts";
import type { LinkSettings, MeshOptions } from "./options.ts";
import { OwnKind } from "./own_kind.ts";
import { Meters } from "./rate_limits.ts";
import { RouteTable } from "./route_table.ts";
import { Searches } from "./search.ts";
import { isOffered, ServicePlane } from "./service_plane.ts";
import { ServiceRecords } from "./service_records.ts";
import { Segments } from "./segments.ts";
import { ServiceTable } from "./service_table.ts";
import { Neighbour, Segment } from "./state.ts";
import { Upkeep } from "./upkeep.ts";

/** What a neighbour may tell at once, at least. */
const MIN_BURST = 20_000;

/** Tables, and the talk about them: makes the parts, and hands each input to the one it is for. */
export class ControlPlane {
  /** What the parts share. */
  readonly core: Core;
  /** Looks for routes. */
  readonly searches: Searches;
  /** Speaks with old peers. */
  readonly border: LegacyBorder;
  /** Chooses ways. */
  readonly choice: Choice;
  /** Keeps floods out. */
  readonly floods: Floods;

  /** What a neighbour may tell at once: all that we keep, twice. */
  readonly #burst: number;
  #linksSeen: number = 0;
  /** Those of the last link: the next may well have the same. */
  #rules: LinkRules = OPEN;
  readonly #tally: DropTally;
  readonly #announcer: Announcer;
  readonly #links: Links;
  readonly #segments: Segments;
  readonly #contests: Contests;
  readonly #services: ServicePlane;
  readonly #ownKind: OwnKind;
  readonly #upkeep: Upkeep;

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
    this.#burst = Math.max(MIN_BURST, 2 * (maxRoutes + maxServices));
    const core: Core = {
      identity,
      neighbours,
      listeners: new Map(),
      namesakes: new Namesakes(),
      routes: new RouteTable(
        address,
        neighbours,
        identity.proxyOrigin,
        (destination, neighbour, now) => this.border.judge(destination, neighbour, now),
        maxRoutes,
      ),
      services: new ServiceTable(address, random),
      records: new ServiceRecords(maxServices, (host, origin) => isOffered(core, host, origin)),
      agenda: new Agenda(),
      random,
      stub: options.stub ?? false,
      hidden: options.hidden ?? false,
      throttled: options.throttled ?? false,
      emit,
    };
    this.core = core;
    const announcer = new Announcer(core);
    const tally = new DropTally(core);
    this.#tally = tally;
    this.floods = new Floods(core, tally, {
      ask: (neighbour, now) => {
        if (neighbour.kind === "modern") this.#ownKind.askForAll(neighbour, now);
        else if (neighbour.kind === "legacy") this.border.audit(neighbour, now);
      },
      drop: (neighbour, error, now) => this.#drop(neighbour, error, now),
    }, this.#burst);
    this.border = new LegacyBorder(
      core,
      {
        reselect: (destination, now) => this.choice.reselect(destination, now),
        refresh: (destination, now) => this.#services.refresh(destination, now),
        heardService: (host, service, capacity, now) =>
          this.#services.heardOld(host, service, capacity, now),
        query: (neighbour, now, often) => this.#links.query(neighbour, now, often),
        named: (neighbour, now) => this.#links.named(neighbour, now),
        claimed: (destination, by, now) => this.#contests.claimed(destination, by, now),
        judged: (neighbour, now) => {
          this.choice.reconsider(neighbour, now);
          this.#contests.settle(neighbour.address, now);
        },
        drop: (neighbour, error, now) => this.#drop(neighbour, error, now),
      },
      this.floods,
      tally,
      {
        removal: options.removal ?? "reannounce",
        repair: options.repair ?? true,
        maxServices,
      },
    );
    const searches = new Searches(
      core,
      announcer,
      (destination, now) => this.choice.lostForGood(destination, now),
    );
    const services = new ServicePlane(core, announcer, this.border);
    const choice = new Choice(core, announcer, this.border, searches, services);
    const lives = new Lives(core, announcer, services);
    const links = new Links(core, announcer, this.border, {
      forgetOffers: (neighbour, now) => choice.forgetOffers(neighbour, now),
      reconsider: (neighbour, now) => choice.reconsider(neighbour, now),
      settle: (address, now) => this.#contests.settle(address, now),
      drop: (neighbour, error, now) => this.#drop(neighbour, error, now),
      echoes: (neighbour, now) => this.#segments.echoes(neighbour, now),
      heardOnSegment: (neighbour, hello, now) => this.#segments.heardHello(neighbour, hello, now),
    }, maxRoutes);
    const part = (neighbour: Neighbour, now: number) => this.#part(neighbour, now);
    this.#announcer = announcer;
    this.searches = searches;
    this.#services = services;
    this.choice = choice;
    this.#links = links;
    this.#segments = new Segments(core, announcer, links, {
      create: (segment, now) => this.#member(segment, now),
      part: (neighbour, now) => this.#depart(neighbour, now),
      doubt: (neighbour) => this.#ownKind.doubt(neighbour),
      full: ({ voice }, now) => tally.full(voice, "neighbour", now),
    });
    this.#contests = new Contests(
      core,
      announcer,
      (neighbour, now) => links.challenge(neighbour, now),
    );
    this.#ownKind = new OwnKind(core, {
      announcer,
      searches,
      services,
      choice,
      lives,
      links,
      floods: this.floods,
      tally,
      contests: this.#contests,
      part: (neighbour, now) => {
        if (neighbour.isMember) this.#segments.gone(neighbour, now);
        else part(neighbour, now);
      },
    });
    this.#upkeep = new Upkeep(core, announcer, choice, lives, searches);
  }

  // ── inputs ────────────────────────────────────────────────────────────────

  /** A link has come up. */
  linkUp(link: LinkId, settings: LinkSettings, choosesFormat: boolean, now: number): void {
    const neighbour = this.#neighbour(link, settings, now);
    neighbour.choosesFormat = choosesFormat;
    this.#links.up(neighbour, now);
  }

  /** A link has come up that many neighbours share. */
  segmentUp(link: LinkId, settings: LinkSettings, now: number): void {
    const segment = new Segment(this.#neighbour(link, settings, now), settings);
    this.#segments.up(segment, now);
  }

  /** A segment cannot be reached for now, or can be again. */
  segmentIs(there: boolean, link: LinkId, now: number): void {
    const segment = this.core.neighbours.get(link)?.segment ?? null;
    if (segment === null) return;
    if (there) this.#segments.back(segment, now);
    else this.#segments.away(segment, now);
  }

  /** The neighbour on a segment that a packet comes from; `null` if it cannot be one now. */
  sender(link: LinkId, peer: PeerId, { net }: Packet, now: number): Neighbour | null {
    const segment = this.core.neighbours.get(link)?.segment ?? null;
    const member = segment && this.#segments.member(segment, peer, now);
    if (member?.kind === "open" && net !== NET_QUERY) this.#segments.ask(member, now);
    return member;
  }

  /** The engine says that a neighbour on a segment is gone. */
  neighbourDown(link: LinkId, peer: PeerId, now: number): void {
    const member = this.core.neighbours.get(link)?.segment?.members.get(peer);
    if (member !== undefined) this.#segments.gone(member, now);
  }

  /** A link has gone down: choose again for all that its neighbour offered. */
  linkDown(link: LinkId, now: number): void {
    const neighbour = this.core.neighbours.get(link);
    if (neighbour === undefined) return;
    this.core.neighbours.delete(link);
    this.core.listeners.delete(link);
    if (neighbour.segment !== null) this.#segments.away(neighbour.segment, now);
    this.#links.down(neighbour, now);
    this.#depart(neighbour, now);
  }

  /** We leave: our own kind is told, and need not notice. */
  leave(now: number): void {
    for (const neighbour of this.core.listeners.values()) { // Channels leave segments themselves.
      if (neighbour.kind === "modern") this.#announcer.leave(neighbour, now);
    }
  }

  /** A packet is about to go to a neighbour: it must know whom to answer. */
  introduce(neighbour: Neighbour, address: string, now: number): void {
    if (neighbour.isOwed) this.#segments.answer(neighbour, now);
    this.#announcer.introduce(neighbour, address, now);
  }

  /** Takes a packet with `net` set. */
  receive(neighbour: Neighbour, packet: Packet, now: number): void {
    try {
      this.#hear(neighbour, packet, now);
    } catch (error) {
      if (!(error instanceof PacketError)) throw error;
      this.floods.unreadable(neighbour, packet, reasonOf(error, packet), () => error, now);
    }
  }

  /** Something has come that is no packet. */
  unreadable(neighbour: Neighbour, error: AlnError, now: number): void {
    this.floods.unreadable(neighbour, null, reasonOf(error, null), () => error, now);
  }

  /** Whether a neighbour may send a packet of an application. */
  bears(neighbour: Neighbour, packet: Packet, now: number): boolean {
    return this.floods.bears(neighbour, "packets", now) &&
      this.floods.admits(neighbour, "packets", packet, now);
  }

  /** Offers a service of our own; capacity 0 withdraws it. */
  offer(service: string, capacity: number, now: number): void {
    this.#services.offer(service, capacity, now);
  }

  /** Does what is due. */
  tick(now: number): void {
    for (let task; (task = this.core.agenda.take(now)) !== undefined;) task(now);
  }

  // ── within ───────────────────────────────────────────────────────────────

  /** Somebody at the far end of a link, or all who are. */
  #neighbour(link: LinkId, settings: LinkSettings, now: number): Neighbour {
    const meters = new Meters(settings.limits, this.#burst, now);
    const rules = this.#rules = rulesOf(settings.policy, this.#rules);
    const neighbour = new Neighbour(link, settings, meters, now, this.#linksSeen++, rules);
    this.core.neighbours.set(link, neighbour);
    this.core.listeners.set(link, neighbour);
    this.#upkeep.start(now);
    return neighbour;
  }

  /** Somebody on a segment. */
  #member(segment: Segment, now: number): Neighbour {
    const { settings, voice } = segment;
    const meters = new Meters(settings.limits, this.#burst, now);
    const order = this.#linksSeen++;
    const link = -1 - order;
    const member = new Neighbour(link, settings, meters, now, order, voice.rules, segment);
    member.ownSession = voice.ownSession;
    return member;
  }

  #hear(neighbour: Neighbour, packet: Packet, now: number): void {
    const { net } = packet;
    switch (net) {
      case NET_ROUTE:
      case NET_SERVICE:
        if (neighbour.kind === "gone" || neighbour.isMember) return;
        if (neighbour.kind === "modern") return this.#links.takenForOld(neighbour, now);
        this.#links.beOld(neighbour, now);
        return this.border.hear(neighbour, packet, now);
      case NET_QUERY: {
        const hello = decodeHello(packet.data);
        if (hello !== null) return this.#links.heardHello(neighbour, hello, now);
        return this.#links.heardQuery(neighbour, now);
      }
      case NET_LINK:
        if (neighbour.kind === "modern") return this.#ownKind.hear(neighbour, packet.data, now);
        neighbour.missed = true; // Its hello is still to come, and then it must tell us again.
        return;
      case NET_ERROR:
        return this.floods.unreadable(neighbour, packet, "peer", () => {
          const report = `Peer "${neighbour.address}" reports: ${packet.text()}`;
          return new ChannelError("ERR_CHANNEL_PEER", report);
        }, now);
      default:
        return this.floods.unreadable(neighbour, packet, "parse", () => {
          return new PacketError("ERR_PACKET_FIELD", `Cannot accept net: ${net} means nothing`, 2);
        }, now);
    }
  }

  /** Tells what is yet untold of a neighbour that is gone, and lets go of it. */
  #depart(neighbour: Neighbour, now: number): void {
    this.#tally.end(neighbour);
    this.#part(neighbour, now);
  }

  /** Lets go of a neighbour's offers and of all that was due to it. */
  #part(neighbour: Neighbour, now: number): void {
    neighbour.kind = "gone";
    this.core.namesakes.delete(neighbour);
    this.choice.forgetOffers(neighbour, now);
    this.searches.forget(neighbour, now);
    this.border.farewell(neighbour);
    neighbour.forget();
  }

  #drop(neighbour: Neighbour, error: ChannelError, now: number): void {
    const { link } = neighbour;
    if (neighbour.isMember) return this.#segments.gone(neighbour, now);
    this.#tally.end(neighbour); // While the link is still there, for whoever counts.
    this.core.emit({ kind: "close", link, error });
    this.linkDown(link, now);
  }
}
