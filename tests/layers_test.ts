/**
 * The rules of src/README.md that no compiler knows: who may import whom, and what the pure layers
 * may not even name.
 *
 * @module
 */

import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** What each layer may import, beside itself. */
const MAY_IMPORT: Record<string, string[]> = {
  errors: [],
  wire: ["errors"],
  framing: ["errors", "wire"],
  mesh: ["errors", "wire"],
  call: ["errors", "wire"],
  channel: ["errors", "wire", "framing"],
  bus: ["errors", "wire", "channel"],
  router: ["errors", "wire", "mesh", "call", "channel"],
  runtime: ["errors", "wire", "channel"],
  border: ["errors", "wire", "mesh", "router"],
  inspect: ["errors", "wire", "mesh", "channel", "router"],
  dashboard: ["errors", "wire", "mesh", "channel", "router", "inspect"],
  cli: [
    ...["errors", "wire", "framing", "mesh", "call", "channel", "router", "runtime", "inspect"],
    "dashboard",
  ],
  testing: ["errors", "wire", "framing", "mesh", "call", "channel", "router"],
  // The public entry "./wire" stands for two layers: bytes to frames to packets.
  "wire/mod.ts": ["errors", "framing"],
  // `dial` is `connect` and the router's dialer, in one call.
  "runtime/net.ts": ["errors", "channel", "router"],
};

/** Where the types of a runtime's own modules may be imported, if mod.ts does not lead there. */
const RUNTIME = ["src/runtime/", "src/cli/"];

/** What no file of a layer may name outside comments and strings. */
const BANNED: Record<string, string[]> = {
  errors: ["console"],
  wire: [],
  framing: [],
  mesh: ["Promise", "async", "await"],
  call: ["Promise", "async", "await"],
  channel: ["console"],
  bus: ["console"],
  router: ["console"],
  runtime: ["console"],
  border: ["console"],
  inspect: ["console"],
  dashboard: ["console"],
  cli: ["console"],
  testing: ["console"],
};
const IMPURE = [
  "Date",
  "performance",
  "setTimeout",
  "setInterval",
  "queueMicrotask",
  "Math.random",
  "crypto",
  "console",
  "Deno",
  "Bun",
  "process",
];
for (const layer of ["wire", "framing", "mesh", "call"]) BANNED[layer]!.push(...IMPURE);

/** What the top level of the repository holds, dotfiles aside. */
const TOP_LEVEL = [
  "LICENSE",
  "README.md",
  "deno.json",
  "examples",
  "mod.ts",
  "src",
  "tests",
];

/** The source, by its path from the root. */
type Sources = Record<string, string>;

function readSources(): Sources {
  const sources: Sources = {};
  const read = (path: string) => {
    if (statSync(path).isDirectory()) {
      for (const entry of readdirSync(path)) read(join(path, entry));
    } else if (path.endsWith(".ts")) {
      sources[relative(ROOT, path).split(sep).join("/")] = readFileSync(path, "utf8");
    }
  };
  read(join(ROOT, "mod.ts"));
  read(join(ROOT, "src"));
  return sources;
}

const COMMENT_OR_TEXT =
  /\/\*[^]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[^]|\$\{[^}]*\}|[^`\\])*`/g;

/** The source without its comments; without its strings, too, unless they are to be kept. */
function code(source: string, strings: "keep" | "drop" = "drop"): string {
  return source.replaceAll(COMMENT_OR_TEXT, (match) => {
    if (match.startsWith("/")) return " ";
    if (strings === "keep") return match;
    return (match.match(/\$\{[^}]*\}/g) ?? []).join(" "); // What a template computes is code.
  });
}

