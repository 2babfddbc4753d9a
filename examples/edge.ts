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
import { connect } from "../src/runtime/net.ts";

const url = process.argv[2] ?? "ws://127.0.0.1:8080";
const router = new Router(`edge-${crypto.randomUUID().slice(0, 4)}`);
router.registerService(
  "uptime",
  (_packet, reply) => void reply(`${process.uptime().toFixed(1)} s`),
);
process.on("SIGINT", () => router.close().then(() => process.exit(0)));

for (let pause = 500;; pause = Math.min(2 * pause, 10_000)) { // ms
  try {
    const channel = await connect(url);
    router.addChannel(channel);
    console.log(`${router.address} joined ${url}`);
    pause = 250;
    await channel.closed;
    console.log(`lost ${url}`);
  } catch (error) {
    console.error((error as Error).message);
  }
  await new Promise((resolve) => setTimeout(resolve, pause));
}
