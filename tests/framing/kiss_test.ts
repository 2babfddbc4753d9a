import assert from "node:assert/strict";
import { test } from "node:test";
import type { PacketError } from "../../src/errors.ts";
import { encodeFrame, KissDecoder } from "../../src/framing/kiss.ts";
import { concat, hex, toHex } from "../wire/hex.ts";

const PACKETS = ["34 00 03", "c0", "db", "dc dd", "c0db dcdd c0c0 dbdb", "00", "01 c0 02"].map(hex);
const STREAM = concat(...PACKETS.map(encodeFrame));

/** A decoder and, in order, all that it says: frames as hex, drops as their code and offset. */
function recorded(
  limit?: number,
): { decoder: KissDecoder; log: string[]; push(text: string): void } {
  const log: string[] = [];
  const onDrop = (error: PacketError) => log.push(`${error.code} ${error.offset}`);
  const decoder = new KissDecoder({ limit, onDrop });
  const push = (text: string) => decoder.forEach(hex(text), (frame) => log.push(toHex(frame)));
  return { decoder, log, push };
}

test("encodeFrame() stuffs C0 and DB, and ends with the only C0", () => {
  assert.deepEqual(encodeFrame(hex("340003")), hex("340003 c0"));
  assert.deepEqual(encodeFrame(hex("c0 db dc dd")), hex("dbdc dbdd dc dd c0"));
  assert.deepEqual(encodeFrame(hex("db dc")), hex("dbdd dc c0"));
});

test("encodeFrame() returns bytes that are the caller's", () => {
  for (const packet of [hex("0102"), hex("01c0")]) {
    const frame = encodeFrame(packet);
    packet.fill(9);
    assert.equal(frame[0], 1);
    assert.equal(frame.buffer.byteLength, frame.length);
  }
});

test("KissDecoder.push() gives back what encodeFrame() was given, whole", () => {
  assert.deepEqual(new KissDecoder().push(STREAM), PACKETS);
});

test("KissDecoder.push() gives back every byte value", () => {
  const everyByte = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  assert.deepEqual(new KissDecoder().push(encodeFrame(everyByte)), [everyByte]);
});

test("KissDecoder.push() yields the same frames wherever the stream is cut", () => {
  for (let cut = 0; cut <= STREAM.length; cut++) {
    const decoder = new KissDecoder();
    const frames = decoder.push(STREAM.subarray(0, cut)).concat(decoder.push(STREAM.subarray(cut)));
    assert.deepEqual(frames, PACKETS, `cut at byte ${cut}`);
  }
});

test("KissDecoder.push() yields the same frames byte by byte, with empty chunks between", () => {
  const decoder = new KissDecoder();
  const frames = [...STREAM].flatMap((byte) => [
    ...decoder.push(Uint8Array.of(byte)),
    ...decoder.push(new Uint8Array(0)),
  ]);
  assert.deepEqual(frames, PACKETS);
  assert.equal(decoder.pending, 0);
});

test("KissDecoder.push() leaves empty frames out: leading, doubled, and many", () => {
  const decoder = new KissDecoder();
  assert.deepEqual(
    decoder.push(hex("c0 01c0 c0 02c0 c0c0c0c0c0 03c0")),
    ["01", "02", "03"].map(hex),
  );
  assert.deepEqual(decoder.dropped, { oversize: 0, escape: 0 });
});

test("KissDecoder.push() returns frames that are the caller's, and keeps nothing of the chunk", () => {
  const decoder = new KissDecoder();
  const chunk = hex("01 02 c0 03");
  const [first] = decoder.push(chunk);
  chunk.fill(9);
  assert.deepEqual(first, hex("0102"));
  first!.fill(7);
  assert.deepEqual(decoder.push(hex("04 c0")), [hex("0304")]);
});

test("KissDecoder drops a frame with a broken escape and goes on with the next", () => {
  for (const broken of ["01 db 02 03 c0", "01 db c0", "01 db db dc c0", "01 db de db dc 05 c0"]) {
    const { decoder, log, push } = recorded();
    push(`aa c0 ${broken} bb c0`);
    assert.deepEqual(log, ["aa", "ERR_PACKET_FRAME 1", "bb"], broken);
    assert.deepEqual(decoder.dropped, { oversize: 0, escape: 1 }, broken);
  }
});

test("KissDecoder counts a broken escape once, however many the frame holds", () => {
  const { decoder, log, push } = recorded();
  push("db 01 db 02 db db c0 bb c0");
  assert.deepEqual(log, ["ERR_PACKET_FRAME 0", "bb"]);
  assert.deepEqual(decoder.dropped, { oversize: 0, escape: 1 });
});

