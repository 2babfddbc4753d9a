/**
 * Messages on a segment, byte by byte.
 *
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { PacketError } from "../../src/errors.ts";
import {
  decodeSegmentHead,
  encodeSegmentHead,
  encodeSegmentMessage,
  EVERYBODY,
  forEachPacket,
} from "../../src/wire/segment_message.ts";
import { hex, toHex } from "./hex.ts";

const MESSAGE = "41530100000007000000000368756200000002" + "0000";

function read(message: Uint8Array): string[] {
  const packets: string[] = [];
  const head = decodeSegmentHead(message);
  if (head !== null) {
    forEachPacket(message, head.offset, (start, end) => {
      packets.push(toHex(message.subarray(start, end)));
    });
  }
  return packets;
}

test("A message on a segment is as src/wire/README.md shows it", () => {
  const head = encodeSegmentHead({ from: 7, to: EVERYBODY, address: "hub" });
  assert.equal(toHex(encodeSegmentMessage(head, EVERYBODY, [Uint8Array.of(0, 0)])), MESSAGE);
  const { offset, ...rest } = decodeSegmentHead(hex(MESSAGE))!;
  assert.deepEqual(rest, { from: 7, to: 0, address: "hub" });
  assert.equal(offset, 15);
});

test("A message on a segment carries any number of packets, to whom it says", () => {
  const head = encodeSegmentHead({ from: 0xffff_ffff, to: EVERYBODY, address: "ü" });
  const packets = [[1], [], [2, 3, 0xc0]].map((bytes) => Uint8Array.from(bytes));
  const message = encodeSegmentMessage(head, 0x8000_0001, packets);
  assert.deepEqual(read(message), ["01", "", "0203c0"]);
  const { from, to, address } = decodeSegmentHead(message)!;
  assert.deepEqual([from, to, address], [0xffff_ffff, 0x8000_0001, "ü"]);
});

test("A message on a segment that is cut at any byte throws PacketError, or loses the packets cut off", () => {
  const whole = hex(MESSAGE + "0000000101");
  for (let size = 0; size < whole.length; size++) {
    const cut = whole.slice(0, size);
    if (size === 15) assert.deepEqual(read(cut), []);
    else if (size === 21) assert.deepEqual(read(cut), ["0000"]);
    else assert.throws(() => read(cut), PacketError, `${size} bytes`);
  }
});

test("A message that is no segment's is refused, and one of another version ignored", () => {
  for (
    const [message, why] of [
      ["4b5301", /it is no segment's/],
      ["41530100000000000000000161", /its sender has no number/],
      ["415301000000010000000000", /it is empty/],
      ["4153010000000100000000 01 ff".replaceAll(" ", ""), /it is not UTF-8/],
    ] as const
  ) assert.throws(() => decodeSegmentHead(hex(message)), why);
  assert.equal(decodeSegmentHead(hex("415302")), null);
});

test("A sender has an address", () => {
  assert.throws(() => encodeSegmentHead({ from: 1, to: 0, address: "" }), PacketError);
  const long = "x".repeat(256);
  assert.throws(() => encodeSegmentHead({ from: 1, to: 0, address: long }), PacketError);
});
