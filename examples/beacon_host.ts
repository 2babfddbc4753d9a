/**
 * Can be found: offers `time`, and tells the local network every few seconds by UDP broadcast where
 * it is. A URL with 127.0.0.1 is told to programs on this machine alone; with 0.0.0.0, to everybody,
 * with each interface's own address.
 *
 *     deno run --allow-net --allow-sys=networkInterfaces examples/beacon_host.ts tcp+aln://0.0.0.0:8081
 *     bun run examples/beacon_host.ts tcp+aln://0.0.0.0:8081
 *     node examples/beacon_host.ts tcp+aln://0.0.0.0:8081
 *
 * @module
 */

import process from "node:process";
import { Router } from "../mod.ts";
import { announce, listen } from "../src/runtime/net.ts";

const [url = "tcp+aln://0.0.0.0:8081", port = "8082"] = process.argv.slice(2);

const router = new Router(`host-${crypto.randomUUID().slice(0, 4)}`);
router.registerService("time", (_packet, reply) => void reply(new Date().toISOString()));
router.addEventListener("route", ({ address, cost }) => {
  console.log(`${address} ${cost === 0 ? "left" : "joined"}`);
});

const listener = await listen(url, router);
const beacon = await announce(listener.url, { port: Number(port) });
console.log(`${router.address} tells of ${listener.url} on UDP port ${port}`);

process.on("SIGINT", async () => {
  await beacon.close(); // First: nobody is to come any more.
  await listener.close();
  await router.close();
  process.exit(0);
});
