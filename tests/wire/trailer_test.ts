import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeMessage } from "../../src/framing/packet_message.ts";
import { MAX_PACKET_SIZE } from "../../src/wire/limits.ts";
import { Packet } from "../../src/wire/packet.ts";
import { decodePacket, encodePacket, parsePacket } from "../../src/wire/packet_codec.ts";
import { decodePacketJson } from "../../src/wire/packet_json.ts";
import { decodeLeniently } from "../../src/wire/repair.ts";
import { decodeTrailer, encodeTrailer, type Trailer } from "../../src/wire/trailer.ts";
import { Chance, randomPacket, randomTrailer } from "../support/fuzz.ts";
import { concat, hex, toHex } from "./hex.ts";

const TRAILER: Trailer = { hops: 9, instance: 0x0102_0304, counter: 5 };
const BYTES = hex("5854 0d 0101 09 0208 01020304 00000005");
const NONE: Trailer = { hops: 0, instance: 0, counter: 0 };

/** A request whose names and data are not ASCII, so that every repair looks at it. */
const REQUEST = { srv: "пинг", src: "köln", dst: "n", ctx: 7, data: hex("c3a9ff00") };

test("encodeTrailer() writes the layout exactly, and leaves out what is absent", () => {
  assert.equal(toHex(encodeTrailer(TRAILER)), toHex(BYTES));
  assert.equal(toHex(encodeTrailer(NONE)), "585400");
  assert.equal(toHex(encodeTrailer({ ...NONE, hops: 255 })), "5854030101ff");
  assert.equal(toHex(encodeTrailer({ ...NONE, counter: 1 })), "58540a02080000000000000001");
});

test("decodeTrailer() gives back what encodeTrailer() was given", () => {
  for (let seed = 0; seed < 500; seed++) {
    const trailer = randomTrailer(new Chance(seed));
    assert.deepEqual(decodeTrailer(encodeTrailer(trailer)), trailer, `seed ${seed}`);
  }
});

test("encodeTrailer() refuses values that do not fit", () => {
  const fields: [keyof Trailer, number][] = [
    ["hops", 0xff],
    ["instance", 0xffff_ffff],
    ["counter", 0xffff_ffff],
  ];
  for (const [key, max] of fields) {
    for (const bad of [max + 1, -1, 0.5, Number.NaN, "1", null, undefined]) {
      const trailer = { ...TRAILER, [key]: bad } as Trailer;
      const refusal = { name: "PacketError", code: "ERR_PACKET_FIELD" };
      assert.throws(() => encodeTrailer(trailer), refusal);
      assert.throws(() => new Packet({ trailer }).toBinary(), refusal);
      assert.throws(() => new Packet({ trailer }).toJson(), refusal);
    }
  }
  assert.throws(() => new Packet({ trailer: "XT" as unknown as Trailer }).toBinary(), {
    message: "Cannot accept trailer: it is not an object",
  });
});

test("decodeTrailer() skips types that it does not know, and what is added to a value", () => {
  assert.deepEqual(decodeTrailer(hex("5854 0a 0300 010109 ff03aabbcc")), { ...NONE, hops: 9 });
  assert.deepEqual(decodeTrailer(hex("5854 05 010309aabb")), { ...NONE, hops: 9 });
  const longer = "5854 0c 020a 01020304 00000005 aabb";
  assert.deepEqual(decodeTrailer(hex(longer)), { ...TRAILER, hops: 0 });
});

test("decodeTrailer() takes nothing but exactly one trailer", () => {
  for (let size = 0; size < BYTES.length; size++) {
    assert.equal(decodeTrailer(BYTES.subarray(0, size)), null, `cut to ${size} bytes`);
  }
  for (const tail of ["00", "585400"]) assert.equal(decodeTrailer(concat(BYTES, hex(tail))), null);
  const broken = ["5954 00", "5855 00", "5854 01 01", "5854 02 0101", "5854 02 0100"];
  for (const data of [...broken, "5854 09 0207 01020304 000005", "5854 04 0101 09 01"]) {
    assert.equal(decodeTrailer(hex(data)), null, data);
  }
});

test("encodePacket() appends the trailer; what is before it is the packet without one", () => {
  for (const crc of [false, true]) {
    const without = new Packet(REQUEST).toBinary({ crc });
    const bytes = new Packet({ ...REQUEST, trailer: TRAILER }).toBinary({ crc });
    assert.equal(toHex(bytes), toHex(concat(without, BYTES)));
    // Old peers read as many bytes as the fields take, and see no more than that.
    const seen = parsePacket(bytes.subarray(0, without.length));
    assert.deepEqual(seen.fields, decodePacket(without));
    assert.equal(seen.size, without.length);
  }
});

test("Every decoder reads the trailer, with and without a checksum", () => {
  for (const crc of [false, true]) {
    const bytes = new Packet({ ...REQUEST, trailer: TRAILER }).toBinary({ crc });
    const fields = { ...decodePacket(encodePacket(new Packet(REQUEST))), trailer: TRAILER };
    assert.deepEqual(decodePacket(bytes), fields);
    assert.deepEqual(decodeLeniently(bytes), fields);
    assert.deepEqual(parsePacket(bytes), { fields, size: bytes.length, checked: crc });
    assert.deepEqual(Packet.fromBinary(bytes).trailer, TRAILER);
    assert.deepEqual(Packet.fromBinary(bytes, { repair: false }).trailer, TRAILER);
  }
});

