/**
 * A lamp, simulated: offers `light`, which can be switched "on" and "off", asked, and watched. It
 * keeps its state for as long as it runs, whatever becomes of the hub.
 *
 *     deno run --allow-net examples/home/light.ts hall
 *     bun run examples/home/light.ts hall
 *     node examples/home/light.ts hall
 *
 * Another hub than this machine's is the second argument, such as `tcp+aln://10.0.0.2:8001`.
 *
 * @module
 */

import process from "node:process";
import { Router } from "../../mod.ts";
import { dial } from "../../src/runtime/net.ts";
import { printable } from "../printable.ts";
import { LiveValue } from "./live_value.ts";

const [room = "hall", hub = "tcp+aln://127.0.0.1:8001"] = process.argv.slice(2);

const lamp = new LiveValue("off");
const router = new Router(room);
router.registerService("light", (packet, _reply, { signal }) => {
  const wish = packet.text();
  if (wish === "watch") return lamp.watch(signal);
  if (wish === "on" || wish === "off") {
    lamp.now = wish;
    console.log(printable(`${room} is ${wish}, as ${packet.src} likes it`));
  } else if (wish !== "") {
    throw new RangeError(`a light can be "on" or "off"`); // The caller gets this as its error.
  }
  return lamp.now;
});

dial(router, hub, { maxDelay: 2_000 }).addEventListener("status", ({ state, error }) => {
  if (state === "connected") console.log(`${room} joined ${hub}`);
  else if (error !== undefined) console.error(`${room}: ${(error as Error).message}`);
});
process.on("SIGINT", () => router.close().then(() => process.exit(0)));
