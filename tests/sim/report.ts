/**
 * Measurements as Markdown.
 *
 * @module
 */

import type { Measured } from "./figures.ts";
import { type Case, type Row, ROWS } from "./subjects.ts";

/** A table: a row for each figure, with its target where it has one. */
export function table({ subject, targets }: Case, measured: Measured): string {
  const rows = ROWS.flatMap((row) => {
    if (row.key.startsWith("partition") && subject.partitions === 0) return [];
    if (row.key.startsWith("heal") && subject.partitions === 0) return [];
    const value = measured[row.key] as number;
    if (Number.isNaN(value)) return [];
    const target = targets[row.key];
    const missed = target !== undefined && value > target;
    return [[
      row.title,
      target === undefined ? "" : `≤ ${figure(target, row)}`,
      figure(value, row),
      missed ? "**missed**" : "",
    ]];
  });
  return markdown(["", "target", "measured", ""], rows);
}

/** Any table. */
export function markdown(head: string[], rows: string[][]): string {
  const widths = head.map((cell, i) =>
    Math.max(3, cell.length, ...rows.map((row) => row[i]!.length))
  );
  const line = (cells: string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

/** A figure with as many digits as it is worth. */
export function figure(value: number, { key, unit }: Pick<Row, "key" | "unit">): string {
  const text = key === "stretch"
    ? value.toFixed(4)
    : Number.isInteger(value)
    ? value.toLocaleString("en")
    : value >= 100
    ? Math.round(value).toLocaleString("en")
    : value.toFixed(1);
  return unit === undefined ? text : `${text} ${unit}`;
}

/** Which of the figures miss their targets. */
export function missed({ targets }: Case, measured: Measured): Row[] {
  return ROWS.filter(({ key }) => (measured[key] as number) > (targets[key] ?? Infinity));
}
