/**
 * A process that looks like a browser page: prints what becomes of beacons there. Not for Bun, whose
 * global cannot be taken away.
 */

const { log } = console;
for (const name of ["Deno", "process"]) delete (globalThis as Record<string, unknown>)[name];

const { announce, discover } = await import("../../src/runtime/net.ts");
const told = (error: unknown) => log(`${(error as Error).name}: ${(error as Error).message}`);
await announce("tcp+aln://0.0.0.0:8081").catch(told);
try {
  discover();
} catch (error) {
  told(error);
}
