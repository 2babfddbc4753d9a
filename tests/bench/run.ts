/**
 * Measures contenders in turns: A B A B, so that what else the machine does hits all of them.
 *
 * @module
 */

import type { Case, Row } from "./cases/case.ts";
import type { Runtime } from "./host/child.ts";
import type { Result, RowResult } from "./report/results.ts";

/** Measures one row. A contender that fails is left out from then on. */
export async function measureRow(
  one: Case,
  runtime: Runtime,
  { what, contenders }: Row,
  reps: number,
): Promise<RowResult> {
  const results: Result[] = contenders.map(({ system }) => ({ system, runs: [], failure: null }));
  for (let rep = 0; rep < reps; rep++) {
    for (const [i, contender] of contenders.entries()) {
      const result = results[i]!;
      if (result.failure !== null) continue;
      try {
        result.runs.push(await contender.run());
      } catch (error) {
        result.failure = (error as Error).message;
      }
    }
  }
  return { case: one, runtime, what, results };
}
