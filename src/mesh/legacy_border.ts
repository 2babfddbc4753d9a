/**
 * The border to old peers: every rule about them, and nothing else knows them. They know no
 * sequence numbers, believe no bad news but a withdrawal, delete a route whoever withdraws it,
 * and repeat things for ever. The rules B1 to B13 are explained in src/mesh/README.md.
 *
 * Pure: what is sent goes out as effects.
 *
 * @module
 */

import { ChannelError } from "../errors.ts";
import { decodeRouteAdvert, decodeServiceAdvert } from "../wire/adverts.ts";
import { NET_ROUTE } from "../wire/limits.ts";
import type { Packet } from "../wire/packet.ts";
import type { Core } from "./core.ts";
import type { DropTally } from "./drop_tally.ts";
import type { Floods } from "./floods.ts";
import { LegacyVoice, MAX_OLD_COST } from "./legacy_voice.ts";
import { LegacyWatch } from "./legacy_watch.ts";
import type { RemovalPolicy } from "./options.ts";
import { HEARSAY_PENALTY, PROXIED_PENALTY, UNUSABLE } from "./route_table.ts";
import { isProxied } from "./sequence.ts";
import type { Border, Destination, Neighbour } from "./state.ts";
import { StormShield } from "./storm_shield.ts";

/** An ESP8266 sketch advertises itself with its cost's two bytes swapped. */
const SWAPPED_ONE = 256;

/** From first hearing hearsay until it may be used, in ms, and from losing a route until then. */
const ADOPT_NEW = 1_000;
const ADOPT_AFTER_LOSS = 3_000;

/** From losing a route, or having to go further, until old peers are told, in ms. */
const BAD_NEWS_DELAY = 1_000;

/** For how long no old peer is offered what one of them or we have withdrawn, in ms. */
const BLOCK = 500;

/** Longest wait before a withdrawn route is offered again, in ms, and calm after which it is short. */
const MAX_BACK_OFF = 64_000;
const BACK_OFF_RESET = 30_000;

/** Between two full answers to one neighbour, in ms. Peers expect an answer within 200 ms. */
const ANSWER_INTERVAL = 100;

/** The same for one that asks again and again, in ms: a whole table is much for an empty packet. */
const SPARING_INTERVAL = 5_000;

/** From a withdrawal of our own address until we advertise it again, in ms; as peers do. */
const SELF_DELAY = 100;

/** From a neighbour's doubtful word until we query it, in ms; one query settles many doubts. */
const DOUBT_DELAY = 100;

/** What the border wants of others. */
export interface BorderHooks {
  /** Choose again, and tell. */
  reselect(destination: Destination, now: number): void;
  /** The services that lead through a neighbour have changed. */
  refresh(destination: Destination, now: number): void;
  /** The neighbour that leads to a host has told of one of its services. */
  heardService(host: Destination, service: string, capacity: number, now: number): void;
  /** Ask a neighbour for its tables: again and again, or once. */
  query(neighbour: Neighbour, now: number, often?: boolean): void;
  /** A neighbour has said its name. */
  named(neighbour: Neighbour, now: number): void;
  /** Somebody says that an address is its own that is another's, or ours. */
  claimed(destination: Destination, by: Neighbour, now: number): void;
  /** Choose again for all that a neighbour offers: it has proved alive, or is overtaken. */
  judged(neighbour: Neighbour, now: number): void;
  /** A neighbour is gone. */
  drop(neighbour: Neighbour, error: ChannelError, now: number): void;
}

/** Speaks with old peers. */
export class LegacyBorder {
  readonly #core: Core;
  readonly #hooks: BorderHooks;
  readonly #floods: Floods;
  readonly #tally: DropTally;
  readonly #voice: LegacyVoice;
  readonly #watch: LegacyWatch;
  readonly #repair: boolean;
  readonly #maxServices: number;
  /** Every old neighbour, and what keeps storms out. */
  readonly #shields: Map<Neighbour, StormShield> = new Map();
  /** Neighbours that have withdrawn us, while we have yet to answer that we are here. */
  readonly #disowners: Set<Neighbour> = new Set();

