/**
 * {@linkcode inspect}: asks routers about themselves.
 *
 * @module
 */

import { PacketError } from "../errors.ts";
import { systemClock } from "../router/clock.ts";
import type { Router } from "../router/router.ts";
import type { RouterStats } from "../router/stats.ts";
import type { Packet } from "../wire/packet.ts";
import { infoOf, linksOf } from "./answers.ts";
import {
  type InspectService,
  type LinksReport,
  readInfo,
  readLinks,
  readStats,
  type RouterReport,
  serviceName,
  type TraceReport,
  type TraceRequest,
  traceRequest,
} from "./reports.ts";
import { runtimeName } from "./runtime_name.ts";
import { traceFrom } from "./trace.ts";

/** What a ping carries, in bytes. */
const PING_SIZE = 8;

/** Options of every question. */
export interface InspectOptions {
  /**
   * How long to wait for the answer, in ms.
   *
   * @default {5000}
   */
  timeout?: number;
  /** Gives up when it aborts. */
  signal?: AbortSignal;
}

/** Options of {@linkcode Inspector.trace}. */
export interface TraceOptions extends InspectOptions {
  /**
   * How many routers may be asked, this one included, 1-32.
   *
   * @default {32}
   */
  ttl?: number;
}

/**
 * Asks routers about themselves, by address. The router's own questions are answered at once.
 *
 * Questions fail as {@linkcode Router.request} does: with an {@linkcode UnreachableError} if no route
 * leads there, or the router does not answer such questions; with a `TimeoutError`; with a
 * {@linkcode PacketError} if what comes is no answer. What is said is what that router says: a router
 * may lie.
 */
export interface Inspector {
  /** How long a packet takes there and back, in ms. */
  ping(dst: string, options?: InspectOptions): Promise<number>;
  /** What a router is. */
  info(dst: string, options?: InspectOptions): Promise<RouterReport>;
  /** What a router has done so far, in numbers. */
  stats(dst: string, options?: InspectOptions): Promise<RouterStats>;
  /** Whom a router is linked to. */
  links(dst: string, options?: InspectOptions): Promise<LinksReport>;
  /**
   * The way from here to a router. That it is not reached is no error: the report says where the way
   * ends, and why.
   */
  trace(dst: string, options?: TraceOptions): Promise<TraceReport>;
}

/**
 * Asks routers about themselves, over a router of ours. Those routers must be `inspectable`.
 *
 * @example
 * ```ts
 * import { Router } from "@aln/mesh";
 * import { inspect } from "@aln/mesh/inspect";
 * import assert from "node:assert/strict";
 *
 * const router = new Router("a");
 * const { address, services } = await inspect(router).info("a");
 * assert.deepEqual([address, services], ["a", []]);
 * await router.close();
 * ```
 */
export function inspect(router: Router): Inspector {
  const ask = (
    service: InspectService,
    dst: string,
    options: InspectOptions,
    data?: Uint8Array,
  ) => {
    const { timeout, signal } = options;
    return router.request(serviceName(service), data, { dst, timeout, signal });
  };
  /** Asks somebody else, or answers for ourselves. */
  const report = async <T>(
    service: InspectService,
    dst: string,
    options: InspectOptions,
    own: () => T,
    read: (packet: Packet) => T,
  ): Promise<T> => {
    options.signal?.throwIfAborted();
    router.signal.throwIfAborted();
    return dst === router.address ? own() : read(await ask(service, dst, options));
  };
  return {
    async ping(dst, options = {}) {
      options.signal?.throwIfAborted();
      router.signal.throwIfAborted();
      if (dst === router.address) return 0;
      const token = crypto.getRandomValues(new Uint8Array(PING_SIZE));
      const start = systemClock.now();
      const { data, src } = await ask("ping", dst, options, token);
      const time = systemClock.now() - start;
      if (data.length === PING_SIZE && data.every((byte, i) => byte === token[i])) return time;
      const why = `"${src}" does not say what it was sent`;
      throw new PacketError("ERR_PACKET_FIELD", `Cannot read answer: ${why}`);
    },
    info: (dst, options = {}) =>
      report("info", dst, options, () => infoOf(router, runtimeName()), readInfo),
    stats: (dst, options = {}) => report("stats", dst, options, () => router.stats(), readStats),
    links: (dst, options = {}) => report("links", dst, options, () => linksOf(router), readLinks),
    async trace(dst, options = {}) {
      const { ttl, timeout, signal } = options;
      router.signal.throwIfAborted();
      const request: TraceRequest = { dst, ttl, timeout };
      return await traceFrom(router, traceRequest(request), signal);
    },
  };
}
