/**
 * {@linkcode dashboard}: the one place where `aln serve --ui` gets its pages from.
 *
 * @module
 */

import type { Router } from "../router/router.ts";

/** Answers the requests of browsers; a request that it does not know gets 404. */
export type Pages = (request: Request) => Response | Promise<Response>;

/**
 * The pages that show a router and its mesh. They are served beside its WebSockets, on the same port,
 * so that a page can join the mesh at the URL that it came from.
 *
 * @param router Whose pages they are.
 */
export function dashboard(router: Router): Pages {
  return ({ url, method }) => {
    if (method !== "GET" && method !== "HEAD") return new Response(null, { status: 405 });
    if (new URL(url).pathname !== "/") return new Response("Not found\n", { status: 404 });
    const { address, routes, services, channels } = router.stats();
    const rows = { address, routes, services, channels: channels.length };
    return Response.json(rows, { headers: { "cache-control": "no-store" } });
  };
}
