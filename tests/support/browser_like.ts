/**
 * A process that looks like a browser page to `./net`: nothing says which runtime it is. Prints
 * what becomes of every scheme. Not for Bun, whose global cannot be taken away.
 */

const { log } = console;
for (const name of ["Deno", "process"]) delete (globalThis as Record<string, unknown>)[name];

const { connect, listen } = await import("../../src/runtime/net.ts");
const told = (error: unknown) => log(`${(error as Error).name}: ${(error as Error).message}`);
const urls = ["tcp+aln://127.0.0.1:1", "tls+aln://127.0.0.1:1", "tcp+maln://127.0.0.1:1/home"];
for (const url of urls) await connect(url).catch(told);
for (const url of ["tcp+aln://127.0.0.1:0", "ws://127.0.0.1:0/"]) {
  await listen(url, () => {}).catch(told);
}
await connect("ws://127.0.0.1:1/").catch((error) => log(`ws: ${error.code}`));