test("KissDecoder accepts a frame of exactly the limit, counted unescaped", () => {
  const { decoder, log, push } = recorded(4);
  push("01020304 c0 dbdc dbdd dbdc dbdd c0");
  assert.deepEqual(log, ["01020304", "c0dbc0db"]);
  assert.deepEqual(decoder.dropped, { oversize: 0, escape: 0 });
});

test("KissDecoder drops a frame one byte over the limit, to its end, and takes the next", () => {
  for (const long of ["0102030405", "01020304 dbdc", "01020304 05 db 06", "dbdcdbdcdbdcdbdc01"]) {
    const { decoder, log, push } = recorded(4);
    push(`aa c0 ${long} c0 bb c0`);
    assert.deepEqual(log, ["aa", "ERR_PACKET_FRAME 4", "bb"], long);
    assert.deepEqual(decoder.dropped, { oversize: 1, escape: 0 }, long);
  }
});

test("KissDecoder works with any limit, also across the growth of its buffer", () => {
  for (const limit of [1, 2, 255, 256, 257, 511, 512, 513, 1_000]) {
    const fits = new Uint8Array(limit).fill(0xc0);
    const over = new Uint8Array(limit + 1).fill(0xdb);
    const decoder = new KissDecoder({ limit });
    const stream = concat(...[fits, over, fits].map(encodeFrame));
    assert.deepEqual(decoder.push(stream), [fits, fits], `limit ${limit}`);
    assert.deepEqual(decoder.dropped, { oversize: 1, escape: 0 }, `limit ${limit}`);
  }
});

test("KissDecoder takes 66,608 bytes unless it is told otherwise", () => {
  const decoder = new KissDecoder();
  const fits = new Uint8Array(66_608).fill(1);
  assert.deepEqual(decoder.push(encodeFrame(fits)), [fits]);
  assert.deepEqual(decoder.push(encodeFrame(new Uint8Array(66_609))), []);
  assert.deepEqual(decoder.dropped, { oversize: 1, escape: 0 });
});

test("KissDecoder refuses a limit that is no positive integer", () => {
  for (const limit of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => new KissDecoder({ limit }), {
      name: "RangeError",
      message: `Cannot accept limit: ${limit} is not a positive integer`,
    });
  }
});

test("KissDecoder.pending never exceeds the limit, however long a frame goes on", () => {
  const decoder = new KissDecoder({ limit: 1_000 });
  let most = 0;
  for (let sent = 0; sent < 10_000; sent++) {
    decoder.push(hex("dbdc 0102"));
    most = Math.max(most, decoder.pending);
  }
  assert.equal(most, 999); // The chunk that would pass the limit drops the frame.
  assert.equal(decoder.pending, 0);
  assert.deepEqual(decoder.dropped, { oversize: 1, escape: 0 });
  assert.deepEqual(decoder.push(hex("c0 aa c0")), [hex("aa")]);
});

test("KissDecoder.pending counts the bytes of the frame that has begun", () => {
  const decoder = new KissDecoder();
  decoder.push(hex("01c0 02 dbdc db"));
  assert.equal(decoder.pending, 2);
});

test("KissDecoder.onDrop() is told where the frame would have stood among the others", () => {
  const { decoder, log, push } = recorded(2);
  push("01c0 db00c0 02c0 030303c0 04c0 db");
  push("c0 05c0");
  assert.deepEqual(log, [
    "01",
    "ERR_PACKET_FRAME 0",
    "02",
    "ERR_PACKET_FRAME 2",
    "04",
    "ERR_PACKET_FRAME 0",
    "05",
  ]);
  assert.deepEqual(decoder.dropped, { oversize: 1, escape: 2 });
});

test("KissDecoder.onDrop() is given a message for people", () => {
  const messages: string[] = [];
  const onDrop = (error: PacketError) => messages.push(error.message);
  new KissDecoder({ limit: 2, onDrop }).push(hex("010203c0 01db02c0"));
  assert.deepEqual(messages, [
    "Cannot accept frame: it is larger than 2 bytes",
    "Cannot accept frame: byte 1 is a broken escape",
  ]);
});

test("KissDecoder.forEach() says which frames stand right behind another", () => {
  const log: [string, boolean][] = [];
  const decoder = new KissDecoder({ limit: 3 });
  for (const byte of hex("01c0 02c0 c0 03c0 db00c0 04c0 04040404c0 05c0 db c0 06c0 c0c0 07c0")) {
    decoder.forEach(Uint8Array.of(byte), (frame, adjoins) => log.push([toHex(frame), adjoins]));
  }
  assert.deepEqual(log, [
    ["01", false],
    ["02", true],
    ["03", false],
    ["04", true], // Behind a dropped frame.
    ["05", true],
    ["06", true],
    ["07", false],
  ]);
});
