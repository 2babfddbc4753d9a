/**
 * {@linkcode ReplyStream}: the replies to one call, as a stream.
 *
 * @module
 */

import { compact } from "../wire/bytes.ts";
import type { Packet } from "../wire/packet.ts";
import { readAll } from "./chunks.ts";
import type { ReplySink } from "./outgoing_call.ts";

/** How a stream of replies ends by itself. */
export interface StreamEnds {
  /** Ends it after a reply for which this is true. */
  until?: (packet: Packet) => boolean;
  /** Ends it after so many replies. */
  limit?: number;
}

/** The call behind a stream. */
export interface StreamSource {
  /** Replies are wanted again. */
  resume(): void;
  /** No more replies are wanted. */
  cancel(): void;
}

/**
 * The replies to one call, in order: a `ReadableStream` that can be iterated over everywhere.
 * Whoever stops reading, by `break` or `cancel()`, stops the service, too.
 *
 * Reading fails as a request would.
 *
 * @example
 * ```ts
 * import { Router } from "@aln/mesh";
 * import assert from "node:assert/strict";
 *
 * const router = new Router("a");
 * router.registerService("count", async function* () {
 *   for (let i = 1; i <= 3; i++) yield String(i);
 * });
 * const replies: string[] = [];
 * for await (const packet of router.stream("count")) replies.push(packet.text());
 * assert.deepEqual(replies, ["1", "2", "3"]);
 * await router.close();
 * ```
 */
export class ReplyStream extends ReadableStream<Packet> implements AsyncDisposable {
  readonly #stop: () => void;

  /** Constructs a new instance. `Router.stream` does. */
  constructor(begin: (sink: ReplySink) => StreamSource, ends: StreamEnds) {
    let source: StreamSource | null = null;
    let controller!: ReadableStreamDefaultController<Packet>;
    let open = true;
    let wanted = false;
    let count = 0;
    const cancel = () => {
      open = false;
      source?.cancel();
    };
    const pull = () => {
      wanted = true;
      source?.resume();
    };
    // Nothing waits here: replies that nobody reads stay with the call, and so does its end.
    super({ start: (given) => void (controller = given), pull, cancel }, { highWaterMark: 0 });
    const { until, limit = Infinity } = ends;
    const close = () => {
      if (open) controller.close();
      open = false;
    };
    const fail = (reason: unknown) => {
      if (open) controller.error(reason);
      open = false;
    };
    const sink: ReplySink = {
      get wants() {
        return open && wanted;
      },
      reply(packet) {
        if (!open) return;
        wanted = false;
        let last: boolean;
        try {
          last = ++count >= limit || (until?.(packet) ?? false);
        } catch (error) {
          fail(error);
          return cancel();
        }
        packet.data = compact(packet.data); // It may wait for long.
        if (!last) return controller.enqueue(packet); // Which may want another at once.
        open = false;
        controller.enqueue(packet);
        controller.close();
        cancel();
      },
      end: close,
      fail,
    };
    this.#stop = () => {
      close();
      cancel();
    };
    try {
      source = begin(sink);
    } catch (error) {
      fail(error);
    }
  }

  /** The replies, one by one. Leaving the loop cancels the call. */
  override [Symbol.asyncIterator](): AsyncGenerator<Packet, undefined> {
    return readAll<Packet>(this);
  }

  /** Cancels the call, unless it has ended. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#stop();
    return Promise.resolve();
  }
}