/** What a file imports or exports from elsewhere, dynamic imports and, unless told, types included. */
function specifiers(source: string, types: boolean = true): string[] {
  const pattern = /(?<!["'])\b(?:from|import)\s*\(?\s*["']([^"'\n]+)["']/g;
  const text = code(source, "keep");
  const kept = types
    ? text
    : text.replaceAll(/\b(?:im|ex)port type\s[^;]*;|\btypeof import\(/g, "");
  return [...kept.matchAll(pattern)].map(([, specifier]) => specifier!);
}

/** The file that a relative specifier names. */
function target(path: string, specifier: string): string {
  return join(dirname(path), specifier).split(sep).join("/");
}

/** "src/wire/mod.ts" → "wire"; "src/errors.ts" → "errors"; "mod.ts" → "". */
function layerOf(path: string): string {
  return /^src\/(\w+)/.exec(path)?.[1] ?? "";
}

/** Every file that one leads to. */
function reach(sources: Sources, path: string, found: Set<string> = new Set()): Set<string> {
  if (found.has(path) || !(path in sources)) return found;
  found.add(path);
  for (const specifier of specifiers(sources[path]!)) {
    reach(sources, target(path, specifier), found);
  }
  return found;
}

/** Imports that are not relative: there is no dependency, and of a runtime's modules only types. */
function foreignImports(sources: Sources): string[] {
  const everywhere = reach(sources, "mod.ts");
  return Object.entries(sources).flatMap(([path, source]) => {
    const values = specifiers(source, false);
    const typesOnly = RUNTIME.some((folder) => path.startsWith(folder)) && !everywhere.has(path);
    return specifiers(source)
      .filter((specifier) => !/^\.\.?\//.test(specifier))
      .filter((it) => !(typesOnly && it.startsWith("node:") && !values.includes(it)))
      .map((specifier) => `${path} imports ${specifier}`);
  });
}

/** Imports of files that are not there, and of mod.ts from below. */
function wrongTargets(sources: Sources): string[] {
  return Object.entries(sources).flatMap(([path, source]) =>
    specifiers(source)
      .filter((specifier) => specifier.startsWith(".")) // The rest is judged above.
      .map((specifier) => target(path, specifier))
      .filter((imported) => imported === "mod.ts" || !(imported in sources))
      .map((imported) => `${path} imports ${imported}`)
  );
}

/** Imports between layers that the table does not allow. */
function wrongLayers(sources: Sources): string[] {
  return Object.entries(sources).flatMap(([path, source]) => {
    const layer = layerOf(path);
    if (layer === "") return []; // mod.ts stands above all.
    const may = MAY_IMPORT[path.slice("src/".length)] ?? MAY_IMPORT[layer];
    if (may === undefined) return [`${path} is in no layer`];
    return specifiers(source)
      .map((specifier) => target(path, specifier))
      .filter((imported) => layerOf(imported) !== layer && !may.includes(layerOf(imported)))
      .map((imported) => `${path} imports ${imported}`);
  });
}

/** Files that import each other in a circle. */
function cycles(sources: Sources): string[] {
  const found: string[] = [];
  const state: Record<string, "open" | "done"> = {};
  const visit = (path: string, trail: string[]) => {
    if (state[path] === "done" || !(path in sources)) return;
    const at = trail.indexOf(path);
    if (at >= 0) {
      found.push([...trail.slice(at), path].join(" → "));
      return;
    }
    for (const specifier of specifiers(sources[path]!)) {
      visit(target(path, specifier), [...trail, path]);
    }
    state[path] = "done";
  };
  for (const path of Object.keys(sources)) visit(path, []);
  return found;
}

/** Names that a layer may not use. */
function bannedWords(sources: Sources): string[] {
  return Object.entries(sources).flatMap(([path, source]) => {
    const text = code(source);
    return (BANNED[layerOf(path)] ?? ["console"])
      .filter((word) =>
        new RegExp(`(?<![.\\w#])${word.replace(".", "\\.")}\\b(?!\\s*:)`).test(text)
      )
      .map((word) => `${path} names ${word}`);
  });
}

/** What is in the folder and should not be, or the other way round. */
function wrongTopLevel(entries: string[], ignored: string[]): string[] {
  const visible = entries.filter((entry) => !entry.startsWith(".") && !ignored.includes(entry));
  return [
    ...visible.filter((entry) => !TOP_LEVEL.includes(entry)).map((entry) => `${entry} is there`),
    ...TOP_LEVEL.filter((entry) => !visible.includes(entry)).map((entry) => `${entry} is missing`),
  ];
}

/** The entries of the top level that .gitignore names, by name or by ending. */
function ignoredEntries(entries: string[], gitignore: string): string[] {
  const patterns = gitignore.split("\n").map((line) => line.trim().replace(/\/$/, ""));
  return entries.filter((entry) =>
    patterns.some((pattern) =>
      pattern === entry || (pattern.startsWith("*.") && entry.endsWith(pattern.slice(1)))
    )
  );
}

const sources = readSources();

test("The library has no dependency: every import is relative, the types of node: in src/runtime and src/cli aside", () => {
  assert.deepEqual(foreignImports(sources), []);
});

test("Every import leads to a file of the library, and none to mod.ts", () => {
  assert.deepEqual(wrongTargets(sources), []);
});

test("Every layer imports only the layers below it", () => {
  assert.deepEqual(wrongLayers(sources), []);
});

test("No files import each other in a circle, not even for types", () => {
  assert.deepEqual(cycles(sources), []);
});

test("The pure layers name no clock, no chance and no runtime, and nothing logs", () => {
  assert.deepEqual(bannedWords(sources), []);
});

test("The top level holds what it should, and nothing else", () => {
  const entries = readdirSync(ROOT);
  const ignored = ignoredEntries(entries, readFileSync(join(ROOT, ".gitignore"), "utf8"));
  assert.deepEqual(wrongTopLevel(entries, ignored), []);
});

// ── the rules are no good unless they catch who breaks them ─────────────────

/** What the rules say of one more file. */
function withFile(path: string, source: string): string[] {
  const all = { ...sources, [path]: source };
  return [foreignImports, wrongTargets, wrongLayers, cycles, bannedWords]
    .flatMap((rule) => rule(all))
    .filter((line) => line.includes(path));
}

const SINS: [what: string, path: string, source: string, verdict: string][] = [
  [
    "a layer above",
    "src/wire/sin.ts",
    'import { Mesh } from "../mesh/mesh.ts";',
    "src/mesh/mesh.ts",
  ],
  [
    "a type of a layer above",
    "src/mesh/sin.ts",
    'import type { A } from "../channel/channel.ts";',
    "src/channel/channel.ts",
  ],
  [
    "framing from wire but for mod.ts",
    "src/wire/sin.ts",
    'export * from "../framing/kiss.ts";',
    "src/framing/kiss.ts",
  ],
  [
    "mesh from channel",
    "src/channel/sin.ts",
    'import {\n  Mesh,\n} from "../mesh/mesh.ts";',
    "src/mesh/mesh.ts",
  ],
  [
    "runtime from testing",
    "src/testing/sin.ts",
    'import "../runtime/deno.ts";',
    "src/runtime/deno.ts",
  ],
  [
    "router from runtime",
    "src/runtime/sin.ts",
    'const r = await import("../router/router.ts");',
    "src/router/router.ts",
  ],
  [
    "anything from errors",
    "src/errors.ts",
    'import { crc32 } from "./wire/crc32.ts";',
    "src/wire/crc32.ts",
  ],
  ["mod.ts", "src/router/sin.ts", "import { Router } from '../../mod.ts';", "mod.ts"],
  ["a runtime's module", "src/channel/sin.ts", 'import net from "node:net";', "node:net"],
  [
    "a runtime's module under src/runtime",
    "src/runtime/sin.ts",
    'import net from "node:net";',
    "node:net",
  ],
  [
    "a runtime's types outside src/runtime",
    "src/channel/sin.ts",
    'import type { Socket } from "node:net";',
    "node:net",
  ],
  ["a dependency", "src/router/sin.ts", 'import x from "jsr:@std/bytes";', "jsr:@std/bytes"],
  [
    "what is not there",
    "src/router/sin.ts",
    'import x from "./nothing.ts";',
    "src/router/nothing.ts",
  ],
];
for (const [what, path, source, verdict] of SINS) {
  test(`The import rules catch an import of ${what}`, () => {
    assert(withFile(path, source).includes(`${path} imports ${verdict}`));
  });
}

test("The import rules allow a runtime's types under src/runtime, unless mod.ts leads there", () => {
  const path = "src/runtime/sin.ts";
  const source = 'import type { Socket } from "node:net";\nlet a: typeof import("node:tls");';
  assert.deepEqual(withFile(path, source), []);
  const all = { ...sources, [path]: source, "mod.ts": `export * from "./${path}";` };
  assert.deepEqual(
    foreignImports(all).filter((line) => line.startsWith(path)),
    [`${path} imports node:net`, `${path} imports node:tls`],
  );
});

test("The import rules catch a circle of types", () => {
  const all = {
    ...sources,
    "src/mesh/a.ts": 'import type { B } from "./b.ts";',
    "src/mesh/b.ts": 'export type { A } from "./a.ts";',
  };
  assert.deepEqual(cycles(all), ["src/mesh/a.ts → src/mesh/b.ts → src/mesh/a.ts"]);
});

test("The import rules know a file that is in no layer", () => {
  assert.deepEqual(withFile("src/other/sin.ts", ""), ["src/other/sin.ts is in no layer"]);
});

for (
  const [layer, words] of [
    ["wire", IMPURE],
    ["framing", IMPURE],
    ["mesh", [...IMPURE, "Promise", "async", "await"]],
    ["router", ["console"]],
    ["runtime", ["console"]],
  ] as [string, string[]][]
) {
  test(`The banned words are caught in ${layer}, but not in comments and strings`, () => {
    const path = `src/${layer}/sin.ts`;
    for (const word of words) {
      const verdict = [`${path} names ${word}`];
      assert.deepEqual(withFile(path, `const x = ${word}.now();`), verdict);
      assert.deepEqual(withFile(path, `const x = \`at \${${word}}\`;`), verdict);
      assert.deepEqual(withFile(path, `// ${word}\n/** ${word} */ const x = "${word}";`), []);
    }
  });
}

test("The rule of the top level catches what is too much or missing", () => {
  const entries = [...TOP_LEVEL.filter((entry) => entry !== "LICENSE"), "package.json", ".ci"];
  assert.deepEqual(wrongTopLevel([...entries, "dist", "a.tgz"], ["dist", "a.tgz"]), [
    "package.json is there",
    "LICENSE is missing",
  ]);
  assert.deepEqual(
    ignoredEntries(["dist", "a.tgz", "src"], "node_modules/\ndist/\n*.tgz\n"),
    ["dist", "a.tgz"],
  );
});
