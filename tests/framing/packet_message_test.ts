import assert from "node:assert/strict";
import { test } from "node:test";
import { Packet, PacketError } from "../../mod.ts";
import { encodeFrame } from "../../src/framing/kiss.ts";
import { decodeMessage, MAX_MESSAGE_SIZE } from "../../src/framing/packet_message.ts";
import { Chance, mutateBytes, randomPacket } from "../support/fuzz.ts";
import { concat } from "../wire/hex.ts";

const PING = new Packet({ srv: "ping", src: "a", ctx: 7, data: "héllo" });
/** Its last byte is a delimiter's, as if it were a frame. */
const LOOKALIKE = new Packet({ srv: "ping", data: Uint8Array.of(1, 0xc0) });
const utf8 = (text: string) => new TextEncoder().encode(text);

const FORMS: [what: string, message: string | Uint8Array, packets: Packet[]][] = [
  ["JSON as text", PING.toJson(), [PING]],
  ["JSON as bytes", utf8(PING.toJson()), [PING]],
  ["a bare packet", PING.toBinary(), [PING]],
  ["a bare packet with a checksum", PING.toBinary({ crc: true }), [PING]],
  ["a bare packet that ends like a frame", LOOKALIKE.toBinary(), [LOOKALIKE]],
  ["a frame", encodeFrame(PING.toBinary()), [PING]],
  ["a frame of a packet that ends like one", encodeFrame(LOOKALIKE.toBinary()), [LOOKALIKE]],
  [
    "several frames, empty ones among them",
    concat(
      Uint8Array.of(0xc0),
      encodeFrame(PING.toBinary()),
      Uint8Array.of(0xc0, 0xc0),
      encodeFrame(LOOKALIKE.toBinary()),
    ),
    [PING, LOOKALIKE],
  ],
  ["delimiters alone", Uint8Array.of(0xc0, 0xc0), []],
  ["the middle of a larger buffer", concat(Uint8Array.of(9), PING.toBinary()).subarray(1), [PING]],
  ["the least that is a packet", new Packet().toBinary(), [new Packet()]],
];
for (const [what, message, packets] of FORMS) {
  test(`decodeMessage() understands ${what}`, () => {
    for (const repair of [true, false]) assert.deepEqual(decodeMessage(message, repair), packets);
  });
}

const REFUSED: [what: string, message: string | Uint8Array, code: string][] = [
  ["no text", "", "ERR_PACKET_JSON"],
  ["text that is no JSON", "hello", "ERR_PACKET_JSON"],
  ["JSON that is no packet", "[1]", "ERR_PACKET_JSON"],
  ["JSON with a field that does not fit", '{"ctx":65536}', "ERR_PACKET_FIELD"],
  ["text beyond the limit", `{"srv":"${"x".repeat(MAX_MESSAGE_SIZE)}"}`, "ERR_PACKET_JSON"],
  ["broken JSON as bytes", utf8('{"srv":'), "ERR_PACKET_JSON"],
  [
    "JSON as bytes that are no UTF-8",
    concat(utf8('{"srv":"'), Uint8Array.of(0xff)),
    "ERR_PACKET_JSON",
  ],
  ["bytes beyond the limit", new Uint8Array(MAX_MESSAGE_SIZE + 1), "ERR_PACKET_FRAME"],
  ["JSON as bytes beyond the limit", utf8("{".repeat(MAX_MESSAGE_SIZE + 1)), "ERR_PACKET_FRAME"],
  ["no bytes", new Uint8Array(0), "ERR_PACKET_TRUNCATED"],
  ["a packet cut short", PING.toBinary().subarray(0, 5), "ERR_PACKET_TRUNCATED"],
  [
    "a frame of a packet cut short",
    encodeFrame(PING.toBinary().subarray(0, 5)),
    "ERR_PACKET_TRUNCATED",
  ],
];
for (const [what, message, code] of REFUSED) {
  test(`decodeMessage() refuses ${what} with ${code}`, () => {
    for (const repair of [true, false]) {
      assert.throws(() => decodeMessage(message, repair), (error: PacketError) => {
        assert.ok(error instanceof PacketError);
        assert.equal(error.code, code);
        return true;
      });
    }
  });
}

test("decodeMessage() tells of every frame that is no packet, and keeps the others", () => {
  const message = concat(
    Uint8Array.of(0xdb, 1, 0xc0),
    encodeFrame(PING.toBinary()),
    encodeFrame(PING.toBinary().subarray(0, 5)),
    encodeFrame(LOOKALIKE.toBinary()),
    Uint8Array.of(0xdb, 0xc0),
  );
  const drops: string[] = [];
  const packets = decodeMessage(message, true, ({ code }) => void drops.push(code));
  assert.deepEqual(packets, [PING, LOOKALIKE]);
  assert.deepEqual(drops, ["ERR_PACKET_FRAME", "ERR_PACKET_TRUNCATED", "ERR_PACKET_FRAME"]);
  assert.throws(() => decodeMessage(message, true), PacketError);
});

test("decodeMessage() borrows its bytes: packets own theirs", () => {
  for (const message of [PING.toBinary(), encodeFrame(PING.toBinary()), utf8(PING.toJson())]) {
    const [packet] = decodeMessage(message, true);
    message.fill(0);
    assert.deepEqual(packet, PING);
  }
});

test("decodeMessage() understands every packet in every form, and damage throws PacketError", () => {
  for (let seed = 0; seed < 2_000; seed++) {
    const chance = new Chance(seed);
    const packet = randomPacket(chance);
    const forms = [packet.toBinary(), encodeFrame(packet.toBinary()), utf8(packet.toJson())];
    for (const form of forms) {
      assert.deepEqual(decodeMessage(form, false), [packet], `seed ${seed}`);
      try {
        for (const { srv } of decodeMessage(mutateBytes(chance, form), true)) void srv;
      } catch (error) {
        assert.ok(error instanceof PacketError, `seed ${seed}: ${error}`);
      }
    }
  }
});
