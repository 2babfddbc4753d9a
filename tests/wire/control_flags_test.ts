import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeControlWord, encodeControlWord, FLAG } from "../../src/wire/control_flags.ts";
import hamming from "../interop/vectors/hamming.json" with { type: "json" };

const ALL_FLAGS = Array.from({ length: 2_048 }, (_, flags) => flags);

test("FLAG names each presence bit once, in the order of the fields", () => {
  assert.deepEqual(FLAG, {
    net: 0x0400,
    srv: 0x0200,
    src: 0x0100,
    dst: 0x0080,
    nxt: 0x0040,
    seq: 0x0020,
    ack: 0x0010,
    ctx: 0x0008,
    typ: 0x0004,
    data: 0x0002,
    crc: 0x0001,
  });
});

test("encodeControlWord() gives the word that every peer gives, for all 2048 sets of flags", () => {
  assert.deepEqual(ALL_FLAGS.map(encodeControlWord), hamming);
});

test("encodeControlWord() sends the unused bit as 0", () => {
  assert.deepEqual(ALL_FLAGS.filter((flags) => encodeControlWord(flags) & 0x0800), []);
});

test("decodeControlWord() gives the flags back and nothing of the check bits", () => {
  assert.deepEqual(hamming.map(decodeControlWord), ALL_FLAGS);
});

test("decodeControlWord() puts right each of the 32768 single flipped bits", () => {
  let corrected = 0;
  for (const [flags, word] of hamming.entries()) {
    for (let bit = 0; bit < 16; bit++) {
      const got = decodeControlWord(word ^ (1 << bit));
      assert.equal(got, flags, `flags ${flags}, bit ${bit} flipped`);
      corrected++;
    }
  }
  assert.equal(corrected, 32_768);
});

test("decodeControlWord() gives some eleven flags for any word, however damaged", () => {
  for (let word = 0; word <= 0xffff; word++) {
    const flags = decodeControlWord(word);
    assert.ok(flags >= 0 && flags < 2_048, `word ${word} gave ${flags}`);
  }
});
