import assert from "node:assert/strict";
import { test } from "node:test";
import * as limits from "../../src/wire/limits.ts";
import { encodePacket, type PacketFields } from "../../src/wire/packet_codec.ts";
import { decodePacketJson, encodePacketJson } from "../../src/wire/packet_json.ts";

/** Every field at its largest; `char` fills the names. */
function largest(char: string, nameLength: number): PacketFields {
  const name = char.repeat(nameLength);
  return {
    net: 255,
    srv: name,
    src: name,
    dst: name,
    nxt: name,
    seq: 65_535,
    ack: 0xffff_ffff,
    ctx: 65_535,
    typ: 255,
    data: new Uint8Array(65_535).fill(0xc0),
  };
}

test("The limits are what the wire's length and number fields can say", () => {
  assert.deepEqual({ ...limits }, {
    MAX_DATA_SIZE: 65_535,
    MAX_NAME_SIZE: 255,
    MAX_PACKET_SIZE: 66_608,
    MAX_JSON_LENGTH: 131_072,
    MAX_CONTEXT_ID: 65_535,
    NET_ROUTE: 1,
    NET_SERVICE: 2,
    NET_QUERY: 3,
    NET_LINK: 4,
    NET_ERROR: 255,
  });
});

test("MAX_PACKET_SIZE has room for the largest packet", () => {
  const size = encodePacket(largest("n", 255), { crc: true }).length;
  assert.equal(size, 66_577);
  assert.ok(size <= limits.MAX_PACKET_SIZE);
});

test("MAX_JSON_LENGTH has room for the largest packet with every name escaped", () => {
  const fields = largest("\u0001", 255); // Six characters each in JSON.
  const text = encodePacketJson(fields);
  assert.ok(text.length <= limits.MAX_JSON_LENGTH, `${text.length} characters`);
  assert.deepEqual(decodePacketJson(text), fields);
});
