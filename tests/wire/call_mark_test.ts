import assert from "node:assert/strict";
import { test } from "node:test";
import { PacketDecoder } from "../../src/framing/packet_decoder.ts";
import { encodeFrame } from "../../src/framing/kiss.ts";
import { LegacyRouter } from "../../src/testing/legacy_router.ts";
import { encodeRouteAdvert } from "../../src/wire/adverts.ts";
import {
  ACK_ASKS,
  CALL,
  type CallMark,
  DATA_ASKS,
  DATA_MORE,
  decodeCallMark,
  encodeCallMark,
  MAX_FRAME_NUMBER,
  OPEN,
  RELIABLE,
} from "../../src/wire/mod.ts";
import { NET_ROUTE } from "../../src/wire/limits.ts";
import { Packet } from "../../src/wire/packet.ts";
import { Chance, randomPacket } from "../support/fuzz.ts";
import spec from "../interop/vectors/spec.json" with { type: "json" };
import { toHex } from "./hex.ts";

const KINDS = Object.values(CALL);
const NOTHING: CallMark = { kind: CALL.ask, toService: true, flags: 0, number: 0, argument: 0 };

/** Numbers at the edges of their bytes. */
const NUMBERS = [0, 1, 0x7e, 0x7f, 0x80, 0x81, 0x3f7f, 0x3f80, 0x3ffe, MAX_FRAME_NUMBER];

/** Every kind and flag, in both directions, with each of the numbers in both places. */
function* marks(): Generator<CallMark> {
  for (const kind of KINDS) {
    for (const toService of [false, true]) {
      for (let flags = 0; flags <= 7; flags++) {
        for (const number of NUMBERS) {
          for (const argument of NUMBERS) yield { kind, toService, flags, number, argument };
        }
      }
    }
  }
}

function randomMark(chance: Chance): CallMark {
  return {
    kind: chance.pick(KINDS),
    toService: chance.oneIn(2),
    flags: chance.upTo(7),
    number: chance.upTo(MAX_FRAME_NUMBER),
    argument: chance.upTo(MAX_FRAME_NUMBER),
  };
}

const ONLY_SEVEN_BITS = /^([0-7][0-9a-f]){2} ([0-7][0-9a-f]){4}$/;

/** The bytes of a mark: `seq`, then `ack`. */
function bytesOf({ seq, ack }: { seq: number; ack: number }): string {
  return seq.toString(16).padStart(4, "0") + " " + ack.toString(16).padStart(8, "0");
}

test("encodeCallMark() writes the layout exactly", () => {
  const { stream, body, upload } = OPEN;
  const written: [bytes: string, mark: Partial<CallMark>][] = [
    ["0000 58400000", { kind: CALL.ask }],
    ["0001 5849002a", { kind: CALL.open, flags: stream, number: 1, argument: 42 }],
    ["0001 584e4001", { kind: CALL.open, flags: body | upload, number: 1, argument: RELIABLE | 1 }],
    ["0100 58530000", { kind: CALL.data, flags: DATA_MORE | DATA_ASKS, number: 0x80 }],
    ["0003 58520000", { kind: CALL.data, flags: DATA_ASKS, number: 3 }],
    ["7f7f 58110000", { kind: CALL.data, toService: false, flags: DATA_MORE, number: 0x3fff }],
    ["0002 58580000", { kind: CALL.end, number: 2 }],
    ["0002 58200000", { kind: CALL.error, toService: false, number: 2 }],
    ["0000 58680000", { kind: CALL.cancel }],
    ["0022 58310103", {
      kind: CALL.ack,
      toService: false,
      flags: ACK_ASKS,
      number: 34,
      argument: 131,
    }],
    ["0000 58780000", { kind: CALL.gone }],
  ];
  for (const [bytes, mark] of written) {
    assert.equal(bytesOf(encodeCallMark({ ...NOTHING, ...mark })), bytes);
  }
});

test("No byte of a mark is 0x80 or more: some old relays do not carry those", () => {
  for (const mark of marks()) assert.match(bytesOf(encodeCallMark(mark)), ONLY_SEVEN_BITS);
});

test("decodeCallMark() gives back what encodeCallMark() was given", () => {
  for (const mark of marks()) assert.deepEqual(decodeCallMark(encodeCallMark(mark)), mark);
  for (let value = 0; value <= MAX_FRAME_NUMBER; value++) {
    const mark = { ...NOTHING, number: value, argument: MAX_FRAME_NUMBER - value };
    assert.deepEqual(decodeCallMark(encodeCallMark(mark)), mark);
  }
});

test("Every mark is another pair of numbers", () => {
  const seen = new Set(Array.from(marks(), (mark) => bytesOf(encodeCallMark(mark))));
  assert.equal(seen.size, KINDS.length * 2 * 8 * NUMBERS.length ** 2);
});

test("encodeCallMark() refuses values that do not fit", () => {
  const fields: [keyof CallMark, number][] = [
    ["kind", 7],
    ["flags", 7],
    ["number", MAX_FRAME_NUMBER],
    ["argument", MAX_FRAME_NUMBER],
  ];
  for (const [key, max] of fields) {
    for (const bad of [max + 1, -1, 0.5, Number.NaN, Infinity]) {
      assert.throws(() => encodeCallMark({ ...NOTHING, [key]: bad }), {
        name: "PacketError",
        code: "ERR_PACKET_FIELD",
        message: `Cannot accept call mark: its ${key}, ${bad}, is not an integer in 0-${max}`,
      });
    }
    encodeCallMark({ ...NOTHING, [key]: max });
  }
});

