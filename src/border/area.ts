/**
 * {@linkcode Area}: one area as our border sees it: who offers what there, and what we offer there.
 *
 * @module
 */

import { type AddressFilter, question, type ServiceFilter } from "../mesh/link_policy.ts";
import { isReserved } from "../mesh/reserved.ts";
import type { Clock } from "../router/clock.ts";
import { checkName } from "../router/handlers.ts";
import type { ServiceHandler } from "../router/incoming_call.ts";
import type { Registration } from "../router/local_service.ts";
import type { Router } from "../router/router.ts";
import { Listing } from "./listing.ts";
import type { Choice, Path, Source } from "./paths.ts";
import { BORDER_SERVICE } from "./statement.ts";
import { Survey } from "./survey.ts";

/** One area that a border joins with others. */
export interface AreaOptions {
  /**
   * Name of the area, 1-255 bytes of UTF-8: the same at all its borders, and no other area's.
   * Borders that do not agree on it do not use each other's services.
   */
  area: string;
  /** The border's router in that area. It has no way to any other of the areas. */
  router: Router;
  /**
   * Services of this area that are offered in the others: names, of which one that ends in `*`
   * stands for all that begin like it; or a function of the service's name and the address of the
   * instance in this area, which must give the same answer to the same question.
   *
   * @default {[]}
   */
  exports?: ServiceFilter;
  /**
   * Services of the others that are offered in this area, of those that are exported there: names,
   * or a function of the service's name and the name of the area from which the border has it.
   *
   * @default {["*"]}
   */
  imports?: AddressFilter | ((service: string, area: string) => boolean);
}

/** One instance of a service in an area. */
export interface Instance extends Source {
  /** Where it is. */
  readonly from: Area;
  /** What it is an instance of. */
  readonly service: string;
  load: number;
  path: Path;
  /** Calls that we have there. */
  calls: number;
}

/** A service that is offered in an area on behalf of others. */
export interface Summary {
  readonly service: string;
  registration: Registration | null;
  choice: Choice<Instance>;
  /** The load that was told last, and when, in ms. */
  load: number;
  toldAt: number;
}

/** What an area needs of its border. */
export interface AreaHost {
  /** Where time comes from. */
  readonly clock: Clock;
  /** Instances of some services have come or gone, or are known better. */
  changed(services: Iterable<string>): void;
  /** An instance tells another load. */
  loadChanged(service: string): void;
}

const NOTHING: ReadonlyMap<string, Instance> = new Map();

/** One area, at our border. */
export class Area {
  readonly name: string;
  readonly router: Router;
  /** Whether a service may come in, from an area. */
  readonly imports: (service: string, area?: string) => boolean;
  /** What we offer here on behalf of other areas. */
  readonly summaries: Map<string, Summary> = new Map();
  /** What other borders here are told of all that we offer. */
  readonly listing: Listing;
  readonly survey: Survey;
  readonly #exports: (service: string, host?: string) => boolean;
  readonly #host: AreaHost;
  /** Instances at other routers that may be exported, by service and address. */
  readonly #instances: Map<string, Map<string, Instance>> = new Map();
  /** Services that the program itself offers here: their names are taken. */
  readonly #own: Set<string> = new Set();
  readonly #ending: AbortController = new AbortController();
  #asked: Registration | null = null;

  /**
   * Constructs a new instance, which does nothing yet.
   *
   * @throws {TypeError} If a filter is none.
   * @throws {PacketError} `ERR_PACKET_FIELD` if the name does not fit.
   */
  constructor(host: AreaHost, options: AreaOptions) {
    const { area, router, exports = [], imports } = options;
    checkName("area", area);
    this.name = area;
    this.router = router;
    this.#exports = question("exports", exports);
    this.imports = question("imports", imports);
    this.#host = host;
    this.listing = new Listing(area);
    this.survey = new Survey({
      clock: host.clock,
      router,
      area,
      changed: (services) => this.#learnt(services),
    });
  }

  /**
   * Begins to look.
   *
   * @throws {ChannelError} `ERR_CHANNEL_CLOSED` if the router is closed.
   * @throws {TypeError} If it is another border's: neither would know the other's summaries for such.
   */
  start(): void {
    const { router } = this;
    // Before anything is offered, so that whoever asks because of that is answered.
    this.#asked = router.registerReserved(BORDER_SERVICE, this.listing.handler, true);
    const { signal } = this.#ending;
    router.addEventListener("service", ({ service, address, capacity }) => {
      this.#serviceIs(service, address, capacity);
    }, { signal });
    for (const { service, address, capacity } of router.services()) {
      this.#serviceIs(service, address, capacity);
    }
  }

  /** Looks no more, and answers nobody. */
  close(): void {
    this.#ending.abort();
    this.survey.close();
    this.listing.close();
    this.#asked?.[Symbol.dispose]();
    this.#instances.clear();
  }

  /** Whether the program itself offers a service here. */
  hasOwn(service: string): boolean {
    return this.#own.has(service);
  }

  /** The instances of a service that may be exported and of which is known what is behind them. */
  *sources(service: string): Generator<Instance, void> {
    for (const instance of (this.#instances.get(service) ?? NOTHING).values()) {
      const path = this.survey.pathOf(instance.host, service);
      if (path === null) continue;
      instance.path = path;
      yield instance;
    }
  }

  /** Offers a service on behalf of others. */
  offer(summary: Summary, handler: ServiceHandler): void {
    const { service, choice: { path }, load: capacity } = summary;
    this.summaries.set(service, summary); // Before we are told that we offer it.
    this.listing.set(service, path); // Other borders hear first what it is, and then that it is there.
    summary.registration = this.router.registerService(service, handler, { capacity });
  }

  /** Offers no longer what was offered on behalf of others. */
  withdraw(service: string): void {
    const summary = this.summaries.get(service);
    if (summary === undefined) return;
    this.summaries.delete(service);
    summary.registration?.[Symbol.dispose]();
    this.listing.delete(service);
    // The program may have put a service of its own in its place meanwhile.
    const { address } = this.router;
    if (this.router.serviceAddresses(service)[0] === address) this.#ownIs(service, true);
  }

  /** An instance comes, changes its load, or goes (load 0). */
  #serviceIs(service: string, host: string, load: number): void {
    if (isReserved(service)) return;
    if (host === this.router.address) {
      if (!this.summaries.has(service)) this.#ownIs(service, load > 0);
      return;
    }
    const hosts = this.#instances.get(service);
    const instance = hosts?.get(host);
    if (load === 0) {
      if (instance === undefined) return;
      hosts!.delete(host);
      if (hosts!.size === 0) this.#instances.delete(service);
      this.survey.misses(host, service);
      this.#host.changed([service]);
    } else if (instance !== undefined) {
      instance.load = load;
      this.#host.loadChanged(service);
    } else if (this.#exports(service, host)) {
      const { name: area } = this;
      const added = { area, from: this, service, host, load, path: [], calls: 0 };
      if (hosts === undefined) this.#instances.set(service, new Map([[host, added]]));
      else hosts.set(host, added);
      this.survey.sees(host, service);
    }
  }

  #ownIs(service: string, offered: boolean): void {
    if (this.#own.has(service) === offered) return;
    if (offered) {
      this.#own.add(service);
      this.listing.set(service, []);
    } else {
      this.#own.delete(service);
      this.listing.delete(service);
    }
    this.#host.changed([service]);
  }

  /** It has been found out what is behind some services. */
  #learnt(services: Iterable<string>): void {
    this.#host.changed([...services].filter((service) => this.#instances.has(service)));
  }
}
