/**
 * Load of numbered messages that have to come once, whatever happens on the way: reliable requests,
 * one after another and several at once.
 *
 * @module
 */

import { below } from "../../../src/testing/seeded_random.ts";
import type { Load } from "./load.ts";
import { type Site, sleep } from "./site.ts";
import { impatience, someone, token } from "./tokens.ts";

/** Messages in a row, at most. */
const MAX_MESSAGES = 4;

/** Messages that each application remembers. */
const MEMORY = 5_000;

/** How long nothing must have been wrong for a message to come for certain, in ms. */
const SURELY = 30_000;

/** How often a message has been handled. */
const handled: WeakMap<Site, Set<string>> = new WeakMap();

/** Sends numbered messages. */
export const reliables: Load = {
  name: "reliables",
  weight: 3,
  serve(site) {
    const messages = new Set<string>();
    handled.set(site, messages);
    site.router.registerService("once", async (packet) => {
      const { tally } = site.ledger;
      const message = packet.text();
      tally.count("reliable messages handled");
      if (messages.has(message)) tally.violation(`${site.life} has handled "${message}" twice`);
      messages.add(message);
      if (messages.size > MEMORY) { for (const first of messages) messages.delete(first); }
      if (site.random() < 0.3) await sleep(site, site.random() * 1_000);
      return `${site.life} ${message}`;
    });
  },
  async run(site) {
    const { random } = site;
    const count = 1 + below(random, MAX_MESSAGES);
    const dst = someone(site, "once");
    if (random() < 0.5) await Promise.all(Array.from({ length: count }, () => send(site, dst)));
    else for (let i = 0; i < count; i++) if (!await send(site, dst)) return;
  },
};

/** Sends one message; whether it has come. */
async function send(site: Site, dst: string | undefined): Promise<boolean> {
  const { router, random, ledger } = site;
  const timeout = 1_000 + (site.longest - 1_000) * random();
  const signal = random() < 0.05 ? impatience(site, timeout) : undefined;
  const message = token(site);
  const started = site.clock.now();
  const { how } = await ledger.attempt(site, {
    kind: "reliable request",
    timeout,
    signal,
    make: () => router.request("once", message, { reliable: true, timeout, signal, dst }),
    fault: (answer) => answer.text().endsWith(` ${message}`) ? null : `"${answer.text()}"`,
  });
  const since = dst === undefined ? null : site.reachableSince(dst);
  const surely = since !== null && site.clock.now() - Math.max(since, started) > SURELY;
  if (how === "timeout" && surely) {
    const seconds = ((site.clock.now() - since) / 1_000).toFixed();
    ledger.tally.violation(
      `reliable "${message}" for "${dst}" has not come in ${timeout.toFixed(0)} ms, ` +
        `though nothing has been wrong for ${seconds} s`,
    );
  }
  return how === "answered";
}