test("decodeCallMark() is null for whatever has not exactly the layout of a mark", () => {
  for (const mark of marks()) {
    const { seq, ack } = encodeCallMark(mark);
    // Each bit that is always the same, turned over.
    for (let bit = 24; bit < 32; bit++) {
      assert.equal(decodeCallMark({ seq, ack: (ack ^ (1 << bit)) >>> 0 }), null);
    }
    for (const bit of [7, 15, 23]) {
      assert.equal(decodeCallMark({ seq, ack: (ack ^ (1 << bit)) >>> 0 }), null);
    }
    for (const bit of [7, 15]) assert.equal(decodeCallMark({ seq: seq ^ (1 << bit), ack }), null);
  }
});

test("decodeCallMark() takes every seq and ack that has the layout, and no other", () => {
  for (let seq = 0; seq <= 0xffff; seq++) {
    const is = (seq & 0x8080) === 0;
    assert.equal(decodeCallMark({ seq, ack: 0x5840_0000 }) !== null, is, String(seq));
  }
  for (let half = 0; half <= 0xffff; half++) {
    const high = half >> 8 === 0x58 && (half & 0x80) === 0;
    assert.equal(decodeCallMark({ seq: 0, ack: half * 0x1_0000 }) !== null, high, String(half));
    const low = (half & 0x8080) === 0;
    assert.equal(decodeCallMark({ seq: 0, ack: 0x5840_0000 + half }) !== null, low, String(half));
  }
});

test("Numbers as applications use them are no marks", () => {
  // Counters, flags, sizes, times in s or ms, and what is at the edges of the layout.
  const values = [0, 1, 2, 255, 256, 65_535, 65_536, 1_000_000, 0x57ff_ffff, 0x5900_0000];
  values.push(0x0058_0000, 0x7fff_ffff, 0x8000_0000, 0xd840_0000, 0xffff_ffff, 1_700_000_000);
  for (const ack of values) assert.equal(decodeCallMark({ seq: 1, ack }), null, String(ack));
  for (const { name, fields } of spec) assert.equal(decodeCallMark(fields), null, name);
});

test("Marks come through both codecs, with or without what is around them", () => {
  const decoder = new PacketDecoder();
  for (let seed = 0; seed < 500; seed++) {
    const chance = new Chance(seed);
    const mark = randomMark(chance);
    // A hop later the packet has a next hop and a trailer.
    const packet = randomPacket(chance);
    Object.assign(packet, encodeCallMark(mark));
    const bytes = packet.toBinary({ crc: chance.oneIn(2) });
    const ways: [string, Packet[]][] = [
      ["bytes", [Packet.fromBinary(bytes)]],
      ["frames", [...decoder.push(encodeFrame(bytes))]],
      ["JSON", [Packet.fromJson(packet.toJson())]],
    ];
    for (const [way, read] of ways) {
      assert.deepEqual(read.map(decodeCallMark), [mark], `${way}, seed ${seed}`);
    }
  }
});

test("A map of what has been received comes through the damage that old peers do to data", () => {
  const mark: CallMark = { kind: CALL.ack, toService: true, flags: 0, number: 34, argument: 2 };
  const data = Uint8Array.of(0x7f, 0x01, 0x40, 0x00, 0x07);
  const packet = new Packet({ src: "a", dst: "b", ctx: 7, ...encodeCallMark(mark), data });
  const bytes = packet.toBinary();
  // Node writes each byte of data as a character: those below 0x80 stay as they are.
  const text = new TextEncoder().encode(String.fromCharCode(...bytes.subarray(2)));
  assert.equal(toHex(text), toHex(bytes.subarray(2)));
  assert.deepEqual(Packet.fromBinary(bytes).data, data);
});

test("Every dialect of JSON has room for a mark: it is an ordinary seq and an ordinary ack", () => {
  const mark: CallMark = { kind: CALL.data, toService: false, flags: 1, number: 300, argument: 0 };
  const { seq, ack } = encodeCallMark(mark);
  const dialects = {
    "Node and browser":
      `{"cf":0,"net":0,"srv":"","src":"b","dst":"a","nxt":"","seq":${seq},"ack":${ack},"ctx":7,` +
      '"typ":0,"data":"aGk=","data_sz":2}',
    "Go": `{"cf":0,"src":"b","dst":"a","seq":${seq},"ack":${ack},"ctx":7,"sz":2,"data":"aGk="}\n`,
    "Python": `{"cf": 0, "net": null, "srv": null, "src": "b", "dst": "a", "nxt": null,` +
      `"seq": ${seq}, "ack": ${ack}, "ctx": 7, "typ": 0, "data": "aGk="}`,
  };
  for (const [peer, text] of Object.entries(dialects)) {
    assert.deepEqual(decodeCallMark(Packet.fromJson(text)), mark, peer);
  }
});

for (const kind of ["node", "go", "python"] as const) {
  test(`An old ${kind} router between two of ours carries a mark as it is`, () => {
    const relay = new LegacyRouter("old", kind);
    const [left, right] = [1, 2];
    for (const link of [left, right]) relay.linkUp(link, 0);
    const data = encodeRouteAdvert({ address: "b", cost: 1 });
    relay.receive(right, new Packet({ net: NET_ROUTE, src: "b", data }), 0);
    for (let seed = 0; seed < 100; seed++) {
      const mark = randomMark(new Chance(seed));
      const packet = new Packet({
        src: "a",
        dst: "b",
        nxt: "old",
        ctx: 7,
        ...encodeCallMark(mark),
      });
      const carried = relay.receive(left, packet, 0)
        .filter((effect) => effect.kind === "transmit")
        .map(({ link, packet }) => [link, decodeCallMark(packet)]);
      assert.deepEqual(carried, [[right, mark]], `seed ${seed}`);
    }
    assert.equal(relay.killed, false);
  });
}
