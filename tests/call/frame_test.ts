import assert from "node:assert/strict";
import { test } from "node:test";
import { indexOf, numberOf } from "../../src/call/frame.ts";
import { MAX_FRAME_NUMBER } from "../../src/wire/call_mark.ts";

const HALF = (MAX_FRAME_NUMBER - 1) / 2;

/** Where numbers begin again, and what is around it. */
const EXPECTED = [0, 1, 31, 8_190, 8_191, 8_192, 16_381, 16_382, 16_383, 16_384, 32_766, 1e9];

test("numberOf() counts from 1 to 16,383, and then from 1 again: 0 is no number", () => {
  const indexes = [0, 1, 16_381, 16_382, 16_383, 16_384, 32_765, 32_766];
  assert.deepEqual(indexes.map(numberOf), [1, 2, 16_382, 16_383, 1, 2, 16_383, 1]);
});

test("indexOf() finds the index of a number again, as far as half of all numbers away", () => {
  for (const expected of EXPECTED) {
    for (let distance = -HALF; distance <= HALF; distance++) {
      const index = expected + distance;
      if (index < 0) continue;
      assert.equal(indexOf(numberOf(index), expected), index, `${index}, expected ${expected}`);
    }
  }
});

test("indexOf() is below 0 for what is before the first frame", () => {
  assert.equal(indexOf(MAX_FRAME_NUMBER, 0), -1);
  assert.equal(indexOf(MAX_FRAME_NUMBER - 1, 1), -2);
  assert.equal(indexOf(numberOf(HALF + 1), 0), HALF + 1 - MAX_FRAME_NUMBER);
});

test("indexOf() is below 0 for 0, which no frame has", () => {
  for (const expected of EXPECTED) assert.equal(indexOf(0, expected), -1);
});
