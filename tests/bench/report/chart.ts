/**
 * The chart: what is aimed at and what was measured, as ratios to NATS, on a logarithmic scale.
 *
 * @module
 */

import { column, type RowResult } from "./results.ts";
import { ratio } from "./statistics.ts";
import { number } from "./table.ts";
import { TARGETS } from "./targets.ts";

const COLOURS = { deno: "#4c78a8", bun: "#e0a030", node: "#59a14f" } as const;

/** In pixels. */
const LABELS = 300;
const PLOT = 420;
const VALUES = 70;
const BAR = 14;
const GAP = 12;
const TOP = 44;

/** The scale goes from a 64th to 64 times. */
const DOUBLINGS = 6;

interface Bar {
  label: string;
  runtime: keyof typeof COLOURS;
  value: number;
  bound: number;
}

/** Draws it, as SVG that is readable on light and on dark ground. */
export function chart(rows: RowResult[]): string {
  const groups = new Map<string, Bar[]>();
  for (const bar of bars(rows)) {
    const group = groups.get(bar.label) ?? [];
    group.push(bar);
    groups.set(bar.label, group);
  }
  const parts: string[] = [];
  let y = TOP;
  for (const [label, group] of groups) {
    const middle = y + group.length * BAR / 2 + 4;
    parts.push(`<text x="${LABELS - 10}" y="${middle}" text-anchor="end">${label}</text>`);
    for (const bar of group) {
      parts.push(drawn(bar, y));
      y += BAR;
    }
    y += GAP;
  }
  const legend = Object.entries(COLOURS).map(([name, colour], i) => {
    const x = LABELS + i * 70;
    return `<rect x="${x}" y="8" width="10" height="10" fill="${colour}"/>` +
      `<text x="${x + 14}" y="17">${name}</text>`;
  });
  const mark = LABELS + 3 * 70;
  legend.push(
    `<path d="M${mark + 4} 6v14" stroke="#d62728" stroke-width="2"/>`,
    `<text x="${mark + 12}" y="17">target</text>`,
  );
  const width = LABELS + PLOT + VALUES;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" ` +
    `font-family="sans-serif" font-size="12" fill="#888">`,
    ...legend,
    ...axis(y),
    ...parts,
    "</svg>",
    "",
  ].join("\n");
}

/** Every target that is a ratio, in each runtime that was measured. */
function bars(rows: RowResult[]): Bar[] {
  return TARGETS.filter(({ kind }) => kind === "ratio").flatMap((target) =>
    rows.flatMap((row) => {
      if (row.case.name !== target.case || row.what !== target.what) return [];
      const ours = row.results.find(({ system }) => system === "ours");
      const control = row.results.find(({ system }) => system === row.case.control);
      if (ours === undefined || control === undefined) return [];
      const value = ratio(column(ours, target.column), column(control, target.column));
      if (Number.isNaN(value)) return [];
      const { more } = row.case.columns.find(({ key }) => key === target.column)!;
      const better = more ? "more is better" : "less is better";
      const label = `${target.case}, ${target.what}: ${target.column} (${better})`;
      const { name } = row.runtime;
      return [{ label, runtime: name, value, bound: target.bounds[name] }];
    })
  );
}

/** Where a ratio is. */
function position(value: number): number {
  const doublings = Math.max(-DOUBLINGS, Math.min(DOUBLINGS, Math.log2(value)));
  return LABELS + Math.round(PLOT * (doublings + DOUBLINGS) / (2 * DOUBLINGS));
}

function drawn({ runtime, value, bound }: Bar, y: number): string {
  const [one, x] = [position(1), position(value)];
  const [left, width] = [Math.min(one, x), Math.abs(x - one)];
  const target = position(bound);
  return `<rect x="${left}" y="${y}" width="${width}" height="${BAR - 3}" ` +
    `fill="${COLOURS[runtime]}"/>` +
    `<path d="M${target} ${y - 1}v${BAR - 1}" stroke="#d62728" stroke-width="2"/>` +
    `<text x="${LABELS + PLOT + 10}" y="${y + BAR - 4}">${number(value)}</text>`;
}

function axis(bottom: number): string[] {
  const lines: string[] = [];
  for (let doubling = -DOUBLINGS; doubling <= DOUBLINGS; doubling += 2) {
    const x = position(2 ** doubling);
    const label = doubling < 0 ? `1/${2 ** -doubling}` : `${2 ** doubling}`;
    lines.push(
      `<path d="M${x} ${TOP - 6}V${bottom - GAP}" stroke="#888" stroke-opacity="0.3"/>`,
      `<text x="${x}" y="${TOP - 10}" text-anchor="middle">${label}</text>`,
    );
  }
  return lines;
}
