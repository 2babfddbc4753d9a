/**
 * Segments: links that many neighbours share, on which what is published once is heard by all. Who is
 * there is found out by hello; what is told is told to all at once, but for who has just come, who
 * hears it alone.
 *
 * Pure: what is sent goes out as effects.
 *
 * @module
 */

import type { Hello } from "../wire/hello.ts";
import type { Announcer } from "./announcer.ts";
import type { Core } from "./core.ts";
import { toldDigest } from "./digest.ts";
import type { PeerId } from "./effects.ts";
import { type Links, WELCOME_INTERVAL } from "./links.ts";
import type { Neighbour, Segment } from "./state.ts";

/** How often it says that it is still there, in ms, on a segment that is not large. */
const KEEPALIVE = 10_000;

/** How much longer that takes for each neighbour, in ms, on one that is: we hear 50 a second. */
const KEEPALIVE_EACH = 20;

/** A neighbour that misses so many is lost; of what it says of itself, so much is believed, in ms. */
const MISSES = 3;
const MIN_PATIENCE = 30_000;
const MAX_PATIENCE = 3_600_000;

/** How long an answer to a hello waits for others who ask, in ms, and how much longer on large ones. */
const ANSWER_DELAY = 5;
const ANSWER_SPREAD = 20;
const ANSWER_EACH = 0.2;
const MAX_ANSWER_SPREAD = 1_000;

/**
 * Up to so many who ask at the same time are answered one by one, or up to such a part of all, if that
 * takes no more than so many records; more all at once. A message for one is published and heard once,
 * a message for all is heard by everybody.
 */
const SINGLY = 3;
const SINGLY_PART = 1 / 4;
const SINGLY_RECORDS = 4_096;

/** Who hears nobody after so long says hello once more, in ms: it may have been lost. */
const LONELY = 1_000;

/** How long somebody may take to say who it is, in ms; how often it is asked, and others in a second. */
const NAMELESS = 5_000;
const ASK_INTERVAL = 1_000;

/** Between two answers to one neighbour, in ms. */
const ANSWER_INTERVAL = 1_000;

/** Neighbours on one segment, and those of one name: each of these is asked whether it is alive. */
const MAX_MEMBERS = 16_384;
const MAX_NAMESAKES = 16;

/** What segments want of others. */
export interface SegmentHooks {
  /** Makes a neighbour on a segment, that is not known yet. */
  create(segment: Segment, now: number): Neighbour;
  /** A neighbour on a segment is gone: choose again for all that it offered. */
  part(neighbour: Neighbour, now: number): void;
  /** A neighbour is about to tell all again: what it leaves out then is gone. */
  doubt(neighbour: Neighbour): void;
  /** There is no room for another neighbour. */
  full(segment: Segment, now: number): void;
}

/** Keeps segments. */
export class Segments {
  readonly #core: Core;
  readonly #announcer: Announcer;
  readonly #links: Links;
  readonly #hooks: SegmentHooks;

  /** Constructs a new instance. */
  constructor(core: Core, announcer: Announcer, links: Links, hooks: SegmentHooks) {
    this.#core = core;
    this.#announcer = announcer;
    this.#links = links;
    this.#hooks = hooks;
  }

  /** We are on a segment: asks who is there, and tells all there is. */
  up(segment: Segment, now: number): void {
    this.#join(segment, now);
    this.#keepaliveLater(segment, now);
  }

  /** The segment cannot be reached any more: nobody on it can, nor hears us. */
  away(segment: Segment, now: number): void {
    const { voice, members, asked } = segment;
    this.#core.listeners.delete(voice.link);
    for (const member of [...members.values()]) this.#remove(member, now);
    asked.clear();
    voice.told.clearAll();
    voice.dirty =
      voice.dueServices =
      voice.dueSignals =
      voice.dueRequests =
        null;
    voice.flushAt = Infinity;
  }

