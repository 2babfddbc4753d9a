import assert from "node:assert/strict";
import { test } from "node:test";
import { CallTable, type TableCall } from "../../src/router/call_table.ts";
import { seededRandom } from "../../src/testing/mod.ts";

class Call implements TableCall<Call> {
  readonly ctx: number;
  next: Call | null = null;

  constructor(ctx: number) {
    this.ctx = ctx;
  }
}

test("CallTable finds every call that is in it, and no other, whatever their contexts", () => {
  for (const step of [1, 8, 256, 4_096]) { // In turn, and many in one slot.
    const random = seededRandom(step);
    const table = new CallTable<Call>();
    const calls = new Map<number, Call>();
    for (let i = 0; i < 2_000; i++) {
      const ctx = 1 + (step * Math.floor(64 * random())) % 65_535;
      const call = calls.get(ctx);
      assert.equal(table.get(ctx), call);
      if (call === undefined) {
        const added = new Call(ctx);
        table.add(added);
        calls.set(ctx, added);
      } else {
        assert.deepEqual([table.delete(call), call.next, calls.delete(ctx)], [true, null, true]);
        assert.deepEqual([table.get(ctx), table.delete(call)], [undefined, false]);
      }
      assert.equal(table.size, calls.size);
    }
    const contexts = (all: Iterable<Call>) => Array.from(all, ({ ctx }) => ctx).sort();
    assert.deepEqual(contexts(table.values()), contexts(calls.values()));
    for (const call of table.values()) table.delete(call);
    assert.deepEqual([table.size, table.values()], [0, []]);
  }
});

test("CallTable.delete() leaves alone a call of the same context that is not in it", () => {
  const table = new CallTable<Call>();
  const [here, elsewhere] = [new Call(7), new Call(7)];
  table.add(here);
  assert.deepEqual([table.delete(elsewhere), table.get(7), table.size], [false, here, 1]);
});
