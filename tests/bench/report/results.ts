/**
 * What was measured.
 *
 * @module
 */

import type { Case, Figures } from "../cases/case.ts";
import type { Runtime } from "../host/child.ts";

/** One contender's figures, one for each repetition. */
export interface Result {
  system: string;
  runs: Figures[];
  /** Why it could not be measured, if so. */
  failure: string | null;
}

/** Contenders in one row, in one runtime. */
export interface RowResult {
  case: Case;
  runtime: Runtime;
  what: string;
  results: Result[];
}

/** The figures of one column, in the order of the repetitions. */
export function column({ runs }: Result, key: string): number[] {
  return runs.map((figures) => figures[key] ?? NaN);
}
