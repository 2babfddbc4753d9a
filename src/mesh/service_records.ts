/**
 * What each host offers, by the word of each origin that speaks for it: the host itself, or our
 * own kind on behalf of an old peer. Every record has a version, so that the newest wins from
 * wherever it comes.
 *
 * Pure state: nothing here sends.
 *
 * @module
 */

import { isNewer, isProxied, seconds } from "./sequence.ts";

/**
 * How long a removal is remembered, in seconds: longer than anybody keeps what it removes. Whose
 * word it is remembers it twice as long, so that no version comes back that others still refuse.
 */
const TOMBSTONE_LIFETIME = 300;
const OWN_TOMBSTONE_LIFETIME = 600;

/** How long records are kept though nobody leads to their host by that origin, in seconds. */
const PARKED_LIFETIME = 60;

/** Origins that are remembered of one host beside those by which somebody leads there. */
const MAX_ORIGINS = 4;

/** Services that one origin may offer at one host, removals included. */
const MAX_PER_ORIGIN = 1_000;

/** One service at one host, by one origin's word. */
export interface ServiceRecord {
  readonly host: string;
  readonly name: string;
  /** Who says so, signed. */
  readonly origin: number;
  /** Advertised load; 0 if the service is gone. */
  load: number;
  /** Counts changes, 1-65535. */
  version: number;
  /** When it was removed, in seconds. */
  goneAt: number;
}

/** What one origin says of one host. */
interface Word {
  /** Whether it is ours. */
  own: boolean;
  records: Map<string, ServiceRecord>;
  /** How many of them are removals. */
  removals: number;
  /** When it was last seen that somebody leads to the host by this origin, in seconds. */
  seenAt: number;
}

/** What came of a record: kept, known already, or no room for it. */
export type Acceptance = ServiceRecord | "known" | "full";

/** All records. */
export class ServiceRecords {
  readonly #hosts: Map<string, Map<number, Word>> = new Map();
  readonly #limit: number;
  readonly #isOffered: (host: string, origin: number) => boolean;
  #size: number = 0;

  /**
   * Constructs a new instance.
   *
   * @param isOffered Whether anybody leads to a host by an origin now.
   */
  constructor(limit: number, isOffered: (host: string, origin: number) => boolean) {
    this.#limit = limit;
    this.#isOffered = isOffered;
  }

  /** Whether an origin has said anything of a host. */
  knows(host: string, origin: number): boolean {
    return this.#hosts.get(host)?.has(origin) ?? false;
  }

  /** What an origin says of a host, removals included. */
  of(host: string, origin: number): Iterable<ServiceRecord> {
    return this.#hosts.get(host)?.get(origin)?.records.values() ?? [];
  }

  /** What an origin says that a host offers: name → load. */
  loads(host: string, origin: number): Map<string, number> {
    const loads = new Map<string, number>();
    for (const { name, load } of this.of(host, origin)) if (load > 0) loads.set(name, load);
    return loads;
  }

  /** Every record, removals included. */
  *all(): Generator<ServiceRecord> {
    for (const words of this.#hosts.values()) {
      for (const { records } of words.values()) yield* records.values();
    }
  }

  /** The record of one service. */
  get(host: string, origin: number, name: string): ServiceRecord | undefined {
    return this.#hosts.get(host)?.get(origin)?.records.get(name);
  }

  /**
   * Keeps a record if it is newer than what is known.
   *
   * @param own Whether it is our own word: there is always room for that.
   */
  accept(
    host: string,
    origin: number,
    name: string,
    load: number,
    version: number,
    now: number,
    own: boolean = false,
  ): Acceptance {
    const word = this.#word(host, origin, own, now);
    if (word === null) return "full";
    const known = word.records.get(name);
    if (known !== undefined) {
      // Of two lives that began in the same second, the one that does not offer it is right.
      const removed = version === known.version && load === 0 && known.load > 0;
      if (!removed && !isNewer(version, known.version)) return "known";
      if (known.load === 0) word.removals--;
      if (load === 0) word.removals++;
      known.load = load;
      known.version = version;
      known.goneAt = seconds(now);
      return known;
    }
    if (word.records.size >= MAX_PER_ORIGIN) this.#forgetRemoval(word);
    const full = this.#size >= this.#limit || word.records.size >= MAX_PER_ORIGIN;
    if (full && !own) return "full";
    this.#size++;
    if (load === 0) word.removals++;
    const record = { host, name, origin, load, version, goneAt: seconds(now) };
    word.records.set(name, record);
    return record;
  }

  /** Forgets a record as if nobody had told it: if it is told once more, it is believed. */
  forget({ host, origin, name }: ServiceRecord): void {
    const word = this.#hosts.get(host)?.get(origin);
    const record = word?.records.get(name);
    if (word === undefined || record === undefined) return;
    if (record.load === 0) word.removals--;
    word.records.delete(name);
    this.#size--;
  }

  /** Forgets what the earlier lives of a host have said, unless somebody still goes by them. */
  supersede(host: string, origin: number): void {
    const words = this.#hosts.get(host);
    for (const [other, word] of words ?? []) {
      if (other === origin || isProxied(other) || this.#isOffered(host, other)) continue;
      this.#forget(words!, host, other, word);
    }
  }

  /** Forgets old removals, and the words of origins by which nobody leads to their host any more. */
  sweep(now: number): void {
    const at = seconds(now);
    for (const [host, words] of this.#hosts) {
      for (const [origin, word] of words) {
        if (this.#isOffered(host, origin)) word.seenAt = at;
        else if (at - word.seenAt > PARKED_LIFETIME) this.#forget(words, host, origin, word);
        for (const record of word.records.values()) {
          const lifetime = word.own ? OWN_TOMBSTONE_LIFETIME : TOMBSTONE_LIFETIME;
          if (record.load > 0 || at - record.goneAt < lifetime) continue;
          word.records.delete(record.name);
          word.removals--;
          this.#size--;
        }
      }
    }
  }

  #word(host: string, origin: number, own: boolean, now: number): Word | null {
    let words = this.#hosts.get(host);
    const known = words?.get(origin);
    if (known !== undefined) return known;
    if (this.#size >= this.#limit && !own) return null;
    if (words === undefined) this.#hosts.set(host, words = new Map());
    if (words.size >= MAX_ORIGINS) {
      const idle = [...words].filter(([other]) => !this.#isOffered(host, other));
      const [oldest] = idle.sort(([, a], [, b]) => a.seenAt - b.seenAt);
      if (oldest && idle.length >= MAX_ORIGINS) this.#forget(words, host, oldest[0], oldest[1]);
      this.#hosts.set(host, words);
    }
    const word: Word = { own, records: new Map(), removals: 0, seenAt: seconds(now) };
    words.set(origin, word);
    return word;
  }

  /** Makes room by forgetting one removal: of the service that was known first. */
  #forgetRemoval(word: Word): void {
    if (word.removals === 0) return; // Or looking for one would take longer with each service.
    for (const { name, load } of word.records.values()) {
      if (load > 0) continue;
      word.records.delete(name);
      word.removals--;
      this.#size--;
      return;
    }
  }

  #forget(words: Map<number, Word>, host: string, origin: number, word: Word): void {
    this.#size -= word.records.size;
    word.records.clear();
    words.delete(origin);
    if (words.size === 0) this.#hosts.delete(host);
  }
}
