/**
 * A thermometer on a segment of MQTT, simulated: offers `temperature`, which a caller may ask or
 * watch, and has the broker keep its last value at `home/temperature/kitchen`. One for each room:
 *
 *     deno run --allow-net --allow-env examples/backbone/panel/sensor.ts kitchen 21.5
 *     bun run examples/backbone/panel/sensor.ts kitchen 21.5
 *     node examples/backbone/panel/sensor.ts kitchen 21.5
 *
 * Another broker than this machine's is the third argument, such as `mqtt://10.0.0.2`.
 *
 * @module
 */

import process from "node:process";
import { Router } from "../../../mod.ts";
import { LiveValue } from "../../home/live_value.ts";
import { joinBroker, keep, topicFor } from "../mqtt.ts";

const [room = "kitchen", start = "21.5", broker = "mqtt://127.0.0.1:1883"] = process.argv.slice(2);

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

const mqtt = await joinBroker(router, broker);
process.on("SIGINT", async () => {
  await router.close();
  await mqtt.endAsync();
  process.exit(0);
});
await keep(mqtt, topicFor("temperature", room), reading, router.signal);
