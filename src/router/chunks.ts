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

/** An iterator over many payloads, also where streams have none of their own. */
export function iterate(stream: PacketDataStream): AsyncIterator<PacketData> {
  if (Symbol.asyncIterator in stream) return stream[Symbol.asyncIterator]();
  return readAll(stream as ReadableStream<PacketData>);
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
  let done = false;
  try {
    for (;;) {
      const result = await reader.read();
      if (result.done) break;
      yield result.value;
    }
    done = true;
    return undefined;
  } catch (error) {
    done = true; // It has failed by itself: there is nothing to cancel.
    throw error;
  } finally {
    if (!done) await reader.cancel();
    reader.releaseLock();
  }
}
