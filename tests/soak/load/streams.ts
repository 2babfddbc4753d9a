/**
 * Load of calls with many replies: read to the end or left early, fast or slowly.
 *
 * @module
 */

import type { Packet } from "../../../mod.ts";
import { below } from "../../../src/testing/seeded_random.ts";
import type { Load } from "./load.ts";
import { type Site, sleep } from "./site.ts";
import { impatience, someone, token } from "./tokens.ts";

/** The longest that a stream may take, and the longest that it may be silent, in ms. */
const MAX_TIMEOUT = 12_000;
const MAX_IDLE = 6_000;

/** Replies that are asked for, at most: more than fit into a call's window. */
const MAX_REPLIES = 120;

/** The longest pause between two replies, in ms. */
const MAX_PAUSE = 200;

/** Replies that may wait for a slow reader when the call has ended. */
const WAITING = 45;

/** How long it may take a slow reader to read on when all is over, in ms. */
export const SLOWEST_READER: number = WAITING * MAX_PAUSE;

/** Size of a reply that is not small, in bytes. */
const LARGE = 12_000;

/** Reads streams of numbered replies. */
export const streams: Load = {
  name: "streams",
  weight: 4,
  serve(site) {
    site.router.registerService("count", async function* (packet, _reply, call) {
      const letGo = site.held.hold("generators of replies");
      try {
        const [count, pause, size, word] = packet.text().split(" ");
        for (let i = 0; i < Number(count); i++) {
          if (call.signal.aborted) return;
          if (Number(pause) > 0) await sleep(site, site.random() * Number(pause));
          yield `${i} ${word}`.padEnd(Number(size));
        }
      } finally {
        letGo();
      }
    });
  },
  async run(site) {
    const { router, random, ledger } = site;
    const wanted = below(random, MAX_REPLIES);
    const pause = random() < 0.5 ? 0 : Math.ceil(random() ** 2 * MAX_PAUSE);
    const word = token(site);
    const question = `${wanted} ${pause} ${random() < 0.1 ? LARGE : 0} ${word}`;
    const timeout = 100 + random() * MAX_TIMEOUT;
    const options = {
      timeout,
      dst: someone(site, "count"),
      idle: random() < 0.3 ? random() * MAX_IDLE + 1 : undefined,
      limit: random() < 0.2 ? 1 + below(random, MAX_REPLIES) : undefined,
      signal: random() < 0.15 ? impatience(site, timeout) : undefined,
      reliable: random() < 0.2,
    };
    const leaves = random() < 0.2 ? below(random, MAX_REPLIES) : Infinity;
    const slowly = random() < 0.2 ? random() * MAX_PAUSE : 0;
    let count = 0;
    const { how } = await ledger.attempt(site, {
      kind: options.reliable ? "reliable stream" : "stream",
      timeout,
      grace: WAITING * slowly,
      signal: options.signal,
      mayTimeOutEarly: options.idle !== undefined,
      async make() {
        for await (const packet of router.stream("count", question, options)) {
          check(site, packet, count++, word);
          if (count > leaves) return;
          if (slowly > 0) await sleep(site, slowly);
        }
        const all = Math.min(wanted, options.limit ?? Infinity);
        if (count === all) return;
        ledger.tally.violation(`a stream of ${all} replies ended in order after ${count}`);
      },
    });
    ledger.tally.count(`replies of streams that ended as "${how}"`, count);
  },
};

/** Replies come in order, each once. */
function check({ ledger: { tally } }: Site, packet: Packet, number: number, word: string): void {
  const text = packet.text().trimEnd();
  if (text !== `${number} ${word}`) {
    tally.violation(`reply ${number} of a stream is "${text}", not "${number} ${word}"`);
  }
}
