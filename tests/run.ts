/**
 * Runs the tests in Deno, Bun, Node 24 and Node 22, one after another:
 *
 *     deno task test [--only RUNTIME[,RUNTIME…]] [WORD…]
 *
 * RUNTIME is deno, bun, node, node24 or node22. With words, only files whose path has one of them
 * in it are run. A runtime that is not on the PATH is fetched through npm; one that cannot be had is
 * skipped, and the end says how to get it. With ALN_SKIP_NOTHING=1 that fails.
 *
 * @module
 */

import { readdirSync } from "node:fs";
import { relative, resolve, sep } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  findRuntime,
  type Outcome,
  run,
  type RuntimeName,
  SKIP_NOTHING,
} from "./support/toolchain.ts";

const ROOT = resolve(fileURLToPath(import.meta.url), "../..");

/** Tests of Deno itself, or that start processes of it. */
const NEEDS_DENO =
  /\/deno_|^tests\/(browser\/|packages\/|interop\/transcripts_|examples_|processes_|cli\/(verbs|ends)_)/;

/** Why one test may be skipped even where nothing may: these tests' one word for it. */
const MAY_SKIP = /^JSR cannot be reached/;

/** What a whole run may take in one runtime, in ms. */
const RUN_TIMEOUT = 900_000;

/** What one test may take that names no limit, in ms. */
const TEST_TIMEOUT = 60_000;

/** Files that run side by side, where a runtime does that: most of a test's time is waiting. */
const AT_ONCE = 3;

/** How much is shown of a run that ended without a summary, in lines. */
const SHOWN_LINES = 100;

/** What a run came to. */
interface Summary {
  passed: number;
  failed: number;
  skipped: number;
  /** What its failures printed. */
  failures: string;
}

/** How a runtime runs tests, and what it says about them. */
interface Runner {
  name: RuntimeName;
  title: string;
  /** Tells tests where it is. */
  variable: string;
  args(files: string[]): string[];
  /** What it has to find in its environment. */
  env?: Record<string, string>;
  summarize(outcome: Outcome): Summary | null;
}

const RUNNERS: Runner[] = [
  {
    name: "deno",
    title: "Deno",
    variable: "ALN_DENO",
    args: (files) => ["test", "-A", "--parallel", ...files],
    env: { DENO_JOBS: `${AT_ONCE}` }, // However many processors there are.
    summarize({ stdout, stderr }) {
      const end = /^(?:ok|FAILED) \| (.*)$/m.exec(stdout);
      if (end === null) return null;
      // Steps are tests inside of tests; each part reads "3 passed (4 steps)".
      const count = (what: string) => {
        const [, tests, steps] = new RegExp(`(\\d+) ${what}(?: \\((\\d+) steps?\\))?`)
          .exec(end[1]!) ?? [];
        return Number(tests ?? 0) + Number(steps ?? 0);
      };
      return {
        passed: count("passed"),
        failed: count("failed"),
        skipped: count("ignored"),
        failures: /^ ERRORS $.*/ms.exec(stdout)?.[0] ?? stdout + stderr,
      };
    },
  },
  {
    name: "bun",
    title: "Bun",
    variable: "ALN_BUN",
    args: (files) => [
      ...["test", "--isolate", "--only-failures", `--timeout=${TEST_TIMEOUT}`],
      ...files.map((file) => `./${file}`), // Without "./" it would be a pattern.
    ],
    summarize: ({ stderr }) =>
      summary((what) => new RegExp(`^ *(\\d+) ${what}$`, "m"), "pass", "fail", "skip", stderr),
  },
  ...([
    ["node24", "Node 24", "ALN_NODE"],
    ["node22", "Node 22", "ALN_NODE22"],
  ] as const).map(([name, title, variable]): Runner => ({
    name,
    title,
    variable,
    args: (files) => [
      ...["--test", `--test-concurrency=${AT_ONCE}`, `--test-timeout=${TEST_TIMEOUT}`],
      ...["--test-reporter=spec", ...files],
    ],
    summarize({ stdout }) {
      const failures = /^✖ failing tests:$.*/ms.exec(stdout)?.[0] ?? stdout;
      const count = (what: string) => new RegExp(`^ℹ ${what} (\\d+)$`, "m");
      const result = summary(count, "pass", "fail", "skipped", stdout);
      const cancelled = Number(count("cancelled").exec(stdout)?.[1] ?? 0);
      return result && { ...result, failed: result.failed + cancelled, failures };
    },
  })),
];

