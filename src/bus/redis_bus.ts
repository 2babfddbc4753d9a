/**
 * {@linkcode redisBus}: the channels of Redis as an engine.
 *
 * @module
 */

import type { Bus, BusEvents } from "../channel/bus.ts";
import { Reach } from "./reach.ts";

/** What both connections of `ioredis` are watched for. */
export interface RedisLike {
  /** "ready", if it can be used now. */
  readonly status: string;
  /** Whether it leads to many servers. */
  readonly isCluster?: boolean;
  /** Listens. */
  on(event: "ready" | "close" | "end", listener: () => void): unknown;
  /** Listens. */
  on(event: "error", listener: (error: Error) => void): unknown;
  /** Listens no more. */
  removeListener(event: unknown, listener: unknown): unknown;
}

/** The part of a connection of `ioredis` that is needed to publish. */
export interface RedisPublisherLike extends RedisLike {
  /** Publishes bytes, in a Buffer of Node's, and tells to how many. */
  publish(channel: string, message: unknown): Promise<number>;
}

/** The part of a connection of `ioredis` that is needed to subscribe. */
export interface RedisSubscriberLike extends RedisLike {
  /** Listens. */
  on(event: "ready" | "close" | "end", listener: () => void): unknown;
  /** Listens. */
  on(event: "error", listener: (error: Error) => void): unknown;
  /** Listens. */
  on(
    event: "messageBuffer",
    listener: (channel: { toString(): string }, message: Uint8Array) => void,
  ): unknown;
  /** Subscribes. */
  subscribe(...channels: string[]): Promise<unknown>;
  /** Unsubscribes. */
  unsubscribe(...channels: string[]): Promise<unknown>;
}

/** Options of {@linkcode redisBus}. */
export interface RedisBusOptions {
  /**
   * Whether a message that the server has handed to nobody means that nobody hears its topic. Not
   * if others subscribe at other servers, such as replicas; in a Redis Cluster it is never taken so.
   *
   * @default true
   */
  unheard?: boolean;
}

/** The largest message, in bytes: far from where Redis lets go of who reads too slowly. */
const MAX_MESSAGE = 1 << 20;

/**
 * A segment on the channels of Redis (pub/sub), with two connections of `ioredis`: one that
 * subscribes can do nothing else. The first can serve other purposes as well.
 *
 * @example
 * ```ts ignore
 * import { redisBus } from "@aln/mesh/bus";
 * import { Redis } from "ioredis";
 *
 * const publisher = new Redis("redis://localhost");
 * const bus = redisBus(publisher, publisher.duplicate());
 * ```
 *
 * @param publisher Stays the program's: closing the segment does not close it.
 * @param subscriber Stays the program's, too, and is as before after the segment is closed.
 */
export function redisBus(
  publisher: RedisPublisherLike,
  subscriber: RedisSubscriberLike,
  options: RedisBusOptions = {},
): Bus {
  return new RedisBus(publisher, subscriber, options.unheard ?? true);
}

/** Node's Buffer, which `ioredis` has to have: it would write other bytes as text. */
const { Buffer } = globalThis as unknown as {
  Buffer: { from(bytes: ArrayBuffer, offset: number, length: number): Uint8Array };
};

/** Counts what the server has yet to take. */
class Outstanding {
  readonly #waiting: { for: number; resolve: () => void }[] = [];
  #given: number = 0;
  #taken: number = 0;

  /** Something was given to it. */
  given(): void {
    this.#given++;
  }

  /** It has taken something, or lost it. */
  taken(): void {
    this.#taken++;
    while (this.#waiting.length > 0 && this.#waiting[0]!.for <= this.#taken) {
      this.#waiting.shift()!.resolve();
    }
  }

  /** Resolves once as much is taken as has been given by now. */
  settled(): Promise<void> {
    if (this.#given === this.#taken) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ for: this.#given, resolve }));
  }

  /** Nobody waits any more. */
  end(): void {
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }
}

class RedisBus implements Bus {
  readonly transport: string = "redis";
  readonly separator: string = ":";
  readonly maxMessage: number = MAX_MESSAGE;
  readonly #publisher: RedisPublisherLike;
  readonly #subscriber: RedisSubscriberLike;
  readonly #tellsUnheard: boolean;
  readonly #outstanding: Outstanding = new Outstanding();
  #topics: ReadonlySet<string> = new Set();
  #reach: Reach | null = null;
  #error: Error | undefined;

  constructor(
    publisher: RedisPublisherLike,
    subscriber: RedisSubscriberLike,
    unheard: boolean,
  ) {
    this.#publisher = publisher;
    this.#subscriber = subscriber;
    this.#tellsUnheard = unheard && !publisher.isCluster;
  }

  async open(topics: readonly string[], events: BusEvents): Promise<void> {
    this.#topics = new Set(topics);
    this.#reach = new Reach(events);
    this.#subscriber.on("messageBuffer", this.#onMessage);
    for (const connection of [this.#publisher, this.#subscriber]) {
      connection.on("ready", this.#onReady);
      connection.on("close", this.#onClose);
      connection.on("error", this.#onError);
      connection.on("end", this.#onEnd);
    }
    try {
      await this.#subscriber.subscribe(...topics);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  publish(topic: string, message: Uint8Array<ArrayBuffer>): void {
    this.#outstanding.given();
    const bytes = Buffer.from(message.buffer, message.byteOffset, message.length);
    this.#publisher.publish(topic, bytes).then((heard) => {
      if (heard === 0 && this.#tellsUnheard && !this.#topics.has(topic)) {
        this.#reach?.events?.unheard(topic);
      }
      this.#outstanding.taken();
    }, this.#onLost);
  }

  flush(): Promise<void> {
    return this.#outstanding.settled();
  }

  async close(): Promise<void> {
    const isOpen = this.#reach?.events;
    this.#reach?.end();
    this.#outstanding.end();
    this.#subscriber.removeListener("messageBuffer", this.#onMessage);
    for (const connection of [this.#publisher, this.#subscriber]) {
      connection.removeListener("ready", this.#onReady);
      connection.removeListener("close", this.#onClose);
      connection.removeListener("error", this.#onError);
      connection.removeListener("end", this.#onEnd);
    }
    if (!isOpen) return;
    const answered = this.#subscriber.unsubscribe(...this.#topics).catch(() => {});
    if (this.#subscriber.status === "ready") await answered; // Else it waits until it is.
  }

  readonly #onMessage = (channel: { toString(): string }, message: Uint8Array): void => {
    if (this.#topics.has(channel.toString())) this.#reach?.events?.message(message);
  };
  readonly #onReady = (): void => {
    if (this.#publisher.status !== "ready" || this.#subscriber.status !== "ready") return;
    void this.#reach?.back(() => this.#subscriber.subscribe(...this.#topics));
  };
  readonly #onClose = (): void => this.#reach?.away();
  readonly #onError = (error: Error): void => void (this.#error = error);
  readonly #onEnd = (): void => this.#reach?.closed(this.#error);
  readonly #onLost = (): void => this.#outstanding.taken();
}
