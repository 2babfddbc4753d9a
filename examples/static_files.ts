/**
 * The library and the example pages as files for browsers, straight from their sources: a `.ts` file
 * is served as JavaScript, its types stripped by the runtime itself. Nothing is built or bundled.
 *
 * | URL                      | file                               |
 * | ------------------------ | ---------------------------------- |
 * | `/mod.ts` or `/mod.js`   | `mod.ts`, the library              |
 * | `/src/...`               | `src/...`, which it is made of     |
 * | `/app/...`               | `examples/browser/...`, the pages; |
 * |                          | or those of another folder         |
 * | `/style.css`             | `examples/browser/style.css`       |
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import process from "node:process";

/** The folder that holds `mod.ts`. */
const ROOT = new URL("..", import.meta.url);

/**
 * What may be asked for. A segment has no dot in it, so none is `..`, and nothing outside of these
 * folders has a name that matches.
 */
const SERVED = /^\/(mod\.ts|style\.css|src\/[\w/-]+\.ts|app\/[\w/-]+\.(?:ts|js|css|html))$/;

const TYPES: Record<string, string> = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  ts: "text/javascript; charset=utf-8",
};

/**
 * Answers a request for a file.
 *
 * @param pathname Of the request's URL.
 * @param pages The folder that `/app/` stands for, from the one that holds `mod.ts`.
 * @throws What reading it throws, but for a file that does not exist.
 */
export async function serveFile(
  pathname: string,
  pages: string = "examples/browser",
): Promise<Response> {
  if (/^\/app(\/[\w-]+)*$/.test(pathname)) return redirect(`${pathname}/`); // A page's folder.
  const path = pathname === "/mod.js" ? "/mod.ts" : pathname.replace(/\/$/, "/index.html");
  if (!SERVED.test(path)) return notFound();
  let text: string;
  try {
    text = await readProjectFile(
      path === "/style.css" ? "examples/browser/style.css" : path.slice(1).replace(/^app/, pages),
    );
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return notFound();
    throw error;
  }
  const extension = path.slice(path.lastIndexOf(".") + 1);
  return new Response(extension === "ts" ? stripTypes(text) : text, {
    headers: {
      "access-control-allow-origin": "*", // Any page may import the library from here.
      "cache-control": "no-cache", // A change shows when the page is loaded again.
      "content-type": TYPES[extension]!,
      "x-content-type-options": "nosniff",
    },
  });
}

/**
 * Reads a file of this project.
 *
 * @param path From the folder that holds `mod.ts`.
 */
export function readProjectFile(path: string): Promise<string> {
  return readFile(new URL(path, ROOT), "utf8");
}

function redirect(location: string): Response {
  return new Response(null, { status: 308, headers: { location } });
}

function notFound(): Response {
  return new Response("Not found\n", { status: 404 });
}

/** What the runtimes have for this. */
interface Strippers {
  Bun?: { Transpiler: new (options: { loader: "ts" }) => { transformSync(code: string): string } };
}

interface NodeModule {
  stripTypeScriptTypes?: (code: string) => string;
}

/** TypeScript as JavaScript; import specifiers stay as they are, so they name `.ts` URLs. */
export function stripTypes(code: string): string {
  const { Bun } = globalThis as Strippers;
  if (Bun) return new Bun.Transpiler({ loader: "ts" }).transformSync(code);
  const { stripTypeScriptTypes } = process.getBuiltinModule("node:module") as NodeModule;
  if (!stripTypeScriptTypes) throw new Error("Cannot strip types: that needs Node 22.13 or newer");
  const { emitWarning } = process;
  process.emitWarning = () => {}; // Node says that this is an experiment. We know.
  try {
    return stripTypeScriptTypes(code);
  } finally {
    process.emitWarning = emitWarning;
  }
}
