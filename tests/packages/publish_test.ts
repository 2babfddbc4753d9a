/** What JSR asks of the package, what it is sent, and what readers of its documents find. */

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import config from "../../deno.json" with { type: "json" };
import { deno, ROOT, temporaryFolder, TIMEOUT } from "./support.ts";

/** What may be published. */
const PUBLISHED =
  /^(LICENSE|README\.md|deno\.json|mod\.ts|src\/([a-z_]+\/){0,2}([a-z0-9_]+\.ts|README\.md))$/;

/** A configuration for programs in a page: no types of Deno, none of Node. */
const PAGE = {
  compilerOptions: {
    strict: true,
    lib: ["dom", "dom.iterable", "dom.asynciterable", "esnext"],
    types: [],
  },
};

test("deno publish takes the library, without slow types, and nothing else", {
  timeout: TIMEOUT,
}, async () => {
  const said = await deno("publish", "--dry-run", "--allow-dirty");
  assert.doesNotMatch(said, /warning/i);
  const root = pathToFileURL(ROOT).href;
  const files = [...said.matchAll(/^ +(file:\S+) \(/gm)].map(([, url]) => url!.slice(root.length));
  assert(files.includes("mod.ts"), said);
  assert.deepEqual(files.filter((file) => !PUBLISHED.test(file)), []);
});

test("Everything that is exported is documented", { timeout: TIMEOUT }, async () => {
  await deno("doc", "--lint", ...Object.values(config.exports));
});

for (
  const entry of [
    ".",
    "./border",
    "./bus",
    "./channels",
    "./dashboard",
    "./inspect",
    "./net",
    "./testing",
    "./wire",
  ] as const
) {
  test(`The source of "${entry}" needs no types but a page's`, { timeout: TIMEOUT }, async () => {
    await using folder = await temporaryFolder();
    const page = join(folder.path, "deno.json");
    await writeFile(page, JSON.stringify(PAGE));
    await deno("check", "--config", page, config.exports[entry]);
  });
}
