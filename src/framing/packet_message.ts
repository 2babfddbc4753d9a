/**
 * Packets in WebSocket messages: JSON as text or as bytes, a bare packet, or KISS frames.
 *
 * @module
 */

import { PacketError } from "../errors.ts";
import { MAX_JSON_LENGTH } from "../wire/limits.ts";
import { Packet } from "../wire/packet.ts";
import { parsePacket } from "../wire/packet_codec.ts";
import { KissDecoder } from "./kiss.ts";

/** Largest message, in bytes: the longest text of a packet. */
export const MAX_MESSAGE_SIZE = MAX_JSON_LENGTH;

const OPEN_BRACE = 0x7b; // No packet begins with it.
const FRAME_END = 0xc0;
const text = new TextDecoder();

/**
 * Decodes one message, whichever form its sender has chosen.
 *
 * @throws {PacketError} If it is no packet.
 */
export function decodeMessage(data: string | Uint8Array, repair: boolean): Packet[] {
  if (typeof data === "string") return [Packet.fromJson(data)];
  if (data.length > MAX_MESSAGE_SIZE) {
    const why = `${data.length} bytes are more than ${MAX_MESSAGE_SIZE}`;
    throw new PacketError("ERR_PACKET_FRAME", `Cannot accept message: ${why}`, MAX_MESSAGE_SIZE);
  }
  if (data[0] === OPEN_BRACE) return [Packet.fromJson(text.decode(data))];
  const bare = data.at(-1) !== FRAME_END || isExact(data);
  const packets = bare ? [data] : new KissDecoder().push(data);
  return packets.map((packet) => Packet.fromBinary(packet, { repair }));
}

/** Whether the bytes are one packet, no more and no less. */
function isExact(bytes: Uint8Array): boolean {
  try {
    return parsePacket(bytes).size === bytes.length;
  } catch {
    return false;
  }
}
