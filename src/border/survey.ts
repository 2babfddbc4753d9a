/**
 * {@linkcode Survey}: finds out what is behind the instances in one area: routers that serve their
 * calls themselves, or borders that carry them on, and through which areas.
 *
 * @module
 */

import { UnreachableError } from "../errors.ts";
import type { Clock } from "../router/clock.ts";
import type { Router } from "../router/router.ts";
import type { Path } from "./paths.ts";
import { BORDER_SERVICE, readStatement, type Statement } from "./statement.ts";

/** Routers that are asked at once. */
const MAX_ASKING = 32;

/** How long a router may take to answer, in ms. */
const ANSWER_TIMEOUT = 5_000;

/** When one that has not answered is asked again, in ms; twice as long each time, up to the second. */
const RETRY = 1_000;
const MAX_RETRY = 60_000;

/** When a border that has closed is asked again, in ms: what it offered is known to be gone by then. */
const SETTLE = 2_000;

/** How often one that is no border is asked again, in ms; and an old peer, which cannot answer. */
const RECHECK = 60_000;
const RECHECK_OLD = 600_000;

/** The most services of which one border is believed that it offers them. */
const MAX_OFFERS = 4_096;

const NO_AREAS: Path = [];

/** What is known of one router. */
interface Peer {
  readonly host: string;
  /** Its services that concern us. */
  readonly services: Set<string>;
  /** Those of which it has been found, after we had heard of them, that it serves them itself. */
  readonly own: Set<string>;
  /** What it says of its services, if it is a border; else `null`. */
  paths: Map<string, Path> | null;
  /** It calls the area by another name. */
  strange: boolean;
  /** It is an old peer: no border, and cannot say so. */
  old: boolean;
  /** Ends the asking; `null` while it is not asked. */
  asking: AbortController | null;
  /** Times that it has not answered. */
  failures: number;
  cancelTimer: (() => void) | null;
}

/** What a survey needs of its border. */
export interface SurveyHost {
  /** Where time comes from. */
  readonly clock: Clock;
  /** Asks. */
  readonly router: Router;
  /** What we call the area. */
  readonly area: string;
  /** What is behind some services has changed. */
  changed(services: Iterable<string>): void;
}

/** What is behind the instances in one area. As long as it is not known, they are not used. */
export class Survey {
  readonly #host: SurveyHost;
  readonly #peers: Map<string, Peer> = new Map();
  readonly #queue: Set<Peer> = new Set();
  readonly #ending: AbortController = new AbortController();
  #asking: number = 0;

