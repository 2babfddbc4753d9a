/**
 * Everybody who can be reached answers.
 *
 * @module
 */

import type { Site } from "./site.ts";

/** What a call may take when nothing is wrong, in ms. */
export const ANSWERED_WITHIN = 4_000;

/** Calls every router that is known; what comes of it: the life that answers, by address. */
export async function callEverybody(site: Site): Promise<Map<string, string>> {
  const { router, ledger } = site;
  const lives = new Map<string, string>();
  await Promise.all(
    router.routes().map(async ({ address }) => {
      const { how, answer } = await ledger.attempt(site, {
        kind: "here, at rest",
        timeout: ANSWERED_WITHIN,
        make: () => router.request("here", "", { dst: address, timeout: ANSWERED_WITHIN }),
      });
      if (how === "answered") lives.set(address, answer!.text());
      else ledger.tally.violation(`at rest, "${address}" does not answer ${site.life}: ${how}`);
    }),
  );
  return lives;
}
