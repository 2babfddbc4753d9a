/**
 * What a run of the soak came to, as text.
 *
 * @module
 */

import type { Ends, Tally } from "./load/tally.ts";

/** Counts of calls by kind, each with how they ended, the most frequent end first. */
export function endsTable(ends: Ends): string {
  const hows = [...new Set(Object.values(ends).flatMap((of) => Object.keys(of)))];
  const total = (how: string) => Object.values(ends).reduce((sum, of) => sum + (of[how] ?? 0), 0);
  hows.sort((a, b) => total(b) - total(a));
  const kinds = Object.keys(ends).sort();
  return table([
    ["", ...hows],
    ...kinds.map((kind) => [kind, ...hows.map((how) => `${ends[kind]![how] ?? ""}`)]),
    ["all", ...hows.map((how) => `${total(how)}`)],
  ]);
}

/** Counts by name, several to a line. */
export function countsText(counts: Record<string, number>): string {
  const words = Object.entries(counts).filter(([, count]) => count !== 0)
    .sort(([a], [b]) => a < b ? -1 : 1)
    .map(([what, count]) => `${what} ${count.toLocaleString("en")}`);
  return wrap(words);
}

/** What should not have happened. */
export function violationsText({ violations, violated }: Tally): string {
  if (violated === 0) return "No violation";
  const more = violated - violations.length;
  const lines = violations.map((line) => `VIOLATION ${line}`);
  return [...lines, ...(more > 0 ? [`VIOLATION and ${more} more`] : [])].join("\n");
}

/** Bytes, for people. */
export function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

/** Columns, the first to the left, the others to the right. */
export function table(rows: string[][]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  ")
      .trimEnd()
  ).join("\n");
}

/** Words in lines that are not too long. */
function wrap(words: string[], width: number = 110): string {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length + 2 > width) lines.push(word);
    else lines[lines.length - 1] = `${last}, ${word}`;
  }
  return lines.join("\n");
}
