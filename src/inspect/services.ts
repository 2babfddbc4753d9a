/**
 * {@linkcode inspectable}: lets a router answer for itself.
 *
 * @module
 */

import type { ServiceHandler } from "../router/incoming_call.ts";
import type { Router } from "../router/router.ts";
import { infoOf, linksOf } from "./answers.ts";
import {
  INSPECT_SERVICES,
  type InspectService,
  readTraceRequest,
  serviceName,
  type TraceReport,
} from "./reports.ts";
import { runtimeName } from "./runtime_name.ts";
import { traceFrom } from "./trace.ts";

/** Traces that one router helps with at once. */
const MAX_TRACES = 64;

/** Options of {@linkcode inspectable}. */
export interface InspectableOptions {
  /**
   * Which questions are answered.
   *
   * @default {["ping", "info", "stats", "links", "trace"]}
   */
  services?: readonly InspectService[];
  /** What it says that it runs in; by default the runtime and its version. */
  runtime?: string;
}

/**
 * Answers for a router, until that closes, or until what is returned is disposed of. Nobody is told
 * of the services; whoever can send the router a packet can ask, but for those behind a link with
 * `trusted: false`.
 *
 * @throws {TypeError} If a service is none.
 * @throws {ChannelError} `ERR_CHANNEL_CLOSED` if the router is closed.
 *
 * @example
 * ```ts
 * import { createChannelPair, Router } from "@aln/mesh";
 * import { inspect, inspectable } from "@aln/mesh/inspect";
 * import assert from "node:assert/strict";
 *
 * const a = new Router("a");
 * const b = new Router("b");
 * const [left, right] = createChannelPair();
 * a.addChannel(left);
 * b.addChannel(right);
 * inspectable(b);
 *
 * await new Promise((resolve) => a.addEventListener("route", resolve, { once: true }));
 * const { hops, reached } = await inspect(a).trace("b");
 * assert.deepEqual([hops.map(({ address }) => address), reached], [["a", "b"], true]);
 * await Promise.all([a.close(), b.close()]);
 * ```
 */
export function inspectable(router: Router, options: InspectableOptions = {}): Disposable {
  const { services = INSPECT_SERVICES, runtime = runtimeName() } = options;
  for (const service of services) {
    if (INSPECT_SERVICES.includes(service)) continue;
    throw new TypeError(`Cannot inspect router: there is no service "${service}"`);
  }
  let traces = 0;
  const trace: ServiceHandler = async (packet, _reply, { signal }) => {
    const request = readTraceRequest(packet);
    if (request === null) return noTrace("that is no question");
    if (traces >= MAX_TRACES) return noTrace(`"${router.address}" is asked too much at once`);
    traces++;
    try {
      return JSON.stringify(await traceFrom(router, request, signal));
    } finally {
      traces--;
    }
  };
  const handlers: Record<InspectService, ServiceHandler> = {
    ping: (packet) => packet.data,
    info: () => JSON.stringify(infoOf(router, runtime)),
    stats: () => JSON.stringify(router.stats()),
    links: () => JSON.stringify(linksOf(router)),
    trace,
  };
  const registrations = [...new Set(services)]
    .map((service) => router.registerReserved(serviceName(service), handlers[service]));
  return {
    [Symbol.dispose]() {
      for (const registration of registrations) registration[Symbol.dispose]();
    },
  };
}

function noTrace(reason: string): string {
  const report: TraceReport = { hops: [], reached: false, reason };
  return JSON.stringify(report);
}
