/**
 * Finds: listens to the beacons of the local network, joins every host that it hears of, and asks
 * each for the time. It needs no address of anybody.
 *
 *     deno run --allow-net examples/beacon_client.ts
 *     bun run examples/beacon_client.ts
 *     node examples/beacon_client.ts
 *
 * @module
 */

import process from "node:process";
import { Router } from "../mod.ts";
import { dial, discover } from "../src/runtime/net.ts";

const [port = "8082"] = process.argv.slice(2);

const router = new Router(`client-${crypto.randomUUID().slice(0, 4)}`);
router.addEventListener("service", async ({ service, address, capacity }) => {
  if (service !== "time" || capacity === 0) return;
  const answer = await router.request("time", "", { dst: address }).catch((error) => error);
  console.log(`${address}: ${answer instanceof Error ? answer.message : answer.text()}`);
});
process.on("SIGINT", () => router.close()); // With it end the dialers and the search.

const dialed = new Set<string>();
for await (const url of discover({ port: Number(port), signal: router.signal })) {
  if (dialed.has(url)) continue; // It was silent for a while, and is dialed still.
  dialed.add(url);
  console.log(`found ${url}`);
  const dialer = dial(router, url, { maxAttempts: 3 });
  dialer.addEventListener("status", ({ state, error }) => {
    if (error !== undefined) console.log(`${url}: ${(error as Error).message}`);
    if (state === "closed") dialed.delete(url); // Whoever is heard again is tried again.
  });
}
