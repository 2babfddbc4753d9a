/**
 * An engine's own client that asks and answers, as little as that takes: `request()` of NATS; for the
 * others two topics, and a number in front of each message, u32, by which an answer finds its question.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Client, Place } from "./client.ts";
import { connectMqtt, connectRedis } from "./engines.ts";
import { connect as connectNats } from "./nats.ts";

const QUESTIONS = "bench";
const ANSWERS = "answer";

/** What an engine does. */
interface Engine {
  subscribe(topic: string, onMessage: (message: Uint8Array) => void): Promise<unknown>;
  publish(topic: string, message: Uint8Array): void;
}

/** Connects; see {@linkcode Client}. */
export async function connect(place: Place): Promise<Client> {
  if (place.engine === "nats") return await connectNats(place);
  const { subscribe, publish } = await (place.engine === "mosquitto" ? mqtt(place) : redis(place));
  const waiting: Map<number, () => void> = new Map();
  let asked = 0;
  return {
    ready: () =>
      subscribe(ANSWERS, (message) => {
        const id = viewOf(message).getUint32(0);
        waiting.get(id)?.();
        waiting.delete(id);
      }),
    subscribe: (onMessage) => subscribe(QUESTIONS, onMessage),
    publish: (data) => publish(QUESTIONS, data),
    answer: () => subscribe(QUESTIONS, (message) => publish(ANSWERS, message)),
    request(data) {
      const id = asked++;
      const message = Buffer.alloc(4 + data.length);
      message.writeUInt32BE(id);
      message.set(data, 4);
      publish(QUESTIONS, message);
      return new Promise<void>((resolve) => void waiting.set(id, resolve));
    },
  };
}

async function mqtt(place: Place): Promise<Engine> {
  const client = await connectMqtt(place);
  return {
    subscribe(topic, onMessage) {
      client.on("message", (_topic: string, message: Uint8Array) => onMessage(message));
      return client.subscribeAsync(topic);
    },
    publish: (topic, message) => client.publish(topic, message),
  };
}

function redis(place: Place): Engine {
  const [publisher, subscriber] = connectRedis(place);
  return {
    subscribe(topic, onMessage) {
      subscriber.on(
        "messageBuffer",
        (_channel: Uint8Array, message: Uint8Array) => onMessage(message),
      );
      return subscriber.subscribe(topic);
    },
    publish: (topic, message) => publisher.publish(topic, message),
  };
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
