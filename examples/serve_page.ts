/**
 * {@linkcode servePage}: a page, for who listens to WebSockets.
 *
 * @module
 */

import { serveFile } from "./static_files.ts";

/** What `listen` takes to serve a page. */
export interface PageOptions {
  respond(request: Request): Promise<Response>;
  verify(request: Request): boolean;
}

/**
 * Serves the page in a folder, and lets no other page in.
 *
 * @param folder From the folder that holds `mod.ts`; what is in it is served as `/app/`.
 */
export function servePage(folder: string): PageOptions {
  return {
    respond({ url }) {
      const { pathname } = new URL(url);
      return serveFile(pathname === "/" ? "/app/" : pathname, folder);
    },
    // Only browsers send an origin: any site that is open in one could try to join.
    verify({ url, headers }) {
      const origin = headers.get("origin");
      return origin === null || new URL(origin).host === new URL(url).host;
    },
  };
}
