/**
 * Load of questions to everybody at once: their replies gathered, and multicasts without a reply.
 *
 * @module
 */

import { below, pick } from "../../../src/testing/seeded_random.ts";
import { endOf } from "./ends.ts";
import type { Load } from "./load.ts";
import { FLEETING } from "./services.ts";
import type { Site } from "./site.ts";
import { impatience, token } from "./tokens.ts";

/** Time-outs, in ms. */
const TIMEOUTS: readonly number[] = [50, 500, 2_000, 5_000];

/** Multicasts that each application remembers. */
const MEMORY = 2_000;

/** Gathers replies. */
export const gathers: Load = {
  name: "gathers",
  weight: 2,
  async run(site) {
    const { router, random, ledger } = site;
    const service = pick(random, ["echo", "late", "broken", "here", ...FLEETING])!;
    const timeout = pick(random, TIMEOUTS)!;
    const signal = random() < 0.15 ? impatience(site, timeout) : undefined;
    const question = `${below(random, 1_000)} ${token(site)}`;
    const count = random() < 0.3 ? 1 + below(random, 4) : undefined;
    const first = random() < 0.2;
    const judge = (error: unknown) => {
      if (endOf(error, signal) === null) {
        ledger.tally.violation(`an instance failed a gathering with what no call may: ${error}`);
      }
    };
    const { answer, how } = await ledger.attempt(site, {
      kind: "gather",
      timeout,
      signal,
      make: () =>
        router.gather(service, question, {
          ...{ timeout, signal, first, count },
          onFailure: (_address, error) => judge(error),
        }),
      endOf(error) {
        if (!(error instanceof AggregateError)) return endOf(error, signal);
        error.errors.forEach(judge);
        return "nobody";
      },
      fault(replies) {
        const wrong = replies.find((reply) => service !== "here" && reply.text() !== question);
        if (wrong) return `"${wrong.text()}", not "${question}"`;
        const sources = new Set(replies.map(({ src }) => src));
        if (sources.size < replies.length) return `two replies of one of ${[...sources].join()}`;
        const most = count ?? (first ? 1 : Infinity);
        return replies.length > most ? `${replies.length} replies, not ${most}` : null;
      },
    });
    ledger.tally.count(`replies gathered, "${how}"`, answer?.length ?? 0);
  },
};

/** Words that have been heard. */
const heard: WeakMap<Site, Set<string>> = new WeakMap();

/** Tells everybody something, once. */
export const multicasts: Load = {
  name: "multicasts",
  weight: 2,
  serve(site) {
    const words = new Set<string>();
    heard.set(site, words);
    site.router.registerService("hear", (packet) => {
      const { tally } = site.ledger;
      const word = packet.text();
      tally.count("multicasts heard");
      if (words.has(word)) tally.violation(`${site.life} has heard multicast "${word}" twice`);
      words.add(word);
      if (words.size > MEMORY) { for (const first of words) return words.delete(first); }
    });
  },
  run(site) {
    const { router, ledger: { tally } } = site;
    const failure = router.send({ srv: "hear", data: token(site) });
    tally.end("multicast", failure === null ? "sent" : failure.slice(0, failure.indexOf(":")));
    return Promise.resolve();
  },
};
