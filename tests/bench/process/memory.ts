/**
 * What a process holds once its garbage is gone.
 *
 * @module
 */

import process from "node:process";

/** Collections in a row: what the first finds, the next may have to follow. */
const COLLECTIONS = 4;

/** In bytes: `heap` is what the runtime's own counters say is reachable, buffers included. */
export async function memory(): Promise<{ heap: number; resident: number }> {
  // deno-lint-ignore no-explicit-any -- Each runtime has another way.
  const { gc, Bun } = globalThis as any;
  for (let i = 0; i < COLLECTIONS; i++) {
    if (Bun) Bun.gc(true);
    else gc();
    await new Promise((resolve) => setTimeout(resolve, 50)); // Finalisers come later.
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, resident: rss };
}
