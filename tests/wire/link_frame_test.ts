import assert from "node:assert/strict";
import { test } from "node:test";
import { PacketError } from "../../src/errors.ts";
import { decodeLinkFrame, LinkFrameWriter, MAX_LINK_FRAME } from "../../src/wire/link_frame.ts";
import { Packet } from "../../src/wire/packet.ts";
import { Chance, type LinkRecord, randomLinkRecord } from "../support/fuzz.ts";
import { frameOf, recordsOf, write } from "../support/link_records.ts";
import { concat, hex, toHex } from "./hex.ts";

const RECORDS: LinkRecord[] = [
  ["route", "node-a", 1, 7, 0x0102_0304],
  ["route", "node-b", 2, 9, 0x0102_0304],
  ["route", "node-c", 0, 0, 0],
  ["service", "node-a", "ping", 5, 0x0102_0304, 1],
  ["service", "node-a", "pong", 0, 0x0102_0304, 2],
  ["seqRequest", "b", 0xffff_ffff, 0xc0db, 8],
  ["ping", 7],
  ["pong", 0xdbdc_ddc0],
  ["digest", { routes: 3, routesHash: [1, 0xffff_ffff], services: 2, servicesHash: [4, 5] }],
  ["resync", 3],
  ["bye", 1],
];
const OPS = [
  "01 001d" + "00 00 06 6e6f64652d61 0001 0007 01020304" + "02 05 01 62 0002 0009" + "01 05 01 63",
  "02 0024" + "00 06 6e6f64652d61 04 70696e67 0005 01020304 0001" +
  "06 00 04 706f6e67 0000 01020304 0002",
  "03 0009" + "01 62 ffffffff c0db 08",
  "04 0004 00000007",
  "05 0004 dbdcddc0",
  "06 0018" + "00000003 00000001 ffffffff" + "00000002 00000004 00000005",
  "07 0001 03",
  "0b 0001 01",
];
const FRAME = hex(OPS.join(""));

/** What broken bytes say before they turn out to be broken, and what then. */
function broken(data: Uint8Array): { records: LinkRecord[]; error: PacketError } {
  const records: LinkRecord[] = [];
  try {
    recordsOf(data, records);
  } catch (error) {
    assert.ok(error instanceof PacketError, String(error));
    return { records, error };
  }
  assert.fail(`${toHex(data)} was not refused`);
}

function refused(data: string, code: PacketError["code"], offset: number): void {
  const { error } = broken(hex(data));
  assert.deepEqual([error.code, error.offset], [code, offset], data);
}

test("LinkFrameWriter writes the layout exactly", () => {
  assert.equal(toHex(frameOf(new LinkFrameWriter(), RECORDS)), toHex(FRAME));
});

test("decodeLinkFrame() tells of every record in its order", () => {
  assert.deepEqual(recordsOf(FRAME), RECORDS);
  assert.deepEqual(recordsOf(hex("")), []);
});

test("decodeLinkFrame() gives back whatever LinkFrameWriter was given", () => {
  for (let seed = 0; seed < 300; seed++) {
    const chance = new Chance(seed);
    const records: LinkRecord[] = [];
    let before = "";
    for (let i = 0; i < 30; i++) {
      const record = randomLinkRecord(chance, before);
      if (typeof record[1] === "string") before = record[1];
      records.push(record);
    }
    const frame = frameOf(new LinkFrameWriter(65_535), records);
    assert.deepEqual(recordsOf(frame), records, `seed ${seed}`);
  }
});

test("decodeLinkFrame() reads a view and keeps nothing of it", () => {
  const bytes = concat(hex("ffff"), FRAME);
  const records = recordsOf(bytes.subarray(2));
  bytes.fill(0);
  assert.deepEqual(records, RECORDS);
});

test("decodeLinkFrame() may be called while it tells of a record", () => {
  const inner: LinkRecord[][] = [];
  const told: string[] = [];
  const visitor = {
    route: (address: string) => {
      told.push(address);
      inner.push(recordsOf(FRAME));
    },
    service() {},
    seqRequest() {},
    ping() {},
    pong() {},
    digest() {},
    resync() {},
    bye() {},
  };
  decodeLinkFrame(FRAME, visitor);
  assert.deepEqual(told, ["node-a", "node-b", "node-c"]);
  assert.deepEqual(inner, [RECORDS, RECORDS, RECORDS]);
});

test("LinkFrameWriter retracts a route whatever its seq and origin", () => {
  const frame = frameOf(new LinkFrameWriter(), [["route", "a", 0, 9, 8], ["route", "b", 1, 2, 8]]);
  assert.deepEqual(recordsOf(frame), [["route", "a", 0, 0, 0], ["route", "b", 1, 2, 8]]);
});

