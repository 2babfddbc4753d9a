/**
 * {@linkcode dashboardOf}: the one place where `aln serve --ui` gets its pages from.
 *
 * @module
 */

import { dashboard } from "../dashboard/mod.ts";
import type { Router } from "../router/router.ts";
import { discover } from "../runtime/net.ts";

/** Answers the requests of browsers; a request that it does not know gets 404. */
export type Pages = (request: Request) => Response | Promise<Response>;

/** How many URLs of beacons are remembered. */
const MAX_BEACONS = 50;

/**
 * The pages that show a router and its mesh. They are served beside its WebSockets, on the same port,
 * so that a page can join the mesh at the URL that it came from.
 *
 * @param router Whose pages they are.
 * @param url Where its WebSockets are.
 */
export function dashboardOf(router: Router, url: string): Pages {
  const { pathname } = new URL(url);
  const heard = new Set<string>();
  let listening = false;
  const listen = async () => {
    listening = true;
    try {
      for await (const beacon of discover({ signal: router.signal })) {
        heard.delete(beacon);
        heard.add(beacon);
        if (heard.size > MAX_BEACONS) heard.delete(heard.values().next().value!);
      }
    } catch {
      // The router has closed, or beacons cannot be heard here: then there are none to tell of.
    }
  };
  const pages = dashboard({
    path: pathname.replace(/\/?$/, "/"),
    join: pathname,
    beacons() {
      if (!listening) void listen(); // Nobody listens before somebody asks.
      return [...heard];
    },
  });
  return (request) => pages(request) ?? new Response("Not found\n", { status: 404 });
}