  /**
   * The segment can be reached again. If it was only just lost, neighbours are taken to be there
   * still, though either side may have missed something; else who is there may be somebody else.
   */
  back(segment: Segment, now: number): void {
    const { voice, members } = segment;
    if (!isUp(this.#core, segment)) {
      this.#core.listeners.set(voice.link, voice);
      return this.#join(segment, now);
    }
    for (const member of members.values()) this.#hooks.doubt(member);
    this.#links.hello(voice, now);
    this.#announcer.retell(voice, now);
  }

  /**
   * The neighbour on a segment that a packet comes from; `null` if there is no room for it, or nobody
   * is there for us.
   */
  member(segment: Segment, peer: PeerId, now: number): Neighbour | null {
    const known = segment.members.get(peer);
    if (known !== undefined) return known;
    // Heard before we are back: then we ask, under another number than it would be answered with now.
    if (!isUp(this.#core, segment)) return null;
    if (segment.members.size >= MAX_MEMBERS) {
      this.#hooks.full(segment, now);
      return null;
    }
    const member = this.#hooks.create(segment, now);
    member.peer = peer;
    segment.members.set(peer, member);
    this.#core.neighbours.set(member.link, member);
    const { link } = segment.voice;
    this.#core.emit({ kind: "join", link: member.link, segment: link, peer });
    this.#core.agenda.add(now + NAMELESS, (later) => {
      if (member.kind === "open" && isThere(member)) this.#remove(member, later);
    });
    return member;
  }

  /**
   * What a neighbour says is our own: we are on the segment twice. It is not asked who it is whenever
   * it speaks, nor listened to.
   */
  echoes(member: Neighbour, now: number): void {
    if (member.kind === "gone") return;
    if (member.kind !== "open") return this.gone(member, now);
    member.kind = "gone";
    this.#forgetEcho(member, now);
  }

  /** A neighbour has gone, by its own word, the engine's, or for want of any. */
  gone(member: Neighbour, now: number): void {
    if (!isThere(member)) return;
    this.#links.down(member, now);
    this.#remove(member, now);
  }

  /** Somebody speaks who has not said hello: it is asked who it is, and told who we are. */
  ask(member: Neighbour, now: number): void {
    if (now - member.helloAt < ASK_INTERVAL || !member.segment!.askBudget.spend(now)) return;
    this.#links.hello(member, now);
    this.#announcer.retell(member, now);
  }

  /** A neighbour says who it is: because it has come, was asked, or is still there. */
  heardHello(member: Neighbour, hello: Hello, now: number): void {
    const segment = member.segment!;
    const known = member.kind === "modern" && member.session === hello.session;
    if (!known) {
      const { namesakes } = this.#core;
      if (now - member.welcomedAt < WELCOME_INTERVAL) return;
      const same = namesakes.of(hello.address).filter((one) => one.segment === segment);
      if (same.length >= MAX_NAMESAKES) return this.#hooks.full(segment, now);
      this.#links.welcome(member, hello, now);
      if (same.length === 0) this.#retold(segment, hello.address, now);
    }
    const promised = MISSES * 1_000 * hello.keepalive * this.#links.patience(hello);
    member.deadAfter = Math.min(MAX_PATIENCE, Math.max(MIN_PATIENCE, promised));
    if (hello.also !== "") this.#links.heardAlso(member, hello.also, now);
    if (!this.#links.isAnswer(hello)) return this.#answerLater(member, now);
    // It has never heard of us, or has forgotten us: else we would know it.
    const strange = !known && hello.seen !== member.ownSession;
    if (strange && now - segment.joinedAt > LONELY) this.ask(member, now);
  }

  /** Answers a neighbour that has asked, alone and now: it is to know whom to answer in its turn. */
  answer(member: Neighbour, now: number): void {
    member.segment!.asked.delete(member);
    member.answeredAt = now;
    this.#tell(member, now);
  }

  // ── within ────────────────────────────────────────────────────────────────

  #join(segment: Segment, now: number): void {
    const { voice } = segment;
    segment.joinedAt = now;
    voice.ownSession = this.#links.session();
    voice.keepalive = this.#interval(segment);
    this.#links.hello(voice, now);
    this.#announcer.greet(voice, now);
    this.#core.agenda.add(now + LONELY, (later) => {
      const isLonely = segment.members.size === 0 && segment.joinedAt === now;
      if (isLonely && isUp(this.#core, segment)) this.#keepalive(segment, later);
    });
  }

  /** Lets go of a neighbour. */
  #remove(member: Neighbour, now: number): void {
    const segment = member.segment!;
    const { address, link } = member;
    segment.members.delete(member.peer);
    segment.asked.delete(member);
    this.#core.neighbours.delete(link);
    this.#core.emit({ kind: "part", link });
    this.#hooks.part(member, now);
    this.#retold(segment, address, now);
    const { namesakes, routes } = this.#core;
    for (const other of namesakes.of(address)) {
      if (other.segment === segment) continue;
      for (const destination of routes.offeredBy(other)) { // It led there itself.
        if (destination.selected === other) this.#announcer.tell(segment.voice, destination, now);
      }
    }
  }

