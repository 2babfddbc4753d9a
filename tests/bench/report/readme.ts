/**
 * Writes the report: tables between two marks in README.md, and the chart beside it.
 *
 * @module
 */

import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { run } from "../../support/toolchain.ts";
import { chart } from "./chart.ts";
import { load, machine } from "./machine.ts";
import type { RowResult } from "./results.ts";
import { failures, header, lines } from "./table.ts";

const README = new URL("../README.md", import.meta.url);
const CHART = new URL("../ratios.svg", import.meta.url);
const BEGIN = "<!-- begin: written by `deno task bench` -->";
const END = "<!-- end -->";

/** Writes it. */
export async function writeReport(
  rows: RowResult[],
  reps: number,
  versions: string[],
): Promise<void> {
  const text = await readFile(README, "utf8");
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`Cannot write report: README.md has no "${BEGIN}"`);
  const parts = [
    BEGIN,
    `Measured on ${new Date().toISOString().slice(0, 10)}: ${machine()}; load average ${load()}, ` +
    `so much of it is not ours. Medians of ${reps}, half the spread behind the ±. ` +
    `${versions.join(", ")}.`,
    "![Ratios to NATS, and their targets](ratios.svg)",
    ...tables(rows),
  ];
  await writeFile(README, `${text.slice(0, begin)}${parts.join("\n\n")}\n\n${text.slice(end)}`);
  await writeFile(CHART, chart(rows));
  // Or the gate would mind.
  await run(Deno.execPath(), [
    "fmt",
    "--quiet",
    ...[README, CHART].map((url) => fileURLToPath(url)),
  ]);
}

/** A table for each case in each runtime. */
function tables(rows: RowResult[]): string[] {
  const groups = new Map<string, RowResult[]>();
  for (const row of rows) {
    const title = `### ${row.case.title}: ${row.runtime.name} ${row.runtime.version}`;
    const group = groups.get(title) ?? [];
    group.push(row);
    groups.set(title, group);
  }
  return [...groups].flatMap(([title, group]) => {
    const head = header(group[0]!);
    const rule = head.map((_, i) => i < 2 ? "---" : "--:");
    const body = [head, rule, ...group.flatMap(lines)].map((cells) => `| ${cells.join(" | ")} |`);
    return [title, body.join("\n"), ...group.flatMap(failures).map((line) => `Failed: ${line}`)];
  });
}
