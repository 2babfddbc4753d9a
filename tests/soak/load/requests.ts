/**
 * Load of single questions: short and long, with every kind of end, some of them given up by their
 * caller.
 *
 * @module
 */

import { below, pick } from "../../../src/testing/seeded_random.ts";
import type { Load } from "./load.ts";
import { FLEETING } from "./services.ts";
import { impatience, someone, token } from "./tokens.ts";

/** Time-outs, in ms; the last is what there is without. */
const TIMEOUTS: readonly number[] = [1, 20, 100, 400, 1_500, 5_000, 12_000];
const DEFAULT_TIMEOUT = 5_000;

/** Chance that a question is given up, and that others may be asked when one does not answer. */
const IMPATIENCE = 0.15;
const RETRIED = 0.2;

/** Services asked; what is in it twice is asked twice as often. */
const ASKED: readonly string[] = [
  ...["echo", "echo", "echo", "echo", "late", "late", "twice", "broken", "silent"],
  ...FLEETING,
  "nobody-has-this",
];

/** The longest that `late` is asked to wait, in ms. */
const MAX_LATE = 4_000;

/** Sizes of payloads that are not small, in bytes: less than a packet holds, and much more. */
const LARGE: readonly number[] = [1_000, 8_000, 30_000, 32_769, 65_000, 200_000, 1_000_000];

/** Asks one question. */
export const requests: Load = {
  name: "requests",
  weight: 20,
  async run(site) {
    const { router, random, ledger } = site;
    const service = pick(random, ASKED)!;
    const timeout = pick(random, TIMEOUTS)!;
    const signal = random() < IMPATIENCE ? impatience(site, timeout) : undefined;
    const retries = random() < RETRIED ? 1 + below(random, 2) : 0;
    const question = `${below(random, MAX_LATE)} ${token(site)}`;
    const options = timeout === DEFAULT_TIMEOUT ? { retries } : { retries, timeout };
    await ledger.attempt(site, {
      kind: service,
      timeout,
      signal,
      mayTimeOutEarly: retries > 0, // One attempt may not take all of the time.
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
