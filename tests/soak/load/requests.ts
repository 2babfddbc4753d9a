/**
 * Load of single questions: short and long, with every kind of end, some of them given up by their
 * caller.
 *
 * @module
 */

import { below, pick } from "../../../src/testing/seeded_random.ts";
import type { Load } from "./load.ts";
import { FLEETING } from "./services.ts";
import { type Site, sleep } from "./site.ts";

/** Time-outs, in ms; the last is what there is without. */
const TIMEOUTS: readonly number[] = [1, 20, 100, 400, 1_500, 5_000, 12_000];
const DEFAULT_TIMEOUT = 5_000;

/** Chance that a question is given up. */
const IMPATIENCE = 0.15;

/** Chance that a question is to one router, and not to whoever is least loaded. */
const PERSONAL = 0.5;

/** Chance that it is to a router that may not even offer the service. */
const MISTAKEN = 0.05;

/** Services asked; what is in it twice is asked twice as often. */
const ASKED: readonly string[] = [
  ...["echo", "echo", "echo", "echo", "late", "late", "twice", "broken", "silent"],
  ...FLEETING,
  "nobody-has-this",
];

/** The longest that `late` is asked to wait, in ms. */
const MAX_LATE = 4_000;

/** Sizes of payloads that are not small, in bytes: up to nearly all that a packet holds. */
const LARGE: readonly number[] = [1_000, 8_000, 30_000, 65_000];

/** What tells one question from all others. */
const numbers: WeakMap<Site, number> = new WeakMap();

/** Something that nobody else says. */
export function token(site: Site): string {
  const number = (numbers.get(site) ?? 0) + 1;
  numbers.set(site, number);
  return `${site.life}:${number}`;
}

/** A signal that aborts when its caller's patience ends, within a time; with a reason, or without. */
export function impatience(site: Site, within: number): AbortSignal {
  const controller = new AbortController();
  const reason = site.random() < 0.5 ? undefined : new Error("the caller has gone");
  if (site.random() < 0.1) controller.abort(reason); // Even before it began.
  else sleep(site, site.random() * within).then(() => controller.abort(reason));
  return controller.signal;
}

/**
 * Whom a question is for: a router that offers the service, seldom one that may not, or (`undefined`)
 * whoever is least loaded.
 */
export function someone({ router, random }: Site, service: string): string | undefined {
  if (random() < MISTAKEN) return pick(random, router.routes())?.address;
  if (random() >= PERSONAL) return undefined;
  const others = router.serviceAddresses(service).filter((address) => address !== router.address);
  return pick(random, others);
}

/** Asks one question. */
export const requests: Load = {
  name: "requests",
  weight: 20,
  async run(site) {
    const { router, random, ledger } = site;
    const service = pick(random, ASKED)!;
    const timeout = pick(random, TIMEOUTS)!;
    const signal = random() < IMPATIENCE ? impatience(site, timeout) : undefined;
    const question = `${below(random, MAX_LATE)} ${token(site)}`;
    const options = timeout === DEFAULT_TIMEOUT ? {} : { timeout };
    await ledger.attempt(site, {
      kind: service,
      timeout,
      signal,
      make: () =>
        router.request(service, question, { ...options, signal, dst: someone(site, service) }),
      fault: (answer) =>
        answer.text() === question ? null : `"${answer.text()}", not "${question}"`,
    });
  },
};

/** Asks for something large to be said again. */
export const largeRequests: Load = {
  name: "large requests",
  weight: 1,
  async run(site) {
    const { router, random, ledger } = site;
    const timeout = pick(random, TIMEOUTS)!;
    const size = pick(random, LARGE)!;
    const first = token(site);
    const question = first.padEnd(size, `${size}/`);
    await ledger.attempt(site, {
      kind: "large",
      timeout,
      make: () => router.request("echo", question, { timeout, dst: someone(site, "echo") }),
      fault: (answer) =>
        answer.text() === question
          ? null
          : `${answer.data.length} bytes beginning with "${answer.text().slice(0, 40)}", not ` +
            `${size} beginning with "${first}"`,
    });
  },
};
