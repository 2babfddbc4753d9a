/**
 * What every load needs: words that nobody else says, callers that lose their patience, and whom to
 * ask.
 *
 * @module
 */

import { pick } from "../../../src/testing/seeded_random.ts";
import { type Site, sleep } from "./site.ts";

/** Chance that a call is to one router, and not to whoever is least loaded. */
const PERSONAL = 0.5;

/** Chance that it is to a router that may not even offer the service. */
const MISTAKEN = 0.05;

/** How many words each application has said. */
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
 * Whom a call is for: a router that offers the service, seldom one that may not, or (`undefined`)
 * whoever is least loaded.
 */
export function someone({ router, random }: Site, service: string): string | undefined {
  if (random() < MISTAKEN) return pick(random, router.routes())?.address;
  if (random() >= PERSONAL) return undefined;
  const others = router.serviceAddresses(service).filter((address) => address !== router.address);
  return pick(random, others);
}
