/**
 * The control plane: hears what neighbours advertise, keeps the tables, and has the announcer tell
 * the others what changed. How and why: src/mesh/README.md.
 *
 * Pure: time and chance come in as arguments, effects go into a list.
 *
 * @module
 */

import { ChannelError, PacketError } from "../errors.ts";
import { decodeRouteAdvert, decodeServiceAdvert } from "../wire/adverts.ts";
import { NET_ERROR, NET_QUERY, NET_ROUTE, NET_SERVICE } from "../wire/limits.ts";
import type { Packet } from "../wire/packet.ts";
import { Agenda } from "./agenda.ts";
import { Announcer, type RemovalPolicy } from "./announcer.ts";
import type { Effect, LinkId, RouteInfo } from "./effects.ts";
import { Neighbour } from "./neighbour.ts";
import { type Destination, RouteTable } from "./route_table.ts";
import { ServiceTable } from "./service_table.ts";

/** Options of a mesh. */
export interface MeshOptions {
  /**
   * How to tell neighbours that a service is gone.
   *
   * @default {"announce"}
   */
  removal?: RemovalPolicy;
  /**
   * Destinations held at once; adverts of more are dropped.
   *
   * @default {10000}
   */
  maxRoutes?: number;
  /**
   * Services held at once of each neighbour; adverts of more are dropped.
   *
   * @default {20000}
   */
  maxServices?: number;
  /**
   * Understand the known damaged encodings of other peers' adverts, too.
   *
   * @default {true}
   */
  repair?: boolean;
}

/** An ESP8266 sketch advertises itself with its cost's two bytes swapped. */
const SWAPPED_ONE = 256;

/** How long a query may stay unanswered at first, in ms; each retry waits twice as long. */
const QUERY_RETRY = 1_000;

/** How often a query is retried. */
const QUERY_RETRIES = 5;

/** Between two full answers to one neighbour, in ms. Peers expect an answer within 200 ms. */
const ANSWER_INTERVAL = 100;

/** From a withdrawal of our own address until we advertise it again, in ms; as peers do. */
const SELF_DELAY = 100;

/**
 * From a neighbour's withdrawal until we offer it our own route, in ms: the same bad news may be
 * on its way to us.
 */
const OFFER_BACK_DELAY = 10;

/**
 * From losing the last feasible offer until we believe others again, and ask those whose offers
 * were not feasible, in ms. Bad news is everywhere by then, and our own kind has offered again.
 */
const LOST_DELAY = 50;

/** From a neighbour's doubtful word until we query it, in ms; one query settles many doubts. */
const DOUBT_DELAY = 100;

/** From the first packet beyond a neighbour's budget until we start over with it, in ms. */
const FLOOD_DELAY = 1_000;

/** Something put off. It is still wanted if the time it names is still the time it is for. */
type Task =
  | { kind: "query"; neighbour: Neighbour; at: number }
  | { kind: "retry"; neighbour: Neighbour; at: number }
  | { kind: "answer"; neighbour: Neighbour; at: number }
  | { kind: "offerBack"; neighbour: Neighbour; address: string }
  | { kind: "lost"; destination: Destination; at: number }
  | { kind: "flood"; neighbour: Neighbour }
  | { kind: "self" };

/** Tables, and the talk about them. */
export class ControlPlane {
  /** Our own address. */
  readonly address: string;
  /** Every link that is up. */
  readonly neighbours: Map<LinkId, Neighbour> = new Map();
  /** Ways to other routers. */
  readonly routes: RouteTable;
  /** Usable instances of services. */
  readonly services: ServiceTable = new ServiceTable();

  readonly #emit: (effect: Effect) => void;
  readonly #agenda: Agenda<Task> = new Agenda();
  readonly #announce: Announcer;
  readonly #repair: boolean;
  readonly #maxServices: number;
  /** Neighbours that have withdrawn us, while we have yet to answer that we are here. */
  readonly #disowners: Set<Neighbour> = new Set();

  /** Constructs a new instance. */
  constructor(address: string, emit: (effect: Effect) => void, options: MeshOptions) {
    this.address = address;
    this.#emit = emit;
    this.#repair = options.repair ?? true;
    this.#maxServices = options.maxServices ?? 20_000;
    this.routes = new RouteTable(options.maxRoutes ?? 10_000);
    const removal = options.removal ?? "announce";
    this.#announce = new Announcer(address, this.routes, this.services, removal, emit);
  }

