/**
 * What callers give to be sent: one payload, or many that come by and by.
 *
 * @module
 */

import { encodeUtf8 } from "../wire/bytes.ts";
import { PacketError } from "../errors.ts";
import type { PacketData } from "../wire/packet.ts";

/** Many payloads: an async iterable, such as a generator, or a stream. */
export type PacketDataStream = AsyncIterable<PacketData> | ReadableStream<PacketData>;

/** Whether something gives many payloads. */
export function isStream(data: unknown): data is PacketDataStream {
  return typeof data === "object" && data !== null &&
    (Symbol.asyncIterator in data || "getReader" in data);
}

/** Whether something is one payload. */
export function isData(data: unknown): data is PacketData {
  return typeof data === "string" || data instanceof Uint8Array || data instanceof ArrayBuffer;
}

/** An iterator over many payloads. One over a stream can be ended while it waits for more. */
export function iterate(stream: PacketDataStream): AsyncIterator<PacketData> {
  if (!("getReader" in stream)) return stream[Symbol.asyncIterator]();
  const reader = stream.getReader();
  return {
    next: () => reader.read() as Promise<IteratorResult<PacketData>>,
    return: async () => {
      await reader.cancel();
      return { done: true, value: undefined };
    },
  };
}

/** Ends an iterator before its end. Whatever it does, nothing is thrown: the promise rejects. */
export async function endEarly(iterator: AsyncIterator<unknown>): Promise<void> {
  await iterator.return?.();
}

/** The bytes of one payload; those of an array are borrowed. */
export function bytesOf(data: unknown): Uint8Array {
  if (typeof data === "string") return encodeUtf8(data);
  if (data instanceof Uint8Array) return data;
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  throw new PacketError(
    "ERR_PACKET_FIELD",
    "Cannot accept data: it is not a string, a Uint8Array or an ArrayBuffer",
  );
}

/** Items of a stream, in order; whoever stops early cancels it. */
export async function* readAll<Item>(
  stream: ReadableStream<Item>,
): AsyncGenerator<Item, undefined> {
  const reader = stream.getReader();
  let over = false;
  try {
    for (;;) {
      over = true; // If this fails or is the end, there is nothing to cancel.
      const result = await reader.read();
      if (result.done) return undefined;
      over = false;
      yield result.value;
    }
  } finally {
    if (!over) await reader.cancel();
    reader.releaseLock();
  }
}
