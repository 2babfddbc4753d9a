import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_BYTES } from "../../src/wire/bytes.ts";
import { decodeControlWord, FLAG } from "../../src/wire/control_flags.ts";
import { crc32 } from "../../src/wire/crc32.ts";
import {
  checkFields,
  decodePacket,
  encodePacket,
  type PacketFields,
  parsePacket,
} from "../../src/wire/packet_codec.ts";
import { concat, hex, toHex } from "./hex.ts";

const EMPTY: PacketFields = {
  net: 0,
  srv: "",
  src: "",
  dst: "",
  nxt: "",
  seq: 0,
  ack: 0,
  ctx: 0,
  typ: 0,
  data: NO_BYTES,
};

const FULL: PacketFields = {
  net: 255,
  srv: "ping",
  src: "köln",
  dst: "東京",
  nxt: "🚀",
  seq: 0xc0db,
  ack: 0xdbdc_ddc0,
  ctx: 65_535,
  typ: 219,
  data: hex("00c0db"),
};

const FULL_BODY = "ff" + "0470696e67" + "056bc3b66c6e" + "06e69db1e4baac" + "04f09f9a80" + "c0db" +
  "dbdcddc0" + "ffff" + "db" + "0003 00c0db";

/** Asserts that the encoder refuses these fields, and in which words. */
function refused(fields: Partial<Record<keyof PacketFields, unknown>>, message: string): void {
  const all = { ...EMPTY, ...fields } as PacketFields;
  const error = { name: "PacketError", code: "ERR_PACKET_FIELD", offset: 0, message };
  assert.throws(() => encodePacket(all), error);
  assert.throws(() => checkFields(all), error);
}

test("encodePacket() writes each field where the protocol puts it", () => {
  assert.equal(toHex(encodePacket(FULL)), toHex(hex("07fe" + FULL_BODY)));
});

test("encodePacket() leaves out absent fields: a packet that says nothing is two bytes", () => {
  assert.deepEqual(encodePacket(EMPTY), hex("0000"));
  assert.deepEqual(encodePacket({ ...EMPTY, net: 3 }), hex("340003"));
  assert.deepEqual(encodePacket({ ...EMPTY, dst: "n" }), hex("6080 016e"));
});

test("encodePacket() writes every combination of fields so that decodePacket() gives it back", () => {
  for (let flags = 0; flags < 2_048; flags++) {
    const fields: Record<string, unknown> = { ...EMPTY };
    for (const [key, bit] of Object.entries(FLAG)) {
      if (key !== "crc" && flags & bit) fields[key] = FULL[key as keyof PacketFields];
    }
    const packet = fields as unknown as PacketFields;
    const bytes = encodePacket(packet, { crc: (flags & FLAG.crc) !== 0 });
    assert.equal(decodeControlWord((bytes[0]! << 8) | bytes[1]!), flags);
    assert.equal(checkFields(packet), flags & ~FLAG.crc);
    assert.deepEqual(decodePacket(bytes), packet);
  }
});

test("encodePacket() returns bytes that are the caller's", () => {
  const data = hex("010203");
  const bytes = encodePacket({ ...EMPTY, data });
  data.fill(9);
  assert.deepEqual(bytes, hex("e002 0003 010203"));
  assert.equal(bytes.buffer.byteLength, bytes.length);
});

