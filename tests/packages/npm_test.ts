/**
 * The npm package: packed, installed into an empty folder, and used from there in every runtime and
 * by the type checker.
 */

import assert from "node:assert/strict";
import { copyFile, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { findRuntime, run } from "../support/toolchain.ts";
import { deno, needing, ROOT, succeed, temporaryFolder, TIMEOUT } from "./support.ts";

const npm = await run("npm", ["--version"]);
const typescript = await run("npm", ["view", "typescript", "version"]);

/** What `exercise` in exercise.mjs comes to. */
const RESULT = {
  memory: "GRÜSSE",
  ports: "GRÜSSE",
  tcp: "GRÜSSE",
  wire: 7,
  testing: [["b", 1, "b"], ["c", 2, "b"]],
  bus: "GRÜSSE",
  inspect: ["a", "b"],
  error: "UnreachableError",
};

const ENTRIES = ["", "/net", "/wire", "/testing", "/channels", "/bus", "/inspect"].map((path) =>
  `@aln/mesh${path}`
);

/** Who is to use it. */
const users = [
  { title: "Node 20", args: [], runtime: await findRuntime("node20") },
  { title: "Node 22", args: [], runtime: await findRuntime("node22") },
  { title: "Node 24", args: [], runtime: await findRuntime("node24") },
  { title: "Bun", args: [], runtime: await findRuntime("bun") },
  { title: "Deno", args: ["run", "-A"], runtime: await findRuntime("deno") },
];

/** The same program as a module and as a script. */
const PROGRAMS = {
  "import.mjs": `
    import { exercise } from "./exercise.mjs";
    ${ENTRIES.map((entry, i) => `import * as entry${i} from "${entry}";`).join("\n")}
    console.log(JSON.stringify(await exercise(${ENTRIES.map((_, i) => `entry${i}`)})));
  `,
  "require.cjs": `
    import("./exercise.mjs")
      .then(({ exercise }) => exercise(${ENTRIES.map((entry) => `require("${entry}")`)}))
      .then((result) => console.log(JSON.stringify(result)));
  `,
};

/** Serves the dashboard, and counts its modules and those that are not found. */
const DASHBOARD = `
import { dashboard } from "@aln/mesh/dashboard";

const pages = dashboard();
const get = (path) => pages(new Request(new URL(path, "http://localhost/")));
const text = await (await get("/")).text();
const paths = [...text.matchAll(/ (?:href|src)="(src\\/[^"]+)"/g)].map(([, path]) => path);
const missing = [];
for (const path of paths) {
  const { status } = await get(path);
  if (status !== 200) missing.push(path);
}
console.log(JSON.stringify({ router: paths.includes("src/router/router.js"), missing }));
`;

/** A program with one mistake. */
const TYPED = `
import { createChannelPair, type Packet, Router } from "@aln/mesh";
import { MessagePortChannel } from "@aln/mesh/channels";
import { connect, listen, type UrlListener } from "@aln/mesh/net";
import { SimulatedNetwork } from "@aln/mesh/testing";
import { encodePacket } from "@aln/mesh/wire";

const router = new Router("a");
const [end] = createChannelPair();
router.addChannel(end);
router.addChannel(new MessagePortChannel(new MessageChannel().port1));
router.addChannel(await connect("ws://localhost:8080/"));
const listener: UrlListener = await listen("ws://localhost:0/", router);
const answer: Packet = await router.request("ping", "hello", { timeout: 1_000 });
const bytes: Uint8Array<ArrayBuffer> = encodePacket(answer);
const text: number = answer.text();
console.log(listener.url, bytes, text, new SimulatedNetwork().now);
`;
const MISTAKE =
  /^program\.ts\(16,7\): error TS2322: Type 'string' is not assignable to type 'number'\.$/;

describe(
  ...needing(npm.code === 0 || "the npm package needs npm: install Node", "The npm package"),
  () => {
    let folder: Awaited<ReturnType<typeof temporaryFolder>>;
    let app: string;
    const installed = (...path: string[]) => join(app, "node_modules/@aln/mesh", ...path);

    before(async () => {
      folder = await temporaryFolder();
      app = folder.path;
      const tarball = join(app, "mesh.tgz");
      await deno("run", "-A", "tests/packages/pack.ts", "-o", tarball);
      await writeFile(join(app, "package.json"), '{ "private": true }');
      await succeed(app, "npm", "install", "--no-audit", "--no-fund", tarball);
      await copyFile(join(ROOT, "tests/packages/exercise.mjs"), join(app, "exercise.mjs"));
      const programs = { ...PROGRAMS, "dashboard.mjs": DASHBOARD };
      for (const [name, text] of Object.entries(programs)) await writeFile(join(app, name), text);
    }, { timeout: TIMEOUT });

    after(() => folder[Symbol.asyncDispose]());

    test("holds the library, its types and its documents, and no trace of where it was made", {
      timeout: TIMEOUT,
    }, async () => {
      const entries = await readdir(installed(), { recursive: true, withFileTypes: true });
      const files = entries.filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name));
      const wrong: string[] = [];
      for (const file of files) {
        const path = file.slice(installed().length + 1).replaceAll("\\", "/");
        const known =
          /^(LICENSE|package\.json|(src\/(\w+\/)?)?README\.md|(mod|src\/[\w/]+)(\.js|\.d\.ts))$/;
        const text = await readFile(file, "utf8");
        if (!known.test(path)) wrong.push(`${path} is there`);
        if (/file:\/\/\/|sourceMappingURL/.test(text)) wrong.push(`${path} names a file or a map`);
        if (text.includes(ROOT)) wrong.push(`${path} names ${ROOT}`);
        if (/\b(from|import)\b[ (]*["'][^"'\n]*\.ts["']/.test(text.replaceAll(/^ *\*.*$/gm, ""))) {
          wrong.push(`${path} imports TypeScript`);
        }
      }
      assert.deepEqual(wrong, []);
      assert(files.length > 50, `${files.length} files`);
    });

    test("depends on nothing", { timeout: TIMEOUT }, async () => {
      const manifest = JSON.parse(await readFile(installed("package.json"), "utf8"));
      assert.deepEqual(
        Object.keys(manifest).filter((key) => /dependencies|scripts/i.test(key)),
        [],
      );
      const others = (await readdir(join(app, "node_modules"))).filter((name) => name !== "@aln");
      assert.deepEqual(others.filter((name) => !name.startsWith(".")), []);
    });

    for (const { title, args, runtime } of users) {
      for (const program of Object.keys(PROGRAMS)) {
        const there = "path" in runtime || `${title} is missing: ${runtime.missing}`;
        test(...needing(there, `runs under ${title} in ${program}`), async () => {
          assert("path" in runtime);
          const { code, stdout, stderr } = await run(runtime.path, [...args, program], {
            cwd: app,
          });
          assert.equal(code, 0, stderr);
          assert.deepEqual(JSON.parse(stdout), RESULT);
        });
      }
    }

    for (const { title, args, runtime } of users) {
      const there = "path" in runtime || `${title} is missing: ${runtime.missing}`;
      test(...needing(there, `serves the dashboard under ${title}`), async () => {
        assert("path" in runtime);
        const { code, stdout, stderr } = await run(runtime.path, [...args, "dashboard.mjs"], {
          cwd: app,
        });
        assert.equal(code, 0, stderr);
        assert.deepEqual(JSON.parse(stdout), { router: true, missing: [] });
      });
    }

    for (const { title, args, runtime } of users) {
      const there = "path" in runtime || `${title} is missing: ${runtime.missing}`;
      test(...needing(there, `has a command that runs under ${title}`), async () => {
        assert("path" in runtime);
        const command = join(app, "node_modules/.bin/aln"); // A link to it, as npx follows it.
        const { code, stdout, stderr } = await run(runtime.path, [...args, command, "--version"], {
          cwd: app,
        });
        const { version } = JSON.parse(await readFile(installed("package.json"), "utf8"));
        assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: `${version}\n`, stderr: "" });
      });
    }

    const registry = typescript.code === 0 ||
      "npm's registry, which has TypeScript, cannot be reached";
    test(
      ...needing(registry, "has types, which need no others, and in which a mistake is found"),
      async () => {
        await using typed = await temporaryFolder();
        await writeFile(join(typed.path, "package.json"), '{ "private": true, "type": "module" }');
        await writeFile(join(typed.path, "program.ts"), TYPED);
        const tarball = join(app, "mesh.tgz");
        await succeed(
          typed.path,
          "npm",
          "install",
          "--no-audit",
          "--no-fund",
          tarball,
          "typescript",
        );
        for (const resolution of ["nodenext", "bundler"]) {
          const options = {
            strict: true,
            noEmit: true,
            skipLibCheck: false,
            target: "esnext",
            module: resolution === "bundler" ? "esnext" : resolution,
            moduleResolution: resolution,
            lib: ["dom", "dom.iterable", "dom.asynciterable", "esnext"],
            types: [],
          };
          await writeFile(
            join(typed.path, "tsconfig.json"),
            JSON.stringify({ compilerOptions: options, files: ["program.ts"] }),
          );
          const { code, stdout } = await run("npx", ["--no-install", "tsc"], { cwd: typed.path });
          assert.match(stdout.trim(), MISTAKE);
          assert.notEqual(code, 0);
        }
      },
    );
  },
);
