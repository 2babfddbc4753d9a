/**
 * Times, sizes and rates as people write and read them.
 *
 * @module
 */

import { UsageError } from "./exit.ts";

/** The units of time, in ms. */
const TIMES: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/**
 * Reads a time, such as "500ms", "2s", "1m"; a number alone is seconds.
 *
 * @returns It in ms.
 * @throws {UsageError} If it is none.
 */
export function parseTime(option: string, text: string): number {
  const [, number, unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  if (number === undefined) {
    throw new UsageError(`Cannot use ${option}: "${text}" is no time such as 500ms, 2s or 1m`);
  }
  return Number(number) * TIMES[unit]!;
}

/**
 * Reads a whole number.
 *
 * @throws {UsageError} If it is none, or out of its range.
 */
export function parseCount(option: string, text: string, min: number, max: number): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= min && count <= max) return count;
  throw new UsageError(`Cannot use ${option}: "${text}" is no whole number in ${min}-${max}`);
}

/** A time in ms with as many digits as are of use. */
export function formatTime(ms: number): string {
  if (ms < 1_000) return `${ms.toFixed(ms < 10 ? 2 : 1)} ms`;
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

/** How long something has been there, given in ms: "3d 4h", "5m 20s", "12s". */
export function formatAge(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0s";
  return parts.slice(first, first + 2).map(([count, unit]) => `${count}${unit}`).join(" ");
}

/** A number of bytes: "512 B", "3.4 KiB". */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (bytes >= 1_024 && unit < units.length - 1) {
    bytes /= 1_024;
    unit++;
  }
  return `${unit === 0 ? Math.round(bytes) : bytes.toFixed(1)} ${units[unit]}`;
}

/** A share of a sorted list: 0.5 is the median. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
