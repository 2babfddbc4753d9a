/**
 * {@linkcode offerWhileConnected}: a service that is there for as long as its engine is.
 *
 * @module
 */

import type { Router } from "../../mod.ts";
import type { Nats } from "./nats.ts";

/**
 * Offers services for as long as NATS can be reached; without it, whoever calls them is told at once
 * that they are not there, and waits for nothing. Resolves when the connection is closed for good.
 *
 * @param services Names, to be withdrawn.
 * @param offer Registers all of them.
 */
export async function offerWhileConnected(
  router: Router,
  nats: Nats,
  services: string[],
  offer: () => void,
): Promise<void> {
  offer();
  for await (const { type } of nats.status()) {
    if (type === "disconnect") {
      console.log("NATS is lost");
      for (const service of services) router.unregisterService(service);
    } else if (type === "reconnect") {
      console.log("NATS is back");
      offer();
    }
  }
}
