/**
 * Links: who is at the far end, whether it is still there, and whether both sides still agree.
 *
 * Pure: what is sent goes out as effects.
 *
 * @module
 */

import { ChannelError } from "../errors.ts";
import { CAP, encodeHello, type Hello, ROLE } from "../wire/hello.ts";
import { MAX_LINK_FRAME } from "../wire/link_frame.ts";
import { NET_QUERY } from "../wire/limits.ts";
import { Packet } from "../wire/packet.ts";
import type { Announcer } from "./announcer.ts";
import type { Core } from "./core.ts";
import { toldDigest } from "./digest.ts";
import { FlapDamper } from "./flap_damper.ts";
import type { LegacyBorder } from "./legacy_border.ts";
import type { Neighbour } from "./state.ts";

/** What we can do. */
const OUR_CAPS = CAP.seq | CAP.bulk | CAP.hops | CAP.digest;

/** What a neighbour must be able to do to be of our kind. */
const NEEDED_CAPS = CAP.seq | CAP.bulk;

/** Between two new beginnings of one neighbour, in ms: each is told the whole table. */
export const WELCOME_INTERVAL = 100;

/** Every record fits into a link frame of this size, in bytes. */
const MIN_LINK_FRAME = 524;

/** How long a query may stay unanswered at first, in ms; each retry waits twice as long. */
const QUERY_RETRY = 1_000;

/** How often a query is retried. */
const QUERY_RETRIES = 5;

/** A neighbour of our kind that has been silent for so long is pinged, in ms. */
const PING_AFTER = 10_000;

/** A neighbour that has been silent for so long is gone, in ms. Our hello says so, for tools. */
const DEAD_AFTER = 30_000;

/** A neighbour whose timers are throttled, such as a hidden page, may be silent for so much longer. */
const THROTTLED_PATIENCE = 3;

/** A neighbour on a segment speaks now and then by itself: it is pinged after that part of its time. */
const PING_PART = 2 / 3;

/**
 * How long a neighbour whose name somebody else goes by may take to prove alive before that is
 * preferred, unless it is known to be slow, and before its link is closed, in ms.
 */
const OVERTAKE_AFTER = 1_000;
const DOUBT_TIMEOUT = 3_000;

/** From proving alive until packets have to wait for it once more, in ms. */
const CALM = 5_000;

/** Between digests, in ms, a fifth more or less by chance. */
const DIGEST_INTERVAL = 30_000;

/** What links want of others. */
export interface LinkHooks {
  /** Forget all that a neighbour offers, and choose again. */
  forgetOffers(neighbour: Neighbour, now: number): void;
  /** Choose again for all that a neighbour offers. */
  reconsider(neighbour: Neighbour, now: number): void;
  /** See whether several live ones go by a name. */
  settle(address: string, now: number): void;
  /** The link is of no use: treat it as down. */
  drop(neighbour: Neighbour, error: ChannelError, now: number): void;
  /** A neighbour on a segment is ourselves. */
  echoes(neighbour: Neighbour, now: number): void;
  /** A neighbour on a segment says who it is. */
  heardOnSegment(neighbour: Neighbour, hello: Hello, now: number): void;
}

/** Keeps links. */
export class Links {
  readonly #core: Core;
  readonly #announcer: Announcer;
  readonly #border: LegacyBorder;
  readonly #hooks: LinkHooks;
  readonly #damper: FlapDamper = new FlapDamper();
  readonly #role: number;
  readonly #maxRoutes: number;

  /** Constructs a new instance. */
  constructor(
    core: Core,
    announcer: Announcer,
    border: LegacyBorder,
    hooks: LinkHooks,
    maxRoutes: number,
  ) {
    this.#core = core;
    this.#announcer = announcer;
    this.#border = border;
    this.#hooks = hooks;
    this.#role = (core.stub ? ROLE.stub : 0) | (core.throttled ? ROLE.throttled : 0);
    this.#maxRoutes = maxRoutes;
  }

  /** A link has come up: ask who is there. */
  up(neighbour: Neighbour, now: number): void {
    neighbour.ownSession = this.session();
    this.query(neighbour, now);
  }

