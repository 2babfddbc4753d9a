/**
 * `mqtt`, the client that Node programs use. Answers come in order, each for the oldest question.
 *
 * @module
 */

import { createRequire } from "node:module";
import type { Client, Place } from "./client.ts";

/** Connects; see {@linkcode Client}. */
export async function connect({ port, packages }: Place): Promise<Client> {
  const mqtt = createRequire(`${packages}/package.json`)("mqtt");
  const connection = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`);
  const waiting: (() => void)[] = [];
  let first = 0;
  let answers = false;
  return {
    ready: () => Promise.resolve(),
    subscribe(onMessage) {
      connection.on("message", onMessage);
      return connection.subscribeAsync("bench");
    },
    publish: (data) => void connection.publish("bench", data),
    answer() {
      connection.on("message", (_topic: string, data: Uint8Array) => {
        connection.publish("answer", data);
      });
      return connection.subscribeAsync("bench");
    },
    async request(data) {
      if (!answers) {
        answers = true;
        connection.on("message", () => {
          waiting[first]!();
          if (++first === 4_096) waiting.splice(0, first), first = 0;
        });
        await connection.subscribeAsync("answer");
      }
      connection.publish("bench", data);
      return new Promise<void>((resolve) => void waiting.push(resolve));
    },
  };
}
