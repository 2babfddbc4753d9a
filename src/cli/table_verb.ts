/**
 * {@linkcode tableVerb}: verbs that show a table of the mesh, once or whenever it changes.
 *
 * @module
 */

import { join, type Membership, settled } from "./connection.ts";
import { EXIT } from "./exit.ts";
import { until } from "./hosting.ts";
import type { Output } from "./output.ts";
import type { Context, OptionSpecs, Verb } from "./verb.ts";

/** One row: what JSON has of it, and what people see. */
export interface Row {
  /** What tells it from other rows. */
  key: string;
  /** For programs. */
  value: Record<string, unknown>;
  /** For people, one for each head. */
  cells: string[];
  /** What has to differ for it to have changed; by default any cell. */
  state?: string;
}

/** A table of the mesh. */
export interface Table {
  /** What the verb is called, and what it does. */
  name: string;
  usage: string;
  summary: string;
  arity: [number, number];
  options: OptionSpecs;
  examples: string[];
  /** The heads of its columns. */
  head: string[];
  /** How often it is made anew while it is watched, in ms, beside whenever routes or services change. */
  every: number;
  /** Makes it. */
  rows(member: Membership, context: Context): Row[] | Promise<Row[]>;
}

/** How long changes are collected before they are shown, in ms. */
const COLLECT = 100;

/** A verb that shows a table. */
export function tableVerb(table: Table): Verb {
  const { name, usage, summary, arity, examples } = table;
  return {
    ...{ name, usage, summary, arity, examples },
    joins: true,
    options: {
      ...table.options,
      watch: { short: "w", help: "go on: draw it anew, or print a line for each change" },
      for: { value: "TIME", help: "with --watch: end by itself after so long" },
    },
    run: (context) => run(table, context),
  };
}

async function run(table: Table, context: Context): Promise<number> {
  const { options, out, signal } = context;
  const watches = options.has("watch");
  const lifetime = options.time("for", Infinity);
  const member = await join(context, { lasting: watches });
  const { router, timeLeft } = member;
  const done = out.progress("Asking the mesh");
  await settled(router, timeLeft(), signal);
  signal.throwIfAborted();
  const rows = sorted(await table.rows(member, context));
  done();
  show(table, rows, out);
  if (!watches) return EXIT.ok;
  const over = AbortSignal.any([
    signal,
    ...(lifetime === Infinity ? [] : [AbortSignal.timeout(lifetime)]),
  ]);
  await watch(table, context, member, rows, over);
  return EXIT.ok;
}

async function watch(
  table: Table,
  context: Context,
  member: Membership,
  rows: Row[],
  over: AbortSignal,
): Promise<void> {
  const { router } = member;
  let wake = () => {};
  const changed = () => wake();
  for (const type of ["route", "service", "channel"] as const) {
    router.addEventListener(type, changed, { signal: over });
  }
  while (!over.aborted) {
    const change = new AbortController();
    wake = () => change.abort();
    await until(AbortSignal.any([over, change.signal]), table.every);
    if (over.aborted) return;
    await until(over, COLLECT);
    if (over.aborted) return;
    let next: Row[];
    try {
      next = sorted(await table.rows(member, context));
    } catch (error) {
      if (over.aborted) return;
      throw error;
    }
    if (context.out.terminal) {
      context.out.clear();
      show(table, next, context.out);
    } else tellChanges(rows, next, context.out);
    rows = next;
  }
}

/** One line for each row that came, went or changed. */
function tellChanges(before: Row[], after: Row[], out: Output): void {
  const old = new Map(before.map((row) => [row.key, row]));
  const tell = (change: string, sign: string, row: Row) => {
    if (out.full) return;
    if (out.json) out.value({ change, ...row.value });
    else out.line(`${sign} ${row.cells.join("  ").trimEnd()}`);
  };
  for (const row of after) {
    const known = old.get(row.key);
    old.delete(row.key);
    if (known === undefined) tell("new", "+", row);
    else if (stateOf(known) !== stateOf(row)) tell("changed", "~", row);
  }
  for (const row of old.values()) tell("gone", "-", row);
}

function stateOf({ state, cells }: Row): string {
  return state ?? cells.join("\0");
}

function show(table: Table, rows: Row[], out: Output): void {
  if (out.json) { for (const { value } of rows) out.value(value); }
  else if (rows.length === 0) out.note("there is nothing to show");
  else out.table(table.head, rows.map(({ cells }) => cells));
}

function sorted(rows: Row[]): Row[] {
  return rows.sort((a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
}