  // ── inputs ────────────────────────────────────────────────────────────────

  /** A link has come up: ask who is there. */
  linkUp(link: LinkId, now: number): void {
    const neighbour = new Neighbour(link, now);
    this.neighbours.set(link, neighbour);
    this.#query(neighbour, now);
  }

  /** A link has gone down: choose again for all that its neighbour offered. */
  linkDown(link: LinkId, now: number): void {
    const neighbour = this.neighbours.get(link);
    if (neighbour === undefined) return;
    this.neighbours.delete(link);
    this.#disowners.delete(neighbour);
    neighbour.queryAt = neighbour.retryAt = neighbour.answerAt = Infinity;
    for (const address of [...neighbour.offers]) this.#forget(neighbour, address, now);
  }

  /** Takes a packet with `net` set. */
  receive(neighbour: Neighbour, packet: Packet, now: number): void {
    try {
      switch (packet.net) {
        case NET_ROUTE:
          return this.#hearRoute(neighbour, packet, now);
        case NET_SERVICE:
          return this.#hearService(neighbour, packet, now);
        case NET_QUERY:
          return this.#hearQuery(neighbour, now);
        case NET_ERROR:
          throw new ChannelError(
            "ERR_CHANNEL_PEER",
            `Peer "${neighbour.address}" reports: ${packet.text()}`,
          );
        default:
          throw new PacketError(
            "ERR_PACKET_FIELD",
            `Cannot accept net: ${packet.net} means nothing`,
            2,
          );
      }
    } catch (error) {
      if (!(error instanceof PacketError || error instanceof ChannelError)) throw error;
      this.#emit({ kind: "drop", packet, error });
    }
  }

  /** Offers a service of our own; capacity 0 withdraws it. */
  offer(service: string, capacity: number): void {
    if (!this.services.set(this.address, service, capacity)) return;
    this.#emit({ kind: "service", service: { service, address: this.address, capacity } });
    for (const neighbour of this.neighbours.values()) this.#announce.ownServices(neighbour);
  }