/** Reads three counts; those of failed and skipped tests may be left out. */
function summary(
  pattern: (what: string) => RegExp,
  pass: string,
  fail: string,
  skip: string,
  text: string,
): Summary | null {
  const count = (what: string) => Number(pattern(what).exec(text)?.[1] ?? 0);
  if (!pattern(pass).test(text)) return null;
  return { passed: count(pass), failed: count(fail), skipped: count(skip), failures: text };
}

/** Every test file, by its path from the root. */
function testFiles(): string[] {
  return readdirSync(resolve(ROOT, "tests"), { recursive: true, encoding: "utf8" })
    .map((path) => relative(ROOT, resolve(ROOT, "tests", path)).split(sep).join("/"))
    .filter((path) => path.endsWith("_test.ts"))
    .sort();
}

/** What the command line asks for. */
function choose(): { runners: Runner[]; files: string[] } {
  try {
    const { values, positionals: words } = parseArgs({
      allowPositionals: true,
      options: { only: { type: "string", multiple: true } },
    });
    const names = (values.only ?? []).flatMap((list) => list.split(","));
    const runners = RUNNERS.filter(({ name }) =>
      names.length === 0 || names.some((only) =>
        only === name || `${only}24` === name ||
        `${only}22` === name
      )
    );
    const unknown = names.find((only) => !/^(deno|bun|node|node24|node22)$/.test(only));
    if (unknown !== undefined) throw new Error(`there is no runtime "${unknown}" here`);
    const files = testFiles()
      .filter((file) => words.length === 0 || words.some((word) => file.includes(word)));
    if (files.length === 0) throw new Error(`no test's path has "${words.join('", "')}" in it`);
    return { runners, files };
  } catch (error) {
    console.error(`Cannot run tests: ${(error as Error).message}`);
    console.error("usage: deno task test [--only deno,bun,node,node24,node22] [WORD…]");
    process.exit(2);
  }
}

/** Whatever is skipped for want of something says so in its name, with what to do about it. */
function reasons(stdout: string): string[] {
  const names = stdout.matchAll(/\(skipped: (.*)\) \.\.\./g);
  return [...new Set([...names].map(([, reason]) => reason!))];
}

const total = { passed: 0, failed: 0 };
const notes: string[] = [];
const { runners, files } = choose();

// Tests of examples and processes start these, too: no need for each to look for them.
const env: Record<string, string> = {};
for (const { name, title, variable } of runners) {
  const runtime = await findRuntime(name);
  if ("path" in runtime) env[variable] = runtime.path;
  else notes.push(`${title} was skipped: ${runtime.missing}`);
}
if (SKIP_NOTHING) total.failed += notes.length;

for (const { name, title, args, env: its, summarize } of runners) {
  const runtime = await findRuntime(name);
  const mine = files.filter((file) => name === "deno" || !NEEDS_DENO.test(file));
  if (mine.length === 0 || !("path" in runtime)) continue;
  const started = performance.now();
  const outcome = await run(runtime.path, args(mine), {
    cwd: ROOT,
    timeout: RUN_TIMEOUT,
    env: { ...env, ...its },
  });
  const seconds = Math.round((performance.now() - started) / 1_000);
  const { stdout, stderr, code } = outcome;
  const ended = summarize(outcome) ?? {
    ...{ passed: 0, failed: 0, skipped: 0 },
    failures: (stdout + stderr).split("\n").slice(-SHOWN_LINES).join("\n"),
  };
  // Where no test failed and yet the run did, the run itself is what failed.
  if (code !== 0 && ended.failed === 0) ended.failed = 1;
  if (code !== 0) console.log(`\n${ended.failures.trim()}\n`);
  if (name === "deno") { for (const line of stdout.match(/^# .*/gm) ?? []) console.log(line); }
  const { passed, failed, skipped } = ended;
  console.log(
    `${`${title} (${runtime.version})`.padEnd(20)} ${mine.length} files: ` +
      `${passed} passed, ${failed} failed, ${skipped} skipped, ${seconds} s`,
  );
  const why = reasons(stdout);
  notes.push(...why.map((reason) => `Skipped: ${reason}`));
  if (SKIP_NOTHING && name === "deno" && skipped > why.filter((it) => MAY_SKIP.test(it)).length) {
    console.log(`${skipped} tests were skipped, and nothing may be`);
    total.failed += skipped;
  }
  total.passed += passed;
  total.failed += failed;
}

for (const note of notes) console.log(note);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed === 0 ? 0 : 1);
