/** The single files for pages, as `deno task build` makes them: what they weigh, and that they run. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { Router } from "../../mod.ts";
import config from "../../deno.json" with { type: "json" };
import { listen } from "../../src/runtime/net.ts";
import { run } from "../support/toolchain.ts";
import { deno, needing, ROOT, temporaryFolder } from "./support.ts";

/** What each file may weigh, minified and compressed with `gzip -9`, in bytes. */
const LIMITS = { "mesh.js": 66_560, "mesh_web.js": 69_632 };

/** What is left out of the bundle, for a page never asks for it. */
const LEFT_OUT = /import\("\.\/(deno|bun|node)\.ts"\)/g;

/** Whether there is a bundler: Deno fetches it. */
const probe = await run(Deno.execPath(), ["bundle", "tests/packages/exercise.mjs"], { cwd: ROOT });
const bundler = probe.code === 0 || "deno bundle cannot fetch esbuild from npm's registry";

/** Builds one file by the task's own command, but elsewhere. */
async function build(name: keyof typeof LIMITS, folder: string): Promise<string> {
  const command = config.tasks.build.command.split(" && ")
    .find((command) => command.includes(` dist/${name} `))!;
  const path = join(folder, name);
  await deno(...command.split(" ").slice(1).map((arg) => arg === `dist/${name}` ? path : arg));
  return path;
}

for (const [name, limit] of Object.entries(LIMITS) as [keyof typeof LIMITS, number][]) {
  test(
    ...needing(bundler, `dist/${name} weighs at most ${limit} bytes, and imports nothing`),
    async () => {
      await using folder = await temporaryFolder();
      const code = await readFile(await build(name, folder.path), "utf8");
      const size = gzipSync(code, { level: 9 }).length;
      console.log(`# dist/${name}: ${code.length} bytes minified, ${size} with gzip -9`);
      assert(size <= limit, `${size} bytes`);
      const rest = name === "mesh.js" ? code : code.replaceAll(LEFT_OUT, "");
      assert.doesNotMatch(rest, /\bimport\b|\bfrom ?"|\brequire\(|\bnode:/);
    },
  );
}

test(
  ...needing(bundler, "dist/mesh.js joins two routers, and its errors keep their names"),
  async () => {
    await using folder = await temporaryFolder();
    const url = pathToFileURL(await build("mesh.js", folder.path)).href;
    const mesh: typeof import("../../mod.ts") = await import(url);
    assert.deepEqual(Object.keys(mesh).sort(), Object.keys(await import("../../mod.ts")).sort());
    const [a, b] = [new mesh.Router("a"), new mesh.Router("b")];
    const [left, right] = mesh.createChannelPair();
    a.addChannel(left);
    b.addChannel(right);
    b.registerService("upper", (packet, reply) => void reply(packet.text().toUpperCase()));
    await a.waitForService("upper");
    assert.equal((await a.request("upper", "grüße")).text(), "GRÜSSE");
    await assert.rejects(a.request("nothing"), {
      name: "UnreachableError",
      code: "ERR_NO_SERVICE",
    });
    await Promise.all([a.close(), b.close()]);
  },
);

test(...needing(bundler, "dist/mesh_web.js connects to a WebSocket server"), async () => {
  await using folder = await temporaryFolder();
  const url = pathToFileURL(await build("mesh_web.js", folder.path)).href;
  const web: typeof import("./web.ts") = await import(url);
  await using server = new Router("server");
  await using listener = await listen("ws://127.0.0.1:0/", server);
  server.registerService("ping", (_packet, reply) => void reply("pong"));
  await using page = new web.Router("page");
  page.addChannel(await web.connect(listener.url));
  await page.waitForService("ping");
  assert.equal((await page.request("ping")).text(), "pong");
});
