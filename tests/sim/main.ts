/**
 * Measures the routing in simulated networks, beside its targets:
 *
 *     deno task sim [--large] [--mixed [SEEDS]] [--churn [SEEDS]] [--only NAME] [--snapshot FILE]
 *
 * Without an argument: the networks that take a few minutes together. `--only` takes a network's name
 * or a part of it, or "none". With `--snapshot`, the tables are written to a file, too.
 *
 * @module
 */

import { writeFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { churn } from "./churn.ts";
import { measure } from "./measure.ts";
import { mixedTable } from "./mixed.ts";
import { missed, table } from "./report.ts";
import { CASES, largeCase } from "./subjects.ts";

/** Things that happen in each scenario of the churn. */
const CHURN_EVENTS = 30;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    large: { type: "boolean", default: false },
    mixed: { type: "boolean", default: false },
    churn: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    snapshot: { type: "string" },
  },
});

const tell = (line: string) => console.error(line);
const parts: string[] = [];
let failures = 0;

function show(text: string): void {
  parts.push(text);
  console.log(`${text}\n`);
}

/** How many seeds: what was said, or so many. */
function seeds(count: number): number {
  return Number(positionals[0] ?? count);
}

const all = [...CASES, ...(values.large ? [largeCase()] : [])];
const exact = all.filter(({ subject }) => subject.name === values.only);
const cases = exact.length > 0
  ? exact
  : all.filter(({ subject }) => subject.name.includes(values.only));
for (const one of cases) {
  const started = performance.now();
  const measured = measure(one.subject);
  const seconds = Math.round((performance.now() - started) / 1_000);
  show(`### ${one.subject.name}\n\n${table(one, measured)}`);
  tell(`${one.subject.name} took ${seconds} s`);
  for (const word of measured.words) tell(`  ${word}`);
  failures += missed(one, measured).length;
}

if (values.mixed) show(`### random-50 with old routers\n\n${mixedTable(seeds(8), tell)}`);

if (values.churn) {
  const count = seeds(200);
  const failed = churn(count, CHURN_EVENTS, tell);
  show(
    `### Churn\n\n${count} random scenarios of ${CHURN_EVENTS} events each, with every check: ` +
      `${count - failed} passed, ${failed} failed.`,
  );
  failures += failed;
}

if (values.snapshot !== undefined) writeFileSync(values.snapshot, snapshot());
process.exit(failures === 0 ? 0 : 1);

/** The tables with what one has to know to read them. */
function snapshot(): string {
  return `# Routing, measured

\`\`\`sh
deno task sim                      # the first four tables: a few minutes
deno task sim:large                # ten thousand nodes, of which 200 advertise themselves: gigabytes
deno task sim --mixed 8            # with models of old routers in it, with eight seeds each
deno task sim --churn 200          # two hundred random scenarios with every check
deno task sim --snapshot FILE      # writes this page
\`\`\`

The cores are the real ones; links, time and chance are simulated, and the same seed gives the same
run. A packet takes 5 to 15 ms over a link, links keep the order and lose nothing, and both ends of
a link notice at once when it goes. _Records_ are offers, withdrawals and requests of one route;
they count once for each link that they are sent over. Costs are averages over several events, times
are the longest of them; a _loop_ is a change of a next hop that closes a circle, looked for at
every change. A node dies for all its neighbours at once, and comes back as a new one. _Lost probes_
are packets that 20 pairs send, 100 each second, while a link on their way is cut: those on the link
at that moment are not counted, for no router can save them.

${parts.join("\n\n")}`.trimEnd() + "\n";
}
