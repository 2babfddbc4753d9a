/**
 * The figures as Markdown.
 *
 * @module
 */

import { markdown } from "../sim/report.ts";
import type { CrowdFigures } from "./crowd.ts";
import type { RealFigures, Traffic } from "./real.ts";
import type { Join, WholeFigures } from "./simulated.ts";

/** A number with as many digits as it is worth. */
function digits(value: number): string {
  if (Number.isNaN(value)) return "–";
  if (value === 0 || value >= 100) return Math.round(value).toLocaleString("en");
  return value.toPrecision(2).replace(/[.]0$/, "");
}

function messages({ in: taken, out }: Traffic): string {
  return `${digits(taken)} / ${digits(out)}`;
}

function time(ms: number): string {
  return ms < 1_000 ? `${digits(ms)} ms` : `${digits(ms / 1_000)} s`;
}

/** A column for each size, a row for each figure. */
function table<T extends { routers: number }>(
  sizes: T[],
  rows: [title: string, cell: (size: T) => string][],
): string {
  const head = ["", ...sizes.map(({ routers }) => `${routers.toLocaleString("en")} routers`)];
  return markdown(head, rows.map(([title, cell]) => [title, ...sizes.map(cell)]));
}

function published({ publications, deliveries }: { publications: number; deliveries: number }) {
  return `${digits(publications)} / ${digits(deliveries)}`;
}

/** Whole segments in virtual time. */
export function wholeTable(sizes: WholeFigures[]): string {
  const of = (join: Join | null, what: (join: Join) => string) => join === null ? "–" : what(join);
  return table(sizes, [
    ["one by one: published / delivered", ({ oneByOne }) => of(oneByOne, published)],
    ["one by one: CPU of each router", ({ oneByOne }) => of(oneByOne, ({ cpu }) => time(cpu))],
    ["the last: published / delivered", ({ last }) => published(last)],
    ["the last: all tables whole after", ({ last }) => time(last.whole)],
    ["within a second: published / delivered", ({ atOnce }) => published(atOnce)],
    ["within a second: all tables whole after the last", ({ atOnce }) => time(atOnce.whole)],
    ["within a second: CPU of each router", ({ atOnce }) => time(atOnce.cpu)],
    ["1 % lost: published / delivered", ({ lossy }) => published(lossy)],
    ["1 % lost: all tables whole after it ends", ({ lossy }) => time(lossy.whole)],
    ["one more service: published / delivered", ({ service }) => published(service)],
    ["at rest: published / delivered each second", ({ idle }) => published(idle)],
    ["at rest: CPU of each router each second", ({ idle }) => time(idle.cpu)],
  ]);
}

/** A few real ones among many voices. */
export function crowdTable(sizes: CrowdFigures[]): string {
  return table(sizes, [
    ["real routers among them", ({ real }) => `${real}`],
    ["it comes: messages that it hears", ({ own }) => digits(own.heard)],
    ["it comes: knows all after", ({ own }) => time(own.time)],
    ["it comes: its CPU", ({ own }) => time(own.cpu)],
    ["another comes: its CPU", ({ oneMore }) => time(oneMore.cpu)],
    ["all others come within a second: its CPU", ({ atOnce }) => time(atOnce.cpu)],
    ["another's service: its CPU", ({ service }) => time(service.cpu)],
    ["at rest: messages that it hears each second", ({ idle }) => digits(idle.heard)],
    ["at rest: its CPU each second", ({ idle }) => time(idle.cpu)],
    ["the engine goes away: its CPU", ({ away }) => time(away.cpu)],
    ["heap of it", ({ memory }) => `${digits(memory.router / 1e6)} MB`],
    [
      "heap for each neighbour, its route, its service",
      ({ memory }) => `${digits(memory.neighbour)} B`,
    ],
  ]);
}

/** Whole routers and a real server. */
export function realTable(sizes: RealFigures[]): string {
  const calls = (index: number): [string, (size: RealFigures) => string][] => [
    [
      `calls, ${
        ["one process calls, one at a time", "half call", "all call, four at a time"][index]
      }`,
      (size) => {
        const { callers, perSecond, p50, p99, failed } = size.calls[index]!;
        const bad = failed > 0 ? `, ${failed} failed` : "";
        return `${digits(perSecond)}/s, p50 ${time(p50)}, p99 ${
          time(p99)
        }, ${callers} callers${bad}`;
      },
    ],
  ];
  return table(sizes, [
    ["processes", ({ processes }) => `${processes}`],
    ["one more comes: to / from the server", ({ oneByOne }) => messages(oneByOne)],
    ["one more comes: all tables whole after", ({ oneByOne }) => time(oneByOne.time)],
    ["all come at once: to / from the server", ({ atOnce }) => messages(atOnce)],
    ["all come at once: all tables whole after", ({ atOnce }) => time(atOnce.time)],
    ["all come at once: CPU of each router", ({ atOnce }) => time(atOnce.cpu)],
    ["one more service: to / from the server", ({ service }) => messages(service)],
    ["at rest: to / from the server each second", ({ idle }) => messages(idle)],
    ["at rest: CPU of each router each second", ({ idle }) => time(idle.cpu)],
    ["at rest: CPU of the server each second", ({ idle }) => time(idle.server)],
    ["resident memory of each process", ({ memory }) => `${digits(memory.process)} MB`],
    ["of that, what each router has added", ({ memory }) => `${digits(memory.router)} MB`],
    ["resident memory of the server", ({ memory }) => `${digits(memory.server)} MB`],
    ...[0, 1, 2].flatMap(calls),
  ]);
}
