/**
 * One of our routers in the middle.
 *
 * @module
 */

import { type LinkPolicy, Router } from "../../../mod.ts";
import { listen } from "../../../src/runtime/net.ts";
import { memory } from "./memory.ts";
import { obey } from "./commands.ts";

/** For clients that are told nothing of each other. */
const LEAF: LinkPolicy = { stub: true, hears: ["relay", "source"], sees: ["source"] };

const router = new Router("relay");

obey({
  async listen({ url, leaves = false }: { url: string; leaves?: boolean }) {
    const link = leaves ? { policy: LEAF } : {};
    const listener = await listen(url, router, { format: "binary", link });
    return { port: listener.address.port };
  },
  /** Packets that it has dropped. */
  drops: () => Object.values(router.stats().drops).reduce((sum, count) => sum + count, 0),
  /** How many instances of a service it knows. */
  instances: ({ service }: { service: string }) => router.serviceAddresses(service).length,
  memory,
});
