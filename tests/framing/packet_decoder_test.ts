import assert from "node:assert/strict";
import { test } from "node:test";
import type { PacketError } from "../../src/errors.ts";
import { encodeFrame } from "../../src/framing/kiss.ts";
import { PacketDecoder, type PacketDecoderOptions } from "../../src/framing/packet_decoder.ts";
import { Packet, type PacketInit } from "../../src/wire/packet.ts";
import { concat, hex } from "../wire/hex.ts";

const QUERY = new Packet({ net: 3 });
const PING = new Packet({ srv: "ping", src: "a", ctx: 0xc0db, data: hex("c0dbdcdd") });

/** Frames as Python peers do: `C0` becomes `C0 DC`. */
function pythonFrame(packet: Packet): Uint8Array {
  const frame: number[] = [];
  for (const byte of packet.toBinary()) {
    if (byte === 0xc0) frame.push(0xc0, 0xdc);
    else if (byte === 0xdb) frame.push(0xdb, 0xdd);
    else frame.push(byte);
  }
  return Uint8Array.from([...frame, 0xc0]);
}

/** What a decoder makes of a stream: packets as JSON, drops as their code, in the order told. */
function decoded(
  stream: Uint8Array | readonly Uint8Array[],
  options: PacketDecoderOptions = {},
): string[] {
  const log: string[] = [];
  const onDrop = (error: PacketError) => log.push(error.code);
  const decoder = new PacketDecoder({ ...options, onDrop });
  for (const chunk of stream instanceof Uint8Array ? [stream] : stream) {
    for (const packet of decoder.push(chunk)) log.push(packet.toJson());
  }
  decoder.end();
  const { oversize, escape, malformed } = decoder.dropped;
  const drops = log.filter((entry) => entry.startsWith("ERR_"));
  assert.equal(oversize + escape + malformed, drops.length, "every drop is counted and told");
  return log;
}

const json = (...packets: Packet[]) => packets.map((packet) => packet.toJson());

const bytewise = (stream: Uint8Array) => Array.from(stream, (byte) => Uint8Array.of(byte));

/** A packet with a `C0` in the place that the fields give it. */
const WITH_DELIMITERS: [string, PacketInit][] = [
  ["in the data", { dst: "n", data: hex("01c002") }],
  ["at the end of the data", { dst: "n", data: hex("01c0") }],
  ["only in the data", { data: hex("c0") }],
  ["several in a row", { dst: "n", data: hex("c0c0c0c0") }],
  ["here and there", { dst: "n", data: hex("c001c0c002c0db03c0") }],
  ["in the sequence number", { seq: 0xc0c0, ack: 0xc0c0_c0c0, ctx: 0xc0c0 }],
  ["as the data size", { dst: "n", data: new Uint8Array(0xc0).fill(0x41) }],
  ["as a name's length", { srv: "s".repeat(0xc0) }],
  ["in the control word's low byte", { dst: "b", nxt: "c" }],
  ["in the control word's low byte, behind names", { srv: "s", src: "a", dst: "b", nxt: "c" }],
  ["in the control word's high byte", { seq: 7 }],
  ["first and elsewhere", { seq: 0xc0c0 }],
];

test("PacketDecoder.push() gives the packets of a stream, wherever it is cut", () => {
  const stream = concat(hex("c0"), ...[QUERY, PING, QUERY].map((p) => encodeFrame(p.toBinary())));
  for (const repair of [true, false]) {
    for (let cut = 0; cut <= stream.length; cut++) {
      const chunks = [stream.subarray(0, cut), stream.subarray(cut)];
      assert.deepEqual(decoded(chunks, { repair }), json(QUERY, PING, QUERY), `cut at ${cut}`);
    }
    assert.deepEqual(decoded(bytewise(stream), { repair }), json(QUERY, PING, QUERY));
  }
});

test("PacketDecoder.push() gives packets that own their bytes", () => {
  const decoder = new PacketDecoder();
  const stream = encodeFrame(PING.toBinary());
  const [packet] = decoder.push(stream);
  stream.fill(0);
  decoder.push(encodeFrame(new Packet({ data: new Uint8Array(40) }).toBinary()));
  assert.deepEqual([...packet!.data], [0xc0, 0xdb, 0xdc, 0xdd]);
});

