/**
 * {@linkcode replies}: what a worker behind NATS answers, one message or several.
 *
 * @module
 */

import type { Nats } from "../nats.ts";

/** Messages that may answer one question. */
const MAX_REPLIES = 10_000;

/** What the server says by itself when nobody has subscribed. */
const NO_RESPONDERS = 503;

/** Nobody works on this. */
export class NobodyWorks extends Error {}

/**
 * Asks whoever has subscribed to a subject; yields the answers, until an empty message ends them.
 *
 * @param silence How long to wait for the first and for each next one, in ms.
 * @throws {NobodyWorks} At once, if nobody has subscribed.
 * @throws If the worker is silent, or says too much; the signal's reason, if it aborts.
 */
export async function* replies(
  nats: Nats,
  subject: string,
  data: Uint8Array,
  { signal, silence }: { signal: AbortSignal; silence: number },
): AsyncGenerator<Uint8Array, void> {
  signal.throwIfAborted();
  const inbox = `_INBOX.${crypto.randomUUID()}`;
  const subscription = nats.subscribe(inbox, { max: MAX_REPLIES });
  const stop = () => subscription.unsubscribe();
  signal.addEventListener("abort", stop);
  let why = `a worker sent ${MAX_REPLIES} replies and no end`;
  const late = () => {
    why = `no worker has said anything for ${silence / 1_000} s`;
    stop();
  };
  let timer = setTimeout(late, silence);
  try {
    nats.publish(subject, data, { reply: inbox });
    for await (const message of subscription) {
      clearTimeout(timer);
      if (message.headers?.code === NO_RESPONDERS) {
        throw new NobodyWorks(`nobody works on "${subject}"`);
      }
      if (message.data.length === 0) return;
      yield message.data; // Here it waits for as long as the caller does not read.
      timer = setTimeout(late, silence);
    }
    signal.throwIfAborted();
    throw new Error(why);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
    stop();
  }
}