  /** Constructs a new instance. */
  constructor(host: SurveyHost) {
    this.#host = host;
    host.router.addEventListener("fallback", ({ service, address }) => {
      if (service === BORDER_SERVICE) this.#isOld(address);
    }, { signal: this.#ending.signal });
  }

  /** Addresses of borders that call the area by another name. */
  get strangers(): string[] {
    return [...this.#peers.values()].filter(({ strange }) => strange).map(({ host }) => host);
  }

  /** A router offers a service. */
  sees(host: string, service: string): void {
    let peer = this.#peers.get(host);
    if (peer === undefined) {
      peer = {
        host,
        services: new Set(),
        own: new Set(),
        paths: null,
        strange: false,
        old: false,
        asking: null,
        failures: 0,
        cancelTimer: null,
      };
      this.#peers.set(host, peer);
    }
    if (peer.services.has(service)) return;
    peer.services.add(service);
    if (peer.asking === null && peer.failures === 0) this.#enqueue(peer);
  }

  /** A router offers a service no more. */
  misses(host: string, service: string): void {
    const peer = this.#peers.get(host);
    if (peer === undefined) return;
    peer.services.delete(service);
    peer.own.delete(service);
    if (peer.services.size > 0) return;
    this.#peers.delete(host);
    this.#queue.delete(peer);
    peer.cancelTimer?.();
    peer.asking?.abort();
  }

  /** Areas that calls of a service are carried through from there; `null` if that is not known. */
  pathOf(host: string, service: string): Path | null {
    const peer = this.#peers.get(host);
    if (peer === undefined || peer.strange) return null;
    if (peer.paths !== null) return peer.paths.get(service) ?? null;
    return peer.own.has(service) ? NO_AREAS : null;
  }

  /** Asks nobody any more. */
  close(): void {
    this.#ending.abort();
    for (const peer of this.#peers.values()) {
      peer.cancelTimer?.();
      peer.asking?.abort();
    }
    this.#peers.clear();
    this.#queue.clear();
  }

  /** Puts a router into the queue of those to be asked. */
  #enqueue(peer: Peer): void {
    if (this.#peers.get(peer.host) !== peer) return;
    peer.cancelTimer?.();
    peer.cancelTimer = null;
    this.#queue.add(peer);
    queueMicrotask(() => this.#askNext()); // What is told in one go is asked for in one go.
  }

  #askNext(): void {
    for (const peer of this.#queue) {
      if (this.#asking >= MAX_ASKING) return;
      this.#queue.delete(peer);
      this.#ask(peer);
    }
  }

  async #ask(peer: Peer): Promise<void> {
    const { clock, router } = this.#host;
    const { host: dst } = peer;
    const asked = new Set(peer.services);
    const asking = peer.asking = new AbortController();
    let answered = false;
    this.#asking++;
    const release = () => {
      if (answered) return;
      answered = true;
      cancelTimer();
      this.#asking--;
      queueMicrotask(() => this.#askNext());
    };
    const cancelTimer = clock.schedule(clock.now() + ANSWER_TIMEOUT, () => asking.abort());
    let failure: unknown = null;
    try {
      const { signal } = asking;
      for await (
        const packet of router.stream(BORDER_SERVICE, undefined, { dst, idle: Infinity, signal })
      ) {
        const statement = readStatement(packet.text());
        if (statement === null || this.#peers.get(dst) !== peer) break;
        if (!this.#hear(peer, statement, !answered)) break;
        release();
        peer.failures = 0;
      }
    } catch (cause) {
      failure = cause;
    }
    const ended = answered && failure === null;
    release();
    peer.asking = null;
    if (this.#peers.get(dst) !== peer) return;
    const isNone = failure instanceof UnreachableError && failure.code === "ERR_NO_SERVICE";
    if (peer.old || isNone) this.#isNone(peer, asked);
    else this.#askAgain(peer, ended);
  }

  /** A border says what it offers; false if it says too much. */
  #hear(peer: Peer, { area, set, gone }: Statement, first: boolean): boolean {
    if (first) peer.paths = new Map();
    peer.strange = area !== this.#host.area;
    peer.own.clear();
    for (const [service, path] of set) peer.paths!.set(service, path);
    for (const service of gone) peer.paths!.delete(service);
    this.#host.changed(first ? peer.services : [...set.map(([service]) => service), ...gone]);
    return peer.paths!.size <= MAX_OFFERS;
  }

  /** A router is no border: it serves what it offers itself, as far as it was asked about that. */
  #isNone(peer: Peer, asked: Set<string>): void {
    peer.paths = null;
    peer.strange = false;
    peer.failures = 0;
    const known = [...peer.services].filter((service) => asked.has(service));
    const news = known.filter((service) => !peer.own.has(service));
    for (const service of news) peer.own.add(service);
    if (known.length < peer.services.size) this.#enqueue(peer);
    else this.#askIn(peer, peer.old ? RECHECK_OLD : RECHECK);
    peer.old = false;
    this.#host.changed(news);
  }

  /** A router has not answered, or will say no more. */
  #askAgain(peer: Peer, ended: boolean): void {
    const wasBorder = peer.paths !== null;
    peer.paths = null;
    peer.strange = false;
    const delay = Math.min(RETRY * 2 ** peer.failures++, MAX_RETRY);
    this.#askIn(peer, ended ? SETTLE : delay);
    if (wasBorder) this.#host.changed(peer.services);
  }

  #askIn(peer: Peer, delay: number): void {
    const { clock } = this.#host;
    peer.cancelTimer?.();
    peer.cancelTimer = clock.schedule(clock.now() + delay, () => this.#enqueue(peer));
  }

  /** A router turns out to be an old peer while it is asked. */
  #isOld(address: string): void {
    const peer = this.#peers.get(address);
    if (peer === undefined) return;
    peer.old = true;
    queueMicrotask(() => peer.asking?.abort());
  }
}
