/**
 * What applications offer: services that answer, late, in pieces too large, with an exception, twice,
 * never; and some that come and go.
 *
 * @module
 */

import type { Registration, ServiceHandler } from "../../../mod.ts";
import { below } from "../../../src/testing/seeded_random.ts";
import type { Load } from "./load.ts";
import { type Site, sleep } from "./site.ts";

/** Chance that a router offers one of the services that not all offer. */
const SHARE = 0.3;

/** Services that come and go, and may be busy. */
export const FLEETING: readonly string[] = ["fleeting-0", "fleeting-1", "fleeting-2"];

/** Capacities are 1 to this: equals take turns. */
const MAX_CAPACITY = 3;

/** What each service does. All routers offer `here`, some of them the others. */
function handlers(site: Site): Record<string, ServiceHandler> {
  return {
    /** Says which life of which router this is. */
    here: (_packet, reply) => void reply(site.life),
    /** Says the same. */
    echo: (packet, reply) => void reply(packet.data),
    /** Says the same, after as many ms as the question begins with. */
    late: async (packet, reply) => {
      await sleep(site, parseFloat(packet.text()));
      reply(packet.data);
    },
    /** Says the same twice. */
    twice: (packet, reply) => {
      reply(packet.data);
      reply(packet.data);
    },
    /** Throws, at once or later. */
    broken: (packet) => {
      const error = new Error(`broken by ${packet.text()}`);
      if (packet.text().length % 2 === 0) throw error;
      return Promise.reject(error);
    },
    /** Says nothing. */
    silent: () => {},
  };
}

/** How long a service may take to be drained, in ms: callers may have to be found to be gone. */
const DRAINED_WITHIN = 180_000;

/** Registrations of services that come and go. */
const registrations: WeakMap<Site, Map<string, Registration>> = new WeakMap();

/** Offers services, and withdraws some of them and offers them again. */
export const services: Load = {
  name: "services",
  weight: 1,
  serve(site) {
    const mine = new Map<string, Registration>();
    registrations.set(site, mine);
    for (const [name, handler] of Object.entries(handlers(site))) {
      if (name !== "here" && site.random() >= SHARE) continue;
      const capacity = 1 + below(site.random, MAX_CAPACITY);
      mine.set(name, site.router.registerService(name, handler, { capacity }));
    }
  },
  run(site) {
    const { router, random, ledger: { tally } } = site;
    const name = FLEETING[below(random, FLEETING.length)]!;
    const mine = registrations.get(site)!;
    const registration = mine.get(name);
    const capacity = 1 + below(random, MAX_CAPACITY);
    if (registration === undefined) {
      tally.count("service offered");
      const followCalls = random() < 0.5;
      const { echo, late } = handlers(site);
      const handler = random() < 0.5 ? echo! : late!;
      mine.set(name, router.registerService(name, handler, { capacity, followCalls }));
      return Promise.resolve();
    }
    if (random() < 0.4) {
      tally.count("capacity changed");
      registration.capacity = capacity;
      return Promise.resolve();
    }
    mine.delete(name);
    if (random() < 0.5) return drain(site, registration);
    tally.count("service withdrawn");
    registration[Symbol.dispose]();
    return Promise.resolve();
  },
};

/** Takes no more calls, and ends when those that are served have ended. */
async function drain(site: Site, registration: Registration): Promise<void> {
  await site.ledger.attempt(site, {
    kind: "drain",
    timeout: DRAINED_WITHIN,
    make: () => registration.drain(),
    fault: () => registration.calls === 0 ? null : `${registration.calls} calls are served yet`,
  });
}

/** Calls that the services of an application serve now, in words. */
export function served(site: Site): string[] {
  return [...registrations.get(site)?.values() ?? []].filter(({ calls }) => calls > 0)
    .map(({ service, calls }) => `${calls} calls of "${service}"`);
}
