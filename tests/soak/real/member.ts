/**
 * One router in a process of its own, in any runtime, with an application beside it:
 *
 *     deno run -A tests/soak/real/member.ts BEGINNING
 *
 * Or `bun run`, or `node`. It reads commands and writes reports, as `protocol.ts` says, and ends when
 * its input does.
 *
 * @module
 */

import process from "node:process";
import { Router } from "../../../mod.ts";
import { systemClock } from "../../../src/router/clock.ts";
import { dial, listen } from "../../../src/runtime/net.ts";
import { seededRandom } from "../../../src/testing/seeded_random.ts";
import { Application } from "../load/application.ts";
import { callEverybody } from "../load/everybody.ts";
import { Held } from "../load/held.ts";
import { leftOpen } from "../load/left_open.ts";
import { Ledger } from "../load/ledger.ts";
import type { Site } from "../load/site.ts";
import { Tally } from "../load/tally.ts";
import { watchErrors } from "../rejections.ts";
import { type Beginning, type Command, Lines, type Report } from "./protocol.ts";
import { Standstills } from "./standstill.ts";

/** How long an application rests between two things that it does, on average, in ms. */
const PAUSE = 100;

/** The longest that a call may take, in ms. */
const LONGEST = 30_000;

/** Links come back after at most so long, in ms. */
const MAX_DIAL_DELAY = 3_000;

/** How often everything is told, in ms. */
const TELL_INTERVAL = 500;

/** What a busy machine is forgiven, in ms. */
const MACHINE = 500;

const { log } = console;
const say = (report: Report): void => log(JSON.stringify(report));

const { address, life, seed, dials, limit }: Beginning = JSON.parse(process.argv[2]!);
const tally = new Tally(() => life);
watchErrors((what) => tally.violation(what));
setTimeout(() => process.exit(3), limit);

const standstills = new Standstills();
const router = new Router(address, { random: seededRandom(seed) });
let calmSince: number | null = null;
const site: Site = {
  router,
  life,
  clock: systemClock,
  random: seededRandom(seed + 1),
  ledger: new Ledger(tally),
  held: new Held(),
  longest: LONGEST,
  lateness: async (due, done) => await standstills.lateness(due, done) - MACHINE,
  reachableSince: (of) =>
    of === address || router.routes().some((route) => route.address === of) ? calmSince : null,
};
router.addEventListener("drop", ({ error }) => tally.count(`drop ${error.code}`));
router.addEventListener("conflict", () => tally.count("conflict"));
const application = new Application(site, PAUSE);

const tcp = await listen("tcp+aln://127.0.0.1:0", router);
const ws = await listen("ws://127.0.0.1:0", router);
for (const url of dials) dial(router, url, { maxDelay: MAX_DIAL_DELAY });
say({ is: "ready", tcp: Number(new URL(tcp.url).port), ws: Number(new URL(ws.url).port) });

let told = 0;
function tell(): void {
  const violations = tally.violations.slice(told);
  told = tally.violations.length;
  const { ends, counts } = tally;
  say({ is: "tally", ends, counts, violations, rss: process.memoryUsage().rss });
}
const telling = setInterval(tell, TELL_INTERVAL);

/** Collects the garbage, where that can be asked for. */
function collect(): void {
  const { gc, Bun } = globalThis as { gc?: () => void; Bun?: { gc(force: boolean): void } };
  if (Bun) Bun.gc(true);
  else gc?.();
}

async function leave(): Promise<void> {
  application.stop();
  const started = performance.now();
  await router.close();
  await Promise.all([tcp.close(), ws.close()]);
  const took = performance.now() - started;
  tell();
  say({ is: "left", took });
  clearInterval(telling);
  standstills.stop();
  process.exit(0);
}

async function obey(command: Command): Promise<void> {
  switch (command.do) {
    case "work":
      calmSince = null;
      return application.start();
    case "pause":
      return application.stop();
    case "calm":
      calmSince = performance.now();
      return;
    case "look": {
      const routes = router.routes().map(({ address }) => address).sort();
      const services = router.services()
        .map(({ service, address, capacity }) => `${service}@${address} ${capacity}`).sort();
      return say({ is: "known", routes, services });
    }
    case "call":
      return say({ is: "called", lives: Object.fromEntries(await callEverybody(site)) });
    case "check": {
      const left = leftOpen(site);
      collect();
      return say({ is: "checked", left, heap: process.memoryUsage().heapUsed });
    }
    case "leave":
      return await leave();
  }
}

const lines = new Lines();
for await (const chunk of process.stdin.setEncoding("utf8")) {
  for (const line of lines.push(chunk)) obey(JSON.parse(line));
}
process.exit(0);