  /** A link has gone down. */
  down(neighbour: Neighbour, now: number): void {
    const { address, router } = neighbour;
    const holder = this.#core.routes.get(address)?.holder ?? null;
    if (holder !== null && holder.router !== router) return; // It only went by that name.
    if (address !== "") this.#damper.lost(address, now);
  }

  /**
   * Asks a neighbour for its tables, and says who we are.
   *
   * @param often Whether to ask again if it does not answer.
   */
  query(neighbour: Neighbour, now: number, often: boolean = true): void {
    // Some peers lose what they are sent: whoever has not answered may not know us either.
    const isLost = often && neighbour.unanswered > 0;
    if (isLost && neighbour.kind === "legacy") this.#border.self(neighbour);
    this.hello(neighbour, now);
    neighbour.queryAt = Infinity;
    neighbour.withdrewItself = false;
    if (often && neighbour.unanswered < QUERY_RETRIES) {
      const at = now + QUERY_RETRY * 2 ** neighbour.unanswered;
      neighbour.retryAt = at;
      this.#core.agenda.add(at, (later) => {
        if (neighbour.retryAt === at) this.#retry(neighbour, later);
      });
    }
    neighbour.unanswered++;
  }

  /** A neighbour has said that it is of our kind. */
  heardHello(neighbour: Neighbour, hello: Hello, now: number): void {
    if ((hello.caps & NEEDED_CAPS) !== NEEDED_CAPS) return this.heardQuery(neighbour, now);
    const { identity } = this.#core;
    if (hello.address === identity.address && this.#isOurOwn(hello)) {
      if (neighbour.isMember) return this.#hooks.echoes(neighbour, now);
      const error = new ChannelError(
        "ERR_CHANNEL_PROTOCOL",
        "Cannot keep channel: it leads back to this router",
      );
      return this.#hooks.drop(neighbour, error, now);
    }
    if (neighbour.isMember) return this.#hooks.heardOnSegment(neighbour, hello, now);
    const again = neighbour.kind === "modern" && neighbour.session === hello.session;
    if (!again && now - neighbour.welcomedAt < WELCOME_INTERVAL) return; // It will say it again.
    const hearsUs = hello.seen === neighbour.ownSession;
    const unheard = again && !hearsUs && !neighbour.proven;
    if (unheard && now - neighbour.welcomedAt >= neighbour.deadAfter) {
      const why = "it asks who is there, and hears no answer";
      const error = new ChannelError("ERR_CHANNEL_CLOSED", `Cannot keep channel: ${why}`);
      return this.#hooks.drop(neighbour, error, now);
    }
    // It has come up after us, or has begun anew: what we said before was lost on it.
    const late = neighbour.kind === "legacy" || (neighbour.session !== "" && !again);
    if (!again) {
      this.welcome(neighbour, hello, now);
      this.#waitForProof(neighbour, now);
    }
    if (hello.also !== "") this.heardAlso(neighbour, hello.also, now);
    if (hearsUs) this.#proven(neighbour);
    else if (again || late) this.hello(neighbour, now);
  }

  /** A neighbour asks as old peers do. */
  heardQuery(neighbour: Neighbour, now: number): void {
    if (neighbour.isMember) return; // No old peer is on a segment.
    this.beOld(neighbour, now);
    this.#border.hearQuery(neighbour, now);
  }

  /** A neighbour does what only old peers do. */
  beOld(neighbour: Neighbour, now: number): void {
    if (neighbour.kind === "legacy") return;
    if (neighbour.kind === "modern") {
      this.#hooks.forgetOffers(neighbour, now);
      neighbour.forget();
      neighbour.session = "";
    }
    this.#setBinary(neighbour, false);
    this.#border.welcome(neighbour, now);
  }

  /** A neighbour of our kind speaks to us as to an old peer: it has not heard our hello. */
  takenForOld(neighbour: Neighbour, now: number): void {
    if (neighbour.isMember || now - neighbour.helloAt < QUERY_RETRY) return;
    this.hello(neighbour, now);
  }

  /** A link frame has come from a neighbour: it knows us. */
  heardFrame(neighbour: Neighbour): void {
    this.#proven(neighbour);
  }

  /** An old peer has said its name. */
  named(neighbour: Neighbour, now: number): void {
    this.#damp(neighbour, now);
    this.#challengeNamesakes(neighbour, now);
  }

  /** A neighbour has answered a ping. */
  heardPong(neighbour: Neighbour, token: number, now: number): void {
    if (neighbour.pingAt < 0 || token !== neighbour.pingToken) return;
    const time = now - neighbour.pingAt;
    neighbour.roundTrip += neighbour.roundTrip === 0 ? time : (time - neighbour.roundTrip) / 8;
    neighbour.pingAt = -1;
    if (!neighbour.doubted) return;
    neighbour.doubted = neighbour.suspended = neighbour.overtaken = false;
    neighbour.provedAt = now;
    this.#hooks.reconsider(neighbour, now);
  }

  // ── saying hello ──────────────────────────────────────────────────────────

  /**
   * Says who we are.
   *
   * @param how `also`: our session on another link to the same router; `answering`: no answer is
   *   wanted.
   */
  hello(
    neighbour: Neighbour,
    now: number,
    { also = "", answering = false }: { also?: string; answering?: boolean } = {},
  ): void {
    const { identity, emit } = this.#core;
    const { segment } = neighbour;
    const onSegment = segment === null ? 0 : answering ? ROLE.shared | ROLE.answering : ROLE.shared;
    const keepalive = Math.ceil((segment?.voice.keepalive ?? PING_AFTER) / 1_000);
    neighbour.helloAt = now;
    neighbour.queries++;
    const data = encodeHello({
      caps: OUR_CAPS | (neighbour.choosesFormat ? CAP.binary : 0),
      address: identity.address,
      instance: identity.origin >>> 0,
      session: neighbour.ownSession,
      keepalive,
      dead: DEAD_AFTER / 1_000,
      role: this.#role | (neighbour.rules.hidesServices ? ROLE.selective : 0) | onSegment,
      maxFrame: MAX_LINK_FRAME,
      maxRoutes: this.#maxRoutes,
      seen: neighbour.session,
      also,
    });
    const packet = new Packet({ net: NET_QUERY, data });
    emit({ kind: "transmit", link: neighbour.link, packet });
  }

  /** No answer: whoever has not said hello by now is taken for an old peer. */
  #retry(neighbour: Neighbour, now: number): void {
    neighbour.retryAt = Infinity;
    if (neighbour.kind === "gone") return;
    if (neighbour.kind === "open") this.#border.welcome(neighbour, now);
    this.query(neighbour, now);
  }

  #proven(neighbour: Neighbour): void {
    if (neighbour.proven) return;
    neighbour.proven = true;
    neighbour.unanswered = 0;
    neighbour.retryAt = Infinity;
  }

  /** The far end of a channel may be ourselves. */
  #isOurOwn(hello: Hello): boolean {
    for (const { ownSession } of this.#core.listeners.values()) {
      if (ownSession === hello.session) return true;
    }
    return false;
  }

  /** Somebody of our kind is there whom we have not known, or who has begun anew: greets it. */
  welcome(neighbour: Neighbour, hello: Hello, now: number): void {
    const { identity, namesakes } = this.#core;
    const { missed, isMember } = neighbour;
    this.#hooks.forgetOffers(neighbour, now);
    neighbour.forget();
    this.#border.farewell(neighbour);
    neighbour.kind = "modern";
    namesakes.delete(neighbour);
    neighbour.name(hello.address, identity.hash, identity.address);
    namesakes.add(neighbour);
    neighbour.instance = hello.instance | 0;
    neighbour.session = hello.session;
    neighbour.welcomedAt = now;
    neighbour.proven = neighbour.missed = false;
    neighbour.also = "";
    neighbour.router = neighbour.link;
    neighbour.takesTrailers = (hello.caps & CAP.hops) !== 0;
    neighbour.takesDigests = (hello.caps & CAP.digest) !== 0;
    this.#setBinary(neighbour, (hello.caps & CAP.binary) !== 0);
    neighbour.hidesServices = (hello.role & ROLE.selective) !== 0;
    neighbour.maxFrame = Math.max(
      MIN_LINK_FRAME,
      Math.min(MAX_LINK_FRAME, hello.maxFrame || Infinity),
    );
    neighbour.deadAfter = DEAD_AFTER * this.patience(hello);
    this.#damp(neighbour, now);
    this.#challengeNamesakes(neighbour, now);
    const welcome = ++neighbour.welcomes;
    this.#watch(neighbour, welcome, now + pingAfter(neighbour));
    if (isMember) return; // What it has to hear goes to all, or is told in answer.
    if (missed) this.#announcer.signal(neighbour, { kind: "resync", what: 3 }, now);
    this.#announcer.greet(neighbour, now);
    this.#digestLater(neighbour, welcome, now);
  }

  /** How much longer than others somebody may be silent. */
  patience({ role }: Hello): number {
    return (role & ROLE.throttled) !== 0 ? THROTTLED_PATIENCE : 1;
  }

  /** Whether a hello on a segment asks for nothing. */
  isAnswer({ role }: Hello): boolean {
    return (role & ROLE.answering) !== 0;
  }

  /** A new session: sixteen random hex digits. */
  session(): string {
    const half = () => Math.floor(this.#core.random() * 0x1_0000_0000).toString(16);
    const digits = [half(), half()].map((digits) => digits.padStart(8, "0"));
    return digits.join(""); // Unlike a sum, it keeps no parts.
  }

  /** What is sent to a neighbour from now on is bytes, or text as for old peers. */
  #setBinary(neighbour: Neighbour, takes: boolean): void {
    const binary = takes && neighbour.choosesFormat;
    if (binary === neighbour.takesBinary) return;
    neighbour.takesBinary = binary;
    this.#core.emit({ kind: "format", link: neighbour.link, binary });
  }

  /** Says hello again until it is known that the neighbour hears us. */
  #waitForProof(neighbour: Neighbour, now: number): void {
    neighbour.unanswered = 1;
    const at = now + QUERY_RETRY;
    neighbour.retryAt = at;
    this.#core.agenda.add(at, (later) => {
      if (neighbour.retryAt === at) this.#retry(neighbour, later);
    });
  }

  // ── watching ──────────────────────────────────────────────────────────────

  /** Pings a neighbour that is silent, and lets go of one that stays so. */
  #watch(neighbour: Neighbour, welcome: number, at: number): void {
    this.#core.agenda.add(at, (now) => {
      if (!isWelcome(neighbour, welcome)) return;
      const silent = now - neighbour.heardAt;
      if (silent >= neighbour.deadAfter - 1) { // Sums of times are not exact.
        const why = `nothing was heard for ${Math.round(silent / 1_000)} s`;
        const error = new ChannelError("ERR_CHANNEL_CLOSED", `Cannot keep channel: ${why}`);
        return this.#hooks.drop(neighbour, error, now);
      }
      const patience = pingAfter(neighbour);
      if (silent >= patience - 1) this.#ping(neighbour, now);
      const next = silent >= patience - 1 ? now + PING_AFTER : neighbour.heardAt + patience;
      this.#watch(neighbour, welcome, Math.min(next, neighbour.heardAt + neighbour.deadAfter));
    });
  }

  #ping(neighbour: Neighbour, now: number): void {
    const waits = neighbour.pingAt >= 0 && now - neighbour.pingAt < PING_AFTER - 1;
    if (waits) return; // For an answer to the last one.
    neighbour.pingToken = Math.floor(this.#core.random() * 0x1_0000_0000);
    neighbour.pingAt = now;
    this.#announcer.signal(neighbour, { kind: "ping", token: neighbour.pingToken }, now);
  }

  #digestLater(neighbour: Neighbour, welcome: number, now: number): void {
    const at = now + DIGEST_INTERVAL * (0.8 + 0.4 * this.#core.random());
    this.#core.agenda.add(at, (later) => {
      if (!isWelcome(neighbour, welcome)) return;
      if (neighbour.takesDigests && toldDigest(this.#core, neighbour).routes > 0) {
        this.#announcer.signal(neighbour, { kind: "digest" }, later);
      }
      this.#digestLater(neighbour, welcome, later);
    });
  }

  // ── whose name it is ──────────────────────────────────────────────────────

  /**
   * A neighbour goes by a name that others go by, too: most likely they are links of the same router
   * that are dead, and nobody has noticed. Who is alive keeps the name.
   */
  #challengeNamesakes(neighbour: Neighbour, now: number): void {
    for (const other of this.#core.namesakes.of(neighbour.address)) {
      if (other === neighbour) continue;
      this.challenge(other, now);
      if (neighbour.kind !== "modern" || !isSameLife(other, neighbour)) continue;
      // If it is one router, it knows us on both links, and says so on the one that we trust.
      this.hello(other, now, { also: neighbour.ownSession, answering: true });
      if (other.also === neighbour.session) this.#unite(other, neighbour, now);
    }
  }

  /** A neighbour has said that what it calls itself on another link is itself, too. */
  heardAlso(neighbour: Neighbour, session: string, now: number): void {
    neighbour.also = session;
    for (const other of this.#core.namesakes.of(neighbour.address)) {
      if (other === neighbour || other.session !== session) continue;
      if (isSameLife(other, neighbour)) this.#unite(neighbour, other, now);
    }
  }

  /** Two links lead to one router. */
  #unite(neighbour: Neighbour, other: Neighbour, now: number): void {
    if (other.router === neighbour.router) return;
    other.router = neighbour.router;
    this.#hooks.reconsider(other, now);
  }

  /**
   * Somebody else goes by a neighbour's name: packets for it wait until it has proved alive. One that
   * takes long is passed over, and one that does not answer at all is let go.
   */
  challenge(neighbour: Neighbour, now: number): void {
    const { address } = neighbour;
    if (neighbour.kind === "legacy") this.#border.challenge(neighbour, now);
    if (neighbour.kind !== "modern" || neighbour.doubted) return;
    const { pingAt, heardAt, roundTrip } = neighbour;
    const patience = Math.min(THROTTLED_PATIENCE, neighbour.deadAfter / DEAD_AFTER);
    const slow = Math.max(OVERTAKE_AFTER, 2 * roundTrip) * patience;
    const dead = Math.max(DOUBT_TIMEOUT, 3 * roundTrip) * patience;
    if (pingAt > heardAt && now - pingAt >= dead) return this.#lose(neighbour, now);
    neighbour.doubted = true;
    neighbour.suspended = now - neighbour.provedAt >= CALM;
    const doubt = ++neighbour.doubts;
    this.#ping(neighbour, now);
    const isOpen = () =>
      neighbour.doubted && neighbour.doubts === doubt &&
      this.#core.neighbours.get(neighbour.link) === neighbour;
    this.#core.agenda.add(now + slow, (later) => {
      if (!isOpen()) return;
      neighbour.overtaken = true;
      neighbour.suspended = false;
      this.#hooks.reconsider(neighbour, later);
    });
    this.#core.agenda.add(now + dead, (later) => {
      if (isOpen()) this.#lose(neighbour, later);
      else this.#hooks.settle(address, later);
    });
  }

  #lose(neighbour: Neighbour, now: number): void {
    const why = `"${neighbour.address}" has come over another, and does not answer here`;
    const error = new ChannelError("ERR_CHANNEL_CLOSED", `Cannot keep channel: ${why}`);
    this.#hooks.drop(neighbour, error, now);
  }

  // ── damping ───────────────────────────────────────────────────────────────

  /** A router whose links come and go is not preferred, nor passed on, for a while. */
  #damp(neighbour: Neighbour, now: number): void {
    const until = this.#damper.dampedUntil(neighbour.address, now);
    if (until <= now) return;
    neighbour.dampedUntil = until;
    this.#core.agenda.add(until, (later) => {
      if (this.#core.neighbours.get(neighbour.link) === neighbour) {
        this.#hooks.reconsider(neighbour, later);
      }
    });
  }
}

/** Silence after which a neighbour is pinged, in ms. */
function pingAfter({ deadAfter, isMember }: Neighbour): number {
  return isMember ? PING_PART * deadAfter : PING_AFTER;
}

/** Whether a neighbour has not begun anew since it was greeted, nor turned out to be an old peer. */
function isWelcome({ kind, welcomes }: Neighbour, welcome: number): boolean {
  return kind === "modern" && welcomes === welcome;
}

/** Whether two links say that they lead to the same life of one router. */
function isSameLife(a: Neighbour, b: Neighbour): boolean {
  return a.kind === "modern" && b.kind === "modern" && a.address === b.address &&
    a.instance === b.instance;
}
