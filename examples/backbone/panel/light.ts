/**
 * A lamp on a segment of MQTT, simulated: offers `light`, which can be switched "on" and "off", asked,
 * and watched. The broker keeps its state at `home/light/hall`, and whatever speaks MQTT switches it by
 * `home/light/hall/set`.
 *
 *     deno run --allow-net --allow-env examples/backbone/panel/light.ts hall
 *     bun run examples/backbone/panel/light.ts hall
 *     node examples/backbone/panel/light.ts hall
 *
 * Another broker than this machine's is the second argument, such as `mqtt://10.0.0.2`.
 *
 * @module
 */

import process from "node:process";
import { Router } from "../../../mod.ts";
import { LiveValue } from "../../home/live_value.ts";
import { printable } from "../../printable.ts";
import { joinBroker, keep, topicFor } from "../mqtt.ts";

const [room = "hall", broker = "mqtt://127.0.0.1:1883"] = process.argv.slice(2);

const lamp = new LiveValue("off");

function turn(wish: string, who: string): void {
  if (wish !== "on" && wish !== "off") throw new RangeError(`a light can be "on" or "off"`);
  lamp.now = wish;
  console.log(printable(`${room} is ${wish}, as ${who} likes it`));
}

const router = new Router(room);
router.registerService("light", (packet, _reply, { signal }) => {
  const wish = packet.text();
  if (wish === "watch") return lamp.watch(signal);
  if (wish !== "") turn(wish, packet.src); // What it throws is the caller's error.
  return lamp.now;
});

const mqtt = await joinBroker(router, broker);
const topic = topicFor("light", room);
mqtt.on("message", (where, payload) => {
  if (where !== `${topic}/set`) return;
  try {
    turn(new TextDecoder().decode(payload), "MQTT");
  } catch (error) {
    console.error(printable(`${room}: ${(error as Error).message}`)); // MQTT has no answers.
  }
});
mqtt.subscribeAsync(`${topic}/set`).catch(({ message }) => console.error(`${room}: ${message}`));
process.on("SIGINT", async () => {
  await router.close();
  await mqtt.endAsync();
  process.exit(0);
});
await keep(mqtt, topic, lamp, router.signal);
