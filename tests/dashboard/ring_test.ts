import assert from "node:assert/strict";
import { test } from "node:test";
import { Ring } from "../../src/dashboard/page/ring.ts";

const kept = <T>(ring: Ring<T>) =>
  Array.from({ length: ring.length }, (_, i) => ring.get(ring.first + i));

test("Ring keeps the latest, each under its own number", () => {
  const ring = new Ring<string>(3);
  assert.deepEqual([ring.first, ring.end, ring.length, ring.get(0)], [0, 0, 0, undefined]);
  for (const word of ["a", "b"]) ring.push(word);
  assert.deepEqual([ring.first, ring.end, kept(ring)], [0, 2, ["a", "b"]]);
  for (const word of ["c", "d", "e"]) ring.push(word);
  assert.deepEqual([ring.first, ring.end, kept(ring)], [2, 5, ["c", "d", "e"]]);
  assert.deepEqual([ring.get(1), ring.get(4), ring.get(5)], [undefined, "e", undefined]);
});

test("Ring.clear() forgets all, and never gives a number again", () => {
  const ring = new Ring<string>(3);
  ring.clear();
  assert.deepEqual([ring.first, ring.end, ring.length], [0, 0, 0]);
  for (const word of ["a", "b"]) ring.push(word);
  const { end } = ring;
  ring.clear();
  assert.equal(ring.length, 0);
  assert(ring.first >= end);
  ring.push("c");
  assert.deepEqual(kept(ring), ["c"]);
  assert.equal(ring.get(0), undefined);
});
