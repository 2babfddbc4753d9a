/**
 * What it costs to encode, decode and frame one packet, beside the least that any codec could do:
 * one copy of its bytes.
 */

import { encodeFrame, KissDecoder } from "../../src/framing/kiss.ts";
import { Packet } from "../../src/wire/packet.ts";

for (const size of [64, 1_024, 16_384]) {
  const packet = new Packet({
    srv: "echo",
    src: "edge-17",
    dst: "server-3",
    nxt: "hub",
    ctx: 4_711,
    data: Uint8Array.from({ length: size }, (_, i) => 32 + i % 90), // Nothing to escape.
  });
  const bytes = packet.toBinary();
  const frame = encodeFrame(bytes);
  const json = packet.toJson();
  const decoder = new KissDecoder();
  const group = `${size} bytes of data`;

  Deno.bench("control: copy the bytes", { group, baseline: true }, () => void bytes.slice());
  Deno.bench("encode", { group }, () => void packet.toBinary());
  Deno.bench("decode", { group }, () => void Packet.fromBinary(bytes));
  Deno.bench("frame", { group }, () => void encodeFrame(bytes));
  Deno.bench("unframe", { group }, () => void decoder.push(frame));
  Deno.bench("encode JSON", { group }, () => void packet.toJson());
  Deno.bench("decode JSON", { group }, () => void Packet.fromJson(json));
}
