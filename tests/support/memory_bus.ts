/**
 * An engine in memory: what is published arrives in the next turn, and tests decide what goes wrong.
 *
 * @module
 */

import type { Bus, BusEvents } from "../../src/channel/bus.ts";

/** What carries messages between the buses of a test. */
export class MemoryEngine {
  /** Every message so far: its topic, and how many heard it. */
  readonly published: { topic: string; heard: number; message: Uint8Array }[] = [];
  readonly #buses: Set<MemoryBus> = new Set();
  /** Whether messages are lost. */
  deaf: boolean = false;

  /** A client of the engine. */
  bus(options: { maxMessage?: number; flush?: () => Promise<void> } = {}): MemoryBus {
    return new MemoryBus(this, options);
  }

  /** Who is connected. */
  get buses(): ReadonlySet<MemoryBus> {
    return this.#buses;
  }

  /** A bus listens from now on, or no more. */
  attach(bus: MemoryBus, there: boolean): void {
    if (there) this.#buses.add(bus);
    else this.#buses.delete(bus);
  }

  /** Hands a message to those who have subscribed. */
  publish(topic: string, message: Uint8Array): void {
    const hearers = [...this.#buses].filter(({ topics }) => topics.includes(topic));
    this.published.push({ topic, heard: hearers.length, message });
    if (this.deaf) return;
    if (hearers.length === 0) { for (const bus of this.#buses) bus.events?.unheard(topic); }
    for (const bus of hearers) setTimeout(() => bus.events?.message(message.slice()), 0);
  }
}

/** One client of a {@linkcode MemoryEngine}. */
export class MemoryBus implements Bus {
  readonly transport: string = "memory-bus";
  readonly separator: string = "/";
  readonly maxMessage: number;
  /** What it has subscribed to. */
  topics: readonly string[] = [];
  /** Who is told, while it is open. */
  events: BusEvents | null = null;
  /** Refuses to subscribe, if set. */
  refusal: Error | null = null;
  flush?: () => Promise<void>;
  readonly #engine: MemoryEngine;

  constructor(
    engine: MemoryEngine,
    { maxMessage = 1 << 20, flush }: { maxMessage?: number; flush?: () => Promise<void> },
  ) {
    this.#engine = engine;
    this.maxMessage = maxMessage;
    if (flush) this.flush = flush;
  }

  open(topics: readonly string[], events: BusEvents): Promise<void> {
    if (this.refusal) return Promise.reject(this.refusal);
    this.topics = topics;
    this.events = events;
    this.#engine.attach(this, true);
    return Promise.resolve();
  }

  publish(topic: string, message: Uint8Array<ArrayBuffer>): void {
    if (this.#engine.buses.has(this)) this.#engine.publish(topic, message);
  }

  /** The connection to the engine is lost, or is there again. */
  connect(there: boolean): void {
    this.#engine.attach(this, there);
    if (there) this.events?.back();
    else this.events?.away();
  }

  close(): Promise<void> {
    this.#engine.attach(this, false);
    this.events = null;
    return Promise.resolve();
  }
}
