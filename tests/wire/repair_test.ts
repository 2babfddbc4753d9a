import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeUtf8, type LengthUnit, NO_BYTES } from "../../src/wire/bytes.ts";
import { encodeControlWord, FLAG } from "../../src/wire/control_flags.ts";
import { crc32 } from "../../src/wire/crc32.ts";
import {
  checkFields,
  decodePacket,
  encodePacket,
  type PacketFields,
} from "../../src/wire/packet_codec.ts";
import { DAMAGED_UNITS, decodeLeniently } from "../../src/wire/repair.ts";
import { concat, hex } from "./hex.ts";

const EMPTY: PacketFields = decodePacket(hex("0000"));

/** Each reading of a name's length, as a peer would count it. */
const COUNT: Record<LengthUnit, (name: string) => number> = {
  bytes: (name) => encodeUtf8(name).length,
  utf16: (name) => name.length,
  codepoints: (name) => [...name].length,
};

/** Encodes as a peer does that counts names in `unit` and, if `expands`, data in characters. */
function encodeDamaged(fields: PacketFields, unit: LengthUnit, expands: boolean): Uint8Array {
  const u16 = (value: number) => Uint8Array.of(value >> 8, value & 0xff);
  const parts: Uint8Array[] = [u16(encodeControlWord(checkFields(fields)))];
  for (const name of [fields.srv, fields.src, fields.dst, fields.nxt]) {
    if (name !== "") parts.push(Uint8Array.of(COUNT[unit](name)), encodeUtf8(name));
  }
  if (fields.ctx) parts.push(u16(fields.ctx));
  if (fields.data.length > 0) {
    const body = expands ? encodeUtf8(String.fromCharCode(...fields.data)) : fields.data;
    parts.push(u16(fields.data.length), body);
  }
  return concat(...parts);
}

const NAMED: PacketFields = {
  ...EMPTY,
  srv: "сервис",
  src: "köln",
  dst: "東京",
  nxt: "né🎈xt",
  ctx: 77,
  data: encodeUtf8("hello"),
};

test("decodeLeniently() reads a sound packet as decodePacket() does", () => {
  for (const fields of [EMPTY, NAMED, { ...EMPTY, src: "é", data: hex("c3a9ff00") }]) {
    for (const crc of [false, true]) {
      assert.deepEqual(decodeLeniently(encodePacket(fields, { crc })), fields);
    }
  }
});

test("decodeLeniently() undoes data whose high bytes a JavaScript peer has written as UTF-8", () => {
  const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  for (const data of [hex("80"), hex("ff"), hex("00c0dbff"), everyByte]) {
    const fields = { ...EMPTY, dst: "n", data };
    assert.deepEqual(decodeLeniently(encodeDamaged(fields, "bytes", true)), fields);
  }
});

test("decodeLeniently() takes expanded text beyond U+00FF as the UTF-8 that it is", () => {
  const bytes = concat(hex("e002 0002"), encodeUtf8("ż€"));
  assert.deepEqual(decodeLeniently(bytes), { ...EMPTY, data: encodeUtf8("ż€") });
});

test("decodeLeniently() rereads names counted in UTF-16 units, then in code points", () => {
  assert.deepEqual(DAMAGED_UNITS, ["utf16", "codepoints"]);
  for (const unit of DAMAGED_UNITS) {
    assert.deepEqual(decodeLeniently(encodeDamaged(NAMED, unit, false)), NAMED, unit);
    const nameless = { ...EMPTY, src: "köln" };
    assert.deepEqual(decodeLeniently(encodeDamaged(nameless, unit, false)), nameless, unit);
  }
});

test("decodeLeniently() undoes miscounted names and expanded data together", () => {
  const fields = { ...NAMED, data: hex("00c3a9ff") };
  assert.deepEqual(decodeLeniently(encodeDamaged(fields, "utf16", true)), fields);
});

test("decodePacket() repairs none of this", () => {
  const expanded = encodeDamaged({ ...EMPTY, data: hex("ff") }, "bytes", true);
  assert.deepEqual(decodePacket(expanded), { ...EMPTY, data: hex("c3") });
  for (const unit of DAMAGED_UNITS) {
    assert.throws(() => decodePacket(encodeDamaged(NAMED, unit, false)), { name: "PacketError" });
  }
});

test("decodeLeniently() ignores bytes behind a packet that no other reading explains", () => {
  const fields = { ...EMPTY, dst: "n", data: encodeUtf8("hello") };
  for (const tail of ["00", "c3a9", "ff", "0102030405"]) {
    assert.deepEqual(decodeLeniently(concat(encodePacket(fields), hex(tail))), fields, tail);
  }
  assert.deepEqual(decodeLeniently(hex("340003 ffff")), { ...EMPTY, net: 3 });
});

test("decodeLeniently() leaves a packet alone that a checksum vouches for", () => {
  const fields = { ...EMPTY, data: hex("c3") };
  const bytes = encodePacket(fields, { crc: true });
  assert.deepEqual(decodeLeniently(concat(bytes, hex("bf"))), fields);
});

test("decodeLeniently() refuses a wrong checksum without trying further", () => {
  const bytes = encodePacket(NAMED, { crc: true });
  bytes[bytes.length - 1]! ^= 1;
  const offset = bytes.length - 4;
  assert.throws(() => decodeLeniently(bytes), { code: "ERR_PACKET_CRC", offset });

  // Reads as src "é", seq C3A9; counted in characters it is src "éé" and its checksum is right.
  const word = encodeControlWord(FLAG.src | FLAG.seq | FLAG.crc);
  const body = concat(Uint8Array.of(word >> 8, word & 0xff, 2), encodeUtf8("éé"), hex("0007"));
  const checksum = crc32(body);
  const miscounted = concat(body, hex(checksum.toString(16).padStart(8, "0")));
  assert.throws(() => decodeLeniently(miscounted), { code: "ERR_PACKET_CRC", offset: 7 });
});

test("decodeLeniently() throws what the strict reading threw when no reading fits", () => {
  for (const damaged of ["", "34", "3400", "6080 05 6e", "6080 02 c328", "e002 0004 6869"]) {
    const bytes = hex(damaged);
    let strict: unknown;
    try {
      decodePacket(bytes);
    } catch (error) {
      strict = error;
    }
    assert.throws(() => decodeLeniently(bytes), strict as Error, damaged);
  }
});

test("decodeLeniently() takes an empty payload as absent in every reading", () => {
  assert.deepEqual(decodeLeniently(hex("e002 0000")), { ...EMPTY, data: NO_BYTES });
});