test("decodeLinkFrame() takes a route that costs 0 for retracted, too", () => {
  const frame = hex("01 0014" + "00 00 01 61 0000 0005 00000007" + "02 00 01 62 0001 0002");
  assert.deepEqual(recordsOf(frame), [["route", "a", 0, 0, 0], ["route", "b", 1, 2, 7]]);
});

test("decodeLinkFrame() keeps the origin across a retraction, and forgets it with the op", () => {
  const routes: LinkRecord[] = [
    ["route", "a", 1, 1, 7],
    ["route", "b", 0, 0, 0],
    ["route", "c", 1, 1, 7],
    ["ping", 1],
    ["route", "d", 1, 1, 7],
    ["route", "e", 1, 1, 0],
    ["ping", 2],
    ["route", "f", 1, 1, 0],
  ];
  const frame = frameOf(new LinkFrameWriter(), routes);
  assert.deepEqual(recordsOf(frame), routes);
  // Two ops with one origin each; 0 is what an op begins with.
  assert.equal(frame.length, 2 * 7 + 3 * 3 + (12 + 4 + 8) + (12 + 12) + 8);
});

test("decodeLinkFrame() ignores the flags of a route that it does not know", () => {
  const frame = hex("01 000c" + "fc 00 01 61 0001 0002 00000003");
  assert.deepEqual(recordsOf(frame), [["route", "a", 1, 2, 3]]);
});

test("LinkFrameWriter leaves out what a name shares with the one before", () => {
  const names = Array.from({ length: 100 }, (_, i) => `building-7/room-${100 + i}`);
  const frame = frameOf(
    new LinkFrameWriter(),
    names.map((name, i): LinkRecord => ["route", name, 1, i, 7]),
  );
  const unshared = 3 + names.length * (3 + "building-7/room-100".length + 4);
  assert.deepEqual(recordsOf(frame).map((record) => record[1]), names);
  assert.ok(frame.length < unshared / 3, `${frame.length} bytes, ${unshared} unshared`);
});

test("LinkFrameWriter shares names within an op only: each can be read without the others", () => {
  const writer = new LinkFrameWriter();
  const one = frameOf(writer, [["route", "node-a", 1, 1, 1]]);
  assert.deepEqual(one, hex("01 0011" + "00 00 06 6e6f64652d61 0001 0001 00000001"));
  assert.deepEqual(frameOf(writer, [["route", "node-a", 1, 1, 1]]), one);
  const again: LinkRecord[] = [
    ["route", "node-a", 1, 1, 1],
    ["resync", 1],
    ["route", "node-a", 1, 1, 1],
  ];
  assert.deepEqual(frameOf(writer, again), concat(one, hex("07 0001 01"), one));
});

test("LinkFrameWriter shares bytes, also within a character, and such names come back", () => {
  const names = [
    "é",
    "è",
    "東京",
    "東亰",
    "abc",
    "ab",
    "abé",
    "🚀",
    "🚁",
    "🚁",
    "a\ufeffb",
    "\ufeff",
  ];
  const records: LinkRecord[] = [
    ...names.map((name): LinkRecord => ["route", name, 1, 1, 1]),
    ...names.map((name): LinkRecord => ["service", name, name, 1, 1, 1]),
  ];
  const frame = frameOf(new LinkFrameWriter(), records);
  assert.deepEqual(recordsOf(frame), records);
  const two = frameOf(new LinkFrameWriter(), [["route", "é", 1, 1, 1], ["route", "è", 1, 1, 1]]);
  const written = "01 0015" + "00 00 02 c3a9 0001 0001 00000001" + "02 01 01 a8 0001 0001";
  assert.deepEqual(two, hex(written));
});

test("LinkFrameWriter writes a lone surrogate as U+FFFD, like the rest of the wire", () => {
  const frame = frameOf(new LinkFrameWriter(), [["route", "a\ud800", 1, 1, 1]]);
  assert.deepEqual(recordsOf(frame), [["route", "a\ufffd", 1, 1, 1]]);
});

test("LinkFrameWriter takes names of 255 bytes and refuses 256, and none", () => {
  const writer = new LinkFrameWriter();
  for (const name of ["a".repeat(255), "é".repeat(127) + "b", "東".repeat(85)]) {
    const records: LinkRecord[] = [
      ["route", name, 1, 1, 1],
      ["service", name, name, 1, 1, 1],
      ["seqRequest", name, 1, 1, 1],
    ];
    assert.deepEqual(recordsOf(frameOf(writer, records)), records);
    for (const bad of ["", name + "x"]) {
      const field = { name: "PacketError", code: "ERR_PACKET_FIELD" };
      assert.throws(() => writer.route(bad, 1, 1, 1), field);
      assert.throws(() => writer.service(bad, "s", 1, 1, 1), field);
      assert.throws(() => writer.service("h", bad, 1, 1, 1), field);
      assert.throws(() => writer.seqRequest(bad, 1, 1, 1), field);
    }
  }
  assert.equal(writer.empty, true);
});

