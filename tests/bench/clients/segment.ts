/**
 * Our router on a segment of an engine.
 *
 * @module
 */

import { Router } from "../../../mod.ts";
import { type Bus, BusChannel, mqttBus, natsBus, redisBus } from "../../../src/bus/mod.ts";
import type { Client, Place } from "./client.ts";
import { connectMqtt, connectNats, connectRedis } from "./engines.ts";
import { clientOf } from "./ours.ts";

/** Connects; see {@linkcode Client}. */
export async function connect(place: Place): Promise<Client> {
  const router = new Router(place.role);
  router.addChannel(new BusChannel(await busOf(place)));
  return clientOf(router);
}

async function busOf(place: Place): Promise<Bus> {
  if (place.engine === "nats") return natsBus(await connectNats(place));
  if (place.engine === "mosquitto") return mqttBus(await connectMqtt(place));
  return redisBus(...connectRedis(place));
}