  /** Does what is due. */
  tick(now: number): void {
    for (let task; (task = this.#agenda.take(now)) !== undefined;) this.#perform(task, now);
  }

  /** When {@linkcode tick} has something to do next, in ms. */
  deadline(): number {
    return this.#agenda.next;
  }

  /** A destination as applications see it. */
  info(destination: Destination): RouteInfo {
    const { address, cost, selected } = destination;
    const via = selected === null ? "" : this.neighbours.get(selected)!.address;
    return { address, cost, via };
  }

  // ── hearing ───────────────────────────────────────────────────────────────

  #hearRoute(neighbour: Neighbour, packet: Packet, now: number): void {
    const { address, cost } = decodeRouteAdvert(packet.data, { repair: this.#repair });
    neighbour.heard();
    // A relayed withdrawal keeps the `src` of whoever began it: only offers say who speaks.
    if (cost > 0 && packet.src !== "" && packet.src !== this.address) {
      neighbour.address = packet.src;
      neighbour.toldRoutes.delete(packet.src); // Nobody is told about itself.
    }
    if (address === this.address) {
      if (cost === 0) this.#disowned(neighbour, now);
      return;
    }
    if (cost === 0) this.#hearWithdrawal(neighbour, address, now);
    else this.#hearOffer(neighbour, address, cost, now);
  }

  #hearOffer(neighbour: Neighbour, address: string, cost: number, now: number): void {
    const { link } = neighbour;
    const before = this.routes.get(address)?.offers.get(link);
    if (address === neighbour.address) {
      if (cost === SWAPPED_ONE && before === undefined) cost = 1;
      if (cost !== 1) return; // Old peers also advertise a way back to themselves, from hearsay.
      if (neighbour.withdrewItself) this.#startOver(neighbour);
    }
    if (before?.cost === cost && !before.stale || !this.#affords(neighbour, now)) return;
    const destination = this.routes.offer(address, link, cost);
    if (destination === null) return this.#tableFull(`route to "${address}"`);
    neighbour.offers.add(address);
    this.#reselect(destination, now);
  }

  /** A neighbour that withdraws and advertises itself unasked says: forget my services. */
  #startOver(neighbour: Neighbour): void {
    neighbour.withdrewItself = false;
    neighbour.queryAt = Infinity; // There is no doubt any more.
    neighbour.forgetServices(neighbour.address);
    const destination = this.routes.get(neighbour.address);
    if (destination?.selected === neighbour.link) this.#serviceChanged(destination);
  }

  #hearWithdrawal(neighbour: Neighbour, address: string, now: number): void {
    if (address === neighbour.address) {
      // Old peers withdraw even themselves, when a way back to themselves is lost. It is there:
      // we have just heard it.
      neighbour.withdrewItself = true;
      return this.#queryLater(neighbour, now + DOUBT_DELAY);
    }
    if (!neighbour.mayHold(address) || !this.#affords(neighbour, now)) return;
    neighbour.doubtTold(address); // Old peers forget all that they knew of it.
    if (!neighbour.offerBack.has(address)) {
      neighbour.offerBack.add(address);
      this.#agenda.add(now + OFFER_BACK_DELAY, { kind: "offerBack", neighbour, address });
    }
    this.#forget(neighbour, address, now);
  }

  #hearService(neighbour: Neighbour, packet: Packet, now: number): void {
    const { address, service, capacity } = decodeServiceAdvert(packet.data, {
      repair: this.#repair,
    });
    neighbour.heard();
    if (address === this.address) return;
    const known = neighbour.services.get(address)?.get(service) ?? 0;
    if (capacity === known || !this.#affords(neighbour, now)) return;
    if (known === 0 && neighbour.serviceCount >= this.#maxServices) {
      return this.#tableFull(`service "${service}" of "${address}"`);
    }
    neighbour.noteService(address, service, capacity);
    const destination = this.routes.get(address);
    if (destination?.selected === neighbour.link) this.#serviceChanged(destination);
  }

  #hearQuery(neighbour: Neighbour, now: number): void {
    const at = neighbour.answeredAt + ANSWER_INTERVAL;
    if (at <= now) return this.#answer(neighbour, now);
    if (neighbour.answerAt !== Infinity) return;
    neighbour.answerAt = at;
    this.#agenda.add(at, { kind: "answer", neighbour, at });
  }

  /** Somebody has withdrawn us, and forgotten our services with it. */
  #disowned(neighbour: Neighbour, now: number): void {
    if (this.#disowners.size === 0) this.#agenda.add(now + SELF_DELAY, { kind: "self" });
    this.#disowners.add(neighbour);
  }

  #tableFull(what: string): never {
    throw new ChannelError("ERR_CHANNEL_PROTOCOL", `Cannot keep ${what}: the table is full`);
  }

