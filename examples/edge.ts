/**
 * The smallest useful edge: offers `uptime` to a mesh, for as long as it runs, over a WebSocket that
 * is opened again whenever it is lost. The router stays, so nothing is registered twice.
 *
 *     bun run examples/edge.ts ws://127.0.0.1:8080
 *     node examples/edge.ts ws://127.0.0.1:8080
 *     deno run --allow-net examples/edge.ts ws://127.0.0.1:8080
 *
 * @module
 */

import process from "node:process";
import { Router } from "../mod.ts";
import { dial } from "../src/runtime/net.ts";

const url = process.argv[2] ?? "ws://127.0.0.1:8080";
const router = new Router(`edge-${crypto.randomUUID().slice(0, 4)}`);
router.registerService(
  "uptime",
  (_packet, reply) => void reply(`${process.uptime().toFixed(1)} s`),
);
process.on("SIGINT", () => router.close().then(() => process.exit(0)));

router.addEventListener("channel", ({ open }) => {
  console.log(open ? `${router.address} joined ${url}` : `lost ${url}`);
});
const dialer = dial(router, url, { minDelay: 500, maxDelay: 10_000 }); // ms
dialer.addEventListener("status", ({ error }) => {
  if (error !== undefined) console.error((error as Error).message);
});