test("LinkFrameWriter takes numbers up to their field's end and refuses the rest", () => {
  const writer = new LinkFrameWriter();
  const digest = (at: number, value: number) => {
    const of = (i: number) => i === at ? value : 0;
    return {
      routes: of(0),
      routesHash: [of(1), of(2)],
      services: of(3),
      servicesHash: [of(4), of(5)],
    } as const;
  };
  const fields: [max: number, write: (value: number) => boolean][] = [
    [0xffff, (value) => writer.route("a", value, 1, 1)],
    [0xffff, (value) => writer.route("a", 1, value, 1)],
    [0xffff_ffff, (value) => writer.route("a", 1, 1, value)],
    [0xffff, (value) => writer.service("a", "s", value, 1, 1)],
    [0xffff_ffff, (value) => writer.service("a", "s", 1, value, 1)],
    [0xffff, (value) => writer.service("a", "s", 1, 1, value)],
    [0xffff_ffff, (value) => writer.seqRequest("a", value, 1, 1)],
    [0xffff, (value) => writer.seqRequest("a", 1, value, 1)],
    [0xff, (value) => writer.seqRequest("a", 1, 1, value)],
    [0xffff_ffff, (value) => writer.ping(value)],
    [0xffff_ffff, (value) => writer.pong(value)],
    ...[0, 1, 2, 3, 4, 5].map((at): [number, (value: number) => boolean] => [
      0xffff_ffff,
      (value) => writer.digest(digest(at, value)),
    ]),
    [0xff, (value) => writer.resync(value)],
    [0xff, (value) => writer.bye(value)],
  ];
  for (const [max, write] of fields) {
    for (const good of [0, 1, max]) {
      assert.equal(write(good), true);
      recordsOf(writer.finish()); // Can be read, too.
    }
    for (const bad of [max + 1, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, "1", null]) {
      assert.throws(() => write(bad as number), { name: "PacketError", code: "ERR_PACKET_FIELD" });
      assert.equal(writer.empty, true, "a refused record has left something behind");
    }
  }
});

test("LinkFrameWriter writes nothing of a record that does not fit, and all of one that does", () => {
  for (const record of RECORDS) {
    const alone = frameOf(new LinkFrameWriter(), [record]);
    const exact = new LinkFrameWriter(alone.length);
    assert.deepEqual(frameOf(exact, [record]), alone);
    const tight = new LinkFrameWriter(alone.length - 1);
    assert.equal(write(tight, record), false, record[0]);
    assert.deepEqual([tight.size, tight.empty, tight.finish()], [0, true, new Uint8Array(0)]);
  }
});

test("LinkFrameWriter goes on after a record that did not fit as if it had not been there", () => {
  const writer = new LinkFrameWriter(40);
  assert.equal(writer.route("node-a", 1, 1, 7), true); // 20 bytes.
  assert.equal(writer.route("node-b" + "x".repeat(20), 1, 1, 9), false);
  assert.equal(writer.service("node-b", "s".repeat(20), 1, 1, 1), false);
  assert.equal(writer.size, 20);
  assert.equal(writer.route("node-c", 1, 1, 7), true); // 8 bytes.
  assert.equal(writer.size, 28);
  assert.deepEqual(recordsOf(writer.finish()), [
    ["route", "node-a", 1, 1, 7],
    ["route", "node-c", 1, 1, 7],
  ]);
});

test("LinkFrameWriter fills frames of 4,096 bytes unless it is told otherwise", () => {
  assert.equal(MAX_LINK_FRAME, 4_096);
  const writer = new LinkFrameWriter();
  let count = 0;
  while (writer.route(`node-${10_000 + count}`, 1, count, count)) count++;
  assert.ok(writer.size <= 4_096 && writer.size > 4_096 - 30, `${writer.size} bytes`);
  assert.equal(recordsOf(writer.finish()).length, count);
});

test("LinkFrameWriter has room for the longest record in an empty frame of 524 bytes", () => {
  const writer = new LinkFrameWriter(524);
  const record: LinkRecord = ["service", "h".repeat(255), "s".repeat(255), 1, 1, 1];
  assert.equal(frameOf(writer, [record]).length, 524);
  for (const limit of [0, -1, 1.5, 65_536, Number.NaN]) {
    assert.throws(() => new LinkFrameWriter(limit), RangeError);
  }
});

test("LinkFrameWriter.finish() hands over bytes of their own and starts again", () => {
  const writer = new LinkFrameWriter();
  assert.equal(writer.empty, true);
  const first = frameOf(writer, RECORDS);
  assert.deepEqual([writer.size, writer.empty], [0, true]);
  const second = frameOf(writer, [["ping", 1]]);
  assert.deepEqual([toHex(first), toHex(second)], [toHex(FRAME), "04000400000001"]);
  assert.equal(first.buffer.byteLength, first.length);
});

