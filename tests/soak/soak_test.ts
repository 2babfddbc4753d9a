/** A short share of the soak, the same each time; `deno task soak` for all of it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { runVirtual } from "./virtual/run.ts";

const MINUTES = 2;

for (const seed of [1, 2, 3]) {
  test(`Routers keep their promises through ${MINUTES} minutes of chaos, seed ${seed}`, {
    timeout: 60_000,
  }, async () => {
    const { tally } = await runVirtual({ seed, minutes: MINUTES });
    assert.deepEqual(tally.violations, []);
    const answered = Object.values(tally.ends).reduce((sum, of) => sum + (of.answered ?? 0), 0);
    assert(answered > 1_000, `only ${answered} calls were answered`);
  });
}

test("The soak gives the same run for the same seed, and another for another", {
  timeout: 60_000,
}, async () => {
  const runs = [7, 7, 8].map((seed) => runVirtual({ seed, minutes: 0.5 }));
  const [one, same, other] = (await Promise.all(runs)).map(({ fingerprint }) => fingerprint);
  assert.equal(one, same);
  assert.notEqual(one, other);
});
