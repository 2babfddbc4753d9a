/**
 * A public hub: edges and callers meet here, if they know the network's key. It runs nothing itself.
 *
 *     deno run --allow-net --allow-env=ALN_KEY examples/edge/hub.ts ws://0.0.0.0:8080
 *     bun run examples/edge/hub.ts ws://0.0.0.0:8080
 *     node examples/edge/hub.ts ws://0.0.0.0:8080
 *
 * The key is in the variable ALN_KEY. It keeps strangers out, and encrypts nothing: on the Internet,
 * listen on `wss:`, with the options `cert` and `key`, or behind a proxy that does.
 *
 * @module
 */

import process from "node:process";
import { Router } from "../../mod.ts";
import { listen } from "../../src/runtime/net.ts";
import { printable } from "../printable.ts";
import { networkKey } from "./network_key.ts";

const [url = "ws://0.0.0.0:8080"] = process.argv.slice(2);

const hub = new Router("hub", { networkKey: networkKey() });
hub.addEventListener("route", ({ address, cost }) => {
  console.log(printable(`${address} is ${cost === 0 ? "gone" : "here"}`));
});
hub.addEventListener("channel", ({ open, reason }) => {
  if (open || reason === undefined) return;
  console.log(printable(`a link is lost: ${(reason as Error).message}`));
});

const listener = await listen(url, hub);
console.log(`edges and callers join ${listener.url}`);
process.on("SIGINT", async () => {
  await Promise.all([listener.close(), hub.close()]);
  process.exit(0);
});
