/**
 * A thermometer, simulated: offers `temperature`, which a caller may ask or watch. It joins the hub
 * again whenever the link is lost. Start one for each room:
 *
 *     deno run --allow-net examples/home/sensor.ts kitchen 21.5
 *     bun run examples/home/sensor.ts kitchen 21.5
 *     node examples/home/sensor.ts kitchen 21.5
 *
 * Another hub than this machine's is the third argument, such as `tcp+aln://10.0.0.2:8001`.
 *
 * @module
 */

import process from "node:process";
import { Router } from "../../mod.ts";
import { dial } from "../../src/runtime/net.ts";
import { LiveValue } from "./live_value.ts";

const [room = "kitchen", start = "21.5", hub = "tcp+aln://127.0.0.1:8001"] = process.argv.slice(2);

let celsius = Number(start);
const reading = new LiveValue(`${celsius.toFixed(1)} °C`);
setInterval(() => {
  celsius += (Math.random() - 0.5) / 2;
  reading.now = `${celsius.toFixed(1)} °C`;
}, 1_000);

const router = new Router(room);
router.registerService("temperature", (packet, _reply, { signal }) => {
  return packet.text() === "watch" ? reading.watch(signal) : reading.now;
});

dial(router, hub, { maxDelay: 2_000 }).addEventListener("status", ({ state, error }) => {
  if (state === "connected") console.log(`${room} joined ${hub}`);
  else if (error !== undefined) console.error(`${room}: ${(error as Error).message}`);
});
process.on("SIGINT", () => router.close().then(() => process.exit(0)));
