/**
 * What the figures should come to: ratios to the control in the same run, and a few absolute ones, which are
 * printed beside what was measured and never failed for.
 *
 * @module
 */

import type { Runtime } from "../host/child.ts";

/** One of them. */
export interface Target {
  case: string;
  what: string;
  /** Key of a column. */
  column: string;
  /** Whether it is a ratio to the control, or in the column's own unit. */
  kind: "ratio" | "absolute";
  bounds: Record<Runtime["name"], number>;
}

/** All of them; the last three numbers are for Deno, Bun and Node. */
export const TARGETS: Target[] = [
  target("ratio", "relay", "64 B", "rate", 0.85, 1.0, 0.75),
  target("ratio", "relay", "64 B", "cpu", 1.05, 0.85, 1.2),
  target("ratio", "relay", "1 KiB", "rate", 0.65, 1.0, 0.9),
  target("ratio", "relay", "4 KiB", "rate", 0.65, 1.0, 0.9),
  target("ratio", "one-way", "64 B", "rate", 1.4, 1.25, 1.25),
  target("ratio", "request", "one relay, 64 in flight", "rate", 4.5, 3, 4.5),
  target("ratio", "request", "one relay, 1 in flight", "p50", 0.75, 0.75, 0.6),
  target("ratio", "bus", "nats, 64 in flight", "rate", 0.6, 0.6, 0.6),
  target("ratio", "bus", "nats, 1 in flight", "rate", 0.6, 0.6, 0.6),
  target("ratio", "bus", "mosquitto, 64 in flight", "rate", 0.6, 0.6, 0.6),
  target("ratio", "bus", "mosquitto, 1 in flight", "rate", 0.6, 0.6, 0.6),
  target("ratio", "bus", "redis, 64 in flight", "rate", 0.6, 0.6, 0.6),
  target("ratio", "bus", "redis, 1 in flight", "rate", 0.6, 0.6, 0.6),
  target("ratio", "fan-out", "1,000 clients", "time", 1.2, 1.0, 1.2),
  target("absolute", "idle", "1,000 clients, leaves", "extra", 5, 4, 5),
  target("absolute", "codec", "64 B", "encode", 450, 300, 450),
  target("absolute", "codec", "64 B", "decode", 400, 380, 400),
];

function target(
  kind: Target["kind"],
  name: string,
  what: string,
  column: string,
  deno: number,
  bun: number,
  node: number,
): Target {
  return { case: name, what, column, kind, bounds: { deno, bun, node } };
}
