/**
 * Link frames as lists of records, for tests that compare them as a whole.
 */

import {
  decodeLinkFrame,
  type LinkFrameVisitor,
  type LinkFrameWriter,
} from "../../src/wire/link_frame.ts";
import type { LinkRecord } from "./fuzz.ts";

const KINDS = [
  "route",
  "service",
  "seqRequest",
  "ping",
  "pong",
  "digest",
  "resync",
  "bye",
] as const;

/** What a frame says. What is read before it turns out to be broken is in `records` all the same. */
export function recordsOf(frame: Uint8Array, records: LinkRecord[] = []): LinkRecord[] {
  const told: unknown[] = records;
  const visitor = Object.fromEntries(
    KINDS.map((kind) => [kind, (...values: unknown[]) => told.push([kind, ...values])]),
  );
  decodeLinkFrame(frame, visitor as unknown as LinkFrameVisitor);
  return records;
}

/** Writes a record, if it fits. */
export function write(writer: LinkFrameWriter, [kind, ...values]: LinkRecord): boolean {
  return (writer[kind] as (...values: unknown[]) => boolean).apply(writer, values);
}

/** A frame that says this. */
export function frameOf(writer: LinkFrameWriter, records: readonly LinkRecord[]): Uint8Array {
  for (const record of records) {
    if (!write(writer, record)) throw new Error(`${record[0]} does not fit`);
  }
  return writer.finish();
}
