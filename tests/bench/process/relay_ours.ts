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
const LEAF: LinkPolicy = { stub: true, hears: ["relay", "source"], sees: ["source", "known"] };

/** How often to look whether somebody is known, in ms. */
const PAUSE = 20;

const router = new Router("relay");

/** Answers whoever offers "sink" as soon as that is known here. */
router.registerService("known", async ({ src }) => {
  while (!router.serviceAddresses("sink").includes(src)) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  return "yes";
});

obey({
  async listen({ url, leaves = false }: { url: string; leaves?: boolean }) {
    const link = leaves ? { policy: LEAF } : {};
    const listener = await listen(url, router, { format: "binary", link });
    return { port: listener.address.port };
  },
  /** Packets that it has dropped. */
  drops: () => Object.values(router.stats().drops).reduce((sum, count) => sum + count, 0),
  memory,
});
