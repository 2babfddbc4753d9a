/**
 * {@linkcode broadcastBus}: a `BroadcastChannel` as an engine.
 *
 * A message is `{ topic, data }`.
 *
 * @module
 */

import type { Bus, BusEvents } from "../channel/bus.ts";
import type { MessageLike, MessagePortLike } from "../channel/message_port_channel.ts";

/** The largest message, in bytes: everybody on the channel gets a copy. */
const MAX_MESSAGE = 1 << 20;

/**
 * A segment on a `BroadcastChannel`: the tabs and workers of one origin, or the threads of one
 * process. Everyone is handed every message, and keeps those of its topics.
 *
 * @example
 * ```ts
 * import { broadcastBus } from "@aln/mesh/bus";
 * import assert from "node:assert/strict";
 *
 * const { promise, resolve } = Promise.withResolvers<Uint8Array>();
 * const events = { away() {}, back() {}, unheard() {}, closed() {}, message: resolve };
 * const here = broadcastBus(new BroadcastChannel("rooms"));
 * const there = broadcastBus(new BroadcastChannel("rooms")); // In another tab.
 * await here.open(["attic"], events);
 * there.publish("cellar", Uint8Array.of(1));
 * there.publish("attic", Uint8Array.of(2));
 *
 * assert.deepEqual(await promise, Uint8Array.of(2));
 * await Promise.all([here.close(), there.close()]);
 * ```
 *
 * @param port A `BroadcastChannel`, which the bus owns: closing the segment closes it.
 */
export function broadcastBus(port: MessagePortLike): Bus {
  return new BroadcastBus(port);
}

class BroadcastBus implements Bus {
  readonly transport: string = "broadcast";
  readonly separator: string = "/";
  readonly maxMessage: number = MAX_MESSAGE;
  readonly #port: MessagePortLike;
  #topics: ReadonlySet<unknown> = new Set();
  #events: BusEvents | null = null;

  constructor(port: MessagePortLike) {
    this.#port = port;
  }

  open(topics: readonly string[], events: BusEvents): Promise<void> {
    this.#topics = new Set(topics);
    this.#events = events;
    this.#port.addEventListener("message", this.#hear);
    return Promise.resolve();
  }

  publish(topic: string, message: Uint8Array<ArrayBuffer>): void {
    try {
      this.#port.postMessage({ topic, data: message });
    } catch (error) {
      const events = this.#events; // The program has closed it.
      this.#events = null;
      events?.closed(error);
    }
  }

  close(): Promise<void> {
    this.#events = null;
    this.#port.removeEventListener("message", this.#hear);
    this.#port.close?.();
    return Promise.resolve();
  }

  readonly #hear = ({ data: message }: MessageLike): void => {
    const { topic, data } = Object(message) as { topic?: unknown; data?: unknown };
    if (!this.#topics.has(topic) || !(data instanceof Uint8Array)) return;
    this.#events?.message(data);
  };
}