test("A checksum is over the packet alone: a changed trailer does not break it", () => {
  const bytes = new Packet({ ...REQUEST, trailer: TRAILER }).toBinary({ crc: true });
  bytes[bytes.length - 1]! ^= 1;
  assert.deepEqual(decodePacket(bytes).trailer, { ...TRAILER, counter: 4 });
});

test("decodeLeniently() does not repair a packet that a trailer follows", () => {
  // Data and what follows it are UTF-8 of six characters, as many as the size says.
  const bytes = hex("e002 0006 c3a9c3a9c3a9" + "585400");
  const fields = decodePacket(bytes.subarray(0, -3));
  assert.deepEqual(decodeLeniently(bytes), { ...fields, trailer: NONE });
  const damaged = hex("e002 0006 c3a9c3a9c3a9" + "585900");
  assert.deepEqual(decodeLeniently(damaged), { ...fields, data: hex("e9e9e9585900") });
});

test("decodeLeniently() repairs a packet as ever if what follows is no trailer", () => {
  const damaged = hex("8082 016e 0001 c3bf");
  assert.deepEqual([...decodeLeniently(damaged).data], [0xff]);
  const fields = decodePacket(encodePacket(new Packet(REQUEST)));
  for (const tail of [BYTES.subarray(1), BYTES.subarray(0, -1), concat(BYTES, hex("00"))]) {
    assert.deepEqual(decodeLeniently(concat(encodePacket(fields), tail)), fields, toHex(tail));
  }
});

test("A packet cut inside its trailer is the packet without one", () => {
  const bytes = new Packet({ ...REQUEST, trailer: TRAILER }).toBinary();
  const fields = decodePacket(encodePacket(new Packet(REQUEST)));
  for (let size = bytes.length - BYTES.length; size < bytes.length; size++) {
    assert.deepEqual(decodeLeniently(bytes.subarray(0, size)), fields, `cut to ${size} bytes`);
  }
});

test("Packet.trailer is null unless it is set, kept by copy() and left to be changed", () => {
  assert.equal(new Packet().trailer, null);
  assert.equal(new Packet({ trailer: null }).trailer, null);
  assert.equal(Packet.fromBinary(hex("340003")).trailer, null);
  const packet = new Packet({ ...REQUEST, trailer: TRAILER });
  const copy = packet.copy();
  packet.trailer = null;
  assert.deepEqual(copy.trailer, TRAILER);
  assert.deepEqual(packet.toBinary(), new Packet(REQUEST).toBinary());
});

test("In JSON the trailer is the key xt: the same bytes in base64", () => {
  const packet = new Packet({ net: 3, trailer: TRAILER });
  assert.equal(packet.toJson(), '{"cf":13312,"net":3,"xt":"WFQNAQEJAggBAgMEAAAABQ=="}');
  assert.deepEqual(Packet.fromJson(packet.toJson()).trailer, TRAILER);
  for (const xt of ['"WFQDAQEJ"', '"WFQDAQEJ\\n"', '"WFQDAQEJ","x":1']) {
    assert.deepEqual(decodePacketJson(`{"net":3,"xt":${xt}}`).trailer, { ...NONE, hops: 9 });
  }
});

test("decodePacketJson() ignores an xt that is no trailer: the packet is not lost over it", () => {
  const plain = decodePacketJson('{"net":3}');
  for (const xt of ["null", "5", '""', '"!"', '"WFQ"', "[]", "{}", '"WFQNAQEJAggBAgMEAAAA"']) {
    assert.deepEqual(decodePacketJson(`{"net":3,"xt":${xt}}`), plain, xt);
  }
});

test("Packets with a trailer come back from bytes and from JSON, whatever they say", () => {
  for (let seed = 0; seed < 200; seed++) {
    const chance = new Chance(seed);
    const packet = randomPacket(chance);
    packet.trailer = randomTrailer(chance);
    for (const crc of [false, true]) {
      const read = Packet.fromBinary(packet.toBinary({ crc }));
      assert.equal(read.toJson(), packet.toJson(), `seed ${seed}`);
      assert.deepEqual(read.trailer, packet.trailer, `seed ${seed}`);
    }
    assert.equal(Packet.fromJson(packet.toJson()).toJson(), packet.toJson(), `seed ${seed}`);
  }
});

test("decodeMessage() takes a bare packet for one though its trailer ends like a frame", () => {
  const packet = new Packet({ net: 3, trailer: { ...TRAILER, counter: 0xc0 } });
  const [read, ...more] = decodeMessage(packet.toBinary(), true);
  assert.equal(more.length, 0);
  assert.deepEqual(read!.trailer, packet.trailer);
});

test("MAX_PACKET_SIZE has room for the largest packet with the longest trailer", () => {
  const name = "n".repeat(255);
  const largest = new Packet({
    ...{ net: 255, srv: name, src: name, dst: name, nxt: name },
    ...{ seq: 65_535, ack: 0xffff_ffff, ctx: 65_535, typ: 255, data: new Uint8Array(65_535) },
    trailer: TRAILER,
  });
  const size = largest.toBinary({ crc: true }).length;
  assert.equal(size, 66_577 + 16);
  assert.ok(size <= MAX_PACKET_SIZE);
});
