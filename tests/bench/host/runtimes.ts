/**
 * The runtimes that contenders run in.
 *
 * @module
 */

import { findRuntime } from "../../support/toolchain.ts";
import type { Runtime } from "./child.ts";

/** Names as the tools' own list has them. */
const KEYS = { deno: "deno", bun: "bun", node: "node24" } as const;

/**
 * Finds one, or fetches it through npm; `null` if it cannot be had.
 *
 * @param profiles Folder that its processes write CPU profiles to.
 */
export async function getRuntime(
  name: Runtime["name"],
  profiles: string | null = null,
): Promise<Runtime | null> {
  const found = await findRuntime(KEYS[name]);
  return "missing" in found ? null : { name, ...found, profiles };
}
