/**
 * {@linkcode load}: clients of engines, which are npm packages. They are of these examples, and not
 * of the library, which needs none.
 *
 * @module
 */

import { createRequire } from "node:module";
import process from "node:process";

/** The packages, and the versions with which the examples have been tried. */
const VERSIONS = {
  "@nats-io/transport-node": "3.4.0",
  "@nats-io/jetstream": "3.4.0",
  "mqtt": "5.16.0",
} as const;

/**
 * Loads a package: in Deno by its version, fetched when it is first asked for; in Bun and Node from
 * where NODE_PATH says. Ends the program if it is not there.
 */
export async function load<T>(name: keyof typeof VERSIONS): Promise<T> {
  const isDeno = "Deno" in globalThis;
  try {
    // Not a literal: type checking, and those who are offline, must not need the package.
    if (isDeno) return await import(["npm:", name, "@", VERSIONS[name]].join(""));
    return createRequire(import.meta.url)(name);
  } catch (error) {
    const { name: kind, message } = error as Error;
    console.error(`Cannot load ${name}: ${message.split("\n")[0]}`);
    if (!isDeno) {
      console.error(
        "Is it installed, and does NODE_PATH lead to it? See examples/backbone/README.md",
      );
    } else if (kind !== "NotCapable") console.error("Can npm's registry be reached?");
    process.exit(2);
  }
}
