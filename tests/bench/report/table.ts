/**
 * Results as a table, for people at a terminal and for Markdown.
 *
 * @module
 */

import type { Column } from "../cases/case.ts";
import { column, type Result, type RowResult } from "./results.ts";
import { median, ratio, spread } from "./statistics.ts";
import { TARGETS } from "./targets.ts";

/** The cells of a row's results, a line for each contender. */
export function lines(row: RowResult): string[][] {
  const control = row.results.find(({ system }) => system === row.case.control);
  return row.results.map((result) => {
    if (result.failure !== null) return [row.what, result.system, "failed"];
    return [
      row.what,
      result.system,
      ...row.case.columns.flatMap((one) => cells(row, result, one, control)),
    ];
  });
}

/** Why contenders have failed, a line for each. */
export function failures(row: RowResult): string[] {
  return row.results.flatMap(({ system, failure }) =>
    failure === null ? [] : [`${row.what}, ${system}: ${failure.split("\n")[0]}`]
  );
}

/** What stands above them. */
export function header(row: RowResult): string[] {
  const { columns, control } = row.case;
  const titles = columns.flatMap(({ title }) => [title, control && `÷ ${control}`]);
  return ["", "system", ...titles];
}

function cells(row: RowResult, result: Result, { key, more }: Column, control?: Result): string[] {
  const figures = column(result, key);
  const middle = median(figures);
  if (Number.isNaN(middle)) return ["–", ""];
  const noise = spread(figures);
  const figure = number(middle) + (Number.isNaN(noise) ? "" : ` ±${Math.round(100 * noise)} %`);
  const relation = control && control !== result ? ratio(figures, column(control, key)) : NaN;
  const target = result.system === "ours" ? targetOf(row, key) : undefined;
  if (target === undefined) return [figure, Number.isNaN(relation) ? "" : number(relation)];
  const reached = target.kind === "ratio" ? relation : middle;
  const met = more ? reached >= target.bound : reached <= target.bound;
  const goal = `(${more ? "≥" : "≤"} ${target.bound}${met ? "" : ", missed"})`;
  if (target.kind === "absolute") return [`${figure} ${goal}`, number(relation)];
  return [figure, Number.isNaN(relation) ? "" : `${number(relation)} ${goal}`];
}

function targetOf(row: RowResult, key: string) {
  const target = TARGETS.find((one) =>
    one.case === row.case.name && one.what === row.what && one.column === key
  );
  return target && { kind: target.kind, bound: target.bounds[row.runtime.name] };
}

/** A number with three digits that mean something. */
export function number(value: number): string {
  if (Number.isNaN(value)) return "";
  if (value >= 1e6) return `${(value / 1e6).toPrecision(3)} M`;
  if (value >= 1e4) return `${(value / 1e3).toPrecision(3)} k`;
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** Lines as columns of text. */
export function plain(rows: string[][]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => widths[i] = Math.max(widths[i] ?? 0, cell.length));
  }
  return rows.map((row) =>
    row.map((cell, i) => i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  ")
      .trimEnd()
  ).join("\n");
}