  /** Forgets a neighbour that repeats us once it has been silent for a while. */
  #forgetEcho(member: Neighbour, now: number): void {
    this.#core.agenda.add(now + MIN_PATIENCE, (later) => {
      if (member.segment!.members.get(member.peer) !== member) return;
      if (later - member.heardAt < MIN_PATIENCE) this.#forgetEcho(member, later);
      else this.#remove(member, later);
    });
  }

  /** Somebody speaks for itself from now on, or does so no more. */
  #retold({ voice }: Segment, address: string, now: number): void {
    const destination = this.#core.routes.get(address);
    if (destination !== undefined) this.#announcer.tell(voice, destination, now);
  }

  /** Answers a neighbour that asks, and others that ask meanwhile. */
  #answerLater(member: Neighbour, now: number): void {
    const segment = member.segment!;
    const again = member.answeredAt + ANSWER_INTERVAL;
    if (now < again) return this.#answerAgain(member, again);
    const { asked, members } = segment;
    asked.add(member);
    if (asked.size > 1) return;
    const spread = Math.min(MAX_ANSWER_SPREAD, ANSWER_SPREAD + ANSWER_EACH * members.size);
    const at = now + ANSWER_DELAY + spread * this.#core.random();
    this.#core.agenda.add(at, (later) => {
      const those = [...asked];
      asked.clear();
      if (!isUp(this.#core, segment)) return;
      for (const one of those) one.answeredAt = later;
      const few = this.#areFew(those.length, segment);
      for (const one of few ? those : [segment.voice]) this.#tell(one, later);
    });
  }

  /** Answers a neighbour that asks though it has just been answered: the answer may have been lost. */
  #answerAgain(member: Neighbour, at: number): void {
    if (member.answerAt === at) return;
    member.answerAt = at;
    this.#core.agenda.add(at, (later) => {
      if (member.answerAt !== at) return;
      member.answerAt = Infinity;
      this.#answerLater(member, later);
    });
  }

  /** Whether so many had better be answered one by one. */
  #areFew(count: number, { voice, members }: Segment): boolean {
    if (count <= SINGLY) return true;
    if (count > SINGLY_PART * members.size) return false;
    const { routes, services } = toldDigest(this.#core, voice);
    return count * (routes + services) <= SINGLY_RECORDS;
  }

  /** Tells one or all who we are, and all there is. */
  #tell(neighbour: Neighbour, now: number): void {
    this.#links.hello(neighbour, now, { answering: true });
    this.#announcer.retell(neighbour, now);
  }

  #interval({ members }: Segment): number {
    return Math.max(KEEPALIVE, KEEPALIVE_EACH * members.size);
  }

  #keepaliveLater(segment: Segment, now: number): void {
    const interval = segment.voice.keepalive * (0.8 + 0.2 * this.#core.random());
    this.#core.agenda.add(now + interval, (later) => {
      if (!this.#core.neighbours.has(segment.voice.link)) return;
      if (isUp(this.#core, segment)) this.#keepalive(segment, later);
      this.#keepaliveLater(segment, later);
    });
  }

  /** Says that we are still there, and what all that we have told comes to. */
  #keepalive(segment: Segment, now: number): void {
    const { voice } = segment;
    voice.keepalive = this.#interval(segment);
    this.#links.hello(voice, now, { answering: true });
    this.#announcer.utter(voice, { kind: "digest" }, now);
  }
}

/** Whether a neighbour on a segment has not gone. */
function isThere({ segment, peer }: Neighbour): boolean {
  return segment?.members.has(peer) ?? false;
}

/** Whether somebody may hear us on a segment. */
function isUp({ listeners }: Core, { voice }: Segment): boolean {
  return listeners.get(voice.link) === voice;
}
