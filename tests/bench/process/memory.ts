/**
 * What a process holds once its garbage is gone.
 *
 * @module
 */

import process from "node:process";

/** Collections at most, those in a row that have to find nothing more, and the pause between, in ms. */
const MOST = 40;
const IN_VAIN = 5;
const PAUSE = 50;

/** What is found must be more than such a share of all to count. */
const SHARE = 0.001;

/** In bytes: `heap` is what the runtime's own counters say is reachable, buffers included. */
export async function memory(): Promise<{ heap: number; resident: number }> {
  let least = Infinity;
  for (let i = 0, vain = 0; i < MOST && vain < IN_VAIN; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, PAUSE)); // Finalisers come later.
    const { heapUsed, external } = process.memoryUsage();
    vain = heapUsed + external > least * (1 - SHARE) ? vain + 1 : 0;
    least = Math.min(least, heapUsed + external);
  }
  return { heap: least, resident: process.memoryUsage().rss };
}

function collect(): void {
  // deno-lint-ignore no-explicit-any -- Each runtime has another way.
  const { gc, Bun } = globalThis as any;
  if (Bun) Bun.gc(true);
  else gc();
}