test("encodePacket() takes numbers up to their field's end and refuses the next", () => {
  const fields: [keyof PacketFields, number][] = [
    ["net", 0xff],
    ["seq", 0xffff],
    ["ack", 0xffff_ffff],
    ["ctx", 0xffff],
    ["typ", 0xff],
  ];
  for (const [key, max] of fields) {
    const largest = { ...EMPTY, [key]: max };
    assert.deepEqual(decodePacket(encodePacket(largest)), largest);
    for (const bad of [max + 1, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      refused({ [key]: bad }, `Cannot accept ${key}: ${bad} is not an integer in 0-${max}`);
    }
    for (const [bad, type] of [["5", "string"], [null, "object"], [true, "boolean"]] as const) {
      refused(
        { [key]: bad },
        `Cannot accept ${key}: a value of type ${type} is not an integer in 0-${max}`,
      );
    }
  }
});

test("encodePacket() counts a name in bytes: 255 fit, 256 do not", () => {
  for (const key of ["srv", "src", "dst", "nxt"] as const) {
    for (const name of ["a".repeat(255), "é".repeat(127) + "b", "東".repeat(85)]) {
      const longest = { ...EMPTY, [key]: name };
      assert.deepEqual(decodePacket(encodePacket(longest)), longest);
      refused(
        { [key]: name + "x" },
        `Cannot accept ${key}: it takes 256 bytes, more than 255`,
      );
    }
    refused({ [key]: 5 }, `Cannot accept ${key}: it is not a string`);
    refused({ [key]: null }, `Cannot accept ${key}: it is not a string`);
  }
});

test("encodePacket() takes 65,535 bytes of data and refuses 65,536, never wrapping the size", () => {
  const largest = { ...EMPTY, data: new Uint8Array(65_535).fill(0xab) };
  const bytes = encodePacket(largest);
  assert.equal(bytes.length, 2 + 2 + 65_535);
  assert.deepEqual(decodePacket(bytes), largest);
  refused(
    { data: new Uint8Array(65_536) },
    "Cannot accept data: it has 65536 bytes, more than 65535",
  );
});

test("encodePacket() refuses data that is not bytes", () => {
  for (const bad of ["text", null, [1, 2], new ArrayBuffer(2)]) {
    refused({ data: bad }, "Cannot accept data: it is not bytes");
  }
});

test("encodePacket() appends a checksum of every byte before it when asked", () => {
  const bytes = encodePacket(FULL, { crc: true });
  const body = bytes.subarray(0, -4);
  assert.equal(toHex(body.subarray(2)), toHex(hex(FULL_BODY)));
  assert.equal(new DataView(bytes.buffer).getUint32(body.length), crc32(body));
});

test("decodePacket() accepts a right checksum and leaves it out of the fields", () => {
  const bytes = encodePacket(FULL, { crc: true });
  assert.deepEqual(decodePacket(bytes), FULL);
  assert.deepEqual(parsePacket(bytes), { fields: FULL, size: bytes.length, checked: true });
});

test("decodePacket() refuses a wrong checksum, whichever byte is damaged", () => {
  const sound = encodePacket({ ...EMPTY, seq: 7, data: hex("c3a9") }, { crc: true });
  const end = sound.length - 4;
  for (const at of [2, 3, ...Array.from({ length: 6 }, (_, i) => end - 2 + i)]) {
    const bytes = sound.slice();
    bytes[at]! ^= 0x10;
    assert.throws(() => decodePacket(bytes), { code: "ERR_PACKET_CRC", offset: end }, `byte ${at}`);
  }
});

test("decodePacket() does not let a checksum vouch for a repaired control word", () => {
  const bytes = encodePacket({ ...EMPTY, seq: 7 }, { crc: true });
  bytes[0]! ^= 0x80;
  assert.throws(() => decodePacket(bytes), { code: "ERR_PACKET_CRC", offset: 4 });
});

test("decodePacket() refuses a checksum that is cut off", () => {
  const bytes = encodePacket({ ...EMPTY, seq: 7 }, { crc: true });
  for (let size = 4; size < bytes.length; size++) {
    const cut = bytes.subarray(0, size);
    assert.throws(() => decodePacket(cut), { code: "ERR_PACKET_TRUNCATED", offset: 4 });
  }
});

test("decodePacket() refuses a packet cut anywhere, with the offset of the field that is cut", () => {
  const bytes = encodePacket(FULL);
  // Where each of the reads begins; a length and what it counts are two reads.
  const starts = [0, 2, 3, 4, 8, 9, 14, 15, 21, 22, 26, 28, 32, 34, 35, 37];
  for (let size = 0; size < bytes.length; size++) {
    const offset = starts.findLast((start) => start <= size);
    assert.throws(
      () => decodePacket(bytes.subarray(0, size)),
      { name: "PacketError", code: "ERR_PACKET_TRUNCATED", offset },
      `cut to ${size} bytes`,
    );
  }
});

test("decodePacket() refuses a name that is not UTF-8, and says where it stands", () => {
  assert.throws(() => decodePacket(hex("5280 0161 02c328 0000")), {
    code: "ERR_PACKET_FIELD",
    offset: 5,
  });
});

test("decodePacket() puts right one flipped bit of the control word", () => {
  const sound = encodePacket({ ...FULL, data: NO_BYTES });
  for (let bit = 0; bit < 16; bit++) {
    const bytes = sound.slice();
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    assert.deepEqual(decodePacket(bytes), { ...FULL, data: NO_BYTES }, `bit ${bit}`);
  }
});

test("decodePacket() takes a flagged zero, an empty name and empty data as absent", () => {
  const body = "00" + "00000000" + "0000" + "00000000" + "0000" + "00" + "0000";
  assert.deepEqual(decodePacket(hex("07fe" + body)), EMPTY);
});

test("decodePacket() ignores bytes behind the packet, as every peer does", () => {
  const bytes = concat(encodePacket(FULL), hex("0102"));
  assert.deepEqual(decodePacket(bytes), FULL);
  assert.deepEqual(parsePacket(bytes), { fields: FULL, size: bytes.length - 2, checked: false });
});

test("decodePacket() reads a view and borrows the data from it", () => {
  const bytes = concat(hex("ffff"), encodePacket(FULL)).subarray(2);
  const { data } = decodePacket(bytes);
  bytes[bytes.length - 1] = 0x77;
  assert.deepEqual([...data], [0x00, 0xc0, 0x77]);
});

test("parsePacket() reads names in the unit that it is told", () => {
  const bytes = hex("5100 02 f09f9a80 c3a9"); // src: 🚀 é, counted as 2 or as 3.
  assert.equal(parsePacket(bytes, "codepoints").fields.src, "🚀é");
  assert.equal(parsePacket(bytes, "utf16").fields.src, "🚀");
  assert.throws(() => parsePacket(bytes), { code: "ERR_PACKET_FIELD", offset: 3 });
});
