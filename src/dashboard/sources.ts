/**
 * The page's modules, from wherever this package is: a folder, `node_modules`, or a server.
 *
 * @module
 */

import { stripTypes } from "./strip_types.ts";

/** A file for the page. */
export interface PageFile {
  /** JavaScript. */
  text: string;
  /** The same, compressed; made when it is first asked for. */
  gzip?: Promise<Uint8Array<ArrayBuffer>>;
}

/** The page's modules by their path from the folder that holds `mod.ts`. */
export interface PageModules {
  /** The path of the first one. */
  entry: string;
  /** All of them, the first one first. */
  files: ReadonlyMap<string, PageFile>;
}

/** What is used of `node:fs`. */
interface FileSystem {
  promises: { readFile(url: URL, encoding: "utf8"): Promise<string> };
}

/** How many files are read at once. */
const AT_ONCE = 16;

/** Where the package is: two folders up from here. */
const ROOT = new URL("../../", import.meta.url);

/** TypeScript here; JavaScript where the package was made for npm. */
const EXTENSION = /\.\w+$/.exec(new URL(import.meta.url).pathname)?.[0] ?? ".ts";

/**
 * The beginning of an import that is made when a module is loaded. A comment may end before it in its
 * line.
 */
const IMPORT =
  /(?:^|\*\/|;)[ \t]*(?:import|export)\b(?:[\s\w*{},$]*?\bfrom)?\s*["'](\.\.?\/[^"']+)["']/gm;

/** The relative specifiers of what a module of JavaScript imports at once, not later by `import()`. */
export function importsOf(code: string): string[] {
  return [...code.matchAll(IMPORT)].map(([, specifier]) => specifier!);
}

/** Reads the page's modules: the first one, and all that it leads to. Nothing else can be asked for. */
export async function readPageModules(): Promise<PageModules> {
  const entry = `src/dashboard/page/app${EXTENSION}`;
  const files = new Map<string, PageFile>([[entry, { text: "" }]]);
  let wave = [entry];
  while (wave.length > 0) {
    const found: string[] = [];
    for (let i = 0; i < wave.length; i += AT_ONCE) {
      await Promise.all(
        wave.slice(i, i + AT_ONCE).map(async (path) => {
          const source = await readText(new URL(path, ROOT));
          const text = path.endsWith(".ts") ? stripTypes(source) : source;
          files.get(path)!.text = text;
          for (const specifier of importsOf(text)) {
            const target = new URL(specifier, new URL(path, ROOT)).href.slice(ROOT.href.length);
            if (files.has(target)) continue;
            files.set(target, { text: "" });
            found.push(target);
          }
        }),
      );
    }
    wave = found;
  }
  return { entry, files };
}

/** Reads a file of the package. Over HTTP that is its source, as it is for whoever imports it. */
async function readText(url: URL): Promise<string> {
  if (url.protocol !== "file:") {
    const response = await fetch(url);
    if (response.ok) return await response.text();
    throw new TypeError(`Cannot read ${url}: ${response.status}`);
  }
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
  const fs = process?.getBuiltinModule?.("node:fs") as FileSystem | undefined;
  if (!fs) throw new TypeError(`Cannot read ${url}: that needs Deno, Bun, or Node 20.16 or newer`);
  return await fs.promises.readFile(url, "utf8");
}

/**
 * The page's first module, which only a page can run. Nobody calls this: it makes the page a part of
 * whatever is built from here, such as the package for npm.
 */
export function pageModule(): Promise<typeof import("./page/app.ts")> {
  return import("./page/app.ts");
}
