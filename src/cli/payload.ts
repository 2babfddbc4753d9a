/**
 * What a verb sends, and how what comes back is printed.
 *
 * @module
 */

import type { Packet } from "../wire/packet.ts";
import { UsageError } from "./exit.ts";
import { inputChunks, readInput } from "./hosting.ts";
import type { Output } from "./output.ts";
import { payloadField, printable, textOrNull } from "./text.ts";
import type { Arguments, OptionSpecs } from "./verb.ts";

/** The largest payload that is put together, in bytes: a router's own limit. */
export const MAX_PAYLOAD = 1 << 26;

/** Options of verbs that send something. */
export const SENDING: OptionSpecs = {
  file: { value: "FILE", short: "f", help: "send what is in a file" },
};

/** What to send: an argument, a file, or, for "-", the standard input. */
export async function payloadOf(
  options: Arguments,
  data: string | undefined,
): Promise<Uint8Array | string | undefined> {
  const file = options.text("file");
  if (file !== undefined && data !== undefined) {
    throw new UsageError("Cannot send both an argument and a file");
  }
  if (file !== undefined) return await readInput(file, MAX_PAYLOAD);
  return data === "-" ? await readInput(null, MAX_PAYLOAD) : data;
}

/** The same piece by piece, as it is read. */
export function uploadOf(options: Arguments, data: string | undefined): AsyncIterable<Uint8Array> {
  const file = options.text("file");
  if (file === undefined && data !== "-") {
    throw new UsageError('Cannot upload: --upload needs --file FILE, or "-"');
  }
  return inputChunks(file ?? null);
}

/** Prints a reply of which there may be more: on lines of its own, be it text or not. */
export function printItem(out: Output, packet: Packet, withSource: boolean): void {
  if (out.json) return out.value({ address: packet.src, ...payloadField(packet.data) });
  const source = withSource ? `${printable(packet.src)}\t` : "";
  const text = textOrNull(packet.data);
  if (text === null) {
    if (source) out.bytes(encoder.encode(source));
    out.bytes(packet.data);
    out.line("");
  } else out.line(source + (out.terminal ? printable(text, "\n\t") : text).replace(/\n$/, ""));
}

/** Prints the only reply: byte by byte, unless it is for a terminal. */
export function printReply(out: Output, packet: Packet, time: number): void {
  if (out.json) {
    const ms = Math.round(time * 1_000) / 1_000;
    return out.value({ address: packet.src, time: ms, ...payloadField(packet.data) });
  }
  if (!out.terminal) return out.bytes(packet.data);
  const text = textOrNull(packet.data);
  if (text === null) out.note(`${packet.data.length} bytes that are no text: send them to a file`);
  else if (text !== "") out.line(printable(text, "\n\t").replace(/\n$/, ""));
}

const encoder = new TextEncoder();
