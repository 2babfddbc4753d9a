/**
 * The portable tests once more, in a page: the same files, served without their types.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { stripTypes } from "../../examples/static_files.ts";
import { Browser, chromium } from "../support/browser.ts";
import { ROOT } from "../support/process.ts";
import shim from "./shims/node_assert.ts";
import type { Result } from "./shims/node_test.ts";

const { skip } = chromium;

const FOLDERS = [
  "wire",
  "framing",
  "mesh",
  "call",
  "router",
  "border",
  "inspect",
  "testing",
  "channel",
  "dashboard",
];

/** Pages that run files side by side: most of the time is spent waiting. */
const PAGES = 4;

/** What a page does not have. */
const NOT_FOR_PAGES =
  /from "node:(?!assert\/strict"|test")|\bmock\b|\bDeno\.|support\/child|\bprocess\./;

const PAGE = `<!doctype html>
<title>Tests</title>
<link rel="icon" href="data:,">
<script type="importmap">
{ "imports": {
  "node:assert/strict": "/tests/browser/shims/node_assert.ts",
  "node:test": "/tests/browser/shims/node_test.ts"
} }
</script>`;

function portableFiles(): string[] {
  return FOLDERS
    .flatMap((folder) =>
      [...Deno.readDirSync(`${ROOT}tests/${folder}`)]
        .map(({ name }) => `tests/${folder}/${name}`)
    )
    .filter((path) => path.endsWith("_test.ts"))
    .filter((path) => !NOT_FOR_PAGES.test(Deno.readTextFileSync(ROOT + path)))
    .sort();
}

async function respond(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (pathname === "/") return new Response(PAGE, { headers: { "content-type": "text/html" } });
  const source = await Deno.readTextFile(ROOT + pathname.slice(1));
  const isJson = pathname.endsWith(".json"); // Only ever imported as such.
  const type = isJson ? "application/json" : "text/javascript";
  return new Response(isJson ? source : stripTypes(source), { headers: { "content-type": type } });
}

describe(skip ? `in a page (skipped: ${skip})` : "in a page", () => {
  let browser: Browser;
  let server: Deno.HttpServer<Deno.NetAddr>;
  const files = portableFiles();
  const outcomes = new Map(files.map((file) => [file, Promise.withResolvers<Result[]>()]));

  before(async () => {
    if (skip) return;
    server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, respond);
    browser = await Browser.start();
    const left = [...outcomes];
    for (let i = 0; i < PAGES; i++) {
      const page = await browser.open(`http://127.0.0.1:${server.addr.port}/`);
      const work = async () => {
        for (let next; (next = left.shift()) !== undefined;) {
          const [file, { resolve, reject, promise }] = next;
          const run = `import("node:test").then(({ run }) => run("/${file}"))`;
          await page.evaluate<Result[]>(run).then(resolve, reject);
          promise.catch(() => {}); // Its test tells.
        }
      };
      void work();
    }
  });
  after(async () => {
    await browser?.[Symbol.asyncDispose]();
    await server?.shutdown();
  });

  test("most of the portable tests can be run", () => {
    assert(files.length >= 25, `${files.length} files`);
  });

  for (const file of files) {
    test(file, { timeout: 120_000, skip: skip !== false }, async (t) => {
      const results = await outcomes.get(file)!.promise;
      assert.deepEqual(results.filter(({ error }) => error !== null), []);
      assert(results.length > 0);
      t.diagnostic(`${results.length} tests`);
    });
  }
});

describe("the assertions of that page", () => {
  const values: unknown[] = [
    ...[0, -0, 1, NaN, "", "0", null, undefined, true, 1n, {}, [], [undefined], [,]],
    ...[{ a: 1 }, { a: 1, b: undefined }, { a: "1" }, [1, 2], [2, 1], [[1]], { 0: 1 }],
    ...[Uint8Array.of(1), Uint8Array.of(1, 2), new Uint16Array([1]), new Map([[1, { a: 1 }]])],
    ...[new Map([[1, { a: 2 }]]), new Set([1]), new Set([2]), new Error("a"), new Error("b")],
    ...[new RangeError("a"), new Date(0), new Date(1), /a/, /a/g, Object.create(null), () => {}],
  ];
  const holds = (body: () => unknown): boolean => {
    try {
      body();
      return true;
    } catch {
      return false;
    }
  };

  test("hold when Node's do, and only then", () => {
    for (const [i, a] of values.entries()) {
      for (const [j, b] of values.map((value) => structured(value)).entries()) {
        for (const name of ["equal", "deepEqual", "notEqual", "notDeepEqual"] as const) {
          const expected = holds(() => assert[name](a, b));
          assert.equal(holds(() => shim[name](a, b)), expected, `${name} of values ${i} and ${j}`);
        }
      }
    }
  });

  test("tell errors apart as Node's do", () => {
    const error = Object.assign(new RangeError("it broke"), { code: "E", at: { x: 1 } });
    const expectations = [
      ...[RangeError, Error, TypeError, /broke/, /^RangeError: it/, /mended/, { code: "E" }],
      ...[{ code: "F" }, { message: /broke/ }, { at: { x: 1 } }, { at: { x: 2 } }, { none: 1 }],
      ...[() => true, error, Object.assign(new RangeError("it broke"), { code: "F" })],
    ];
    for (const [i, expected] of expectations.entries()) {
      const body = () => {
        throw error;
      };
      assert.equal(
        holds(() => shim.throws(body, expected as never)),
        holds(() => assert.throws(body, expected as never)),
        `expectation ${i}`,
      );
    }
    assert(!holds(() => shim.throws(() => {})));
  });
});

/** A value like another, but not the same one, where that can be. */
function structured(value: unknown): unknown {
  return typeof value === "function" || value instanceof RegExp || Array.isArray(value) ||
      value !== null && typeof value === "object" && Object.getPrototypeOf(value) === null
    ? value
    : structuredClone(value);
}
