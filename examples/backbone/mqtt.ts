/**
 * MQTT, as far as the examples use it: its types, a connection on which a router stands on a segment,
 * and values that the broker keeps.
 *
 * @module
 */

import type { Router } from "../../mod.ts";
import { BusChannel, mqttBus, type MqttLike, mqttWill, topicOf } from "../../src/bus/mod.ts";
import type { LiveValue } from "../home/live_value.ts";
import { load } from "./packages.ts";

/** Which segment of the broker. */
const NETWORK = "home";

/** A connection, which comes back by itself. */
export interface Mqtt extends MqttLike {
  publish(
    topic: string,
    payload: unknown,
    options: { qos: 0; retain?: boolean },
    callback?: () => void,
  ): unknown;
  endAsync(): Promise<void>;
}

/** The part of the package `mqtt` that is used here. */
interface Client {
  connect(url: string, options: object): Mqtt;
}

/** Has a router stand on the segment of a broker, such as `mqtt://127.0.0.1:1883`, and says so. */
export async function joinBroker(router: Router, url: string): Promise<Mqtt> {
  const { connect } = await load<Client>("mqtt");
  const { address } = router;
  const will = mqttWill(address, { network: NETWORK }); // If we are killed, the broker says goodbye.
  const mqtt = connect(url, {
    will,
    protocolVersion: 5,
    keepalive: 5, // s; who is silent for half as long again is dead.
    reconnectPeriod: 1_000,
    queueQoSZero: false, // What could not be published is out of date when it could be.
  });
  mqtt.on("connect", () => console.log(`${address} joined ${url}`));
  mqtt.on("error", ({ message }) => console.error(`${address}: ${message}`));
  router.addChannel(new BusChannel(mqttBus(mqtt), { network: NETWORK, will }));
  return mqtt;
}

/** Where a device's value is kept, for every program that speaks MQTT: `home/temperature/kitchen`. */
export function topicFor(service: string, device: string): string {
  return topicOf(["home", service, device], "/");
}

/** Has the broker keep a value, and whatever it becomes, until the signal aborts. */
export async function keep(
  mqtt: Mqtt,
  topic: string,
  value: LiveValue,
  signal: AbortSignal,
): Promise<void> {
  const publish = () => void mqtt.publish(topic, value.now, { qos: 0, retain: true });
  mqtt.on("connect", publish); // It may be another broker, or have forgotten.
  try {
    for await (const _ of value.watch(signal)) publish();
  } finally {
    mqtt.removeListener("connect", publish);
  }
}
