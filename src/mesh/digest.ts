/**
 * Digests: what one side has told the other, in two numbers, so that both can see whether they
 * still agree.
 *
 * @module
 */

import type { LinkDigest } from "../wire/link_frame.ts";
import type { Core } from "./core.ts";
import type { DisbelievedOffer } from "./disbelieved.ts";
import type { Ledger } from "./ledger.ts";
import { hashName, mix } from "./sequence.ts";
import type { Neighbour } from "./state.ts";

/** Adds up hashes; the order does not matter. */
class Sum {
  count: number = 0;
  #high: number = 0;
  #low: number = 0;

  add(...values: number[]): void {
    this.count++;
    const hash = mix(...values);
    this.#low = (this.#low + (hash >>> 0)) % 0x1_0000_0000;
    this.#high = (this.#high + (mix(hash) >>> 0)) % 0x1_0000_0000;
  }

  get hash(): readonly [number, number] {
    return [this.#high, this.#low];
  }
}

/** What we have told a neighbour. */
export function toldDigest(core: Core, neighbour: Neighbour): LinkDigest {
  const { told, address, rules } = neighbour;
  return digestOf(core, told, address, [], rules.sees);
}

/** What a neighbour has told us. */
export function offeredDigest(core: Core, neighbour: Neighbour): LinkDigest {
  const { offers, disbelieved } = neighbour;
  return digestOf(core, offers, core.identity.address, disbelieved.values(), () => true);
}

/**
 * @param listener Whoever is told; it is not told of services at its own address.
 * @param more Routes that are not in the ledger.
 * @param sees Which services are told.
 */
function digestOf(
  { routes, records }: Core,
  ledger: Ledger,
  listener: string,
  more: Iterable<DisbelievedOffer>,
  sees: (service: string, host: string) => boolean,
): LinkDigest {
  const routeSum = new Sum();
  for (const { address, cost, seq, origin } of more) {
    routeSum.add(hashName(address), cost, seq, origin);
  }
  const serviceSum = new Sum();
  for (const { id, address } of routes.in(ledger)) {
    const origin = ledger.origin(id);
    routeSum.add(hashName(address), ledger.cost(id), ledger.seq(id), origin);
    if (address === listener) continue;
    for (const { name, load, version } of records.of(address, origin)) {
      if (load === 0 || !sees(name, address)) continue;
      serviceSum.add(hashName(address), hashName(name), load, version, origin);
    }
  }
  return {
    routes: routeSum.count,
    routesHash: routeSum.hash,
    services: serviceSum.count,
    servicesHash: serviceSum.hash,
  };
}

/** Whether two digests say the same: of routes, and unless told, of services. */
export function agree(a: LinkDigest, b: LinkDigest, withServices: boolean = true): boolean {
  const same = a.routes === b.routes && isSame(a.routesHash, b.routesHash);
  if (!same || !withServices) return same;
  return a.services === b.services && isSame(a.servicesHash, b.servicesHash);
}

function isSame(a: LinkDigest["routesHash"], b: LinkDigest["routesHash"]): boolean {
  return a[0] === b[0] && a[1] === b[1];
}
