/**
 * Every kind of load.
 *
 * @module
 */

import type { Load } from "./load.ts";
import { largeRequests, requests } from "./requests.ts";
import { services } from "./services.ts";

/** Every kind of load. */
export const loads: readonly Load[] = [services, requests, largeRequests];
