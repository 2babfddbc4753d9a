/**
 * Looking into routers from anywhere in the mesh: who is there, what they have done, whom they are
 * linked to, and which way packets take. Routers answer if they are {@linkcode inspectable};
 * {@linkcode inspect} asks them. What they say can go on to Prometheus ({@linkcode prometheus}), and
 * their calls to OpenTelemetry ({@linkcode observe}).
 *
 * @example
 * ```ts
 * import { createChannelPair, Router } from "@aln/mesh";
 * import { inspect, inspectable } from "@aln/mesh/inspect";
 *
 * const server = new Router("server");
 * inspectable(server);
 * server.registerService("ping", () => "pong");
 * const tool = new Router("tool");
 * const [left, right] = createChannelPair();
 * server.addChannel(left);
 * tool.addChannel(right);
 *
 * await tool.waitForService("ping");
 * const { ping, info, links } = inspect(tool);
 * console.log(await ping("server"), "ms"); // 0.41 ms
 * console.log((await info("server")).runtime); // Deno 2.9.6
 * console.log((await links("server")).links[0]); // { id: 1, address: "tool", transport: "memory", …
 * await Promise.all([tool.close(), server.close()]);
 * ```
 *
 * @module
 */

export { inspect, type InspectOptions, type Inspector, type TraceOptions } from "./inspector.ts";
export {
  type HistogramLike,
  type MeterLike,
  type MetricOptionsLike,
  type ObservableLike,
  type ObservableResultLike,
  observe,
  type ObserveOptions,
  type SpanLike,
  type TelemetryAttributes,
  type TracerLike,
} from "./observe.ts";
export { prometheus } from "./prometheus.ts";
export type {
  InspectService,
  LinkReport,
  LinksReport,
  OfferedService,
  RouterReport,
  TraceHop,
  TraceReport,
  TraceRequest,
} from "./reports.ts";
export type { ChannelStats, RouterStats } from "../router/stats.ts";
export { inspectable, type InspectableOptions } from "./services.ts";
export { type PacketDirection, type PacketObserver, WatchedRouter } from "./watched_router.ts";