for (const [where, init] of WITH_DELIMITERS) {
  test(`PacketDecoder.push() rejoins a packet that Python cut in two: C0 ${where}`, () => {
    const packet = new Packet(init);
    assert.ok(packet.toBinary().includes(0xc0));
    const stream = concat(
      encodeFrame(QUERY.toBinary()),
      pythonFrame(packet),
      pythonFrame(packet),
      hex("c0c0"),
      pythonFrame(packet),
      encodeFrame(PING.toBinary()),
    );
    const expected = json(QUERY, packet, packet, packet, PING);
    assert.deepEqual(decoded(stream), expected);
    assert.deepEqual(decoded(bytewise(stream)), expected);
    for (let cut = 0; cut <= stream.length; cut++) {
      const chunks = [stream.subarray(0, cut), stream.subarray(cut)];
      assert.deepEqual(decoded(chunks), expected, `cut at ${cut}`);
    }
    assert.deepEqual(decoded(pythonFrame(packet)), json(packet), "first in its stream");
  });
}

test("PacketDecoder.push() rejoins a packet whose names Python has miscounted, too", () => {
  // Of src "né" the 2 code points are counted: read strictly, the first half is not UTF-8.
  const stream = hex("b102 02 6ec3a9 0003 01 c0dc 02 c0");
  const packet = new Packet({ src: "né", data: hex("01c002") });
  assert.deepEqual(packet.toBinary().subarray(0, 2), stream.subarray(0, 2));
  assert.throws(() => Packet.fromBinary(hex("b102 02 6ec3a9 0003 01")), {
    code: "ERR_PACKET_FIELD",
  });
  assert.deepEqual(decoded(concat(stream, pythonFrame(QUERY))), json(packet, QUERY));
});

test("PacketDecoder.push() drops a truncated frame once the next one shows that it was no half", () => {
  const decoder = new PacketDecoder();
  const cut = encodeFrame(PING.toBinary().subarray(0, 5));
  assert.deepEqual(decoder.push(cut), []);
  assert.deepEqual(decoder.dropped, { oversize: 0, escape: 0, malformed: 0 });
  assert.equal(decoder.push(encodeFrame(QUERY.toBinary())).length, 1);
  assert.deepEqual(decoder.dropped, { oversize: 0, escape: 0, malformed: 1 });
});

test("PacketDecoder.push() tells of drops in the order of the frames", () => {
  const log: string[] = [];
  const onDrop = (error: PacketError) => log.push(`${error.code} ${error.offset}`);
  const decoder = new PacketDecoder({ onDrop, limit: 20 });
  const wrong = PING.toBinary({ crc: true });
  wrong[wrong.length - 1]! ^= 1;
  const stream = concat(
    hex("3400 c0"), // Held; then a broken escape, which is behind it.
    hex("01db02 c0"),
    hex("34 c0"), // Held; then an oversize frame.
    encodeFrame(new Uint8Array(30)),
    hex("6080 02c328 c0"), // Not UTF-8; then a wrong checksum.
    encodeFrame(new Packet({ seq: 1 }).toBinary({ crc: true }).fill(9, 4)),
  );
  assert.deepEqual(decoder.push(stream), []);
  decoder.end();
  assert.deepEqual(log, [
    "ERR_PACKET_TRUNCATED 2",
    "ERR_PACKET_FRAME 1",
    "ERR_PACKET_TRUNCATED 0",
    "ERR_PACKET_FRAME 20",
    "ERR_PACKET_FIELD 3",
    "ERR_PACKET_CRC 4",
  ]);
  assert.deepEqual(decoder.dropped, { oversize: 1, escape: 1, malformed: 4 });
});

test("PacketDecoder.push() drops an orphan whose first half was dropped, and makes nothing of it", () => {
  const orphan = hex("dc20 0203040506070809 c0"); // With C0 in front it would pass for a packet.
  assert.deepEqual(decoded(concat(hex("c0"), orphan)).length, 1);
  const fronts: [string, string][] = [
    ["01db02 c0", "ERR_PACKET_FRAME"],
    ["00".repeat(60) + "c0", "ERR_PACKET_FRAME"],
  ];
  for (const [front, code] of fronts) {
    const stream = concat(hex(front), orphan, encodeFrame(QUERY.toBinary()));
    const expected = [code, "ERR_PACKET_FRAME", ...json(QUERY)];
    assert.deepEqual(decoded(bytewise(stream), { limit: 50 }), expected, front);
  }
  const behindSound = concat(encodeFrame(QUERY.toBinary()), orphan, orphan);
  const dropped = "ERR_PACKET_FRAME";
  assert.deepEqual(decoded(bytewise(behindSound)), [...json(QUERY), dropped, dropped]);
});

