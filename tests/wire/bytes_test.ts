import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ByteReader,
  ByteWriter,
  decodeUtf8,
  encodeUtf8,
  NO_BYTES,
  utf8Size,
} from "../../src/wire/bytes.ts";
import { hex } from "./hex.ts";

const TEXTS = [
  "",
  "ping",
  "ñandú",
  "节点-7",
  "🚀ship",
  "a\ud800",
  "\ud800\ud800x",
  "\udc00",
  "\ufeffb",
];

test("encodeUtf8() turns a lone surrogate into U+FFFD", () => {
  assert.deepEqual(encodeUtf8("a\ud800"), hex("61 efbfbd"));
});

test("decodeUtf8() is strict: damaged bytes give null, not replacement characters", () => {
  assert.equal(decodeUtf8(hex("e69db1")), "東");
  for (const bad of ["ff", "c3", "c0 80", "ed a0 80", "f5 80 80 80", "80"]) {
    assert.equal(decodeUtf8(hex(bad)), null, bad);
  }
});

test("decodeUtf8() keeps a byte order mark: an address is compared byte by byte", () => {
  assert.equal(decodeUtf8(hex("efbbbf 62")), "\ufeffb");
});

test("utf8Size() says what encodeUtf8() takes", () => {
  assert.deepEqual(TEXTS.map(utf8Size), TEXTS.map((text) => encodeUtf8(text).length));
});

test("NO_BYTES is empty", () => {
  assert.deepEqual(NO_BYTES, new Uint8Array(0));
});

test("ByteReader reads fields one after another, big-endian, from a view", () => {
  const bytes = hex("ffff 01 0203 04050607 08 09 02c3a9 aa").subarray(2);
  const reader = new ByteReader(bytes);
  const read = [
    reader.uint8("a"),
    reader.uint16("b"),
    reader.uint32("c"),
    [...reader.bytes("d", 2)],
    reader.string8("e"),
  ];
  assert.deepEqual(read, [1, 0x0203, 0x04050607, [8, 9], "é"]);
  assert.equal(reader.offset, 12);
  assert.equal(reader.left, 1);
});

test("ByteReader.bytes() borrows: the slice shares the buffer", () => {
  const bytes = hex("010203");
  const slice = new ByteReader(bytes).bytes("data", 2);
  bytes[0] = 9;
  assert.deepEqual([...slice], [9, 2]);
});

test("ByteReader refuses to read past the end, says where, and does not move", () => {
  const reads: [string, (reader: ByteReader) => unknown][] = [
    ["uint8", (reader) => reader.uint8("x")],
    ["uint16", (reader) => reader.uint16("x")],
    ["uint32", (reader) => reader.uint32("x")],
    ["bytes", (reader) => reader.bytes("x", 4)],
    ["string8", (reader) => reader.string8("x")],
  ];
  for (const [name, read] of reads) {
    const reader = new ByteReader(hex("aabb"));
    reader.bytes("before", 2);
    assert.throws(() => read(reader), { code: "ERR_PACKET_TRUNCATED", offset: 2 }, name);
    assert.equal(reader.offset, 2, name);
  }
});

test("ByteReader.string8() says where a name that is cut off, or is not UTF-8, begins", () => {
  assert.throws(() => new ByteReader(hex("03 6162")).string8("srv"), {
    code: "ERR_PACKET_TRUNCATED",
    offset: 1,
    message: "Cannot read srv: it takes 3 bytes and 2 are left",
  });
  assert.throws(() => new ByteReader(hex("02 c328")).string8("srv"), {
    code: "ERR_PACKET_FIELD",
    offset: 1,
    message: "Cannot read srv: it is not UTF-8",
  });
});

test("ByteReader.string8() counts a length in UTF-16 units or code points when told to", () => {
  const bytes = hex("03 f09f9a80 c3a9 62"); // "🚀éb": 3 code points, 4 units, 7 bytes.
  assert.equal(new ByteReader(bytes, "codepoints").string8("srv"), "🚀éb");
  assert.equal(new ByteReader(bytes, "utf16").string8("srv"), "🚀é");
});

test("ByteReader.string8() refuses a miscounted name that is cut off", () => {
  for (const unit of ["utf16", "codepoints"] as const) {
    const cut = { code: "ERR_PACKET_TRUNCATED", offset: 1 };
    assert.throws(() => new ByteReader(hex("02 e69db1"), unit).string8("srv"), cut, unit);
    assert.throws(() => new ByteReader(hex("01 e69d"), unit).string8("srv"), cut, unit);
  }
});

test("ByteReader.string8() refuses a miscounted name of more than 255 bytes", () => {
  const name = new TextEncoder().encode("東".repeat(86));
  for (const unit of ["utf16", "codepoints"] as const) {
    assert.throws(() => new ByteReader(Uint8Array.of(86, ...name), unit).string8("srv"), {
      code: "ERR_PACKET_FIELD",
      offset: 1,
      message: "Cannot read srv: it takes 258 bytes, more than 255",
    });
    const longest = new ByteReader(Uint8Array.of(85, ...name.subarray(3)), unit);
    assert.equal(longest.string8("srv"), "東".repeat(85));
  }
});

test("ByteWriter writes fields one after another, big-endian, and grows as it must", () => {
  for (const capacity of [0, 1, 13, 64]) {
    const bytes = new ByteWriter(capacity)
      .uint8("a", 0xff)
      .uint16("b", 0xfffe)
      .uint32("c", 0xffff_fffd)
      .bytes(hex("0102"))
      .string8("d", "é")
      .finish();
    assert.deepEqual(bytes, hex("ff fffe fffffffd 0102 02c3a9"), `capacity ${capacity}`);
    assert.equal(bytes.buffer.byteLength, bytes.length, `capacity ${capacity}`);
  }
});

test("ByteWriter.written() shows the bytes so far", () => {
  const writer = new ByteWriter().uint8("a", 1).uint8("b", 2);
  assert.deepEqual([...writer.written()], [1, 2]);
});

test("ByteWriter refuses numbers outside their field, and says where they would have stood", () => {
  const writes: ["uint8" | "uint16" | "uint32", number][] = [
    ["uint8", 0xff],
    ["uint16", 0xffff],
    ["uint32", 0xffff_ffff],
  ];
  for (const [kind, max] of writes) {
    for (const bad of [-1, max + 1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      const writer = new ByteWriter().uint16("before", 0);
      assert.throws(() => writer[kind]("x", bad), {
        code: "ERR_PACKET_FIELD",
        offset: 2,
        message: `Cannot write x: ${bad} is not an integer in 0-${max}`,
      });
      assert.deepEqual([...writer.written()], [0, 0]);
    }
  }
});

test("ByteWriter.string8() takes 255 bytes of UTF-8 and not one more", () => {
  const longest = "é".repeat(127) + "b";
  assert.deepEqual(new ByteWriter().string8("srv", longest).finish().length, 256);
  assert.throws(() => new ByteWriter().uint8("before", 0).string8("srv", longest + "b"), {
    code: "ERR_PACKET_FIELD",
    offset: 1,
    message: "Cannot write srv: it takes 256 bytes, more than 255",
  });
});

test("ByteWriter.string8() refuses what is not a string", () => {
  for (const bad of [undefined, null, 5, {}]) {
    assert.throws(() => new ByteWriter().string8("srv", bad as unknown as string), {
      code: "ERR_PACKET_FIELD",
      offset: 0,
    });
  }
});
