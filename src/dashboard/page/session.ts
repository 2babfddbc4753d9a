/**
 * {@linkcode Session}: the page as a node of the mesh, and all that it has found out.
 *
 * @module
 */

import { connectWebSocket } from "../../channel/websocket_channel.ts";
import { inspect, type Inspector } from "../../inspect/inspector.ts";
import type { LinkReport, LinksReport } from "../../inspect/reports.ts";
import { inspectable } from "../../inspect/services.ts";
import { Dialer } from "../../router/dialer.ts";
import type { RouterStats } from "../../router/stats.ts";
import { type Graph, mergeGraph, type Report } from "./graph.ts";
import { type LoggedPacket, PacketReader } from "./packets.ts";
import { ChangeCounter, findProblems, type Problem } from "./problems.ts";
import { Ring } from "./ring.ts";
import { WatchedRouter } from "../../inspect/watched_router.ts";

/** How many packets the log keeps. */
const MAX_PACKETS = 5_000;

/** The longest first pause before the page dials again, and the longest of all, in ms. */
const RETRY_FIRST = 250;
const RETRY_MOST = 5_000;

/** How long it takes from a change to telling of it, in ms: a burst of changes is told once. */
const TELL_AFTER = 100;

/** How often all routers are asked for their links, in ms: at least, for each router, at most. */
const ASK_EVERY = 2_000;
const ASK_EVERY_PER_ROUTER = 40;
const ASK_EVERY_MOST = 15_000;

/** How soon a router that has just come is asked, in ms. */
const ASK_SOON = 200;

/** How many are asked at once, how long each may take, and when a silent one is asked again, in ms. */
const ASK_AT_ONCE = 8;
const ASK_TIMEOUT = 3_000;
const ASK_AGAIN = 30_000;

/** In how many rounds each router is once asked for its statistics. */
const STATS_ROUNDS = 4;

/** From one sample of the page's own traffic to the next, in ms, and how many are kept. */
const SAMPLE_EVERY = 1_000;
export const SAMPLES = 60;

/** Of how many routers, that are not there any more, something is remembered. */
const MAX_REMEMBERED = 2_000;

/** Whether the page is in the mesh. */
export type LinkState = "joining" | "joined" | "lost";

/** Since when a route is as it is. */
export interface RouteAge {
  /** When it was first there, and when it last changed, in ms since 1970. */
  since: number;
  changed: number;
}

/** The page's node. */
export class Session {
  /** Its router. */
  readonly router: WatchedRouter;
  /** Asks the others. */
  readonly inspector: Inspector;
  /** The packets that it has seen. */
  readonly packets: Ring<LoggedPacket> = new Ring(MAX_PACKETS);
  /** Packets a second, questions about routers not counted; the latest last. */
  readonly samples: number[] = [];
  /** Whether packets are put into the log. */
  recording: boolean = true;
  /** Where it connects to. */
  url: string = "";
  /** Whether it is connected. */
  state: LinkState = "joining";
  /** Why it is not; `""` if it is, or that is not known. */
  reason: string = "";
  readonly #reader: PacketReader = new PacketReader();
  readonly #reports: Map<string, Report> = new Map();
  readonly #stats: Map<string, { now: RouterStats; before: RouterStats | null }> = new Map();
  readonly #roundTrips: Map<string, number> = new Map();
  readonly #silentUntil: Map<string, number> = new Map();
  readonly #ages: Map<string, RouteAge> = new Map();
  readonly #conflicts: Map<string, number> = new Map();
  readonly #changes: ChangeCounter = new ChangeCounter();
  readonly #listeners: Set<() => void> = new Set();
  #dialer: Dialer | null = null;
  #own: Report;
  /** Our links at earlier times, the oldest first. */
  readonly #past: { links: readonly LinkReport[]; at: number }[] = [];
  #seen: number = 0;
  #sampled: number = 0;
  #round: number = 0;
  #interval: number = ASK_EVERY;
  #asking: boolean = false;
  readonly #sampler: number;
  #askTimer: number | undefined;
  #askAt: number = Infinity;
  #tellTimer: number | undefined;
  #graph: Graph | null = null;

