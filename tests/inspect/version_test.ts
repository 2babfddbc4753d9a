import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { runtimeName } from "../../src/inspect/runtime_name.ts";
import { VERSION } from "../../src/inspect/version.ts";

test("A router tells the version that is published", async () => {
  const text = await readFile(new URL("../../deno.json", import.meta.url), "utf8");
  assert.equal(VERSION, JSON.parse(text).version);
});

const CHROME =
  "Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537";

const AGENTS: [name: string, userAgent: string][] = [
  ["Firefox 145", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"],
  ["Chrome 140", CHROME],
  ["Chrome 140", CHROME.replace("Chrome", "HeadlessChrome")],
  ["Edge 140", `${CHROME} Edg/140.0.0.0`],
  ["Safari 18", "Mozilla/5.0 (Macintosh) AppleWebKit/605.1 (KHTML) Version/18.1 Safari/605.1"],
  ["unknown", "something else"],
];

for (const [name, userAgent] of AGENTS) {
  test(`A page is told to run in ${name} by "${userAgent}"`, () => {
    assert.equal(runtimeName({ navigator: { userAgent } }), name);
  });
}
