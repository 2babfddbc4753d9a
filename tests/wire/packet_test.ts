import assert from "node:assert/strict";
import { test } from "node:test";
import { Packet } from "../../src/wire/packet.ts";
import { hex } from "./hex.ts";

/** Every field of a packet as a plain object. */
function fieldsOf(packet: Packet): Record<string, unknown> {
  const { net, srv, src, dst, nxt, seq, ack, ctx, typ } = packet;
  return { net, srv, src, dst, nxt, seq, ack, ctx, typ, data: [...packet.data] };
}

const ABSENT = {
  net: 0,
  srv: "",
  src: "",
  dst: "",
  nxt: "",
  seq: 0,
  ack: 0,
  ctx: 0,
  typ: 0,
  data: [],
};

const INIT = {
  net: 255,
  srv: "ping",
  src: "a",
  dst: "b",
  nxt: "c",
  seq: 1,
  ack: 2,
  ctx: 3,
  typ: 4,
};

test("new Packet() has every field absent", () => {
  assert.deepEqual(fieldsOf(new Packet()), ABSENT);
  assert.deepEqual(fieldsOf(new Packet({})), ABSENT);
  assert.deepEqual(fieldsOf(new Packet({ data: null, srv: undefined })), ABSENT);
});

test("new Packet() takes the fields that it is given", () => {
  assert.deepEqual(fieldsOf(new Packet({ ...INIT, data: "hi" })), { ...INIT, data: [104, 105] });
});

test("new Packet() takes data as text, bytes, a buffer or null", () => {
  assert.deepEqual(new Packet({ data: "é" }).data, hex("c3a9"));
  assert.deepEqual(new Packet({ data: hex("0102") }).data, hex("0102"));
  assert.deepEqual(new Packet({ data: hex("0102").buffer }).data, hex("0102"));
  assert.deepEqual(new Packet({ data: null }).data, new Uint8Array(0));
  assert.deepEqual(new Packet({ data: "" }).data, new Uint8Array(0));
});

test("new Packet() refuses data of another type", () => {
  for (const data of [5, true, [1, 2], { length: 2 }, new Uint16Array(2)]) {
    assert.throws(() => new Packet({ data: data as unknown as string }), {
      code: "ERR_PACKET_FIELD",
      message: "Cannot accept data: it is not a string, a Uint8Array or an ArrayBuffer",
    });
  }
});

test("new Packet() takes the bytes of a packet", () => {
  const packet = new Packet({ ...INIT, data: "hi" });
  assert.deepEqual(fieldsOf(new Packet(packet.toBinary())), fieldsOf(packet));
  assert.throws(() => new Packet(hex("34")), { code: "ERR_PACKET_TRUNCATED", offset: 0 });
});

test("new Packet() takes another packet's fields, sharing its data", () => {
  const packet = new Packet({ ...INIT, data: hex("0102") });
  const same = new Packet(packet);
  assert.deepEqual(fieldsOf(same), fieldsOf(packet));
  assert.equal(same.data, packet.data);
});

test("Packet.data borrows the bytes that it is set to", () => {
  const bytes = hex("0102");
  const packet = new Packet();
  packet.data = bytes;
  assert.equal(packet.data, bytes);
  packet.data = "x";
  assert.deepEqual(packet.data, hex("78"));
  packet.data = null;
  assert.deepEqual(packet.data, new Uint8Array(0));
});

test("Packet.text() reads the data as UTF-8 and replaces what is not", () => {
  assert.equal(new Packet({ data: "grüß dich 🚀" }).text(), "grüß dich 🚀");
  assert.equal(new Packet({ data: hex("61ff62") }).text(), "a\ufffdb");
  assert.equal(new Packet().text(), "");
});

test("Packet.json() reads the data as JSON and throws SyntaxError if it is not", () => {
  assert.deepEqual(new Packet({ data: '{"a":[1,"é"]}' }).json(), { a: [1, "é"] });
  assert.throws(() => new Packet({ data: "{" }).json(), SyntaxError);
  assert.throws(() => new Packet().json(), SyntaxError);
});

test("Packet.copy() has the same fields and data of its own", () => {
  const packet = new Packet({ ...INIT, data: hex("0102") });
  const copy = packet.copy();
  assert.deepEqual(fieldsOf(copy), fieldsOf(packet));
  packet.data.fill(9);
  packet.srv = "other";
  assert.deepEqual(fieldsOf(copy), { ...INIT, data: [1, 2] });
});

test("Packet.copy() owns its data also where slice() shares bytes, as a Node Buffer's does", () => {
  class Sharing extends Uint8Array<ArrayBuffer> {
    override slice(): Uint8Array<ArrayBuffer> {
      return this;
    }
  }
  const packet = new Packet({ data: new Sharing(hex("0102").buffer) });
  const copy = packet.copy();
  packet.data.fill(9);
  assert.deepEqual([...copy.data], [1, 2]);
});

test("Packet fields are set freely and checked when the packet is encoded", () => {
  const packet = new Packet({ ctx: 70_000 });
  const refusal = {
    name: "PacketError",
    code: "ERR_PACKET_FIELD",
    message: "Cannot accept ctx: 70000 is not an integer in 0-65535",
  };
  assert.throws(() => packet.toBinary(), refusal);
  assert.throws(() => packet.toJson(), refusal);
  packet.ctx = 7;
  assert.deepEqual(packet.toBinary(), hex("b008 0007"));
});

test("Packet refuses 65,536 bytes of data in bytes and in JSON, and takes 65,535", () => {
  const packet = new Packet({ data: new Uint8Array(65_536) });
  const refusal = { message: "Cannot accept data: it has 65536 bytes, more than 65535" };
  assert.throws(() => packet.toBinary(), refusal);
  assert.throws(() => packet.toJson(), refusal);
  packet.data = packet.data.subarray(1);
  assert.equal(Packet.fromBinary(packet.toBinary()).data.length, 65_535);
  assert.equal(Packet.fromJson(packet.toJson()).data.length, 65_535);
});

test("Packet.toBinary() appends a checksum when asked", () => {
  const packet = new Packet({ srv: "ping" });
  const checked = packet.toBinary({ crc: true });
  assert.equal(checked.length, packet.toBinary().length + 4);
  assert.deepEqual(fieldsOf(Packet.fromBinary(checked)), fieldsOf(packet));
});

test("Packet.toJson() and Packet.fromJson() go through text", () => {
  const packet = new Packet({ ...INIT, data: hex("ff00") });
  assert.equal(typeof packet.toJson(), "string");
  assert.deepEqual(fieldsOf(Packet.fromJson(packet.toJson())), fieldsOf(packet));
  assert.throws(() => Packet.fromJson("[]"), { code: "ERR_PACKET_JSON" });
});

test("Packet.fromBinary() repairs known damage unless it is told not to", () => {
  const damaged = hex("8082 016e 0001 c3bf"); // Data "ÿ", one byte, written as two.
  assert.deepEqual(fieldsOf(Packet.fromBinary(damaged)), { ...ABSENT, dst: "n", data: [0xff] });
  assert.deepEqual(fieldsOf(Packet.fromBinary(damaged, { repair: true })).data, [0xff]);
  assert.deepEqual(fieldsOf(Packet.fromBinary(damaged, { repair: false })).data, [0xc3]);
});

test("Packet.fromBinary() borrows the data from the bytes", () => {
  const bytes = new Packet({ data: "hi" }).toBinary();
  const packet = Packet.fromBinary(bytes);
  bytes[bytes.length - 1] = 0x21;
  assert.equal(packet.text(), "h!");
});
