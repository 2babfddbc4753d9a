/**
 * {@linkcode dashboard}: answers a browser's requests for the page.
 *
 * @module
 */

import { DOCUMENT, ENTRY_MARK, JOIN_MARK, PRELOAD_MARK } from "./document.ts";
import { type PageFile, type PageModules, readPageModules } from "./sources.ts";
import { STYLE } from "./style.ts";

/** Options of {@linkcode dashboard}. */
export interface DashboardOptions {
  /**
   * The path that the page is at, with a slash at its end.
   *
   * @default {"/"}
   */
  path?: string;
  /**
   * The path of the WebSocket that the page joins the mesh over, on the server that it came from.
   *
   * @default {"/"}
   */
  join?: string;
  /** URLs that this server has heard of, such as from `discover`: a page hears no beacons itself. */
  beacons?: () => readonly string[];
}

/** Answers a request; `null` if it is for none of the page's files. */
export type DashboardPages = (request: Request) => Promise<Response> | null;

/** What the page may do: run its own modules, and talk to routers wherever they are. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src ws: wss: 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const HEADERS = {
  "cache-control": "no-cache",
  "content-security-policy": POLICY,
  "cross-origin-opener-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** Smaller files than this are not worth compressing, in bytes. */
const MIN_GZIP = 1_024;

/**
 * The pages of the dashboard: a live view of the mesh that joins it over the server's own WebSocket.
 * For the option `respond` of `listen`. Nothing is read before the first request; then all that the
 * page needs is kept in memory.
 *
 * @example
 * ```ts
 * import { Router } from "@aln/mesh";
 * import { dashboard } from "@aln/mesh/dashboard";
 * import { inspectable } from "@aln/mesh/inspect";
 * import { listen } from "@aln/mesh/net";
 * import assert from "node:assert/strict";
 *
 * const hub = new Router("hub");
 * inspectable(hub); // So that its links are shown.
 * const pages = dashboard();
 * const listener = await listen("ws://127.0.0.1:0", hub, {
 *   respond: (request) => pages(request) ?? new Response("Not found", { status: 404 }),
 * });
 * const { href } = new URL("dashboard.css", listener.url.replace("ws:", "http:"));
 * assert.match(await (await fetch(href)).text(), /prefers-color-scheme: dark/);
 * await listener.close();
 * await hub.close();
 * ```
 */
export function dashboard(options: DashboardOptions = {}): DashboardPages {
  const { path = "/", join = "/", beacons } = options;
  let modules: Promise<PageModules> | null = null;
  const style: PageFile = { text: STYLE };
  let document: PageFile | null = null;
  const load = () => {
    modules ??= readPageModules();
    modules.catch(() => modules = null); // It may be there the next time.
    return modules;
  };
  return (request) => {
    const { pathname } = new URL(request.url);
    if (`${pathname}/` === path) { // The page's own links are relative to its folder.
      return Promise.resolve(new Response(null, { status: 308, headers: { location: path } }));
    }
    if (!pathname.startsWith(path)) return null;
    const name = pathname.slice(path.length);
    const isModule = /^src\/[\w/]+\.[jt]s$/.test(name);
    const known = name === "" || name === "dashboard.css" || isModule ||
      (name === "beacons" && beacons !== undefined);
    if (!known) return null;
    if (request.method !== "GET" && request.method !== "HEAD") {
      return Promise.resolve(new Response(null, { status: 405, headers: HEADERS }));
    }
    return respond();

    async function respond(): Promise<Response> {
      if (name === "beacons") {
        return answer(request, { text: JSON.stringify(beacons!()) }, "application/json");
      }
      if (name === "dashboard.css") return answer(request, style, "text/css; charset=utf-8");
      if (isModule) {
        const file = (await load()).files.get(name);
        if (!file) return new Response("Not found\n", { status: 404, headers: HEADERS });
        return answer(request, file, "text/javascript; charset=utf-8");
      }
      document ??= { text: makeDocument(await load(), join) };
      return answer(request, document, "text/html; charset=utf-8");
    }
  };
}

/** The document, with all of its modules named, so that a browser asks for them at once. */
function makeDocument({ entry, files }: PageModules, join: string): string {
  const preloads = [...files.keys()].map((path) => `<link rel="modulepreload" href="${path}">`);
  const safe = join.replaceAll(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
  return DOCUMENT.replace(JOIN_MARK, () => safe)
    .replace(PRELOAD_MARK, preloads.join("\n"))
    .replace(ENTRY_MARK, entry);
}

async function answer(request: Request, file: PageFile, type: string): Promise<Response> {
  const headers = new Headers(HEADERS);
  headers.set("content-type", type);
  headers.set("vary", "accept-encoding");
  const isSmall = file.text.length < MIN_GZIP;
  if (isSmall || !/\bgzip\b/.test(request.headers.get("accept-encoding") ?? "")) {
    return new Response(request.method === "HEAD" ? null : file.text, { headers });
  }
  file.gzip ??= compress(file.text);
  headers.set("content-encoding", "gzip");
  return new Response(request.method === "HEAD" ? null : await file.gzip, { headers });
}

async function compress(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
