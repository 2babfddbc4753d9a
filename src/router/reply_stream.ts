/**
 * {@linkcode ReplyStream}: the replies to one call, as a stream.
 *
 * @module
 */

import type { Packet } from "../wire/packet.ts";
import { readAll } from "./chunks.ts";
import type { ReplySink } from "./outgoing_call.ts";

/** Replies that wait to be read, beside those in the call's own window. */
const HIGH_WATER = 8;

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
  constructor(begin: (sink: ReplySink) => Promise<StreamSource>, ends: StreamEnds) {
    let source: StreamSource | null = null;
    let controller!: ReadableStreamDefaultController<Packet>;
    let open = true;
    let count = 0;
    const cancel = () => {
      open = false;
      source?.cancel();
    };
    super(
      { start: (given) => void (controller = given), pull: () => source?.resume(), cancel },
      { highWaterMark: HIGH_WATER },
    );
    const { until, limit = Infinity } = ends;
    const close = () => {
      if (open) controller.close();
      open = false;
    };
    const stop = () => {
      close();
      cancel();
    };
    const fail = (reason: unknown) => {
      if (open) controller.error(reason);
      open = false;
    };
    const sink: ReplySink = {
      get wants() {
        return open && controller.desiredSize! > 0;
      },
      reply(packet) {
        if (!open) return;
        let last = ++count >= limit;
        try {
          if (until?.(packet)) last = true;
        } catch (error) {
          fail(error);
          return cancel();
        }
        if (last) open = false; // Before it is given on: the reader may ask for more at once.
        controller.enqueue(packet);
        if (!last) return;
        controller.close();
        cancel();
      },
      end: close,
      fail,
    };
    this.#stop = stop;
    begin(sink).then((given) => {
      source = given;
      if (open) source.resume();
      else source.cancel();
    }, fail);
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
