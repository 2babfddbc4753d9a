/**
 * Packets in WebSocket messages: JSON as text or as bytes, a bare packet, or KISS frames.
 *
 * @module
 */

import { PacketError } from "../errors.ts";
import { MAX_JSON_LENGTH } from "../wire/limits.ts";
import { decodePart, Packet } from "../wire/packet.ts";
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
 * @param data Borrowed by the packets.
 * @param onDrop Told of each frame that is no packet, where a message has several; others are
 *   decoded all the same. Without it they count as one.
 * @throws {PacketError} If it is no packet.
 */
export function decodeMessage(
  data: string | Uint8Array,
  repair: boolean,
  onDrop: (error: PacketError) => void = rethrow,
): Packet[] {
  if (typeof data === "string") return [Packet.fromJson(data)];
  if (data.length > MAX_MESSAGE_SIZE) {
    const why = `${data.length} bytes are more than ${MAX_MESSAGE_SIZE}`;
    throw new PacketError("ERR_PACKET_FRAME", `Cannot accept message: ${why}`, MAX_MESSAGE_SIZE);
  }
  if (data[0] === OPEN_BRACE) return [Packet.fromJson(text.decode(data))];
  const bare = data.at(-1) !== FRAME_END || isExact(data);
  if (bare) return [Packet.fromBinary(data, { repair })];
  const packets: Packet[] = [];
  new KissDecoder({ onDrop }).scan(data, (bytes, start, end) => {
    try {
      packets.push(decodePart(bytes, start, end, repair));
    } catch (error) {
      onDrop(error as PacketError);
    }
  });
  return packets;
}

function rethrow(error: PacketError): never {
  throw error;
}

/** Whether the bytes are one packet, no more and no less. */
function isExact(bytes: Uint8Array): boolean {
  try {
    return parsePacket(bytes).size === bytes.length;
  } catch {
    return false;
  }
}
