/**
 * What must not be left once nothing goes on any more.
 *
 * @module
 */

import { openContexts } from "./contexts.ts";
import { served } from "./services.ts";
import type { Site } from "./site.ts";

/** Calls that are open or served, what is held, and open contexts, in words. */
export function leftOpen(site: Site): string[] {
  const { router, ledger, held, clock } = site;
  const left = [
    ...ledger.overdue(clock.now()),
    ...held.words().map((what) => `${what} have not been let go of`),
    ...served(site).map((what) => `${what} are still served`),
  ];
  if (ledger.open > 0) left.push(`${ledger.open} calls have not ended`);
  const contexts = openContexts(router);
  if (contexts > 0) left.push(`${contexts} contexts are open`);
  return left;
}
