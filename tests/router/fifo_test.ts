import assert from "node:assert/strict";
import { test } from "node:test";
import { Fifo } from "../../src/router/fifo.ts";
import { seededRandom } from "../../src/testing/mod.ts";

test("Fifo gives back what was put in, in order, and keeps none of it", () => {
  const random = seededRandom(1);
  const fifo = new Fifo<number>();
  let put = 0;
  let taken = 0;
  assert.equal(fifo.shift(), undefined);
  for (let round = 0; round < 200; round++) {
    for (let i = Math.floor(random() * 200); i > 0; i--) fifo.push(put++);
    for (let i = Math.floor(random() * 180); i > 0 && taken < put; i--) {
      assert.equal(fifo.shift(), taken++);
    }
    assert.equal(fifo.length, put - taken);
  }
  while (taken < put) assert.equal(fifo.shift(), taken++);
  assert.equal(fifo.shift(), undefined);
  assert.equal(fifo.length, 0);
});