  /** Constructs a new instance. */
  constructor(
    core: Core,
    hooks: BorderHooks,
    floods: Floods,
    tally: DropTally,
    options: { removal: RemovalPolicy; repair: boolean; maxServices: number },
  ) {
    this.#core = core;
    this.#hooks = hooks;
    this.#floods = floods;
    this.#tally = tally;
    this.#voice = new LegacyVoice(core, options.removal, (neighbour) => {
      this.#shields.get(neighbour)?.clear(); // If it withdraws this once more, that is news.
    });
    this.#watch = new LegacyWatch(core, {
      query: (neighbour, now) => {
        this.#shields.get(neighbour)!.clear(); // What it repeats now is news.
        hooks.query(neighbour, now, false);
      },
      missed: (neighbour, destination, now) => this.#forgetOffer(neighbour, destination, now),
      lacks: (neighbour, destination, now) => this.#repeat(neighbour, destination, now),
      judged: (neighbour, now) => hooks.judged(neighbour, now),
      drop: (neighbour, error, now) => hooks.drop(neighbour, error, now),
    });
    this.#repair = options.repair;
    this.#maxServices = options.maxServices;
  }

  /** B1: a neighbour has turned out to be old. */
  welcome(neighbour: Neighbour, now: number): void {
    neighbour.kind = "legacy";
    this.#shields.set(neighbour, new StormShield());
    this.#watch.begin(neighbour, now);
  }

  /** A neighbour has gone, or turned out to be of our kind. */
  farewell(neighbour: Neighbour): void {
    this.#shields.delete(neighbour);
    this.#disowners.delete(neighbour);
    this.#watch.end(neighbour);
  }

  // ── judging ───────────────────────────────────────────────────────────────

  /** What an old peer's offer is worth: B3, B4, B5. */
  judge(destination: Destination, neighbour: Neighbour, now: number): number {
    const cost = neighbour.offers.cost(destination.id);
    if (destination.address === neighbour.address) return neighbour.cost; // B3: it is there.
    if (cost > MAX_OLD_COST || this.#mayUseUs(destination, neighbour)) return UNUSABLE; // B4
    const rank = cost - 1 + neighbour.cost;
    if (destination.selected === neighbour) return rank + PROXIED_PENALTY; // B5: held.
    const wait = destination.border?.adoptAt ?? 0;
    if (now < wait && this.#core.neighbours.size > 1) return UNUSABLE; // B5: not yet.
    return rank + HEARSAY_PENALTY;
  }

  /** B4: whether an old peer may go through us, as far as we know what it holds from us. */
  #mayUseUs(destination: Destination, neighbour: Neighbour): boolean {
    const held = neighbour.told.cost(destination.id);
    return held > 0 && neighbour.offers.cost(destination.id) - 1 >= held;
  }

  // ── hearing ───────────────────────────────────────────────────────────────

  /** Takes a route or service advert. @throws {PacketError} If it is none. */
  hear(neighbour: Neighbour, packet: Packet, now: number): void {
    const kind = withdraws(packet) ? "withdrawals" : "adverts"; // B13, all of this.
    if (!this.#floods.bears(neighbour, kind, now)) return;
    if (this.#shields.get(neighbour)!.repeats(packet, now)) return void neighbour.repeats++;
    if (!this.#floods.admits(neighbour, kind, packet, now)) return;
    if (packet.net === NET_ROUTE) this.#hearRoute(neighbour, packet, now);
    else this.#hearService(neighbour, packet, now);
  }

  #hearRoute(neighbour: Neighbour, packet: Packet, now: number): void {
    const { identity, routes, namesakes } = this.#core;
    const { address, cost } = decodeRouteAdvert(packet.data, { repair: this.#repair });
    this.#answered(neighbour, now);
    // A relayed withdrawal keeps the `src` of whoever began it: only offers say who speaks.
    const { src } = packet;
    if (cost > 0 && src !== "" && src !== identity.address && src !== neighbour.address) {
      const before = routes.get(neighbour.address);
      namesakes.delete(neighbour);
      neighbour.name(src, identity.hash, identity.address);
      namesakes.add(neighbour);
      const itself = routes.get(src);
      for (const destination of [before, itself]) if (destination) routes.elect(destination);
      if (itself) neighbour.told.set(itself.id, 0, 0, 0); // Nobody is told about itself.
      this.#hooks.named(neighbour, now);
    }
    if (address === identity.address) {
      if (cost === 0) this.#disowned(neighbour, now);
      else neighbour.audit?.add(routes.self);
      if (cost === 1) this.#hooks.claimed(routes.self, neighbour, now);
    } else if (cost === 0) {
      this.#hearWithdrawal(neighbour, address, now);
    } else {
      this.#hearOffer(neighbour, address, cost, now);
    }
  }

  #hearOffer(neighbour: Neighbour, address: string, cost: number, now: number): void {
    const { routes, identity } = this.#core;
    const known = routes.get(address);
    const before = known === undefined ? 0 : neighbour.offers.cost(known.id);
    if (address === neighbour.address) {
      if (cost === 1 || cost === SWAPPED_ONE) this.#watch.answered(neighbour);
      if (cost === SWAPPED_ONE && before === 0) cost = 1;
      if (cost !== 1) return; // B2: old peers also advertise a way back to themselves.
      if (neighbour.withdrewItself) this.#startOver(neighbour, now);
    }
    if (known !== undefined) {
      neighbour.audit?.add(known);
      if (before === cost) return neighbour.offers.setNote(known.id, 0);
    }
    if (!neighbour.mayOffer(address)) {
      neighbour.disbelieved.note(address, cost, 0, 0);
      return this.#tally.breaksRules(neighbour, address);
    }
    if (!this.#affords(neighbour, now)) return;
    const destination = routes.find(address);
    if (destination === null) return this.#tally.full(neighbour, `route to "${address}"`, now);
    if (destination.border === null && address !== neighbour.address) {
      this.#adoptFrom(destination, now + ADOPT_NEW);
    }
    neighbour.audit?.add(destination);
    routes.offer(destination, neighbour, cost, 0, identity.proxyOrigin); // B11: theirs mean nothing.
    neighbour.offers.setNote(destination.id, 0);
    if (cost === 1 && routes.isBarred(destination, neighbour)) {
      this.#hooks.claimed(destination, neighbour, now);
    }
    this.#hooks.reselect(destination, now);
  }

  /** A neighbour that withdraws and advertises itself unasked says: forget my services. */
  #startOver(neighbour: Neighbour, now: number): void {
    neighbour.withdrewItself = false;
    neighbour.queryAt = Infinity; // There is no doubt any more.
    this.#forgetServices(neighbour, neighbour.address);
    const destination = this.#core.routes.get(neighbour.address);
    if (destination?.selected === neighbour) this.#hooks.refresh(destination, now);
  }

  /** B9: it goes no further, and when it is over we offer what we have. */
  #hearWithdrawal(neighbour: Neighbour, address: string, now: number): void {
    const { routes } = this.#core;
    if (address === neighbour.address) {
      // Old peers withdraw even themselves, when a way back to themselves is lost. It is there:
      // we have just heard it.
      neighbour.withdrewItself = true;
      return this.#queryLater(neighbour, now + DOUBT_DELAY);
    }
    neighbour.disbelieved.note(address, 0, 0, 0);
    const destination = routes.get(address);
    if (
      destination === undefined ||
      (neighbour.offers.cost(destination.id) === 0 && neighbour.told.cost(destination.id) === 0)
    ) return this.#forgetServices(neighbour, address);
    if (!this.#affords(neighbour, now)) return;
    this.#voice.forgetTold(neighbour, destination);
    const border = borderOf(destination);
    border.blockedUntil = Math.max(border.blockedUntil, now + BLOCK);
    if (now - border.backOffAt > BACK_OFF_RESET) border.backOff = BLOCK;
    border.backOffAt = now + border.backOff; // Calm begins when it has what it lacked.
    this.#offerAgain(destination, neighbour, border.backOffAt);
    border.backOff = Math.min(MAX_BACK_OFF, 2 * border.backOff);
    this.#forgetOffer(neighbour, destination, now);
  }

  #hearService(neighbour: Neighbour, packet: Packet, now: number): void {
    const { identity, routes } = this.#core;
    const { address, service, capacity } = decodeServiceAdvert(packet.data, {
      repair: this.#repair,
    });
    this.#answered(neighbour, now);
    if (address === identity.address) return;
    if (!neighbour.rules.offers(service, address)) {
      return this.#tally.breaksRules(neighbour, `${service}@${address}`);
    }
    const known = neighbour.services.get(address)?.get(service) ?? 0;
    if (capacity === known || !this.#affords(neighbour, now)) return;
    if (known === 0 && neighbour.serviceCount >= this.#maxServices) {
      return this.#tally.full(neighbour, `service "${service}" of "${address}"`, now);
    }
    neighbour.noteService(address, service, capacity);
    const destination = routes.get(address);
    if (destination?.selected !== neighbour) return;
    this.#hooks.heardService(destination, service, capacity, now);
  }

  /** Answers a query with all there is to tell, but not too often. */
  hearQuery(neighbour: Neighbour, now: number): void {
    if (neighbour.answerAt !== Infinity) return; // It will be.
    const paid = neighbour.answerBudget.spend(now);
    const at = neighbour.answeredAt + (paid ? ANSWER_INTERVAL : SPARING_INTERVAL);
    if (at <= now) return this.#voice.answer(neighbour, now);
    neighbour.answerAt = at;
    this.#core.agenda.add(at, (later) => {
      if (neighbour.answerAt !== at) return;
      if (!paid) neighbour.answerBudget.spend(later); // It has been earned by now.
      this.#voice.answer(neighbour, later);
    });
  }

  /** B10: somebody has withdrawn us, and forgotten our services with it. */
  #disowned(neighbour: Neighbour, now: number): void {
    if (this.#disowners.size === 0) {
      this.#core.agenda.add(now + SELF_DELAY, (later) => {
        for (const one of this.#shields.keys()) this.#voice.self(one);
        for (const one of this.#disowners) {
          one.toldServices.delete(this.#core.identity.address);
          this.#voice.tellServices(one, this.#core.routes.self, later);
        }
        this.#disowners.clear();
      });
    }
    this.#disowners.add(neighbour);
  }

  #answered(neighbour: Neighbour, now: number): void {
    neighbour.unanswered = 0;
    neighbour.retryAt = Infinity;
    neighbour.auditHeardAt = now;
  }

  /** B13: whether a neighbour may change anything more for now. */
  #affords(neighbour: Neighbour, now: number): boolean {
    if (neighbour.changeBudget.spend(now)) return true;
    this.#tally.add(neighbour, "changes", null, "rate", () => {
      const why = `"${neighbour.address}" changes its mind too often`;
      return new ChannelError("ERR_CHANNEL_PROTOCOL", `Cannot follow advertisements: ${why}`);
    }, now);
    this.#floods.askAgain(neighbour, now); // Among what was dropped may be anything.
    return false;
  }

  // ── telling ───────────────────────────────────────────────────────────────

  /** Advertises ourselves to a neighbour. */
  self(neighbour: Neighbour): void {
    this.#voice.self(neighbour);
  }

  /** The way to a destination has changed: B6, B8. */
  changed(destination: Destination, now: number): void {
    if (this.#shields.size === 0) return;
    for (const neighbour of this.#shields.keys()) {
      this.#voice.tell(neighbour, destination, now);
      const held = neighbour.told.cost(destination.id);
      if (held > 0 && held <= destination.cost && isSecondHand(destination)) {
        this.#checkLater(destination, now);
      }
    }
  }

  /** The way to a destination that was in use is of no use any more: B5. */
  loses(destination: Destination, now: number): void {
    if (this.#shields.size > 0) this.#adoptFrom(destination, now + ADOPT_AFTER_LOSS);
  }

  /** There is no way to a destination any more: B7. */
  lost(destination: Destination, now: number): void {
    if (this.#shields.size > 0) this.#checkLater(destination, now);
  }

  /** One service of a host has changed. */
  serviceChanged(host: Destination, service: string, now: number): void {
    for (const neighbour of this.#shields.keys()) {
      this.#voice.tellService(neighbour, host, service, now);
    }
  }

  /** The services of a host have changed. */
  servicesChanged(host: Destination, now: number): void {
    for (const neighbour of this.#shields.keys()) this.#voice.tellServices(neighbour, host, now);
  }

  // ── bad news ──────────────────────────────────────────────────────────────

  #checkLater(destination: Destination, now: number): void {
    const border = borderOf(destination);
    if (border.checkAt > now) return;
    const at = border.checkAt = now + BAD_NEWS_DELAY;
    this.#core.agenda.add(at, (later) => this.#check(destination, later));
  }

  /** B7, B8: withdraws what is still lost, or further away, from those who may rely on it. */
  #check(destination: Destination, now: number): void {
    const { routes } = this.#core;
    if (!routes.holds(destination)) return;
    const { id, selected } = destination;
    for (const neighbour of [...this.#shields.keys()]) {
      const held = neighbour.told.cost(id);
      if (held === 0) continue;
      if (selected !== null) {
        if (!isSecondHand(destination) || held > destination.cost) continue;
        if (selected === neighbour) continue;
      }
      const heard = neighbour.offers.cost(id) || neighbour.disbelieved.cost(destination.address);
      if (heard > 0 && heard - 1 < held) continue; // It is nearer by a way of its own.
      this.#withdraw(neighbour, destination, now);
    }
  }

  #withdraw(neighbour: Neighbour, destination: Destination, now: number): void {
    this.#voice.withdraw(neighbour, destination);
    const border = borderOf(destination);
    border.blockedUntil = Math.max(border.blockedUntil, now + BLOCK);
    this.#offerAgain(destination, null, now + BLOCK);
    this.#forgetOffer(neighbour, destination, now); // It has just deleted it, too.
  }

  /** B9: offers a route again, to all that hold nothing; to one of them no sooner than that. */
  #offerAgain(destination: Destination, neighbour: Neighbour | null, at: number): void {
    if (neighbour !== null) this.#voice.block(neighbour, destination, at);
    for (const time of new Set([at, borderOf(destination).blockedUntil])) {
      this.#core.agenda.add(time, (now) => {
        if (!this.#core.routes.holds(destination)) return;
        for (const one of this.#shields.keys()) this.#voice.tell(one, destination, now);
      });
    }
  }

  /** B5: hearsay of a destination may be used from then on. */
  #adoptFrom(destination: Destination, at: number): void {
    const border = borderOf(destination);
    if (border.adoptAt >= at) return;
    border.adoptAt = at;
    this.#core.agenda.add(at, (now) => {
      if (border.adoptAt === at && this.#core.routes.holds(destination)) {
        this.#hooks.reselect(destination, now);
      }
    });
  }

  // ── doubting ──────────────────────────────────────────────────────────────

  /** Somebody else goes by a neighbour's name: is it still there? */
  challenge(neighbour: Neighbour, now: number): void {
    this.#watch.challenge(neighbour, now);
  }

  /** Sees to it that a neighbour is queried by then. */
  #queryLater(neighbour: Neighbour, at: number): void {
    if (neighbour.queryAt <= at) return;
    neighbour.queryAt = at;
    this.#core.agenda.add(at, (now) => {
      if (neighbour.queryAt === at) this.#hooks.query(neighbour, now);
    });
  }

  /** B12: asks a neighbour whether all is still so. */
  audit(neighbour: Neighbour, now: number): void {
    this.#watch.audit(neighbour, now);
  }

  /** Tells a neighbour what it has forgotten of a destination. */
  #repeat(neighbour: Neighbour, destination: Destination, now: number): void {
    this.#voice.forgetTold(neighbour, destination);
    if (destination !== this.#core.routes.self) {
      return this.#voice.tell(neighbour, destination, now);
    }
    this.#voice.self(neighbour);
    this.#voice.tellServices(neighbour, destination, now);
  }

  // ── forgetting ───────────────────────────────────────────────────

  #forgetOffer(neighbour: Neighbour, destination: Destination, now: number): void {
    const { routes } = this.#core;
    this.#forgetServices(neighbour, destination.address);
    if (neighbour.offers.cost(destination.id) === 0) return;
    routes.offer(destination, neighbour, 0, 0, 0);
    this.#hooks.reselect(destination, now);
  }

  #forgetServices(neighbour: Neighbour, host: string): void {
    if (!neighbour.services.has(host)) return;
    neighbour.forgetServices(host);
    this.#shields.get(neighbour)?.clear(); // What it repeats now is news.
  }
}

/** Whether our route is somebody's hearsay, or rests on the word of one who speaks for another. */
function isSecondHand({ selected, hearsay, origin }: Destination): boolean {
  return selected !== null && (selected.kind === "legacy" ? hearsay : isProxied(origin));
}

function borderOf(destination: Destination): Border {
  return destination.border ??= {
    adoptAt: 0,
    blockedUntil: 0,
    checkAt: -Infinity,
    backOff: BLOCK,
    backOffAt: -Infinity,
  };
}

/** Whether an advert takes something back: what it ends with is 0. */
function withdraws({ data }: Packet): boolean {
  const end = data.length - 2;
  return end >= 0 && data[end] === 0 && data[end + 1] === 0;
}
