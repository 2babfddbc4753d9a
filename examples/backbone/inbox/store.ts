/**
 * {@linkcode openStore}: letters in a stream of JetStream, on disk, each until it has been taken.
 *
 * @module
 */

import { load } from "../packages.ts";
import type { JetStream, Nats, StoredMessage } from "../nats.ts";

const STREAM = "INBOX";
const MAX_BYTES = 64 << 20; // Of all letters that wait; who sends more is told so.
const REPEAT_WINDOW = 600_000; // ms in which a letter that is sent again is known.
const PUT_TIMEOUT = 2_000; // ms; callers wait for 5 s.
const PULL_TIME = 5_000; // ms until we ask again.

const NANOS = 1_000_000; // in a ms

/** The letters. */
export interface Store {
  /** Stores a letter, once for each id; resolves when it is on disk. */
  put(service: string, id: string, data: Uint8Array): Promise<{ seq: number; duplicate: boolean }>;
  /** The first letter for a service, once the one before is done; `null` if there is none for now. */
  next(service: string): Promise<StoredMessage | null>;
}

/**
 * Opens the stream, and makes it if need be.
 *
 * @param holdTime How long whoever has taken a letter may be silent before another gets it, in ms.
 */
export async function openStore(nats: Nats, services: string[], holdTime: number): Promise<Store> {
  const { jetstreamManager } = await load<JetStream>("@nats-io/jetstream");
  const manager = await jetstreamManager(nats);
  await manager.streams.add({
    name: STREAM,
    subjects: ["inbox.*"],
    retention: "workqueue",
    storage: "file",
    max_bytes: MAX_BYTES,
    discard: "new",
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
  const js = manager.jetstream();
  return {
    put: (service, id, data) =>
      js.publish(`inbox.${service}`, data, { msgID: `${service}/${id}`, timeout: PUT_TIMEOUT }),
    async next(service) {
      try {
        const consumer = await js.consumers.get(STREAM, service);
        return await consumer.next({ expires: PULL_TIME });
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 1_000)); // NATS is lost; it comes back.
        return null;
      }
    },
  };
}
