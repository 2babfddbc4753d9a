/**
 * Packets as JSON text, one object per WebSocket message.
 *
 * Peers write three dialects: every key always, with `0`, `""` and `null` for absent fields (Node,
 * browser); only what is present, and `sz` for the size (Go); `null` everywhere (Python). All are
 * read; `cf` and the sizes are never believed. We write only what is present, with `cf` as the
 * control word that the same packet has in bytes, and `data_sz`. A trailer is the key `xt`, which no
 * old peer looks at.
 *
 * Pure functions. Source: src/wire/README.md, "JSON".
 *
 * @module
 */

import { PacketError } from "../errors.ts";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { NO_BYTES } from "./bytes.ts";
import { encodeControlWord } from "./control_flags.ts";
import { MAX_JSON_LENGTH } from "./limits.ts";
import { badField, checkFields, type PacketFields } from "./packet_codec.ts";
import { decodeTrailer, encodeTrailer, type Trailer } from "./trailer.ts";

/** In the order in which they are written. */
const NAMES = ["srv", "src", "dst", "nxt"] as const;
const NUMBERS = ["seq", "ack", "ctx", "typ"] as const;

/**
 * Writes a packet as JSON text.
 *
 * @throws {PacketError} `ERR_PACKET_FIELD` if a value does not fit its field.
 *
 * @example
 * ```ts
 * import { encodePacketJson, Packet } from "@aln/mesh/wire";
 * import assert from "node:assert/strict";
 *
 * const text = encodePacketJson(new Packet({ srv: "ping", data: "hi" }));
 * assert.equal(text, '{"cf":29186,"srv":"ping","data_sz":2,"data":"aGk="}');
 * ```
 */
export function encodePacketJson(fields: PacketFields): string {
  const object: Record<string, string | number> = { cf: encodeControlWord(checkFields(fields)) };
  if (fields.net) object.net = fields.net;
  for (const key of NAMES) if (fields[key]) object[key] = fields[key];
  for (const key of NUMBERS) if (fields[key]) object[key] = fields[key];
  if (fields.data.length > 0) {
    object.data_sz = fields.data.length;
    object.data = encodeBase64(fields.data);
  }
  if (fields.trailer) object.xt = encodeBase64(encodeTrailer(fields.trailer));
  return JSON.stringify(object);
}

/**
 * Reads a packet from JSON text in any peer's dialect.
 *
 * @returns Its fields, owned by the caller.
 * @throws {PacketError} `ERR_PACKET_JSON` if the text is no JSON object of a bearable length, or
 *   the payload no base64; `ERR_PACKET_FIELD` if a value does not fit its field.
 */
export function decodePacketJson(text: string): PacketFields {
  if (text.length > MAX_JSON_LENGTH) {
    throw new PacketError(
      "ERR_PACKET_JSON",
      `Cannot decode JSON: ${text.length} characters, more than ${MAX_JSON_LENGTH}`,
      MAX_JSON_LENGTH,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new PacketError("ERR_PACKET_JSON", "Cannot decode JSON: it does not parse");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new PacketError("ERR_PACKET_JSON", "Cannot decode JSON: it is not an object");
  }
  const object = value as Record<string, unknown>;
  const fields: PacketFields = {
    net: (object.net ?? 0) as number,
    srv: (object.srv ?? "") as string,
    src: (object.src ?? "") as string,
    dst: (object.dst ?? "") as string,
    nxt: (object.nxt ?? "") as string,
    seq: (object.seq ?? 0) as number,
    ack: (object.ack ?? 0) as number,
    ctx: (object.ctx ?? 0) as number,
    typ: (object.typ ?? 0) as number,
    data: decodeData(object.data ?? ""),
  };
  const trailer = decodeXt(object.xt);
  if (trailer !== null) fields.trailer = trailer;
  checkFields(fields); // Makes true what the casts above claim.
  return fields;
}

function decodeData(data: unknown): Uint8Array {
  if (typeof data !== "string") throw badField("data", "it is not base64 text");
  return data === "" ? NO_BYTES : decodeBase64(data);
}

/** The trailer, or `null` if there is none that can be read: a packet is not lost over it. */
function decodeXt(xt: unknown): Trailer | null {
  if (typeof xt !== "string") return null;
  try {
    return decodeTrailer(decodeBase64(xt));
  } catch {
    return null;
  }
}
