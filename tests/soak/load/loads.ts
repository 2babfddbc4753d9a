/**
 * Every kind of load.
 *
 * @module
 */

import { gathers, multicasts } from "./gathers.ts";
import type { Load } from "./load.ts";
import { reliables } from "./reliables.ts";
import { largeRequests, requests } from "./requests.ts";
import { services } from "./services.ts";
import { streams } from "./streams.ts";
import { uploads } from "./uploads.ts";

/** Every kind of load. */
export const loads: readonly Load[] = [
  ...[services, requests, largeRequests, streams, uploads],
  ...[reliables, gathers, multicasts],
];