test("PacketDecoder.push() does not join a half to an orphan with an empty frame between", () => {
  const half = hex("e002 0003 01 c0");
  const whole = new Packet({ seq: 7 });
  const stream = concat(half, hex("c0"), hex("dc20 0007 c0"));
  assert.deepEqual(decoded(stream), ["ERR_PACKET_TRUNCATED", ...json(whole)]);
});

test("PacketDecoder.push() drops a rejoined packet that is larger than the limit", () => {
  const packet = new Packet({ data: hex("01c002") });
  const size = packet.toBinary().length;
  assert.deepEqual(decoded(pythonFrame(packet), { limit: size }), json(packet));
  const stream = concat(pythonFrame(packet), encodeFrame(QUERY.toBinary()));
  assert.deepEqual(decoded(stream, { limit: size - 1 }), ["ERR_PACKET_FRAME", ...json(QUERY)]);
});

test("PacketDecoder.pending is bounded by twice the limit, however many halves come", () => {
  const limit = 1_000;
  const decoder = new PacketDecoder({ limit });
  let most = 0;
  decoder.push(hex("e002 ffff c0"));
  for (let i = 0; i < 5_000; i++) {
    decoder.push(hex("dc41 c0"));
    most = Math.max(most, decoder.pending);
  }
  decoder.push(new Uint8Array(5_000));
  assert.ok(most <= limit, `held ${most} bytes`);
  assert.ok(decoder.pending <= 2 * limit);
  assert.equal(decoder.push(concat(hex("c0"), encodeFrame(QUERY.toBinary()))).length, 1);
});

test("PacketDecoder.push() rejoins a packet cut in thousands", () => {
  const packet = new Packet({ data: new Uint8Array(4_096).fill(0xc0) });
  const [got] = new PacketDecoder().push(pythonFrame(packet));
  assert.deepEqual(got!.data, packet.data);
});

test("PacketDecoder.end() drops a frame that waits for its other half", () => {
  assert.deepEqual(decoded(hex("3400 c0")), ["ERR_PACKET_TRUNCATED"]);
  assert.deepEqual(decoded(hex("c0 dc c0")), ["ERR_PACKET_TRUNCATED"]);
});

test("PacketDecoder.end() drops a frame that the stream has cut off", () => {
  assert.deepEqual(decoded(hex("340003")), ["ERR_PACKET_TRUNCATED"]);
  assert.deepEqual(decoded(hex("3400 c0 3400")), ["ERR_PACKET_TRUNCATED", "ERR_PACKET_TRUNCATED"]);
  assert.deepEqual(decoded(hex("340003 c0")), json(QUERY));
  assert.deepEqual(decoded(hex("")), []);
});

test("PacketDecoder without repair drops what does not decode at once", () => {
  const options = { repair: false };
  const decoder = new PacketDecoder(options);
  decoder.push(hex("3400 c0"));
  assert.deepEqual(decoder.dropped, { oversize: 0, escape: 0, malformed: 1 });
  const packet = new Packet({ dst: "n", data: hex("01c002") });
  const log = decoded(concat(pythonFrame(packet), encodeFrame(QUERY.toBinary())), options);
  assert.equal(log[0], "ERR_PACKET_TRUNCATED");
  assert.equal(log.at(-1), QUERY.toJson());
});

test("PacketDecoder without repair reads damaged encodings as their bytes say", () => {
  const expanded = hex("8082 016e 0001 c3bf c0");
  assert.deepEqual(decoded(expanded), json(new Packet({ dst: "n", data: hex("ff") })));
  assert.deepEqual(
    decoded(expanded, { repair: false }),
    json(new Packet({ dst: "n", data: hex("c3") })),
  );
});

test("PacketDecoder takes 66,608 bytes unless it is told otherwise, and refuses a bad limit", () => {
  const oversize = encodeFrame(new Uint8Array(66_609));
  assert.deepEqual(decoded(oversize), ["ERR_PACKET_FRAME"]);
  const padded = concat(QUERY.toBinary(), new Uint8Array(66_605));
  assert.deepEqual(decoded(encodeFrame(padded)), json(QUERY));
  for (const limit of [0, -1, 1.5, Number.NaN]) {
    assert.throws(() => new PacketDecoder({ limit }), RangeError);
  }
});
