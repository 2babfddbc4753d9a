/**
 * One of our routers in the middle.
 *
 * @module
 */

import { Router } from "../../../mod.ts";
import { listen } from "../../../src/runtime/net.ts";
import { memory } from "./memory.ts";
import { obey } from "./commands.ts";

const router = new Router("relay");

obey({
  async listen({ url }: { url: string }) {
    const listener = await listen(url, router);
    return { port: listener.address.port };
  },
  /** Packets that it has dropped. */
  drops: () => Object.values(router.stats().drops).reduce((sum, count) => sum + count, 0),
  /** How many instances of a service it knows. */
  instances: ({ service }: { service: string }) => router.serviceAddresses(service).length,
  memory,
});
