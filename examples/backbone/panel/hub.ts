/**
 * The hub of a home whose devices are on a segment of MQTT: it serves the panel of `examples/home`,
 * which joins it over a WebSocket, and tells it what the broker keeps, also of devices that are away.
 *
 *     deno run -N -E -R=mod.ts,src,examples examples/backbone/panel/hub.ts
 *     bun run examples/backbone/panel/hub.ts
 *     node examples/backbone/panel/hub.ts
 *
 * Where to listen is its first argument, by default `ws://0.0.0.0:8080`; another broker than this
 * machine's the second, such as `mqtt://10.0.0.2`.
 *
 * @module
 */

import process from "node:process";
import { Router } from "../../../mod.ts";
import { listen } from "../../../src/runtime/net.ts";
import { printable } from "../../printable.ts";
import { servePage } from "../../serve_page.ts";
import { joinBroker } from "../mqtt.ts";

const MAX_KEPT = 100; // Values.
const MAX_VALUE = 100; // Bytes of each.

const [http = "ws://0.0.0.0:8080", broker = "mqtt://127.0.0.1:1883"] = process.argv.slice(2);

const router = new Router("hub");
router.addEventListener("route", ({ address, cost }) => {
  console.log(printable(`${address} is ${cost === 0 ? "gone" : "here"}`));
});

/** Values by service and device. */
const kept: Map<string, string> = new Map();
router.registerService("kept", () => {
  return JSON.stringify([...kept].map(([key, value]) => [...JSON.parse(key), value]));
});

const mqtt = await joinBroker(router, broker);
mqtt.on("message", (topic, payload) => {
  const [, service, device] = /^home\/(temperature|light)\/([^/]+)$/.exec(topic) ?? [];
  if (service === undefined || device === undefined || payload.length > MAX_VALUE) return;
  const key = JSON.stringify([service, decodeURIComponent(device)]);
  if (payload.length === 0) kept.delete(key); // So one has a broker forget.
  else if (kept.has(key) || kept.size < MAX_KEPT) kept.set(key, new TextDecoder().decode(payload));
});
await mqtt.subscribeAsync(["temperature", "light"].map((service) => `home/${service}/+`));

const panels = await listen(http, router, servePage("examples/home/page"));
process.on("SIGINT", async () => {
  await Promise.all([panels.close(), router.close()]);
  await mqtt.endAsync();
  process.exit(0);
});
console.log(`panel at http://localhost:${panels.address.port}/`);