  /** Whether a neighbour may change anything more for now. What repeats itself costs nothing. */
  #affords(neighbour: Neighbour, now: number): boolean {
    if (neighbour.spend(now)) return true;
    if (neighbour.flooded) return false; // Told already.
    neighbour.flooded = true;
    this.#agenda.add(now + FLOOD_DELAY, { kind: "flood", neighbour });
    const why = `"${neighbour.address}" changes its mind too often`;
    throw new ChannelError("ERR_CHANNEL_PROTOCOL", `Cannot follow advertisements: ${why}`);
  }

  /** Forgets what a neighbour has said of others. */
  #forgetHearsay(neighbour: Neighbour, now: number): void {
    for (const address of [...neighbour.offers]) {
      if (address !== neighbour.address) this.#forget(neighbour, address, now);
    }
  }

  /** Forgets what a neighbour has said of one host. */
  #forget(neighbour: Neighbour, address: string, now: number): void {
    neighbour.forgetServices(address);
    const destination = this.routes.get(address);
    if (destination && neighbour.offers.delete(address)) {
      this.routes.retract(destination, neighbour.link);
      this.#reselect(destination, now);
    }
  }

  // ── choosing ──────────────────────────────────────────────────────────────

  /** Chooses again for one destination, and tells whoever should know. */
  #reselect(destination: Destination, now: number): void {
    const selection = this.routes.select(destination);
    if (selection === "lost") {
      this.#lose(destination, now);
    } else if (selection === "changed") {
      destination.lostUntil = Infinity;
      this.#emit({ kind: "route", route: this.info(destination) });
      this.#refreshServices(destination);
      for (const neighbour of this.neighbours.values()) {
        this.#announce.advertise(neighbour, destination);
      }
    }
    this.routes.prune(destination);
  }

  /** No offer is feasible: withdraw, and accept offers afresh. */
  #lose(destination: Destination, now: number): void {
    const { address } = destination;
    const at = now + LOST_DELAY;
    this.routes.withdrawn(destination, at);
    this.#agenda.add(at, { kind: "lost", destination, at });
    this.#emit({ kind: "route", route: this.info(destination) });
    this.#refreshServices(destination);
    for (const neighbour of this.neighbours.values()) {
      neighbour.offerBack.delete(address);
      this.#announce.withdraw(neighbour, address);
    }
  }

  /** Takes over what the neighbour that leads to a host says that the host offers. */
  #refreshServices(destination: Destination): void {
    const { address, selected } = destination;
    const source = selected === null ? undefined : this.neighbours.get(selected);
    const changes = this.services.replace(address, source?.services.get(address));
    for (const service of changes) this.#emit({ kind: "service", service });
  }

  /** The services of a host have changed, its route has not. */
  #serviceChanged(destination: Destination): void {
    this.#refreshServices(destination);
    for (const neighbour of this.neighbours.values()) {
      this.#announce.services(neighbour, destination);
    }
  }

  // ── asking, and what was put off ──────────────────────────────────────────

  #answer(neighbour: Neighbour, now: number): void {
    neighbour.answeredAt = now;
    neighbour.answerAt = Infinity;
    neighbour.offerBack.clear();
    this.#announce.answer(neighbour);
  }

  #query(neighbour: Neighbour, now: number): void {
    // Some peers lose what they are sent: whoever has not answered may not know us either.
    if (neighbour.unanswered > 0) this.#announce.self(neighbour);
    this.#announce.query(neighbour);
    neighbour.queryAt = Infinity;
    neighbour.withdrewItself = false;
    if (neighbour.unanswered < QUERY_RETRIES) {
      const at = now + QUERY_RETRY * 2 ** neighbour.unanswered;
      neighbour.retryAt = at;
      this.#agenda.add(at, { kind: "retry", neighbour, at });
    }
    neighbour.unanswered++;
  }

  /** Sees to it that a neighbour is queried by then. */
  #queryLater(neighbour: Neighbour, at: number): void {
    if (neighbour.queryAt <= at) return;
    neighbour.queryAt = at;
    this.#agenda.add(at, { kind: "query", neighbour, at });
  }

  #perform(task: Task, now: number): void {
    switch (task.kind) {
      case "query":
        if (task.neighbour.queryAt === task.at) this.#query(task.neighbour, now);
        return;
      case "retry":
        if (task.neighbour.retryAt === task.at) this.#query(task.neighbour, now);
        return;
      case "answer":
        if (task.neighbour.answerAt === task.at) this.#answer(task.neighbour, now);
        return;
      case "offerBack": {
        const { neighbour, address } = task;
        const destination = this.routes.get(address);
        const up = this.neighbours.get(neighbour.link) === neighbour;
        if (!neighbour.offerBack.delete(address) || !up || !destination) return;
        return this.#announce.advertise(neighbour, destination);
      }
      case "lost":
        if (task.destination.lostUntil === task.at) this.#findAgain(task.destination, now);
        return;
      case "flood": // Among what was dropped may have been anything.
        task.neighbour.flooded = false;
        if (this.neighbours.get(task.neighbour.link) !== task.neighbour) return;
        this.#forgetHearsay(task.neighbour, now);
        return this.#query(task.neighbour, now);
      case "self":
        for (const neighbour of this.neighbours.values()) this.#announce.self(neighbour);
        for (const neighbour of this.#disowners) {
          neighbour.doubtTold(this.address);
          this.#announce.ownServices(neighbour);
        }
        this.#disowners.clear();
    }
  }

  /** Takes what has been offered since a destination was lost, or asks who had offers before. */
  #findAgain(destination: Destination, now: number): void {
    destination.lostUntil = Infinity;
    const doubtful = this.routes.sweep(destination);
    for (const link of doubtful) this.neighbours.get(link)!.offers.delete(destination.address);
    this.#reselect(destination, now);
    if (destination.selected !== null) return;
    for (const link of doubtful) this.#queryLater(this.neighbours.get(link)!, now); // One for all.
  }
}