  /**
   * Constructs a new instance, which is not connected.
   *
   * @param address Of the page in the mesh.
   * @throws {PacketError} If it is none.
   */
  constructor(address: string) {
    this.router = new WatchedRouter(address, {}, (direction, packet) => {
      const entry = this.#reader.read(packet, direction, Date.now());
      if (!entry.service.startsWith("aln.")) this.#seen++;
      if (this.recording) this.packets.push(entry);
    });
    this.inspector = inspect(this.router);
    inspectable(this.router, { runtime: "Dashboard" });
    this.#own = { links: [], at: Date.now(), before: null };
    this.router.addEventListener("route", ({ address, cost }) => {
      const now = Date.now();
      this.#changes.add(`route to ${address}`, now);
      const age = this.#ages.get(address);
      if (cost === 0) {
        this.#ages.delete(address);
        this.#reports.delete(address);
        this.#stats.delete(address);
        this.#roundTrips.delete(address);
      } else if (age) age.changed = now;
      else {
        this.#ages.set(address, { since: now, changed: now });
        this.#silentUntil.delete(address); // It may be another program now.
        this.#askSoon(ASK_SOON);
      }
      this.#changed();
    });
    this.router.addEventListener("service", ({ service, address, capacity }) => {
      if (capacity === 0) this.#changes.add(`${service} at ${address}`, Date.now());
      this.#changed();
    });
    this.router.addEventListener("channel", () => this.#changed());
    this.router.addEventListener("drop", () => this.#changed());
    this.router.addEventListener("conflict", ({ address }) => {
      if (this.#conflicts.size < MAX_REMEMBERED) {
        this.#conflicts.set(address, (this.#conflicts.get(address) ?? 0) + 1);
      }
      this.#changed();
    });
    this.#sampler = setInterval(() => this.#sample(), SAMPLE_EVERY) as unknown as number;
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.#askSoon(0);
    });
  }

