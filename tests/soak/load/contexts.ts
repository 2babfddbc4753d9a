/**
 * How many contexts a router has open, as seen from outside.
 *
 * @module
 */

import type { Router } from "../../../mod.ts";

/** Contexts that a router can have open. */
const CONTEXTS = 16_384;

/** Contexts that are open: those that cannot be opened any more. */
export function openContexts(router: Router): number {
  const opened: number[] = [];
  try {
    for (;;) opened.push(router.registerContextHandler(() => {}));
  } catch {
    return CONTEXTS - opened.length;
  } finally {
    for (const ctx of opened) router.releaseContext(ctx);
  }
}
