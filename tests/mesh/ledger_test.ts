import assert from "node:assert/strict";
import { test } from "node:test";
import { Ledger } from "../../src/mesh/ledger.ts";

test("Ledger keeps what it is given at every number, up to the largest values", () => {
  const ledger = new Ledger();
  for (let id = 0; id < 2_000; id++) {
    ledger.set(id, 65_535 - id, 63_000 + id, ~id);
    ledger.setNote(id, id - 100);
  }
  for (let id = 0; id < 2_000; id++) {
    const entry = [ledger.cost(id), ledger.seq(id), ledger.origin(id), ledger.note(id)];
    assert.deepEqual(entry, [65_535 - id, 63_000 + id, ~id, id - 100]);
  }
});

test("Ledger.clear() leaves nothing of an entry, and all of its neighbours", () => {
  const ledger = new Ledger();
  for (let id = 126; id < 130; id++) {
    ledger.set(id, 5, 6, 7);
    ledger.setNote(id, 8);
  }
  ledger.clear(128);
  const entry = (id: number) => [
    ledger.cost(id),
    ledger.seq(id),
    ledger.origin(id),
    ledger.note(id),
  ];
  assert.deepEqual([127, 128, 129].map(entry), [[5, 6, 7, 8], [0, 0, 0, 0], [5, 6, 7, 8]]);
});