  /** Calls a function soon after anything has changed, and once a second. */
  subscribe(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /**
   * Connects to another URL.
   *
   * @param key What the neighbour wants us to know; `""` for nothing.
   * @throws {TypeError} If the URL is no WebSocket's.
   */
  connect(url: string, key: string = ""): void {
    const { protocol, href } = URL.parse(url) ?? {};
    if (protocol !== "ws:" && protocol !== "wss:") {
      throw new TypeError("A page connects to ws:// and wss:// URLs alone");
    }
    void this.#dialer?.close();
    this.url = href!;
    this.#say("joining", "");
    const dialer = new Dialer(this.router, (signal) => connectWebSocket(href!, { signal }), {
      minDelay: RETRY_FIRST,
      maxDelay: RETRY_MOST,
      ...(key === "" ? {} : { link: { key } }),
    });
    this.#dialer = dialer;
    dialer.addEventListener("status", ({ state, error }) => {
      if (this.#dialer !== dialer) return;
      const why = (error as Error | undefined)?.message ?? "the link was lost";
      if (state === "connected") this.#say("joined", "");
      else if (state !== "connecting") this.#say("lost", why);
    });
  }

  /** Leaves the mesh. There is no way back but to load the page again. */
  leave(): void {
    void this.#dialer?.close(); // At once: whoever is left behind need not find out by himself.
    void this.router.close();
    clearInterval(this.#sampler);
    clearTimeout(this.#askTimer);
    clearTimeout(this.#tellTimer);
  }

  /** Tries to connect at once, rather than after a pause. */
  retry(): void {
    if (this.state === "lost") this.connect(this.url);
  }

  /** The picture of the mesh. */
  get graph(): Graph {
    return this.#graph ??= mergeGraph({
      self: this.router.address,
      links: this.#own,
      routes: this.router.routes(),
      services: this.router.services(),
      reports: this.#reports,
      asking: { packets: 2, interval: this.#interval },
    });
  }

  /** What a router has said of its links, or our own. */
  report(address: string): Report | undefined {
    return address === this.router.address ? this.#own : this.#reports.get(address);
  }

  /** How long a router took to answer, in ms; `undefined` if it has not. */
  roundTrip(address: string): number | undefined {
    return this.#roundTrips.get(address);
  }

  /** Since when a route is as it is. */
  age(address: string): RouteAge | undefined {
    return this.#ages.get(address);
  }

  /** What is wrong. */
  get problems(): Problem[] {
    const address = this.router.address;
    const stats = new Map(this.#stats);
    stats.set(address, { now: this.router.stats(), before: null });
    return findProblems({
      graph: this.graph,
      stats,
      conflicts: this.#conflicts,
      flapping: this.#changes.flapping(Date.now()),
      offline: this.state === "lost" ? this.reason : null,
    });
  }

  #say(state: LinkState, reason: string): void {
    this.state = state;
    this.reason = reason;
    this.#changed();
  }

  /** Something is another than it was: it is told in a moment. */
  #changed(): void {
    this.#graph = null;
    this.#tellTimer ??= setTimeout(() => {
      this.#tellTimer = undefined;
      for (const listener of this.#listeners) listener();
    }, TELL_AFTER) as unknown as number;
  }

  #sample(): void {
    this.samples.push(this.#seen - this.#sampled);
    this.#sampled = this.#seen;
    if (this.samples.length > SAMPLES) this.samples.shift();
    const { channels: links } = this.router.stats();
    const at = Date.now();
    // As long ago as the others were asked before: our questions come in bursts.
    while (this.#past.length > 1 && this.#past[1]!.at <= at - this.#interval) this.#past.shift();
    this.#own = { links, at, before: this.#past[0] ?? null };
    this.#past.push({ links, at });
    this.#changed();
  }

  // ── asking the others ─────────────────────────────────────────────────────

  #askSoon(delay: number): void {
    const at = Date.now() + delay;
    if (this.#asking || at >= this.#askAt) return;
    clearTimeout(this.#askTimer);
    this.#askAt = at;
    this.#askTimer = setTimeout(() => this.#askAll(), delay) as unknown as number;
  }

  /** Asks every router for its links, and some for their statistics. */
  async #askAll(): Promise<void> {
    this.#askAt = Infinity;
    if (document.hidden) return; // It is asked as soon as somebody looks.
    this.#asking = true;
    const start = Date.now();
    const routes = this.router.routes();
    const round = this.#round++;
    const left = routes.map(({ address }, i) => ({ address, i }))
      .filter(({ address }) => (this.#silentUntil.get(address) ?? 0) <= start);
    const work = async () => {
      for (let next = left.pop(); next; next = left.pop()) {
        const { address, i } = next;
        await this.#ask(address, (i + round) % STATS_ROUNDS === 0);
      }
    };
    await Promise.all(Array.from({ length: ASK_AT_ONCE }, work));
    const there = new Set(this.router.routes().map(({ address }) => address));
    for (const address of this.#silentUntil.keys()) {
      if (!there.has(address)) this.#silentUntil.delete(address);
    }
    this.#asking = false;
    this.#interval = Math.min(
      Math.max(ASK_EVERY, routes.length * ASK_EVERY_PER_ROUTER),
      ASK_EVERY_MOST,
    );
    const isNew = [...there].some((it) => !this.#reports.has(it) && !this.#silentUntil.has(it));
    this.#askSoon(isNew ? ASK_SOON : Math.max(ASK_SOON, start + this.#interval - Date.now()));
  }

  async #ask(address: string, stats: boolean): Promise<void> {
    const options = { timeout: ASK_TIMEOUT };
    const start = performance.now();
    try {
      if (stats) {
        const now = await this.inspector.stats(address, options);
        const before = this.#stats.get(address)?.now ?? null;
        if (this.#ages.has(address)) this.#stats.set(address, { now, before });
        this.#note({ address, links: now.channels });
      } else {
        const report = await this.inspector.links(address, options);
        if (this.#ages.has(address)) this.#roundTrips.set(address, performance.now() - start);
        this.#note(report);
      }
    } catch {
      this.#silentUntil.set(address, Date.now() + ASK_AGAIN); // An older router, or one that is gone.
    }
  }

  #note({ address, links }: LinksReport): void {
    if (!this.#ages.has(address)) return; // It has left while it was asked.
    const last = this.#reports.get(address);
    const before = last ? { links: last.links, at: last.at } : null;
    this.#reports.set(address, { links, at: Date.now(), before });
    this.#changed();
  }
}
