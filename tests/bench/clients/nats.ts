/**
 * NATS' own client.
 *
 * @module
 */

import { createRequire } from "node:module";
import type { Client, Place } from "./client.ts";

const SUBJECT = "bench";

/** Connects; see {@linkcode Client}. */
export async function connect({ transport, port, packages }: Place): Promise<Client> {
  const require = createRequire(`${packages}/package.json`);
  const nats = require("@nats-io/transport-node");
  const connection = transport === "ws"
    ? await nats.wsconnect({ servers: `ws://127.0.0.1:${port}` })
    : await nats.connect({ servers: `127.0.0.1:${port}` });
  return {
    ready: () => connection.flush(),
    subscribe(onMessage) {
      connection.subscribe(SUBJECT, { callback: onMessage });
      return connection.flush();
    },
    publish: (data) => connection.publish(SUBJECT, data),
    answer() {
      connection.subscribe(SUBJECT, {
        callback(_error: unknown, message: { data: Uint8Array; respond(data: Uint8Array): void }) {
          message.respond(message.data);
        },
      });
      return connection.flush();
    },
    request: (data) => connection.request(SUBJECT, data, { timeout: 10_000 }),
  };
}
