/**
 * The contract between a {@linkcode BusChannel} and the engine below it, and how topics are named.
 * Types and pure functions.
 *
 * @module
 */

/** What an engine tells. Set once, by {@linkcode Bus.open}; none of it throws. */
export interface BusEvents {
  /**
   * A message has come, on whichever topic, perhaps our own.
   *
   * @param message Owned by whoever is told. It may be a part of a larger buffer that stays as it is.
   */
  message(message: Uint8Array): void;
  /** The engine cannot be reached for now: what is published meanwhile may be lost. */
  away(): void;
  /** It can again, and all subscriptions stand. */
  back(): void;
  /**
   * The engine says that nobody hears a topic to which something was published. It may be wrong about
   * one that was only just subscribed to.
   */
  unheard(topic: string): void;
  /** The engine is gone for good: the program has closed its client, or the client has given up. */
  closed(reason?: unknown): void;
}

/**
 * An engine that carries messages by topic to all who have subscribed to it: the least that a
 * segment needs of NATS, MQTT, Redis, or anything alike. Messages of one publisher should arrive in
 * order; some may be lost.
 */
export interface Bus {
  /** What it is, in one word, such as "nats"; for statistics. */
  readonly transport: string;
  /** What stands between the words of a topic. */
  readonly separator: string;
  /** The largest message that it takes, in bytes. */
  readonly maxMessage: number;
  /**
   * Subscribes to topics, all of them exact. Called once.
   *
   * @returns Resolves once whatever others publish from now on is heard; by others on another server
   *   of the engine, perhaps a moment later.
   * @throws If it cannot subscribe.
   */
  open(topics: readonly string[], events: BusEvents): Promise<void>;
  /**
   * Publishes a message. Must not throw: what cannot be sent is lost.
   *
   * @param message Owned by the bus from now on.
   */
  publish(topic: string, message: Uint8Array<ArrayBuffer>): void;
  /** Resolves once the engine has taken all that was published so far. Absent if it does at once. */
  flush?(): Promise<void>;
  /**
   * Takes back the subscriptions and listens to nothing more. The client stays the program's. Called
   * once more if {@linkcode Bus.open} had not resolved yet, when it has.
   */
  close(): Promise<void>;
}

/** What must not stand in a word of a topic, or means something there, beside what URIs escape. */
const SPECIAL = /[.!~*'()]/g;

/**
 * A topic of words, of which each may hold anything: what is not a letter of ASCII, a digit, `-` or
 * `_` is written as `%` and two hexadecimal digits for each byte of UTF-8.
 *
 * @example
 * ```ts
 * import { topicOf } from "@aln/mesh/bus";
 * import assert from "node:assert/strict";
 *
 * assert.equal(topicOf(["aln", "home", "to", "lamp.1"], "/"), "aln/home/to/lamp%2E1");
 * ```
 */
export function topicOf(words: readonly string[], separator: string): string {
  const escape = (char: string) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
  return words.map((word) => encodeURIComponent(word).replace(SPECIAL, escape)).join(separator);
}
