/**
 * The clients of engines, as programs have them.
 *
 * @module
 */

import { createRequire } from "node:module";
import type { Place } from "./client.ts";

/** Loads one of them. */
// deno-lint-ignore no-explicit-any -- Their types are not here.
function load({ packages }: Place, name: string): any {
  return createRequire(`${packages}/package.json`)(name);
}

/** Connects to NATS. */
export function connectNats(place: Place) {
  return load(place, "@nats-io/transport-node").connect({ servers: `127.0.0.1:${place.port}` });
}

/** Connects to an MQTT broker. */
export function connectMqtt(place: Place) {
  return load(place, "mqtt").connectAsync(`mqtt://127.0.0.1:${place.port}`, { protocolVersion: 5 });
}

/** Connects to Redis: to publish, and to subscribe. */
export function connectRedis(place: Place) {
  const { Redis } = load(place, "ioredis");
  return [new Redis(place.port), new Redis(place.port)] as const;
}