test("decodeLinkFrame() skips ops that it does not know", () => {
  for (const unknown of ["00 0000", "08 0003 aabbcc", "7f 0100" + "00".repeat(256), "ff 0000"]) {
    const data = hex(OPS.map((op) => unknown + op).join("") + unknown);
    assert.deepEqual(recordsOf(data), RECORDS, unknown);
  }
});

test("decodeLinkFrame() ignores bytes behind a body of fixed size", () => {
  const longer = OPS.slice(2).map((op) => {
    const bytes = hex(op + "aabb");
    bytes[2]! += 2;
    return bytes;
  });
  assert.deepEqual(recordsOf(concat(...longer)), RECORDS.slice(5));
});

test("decodeLinkFrame() refuses a body that is shorter than its op needs", () => {
  const short = ["03 0000", "03 0008 0162ffffffffc0db", "04 0003 000000", "05 0000", "07 0000"];
  for (const data of [...short, "06 0017" + "00".repeat(23), "0b 0000", "03 0002 0561"]) {
    assert.equal(broken(hex(data + "00".repeat(30))).error.code, "ERR_PACKET_TRUNCATED", data);
  }
});

test("decodeLinkFrame() cut at any byte throws PacketError once it has told what was whole", () => {
  const ends = OPS.map((_, i) => hex(OPS.slice(0, i).join("")).length);
  for (let size = 0; size < FRAME.length; size++) {
    const cut = FRAME.subarray(0, size);
    if (ends.includes(size)) {
      const whole = recordsOf(cut);
      assert.deepEqual(whole, RECORDS.slice(0, whole.length));
      continue;
    }
    const { records, error } = broken(cut);
    assert.deepEqual(records, RECORDS.slice(0, records.length), `cut to ${size} bytes`);
    assert.equal(error.code, "ERR_PACKET_TRUNCATED");
  }
});

test("decodeLinkFrame() tells of the records before the one that is cut off", () => {
  const body = hex(OPS[0]!).subarray(3);
  for (let size = 0; size < body.length; size++) {
    const op = concat(Uint8Array.of(1, 0, size), body.subarray(0, size));
    const whole = [0, 17, 25].findLast((end) => end <= size)!;
    if (whole === size) assert.equal(recordsOf(op).length, [0, 17, 25].indexOf(size));
    else assert.equal(broken(op).records.length, [0, 17, 25].indexOf(whole), `${size} bytes`);
  }
  assert.deepEqual(broken(concat(FRAME, hex("04"))).records, RECORDS);
});

test("decodeLinkFrame() refuses a name that shares more than there is, is too long, or empty", () => {
  const rest = "0001 0001 00000001";
  refused("01 000d" + "00 01 01 61" + rest + "00", "ERR_PACKET_FIELD", 4);
  refused("01 0017" + "00 00 01 61" + rest + "00 02 00" + rest, "ERR_PACKET_FIELD", 16);
  refused("01 000b" + "00 00 00" + rest, "ERR_PACKET_FIELD", 4);
  refused("02 000d" + "00 00 01 73" + "0001 00000001 0001" + "00", "ERR_PACKET_FIELD", 3);
  refused("02 000c" + "00 01 68 00" + "0001 00000001 0001", "ERR_PACKET_FIELD", 7);
  refused("03 0008" + "00 00000001 0001 01", "ERR_PACKET_FIELD", 4);
  const long = "00 00 ff" + "61".repeat(255) + rest;
  refused("01 0118" + long + "00 ff 01 61" + rest + "00 00", "ERR_PACKET_FIELD", 3 + 266 + 1);
});

test("decodeLinkFrame() refuses names that are not UTF-8, also when they are joined", () => {
  const rest = "0001 0001 00000001";
  refused("01 000d" + "00 00 02 c328" + rest, "ERR_PACKET_FIELD", 4);
  refused("01 000c" + "00 00 01 c3" + rest, "ERR_PACKET_FIELD", 4);
  const joined = "01 0019" + "00 00 02 c3a9" + rest + "00 01 01 28" + rest;
  refused(joined, "ERR_PACKET_FIELD", 17);
  assert.deepEqual(broken(hex(joined)).records, [["route", "é", 1, 1, 1]]);
});

test("A link frame goes through a packet, in bytes and in JSON", () => {
  const packet = new Packet({ net: 4, data: FRAME });
  assert.deepEqual(recordsOf(Packet.fromBinary(packet.toBinary()).data), RECORDS);
  assert.deepEqual(recordsOf(Packet.fromJson(packet.toJson()).data), RECORDS);
});
