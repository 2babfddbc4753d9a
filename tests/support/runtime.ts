/**
 * The sockets of the runtime that runs the tests.
 *
 * @module
 */

/** Its name, as its module is called. */
export const name: "deno" | "bun" | "node" = "Deno" in globalThis
  ? "deno"
  : "Bun" in globalThis
  ? "bun"
  : "node";

/** Its module. */
export const sockets: typeof import("../../src/runtime/node.ts") = await import(
  `../../src/runtime/${name}.ts`
);

/** Where tests listen: any free port of this machine. */
export const LOOPBACK = { hostname: "127.0.0.1", port: 0 };
