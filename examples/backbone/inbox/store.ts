/**
 * {@linkcode openStore}: letters in a stream of JetStream, on disk, each until it has been taken.
 *
 * @module
 */

import type { Nats } from "../nats.ts";
import { load } from "../packages.ts";
import type { JetStreamPackage, Stored, StoredMessage } from "./jetstream.ts";

const STREAM = "INBOX";
const MAX_BYTES = 64 << 20; // Of all letters that wait; whoever sends more is told so.
const REPEAT_WINDOW = 600_000; // ms in which a letter that is sent again is known.
const PUT_TIMEOUT = 2_000; // ms; callers wait for 5 s.
const PULL_TIME = 5_000; // ms until we ask again.
const PAUSE = 1_000; // ms until we do, if the server cannot be asked.

const NANOS = 1_000_000; // in a ms

/** The letters. */
export interface Store {
  /** Stores a letter, once for each id; resolves when it is stored. */
  put(service: string, id: string, data: Uint8Array): Promise<Stored>;
  /** The first letter for a service, once the one before is done; `null` if there is none for now. */
  next(service: string): Promise<StoredMessage | null>;
}

/**
 * Opens the stream, and makes it if need be.
 *
 * @param holdTime How long whoever has taken a letter may be silent before it is given out again, in
 *   ms.
 * @throws If the server has no JetStream.
 */
export async function openStore(nats: Nats, services: string[], holdTime: number): Promise<Store> {
  const { jetstreamManager } = await load<JetStreamPackage>("@nats-io/jetstream");
  const manager = await jetstreamManager(nats);
  await manager.streams.add({
    name: STREAM,
    subjects: ["inbox.*"],
    retention: "workqueue",
    storage: "file",
    max_bytes: MAX_BYTES,
    discard: "new", // What does not fit is refused; nothing makes room for it.
    duplicate_window: REPEAT_WINDOW * NANOS,
  });
  for (const service of services) {
    await manager.consumers.add(STREAM, {
      durable_name: service,
      filter_subject: `inbox.${service}`,
      ack_policy: "explicit",
      ack_wait: holdTime * NANOS,
      max_ack_pending: 1, // So the order stays, whoever fails, and however many inboxes there are.
    });
  }
  const jetstream = manager.jetstream();
  return {
    put(service, id, data) {
      const options = { msgID: `${service}/${id}`, timeout: PUT_TIMEOUT };
      return jetstream.publish(`inbox.${service}`, data, options);
    },
    async next(service) {
      try {
        const consumer = await jetstream.consumers.get(STREAM, service);
        return await consumer.next({ expires: PULL_TIME });
      } catch {
        await new Promise((resolve) => setTimeout(resolve, PAUSE)); // It will come back.
        return null;
      }
    },
  };
}
