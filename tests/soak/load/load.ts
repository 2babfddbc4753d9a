/**
 * One kind of load: what applications offer, and what they ask of each other. To add one, write a
 * file beside this and name it in `loads.ts`.
 *
 * @module
 */

import type { Site } from "./site.ts";

/** One kind of load. */
export interface Load {
  /** What it is called. */
  name: string;
  /** How often it runs beside the others. */
  weight: number;
  /** Offers what it asks for, when a router starts. */
  serve?(site: Site): void;
  /** Runs once. Settles when all that it began has ended; never rejects. */
  run(site: Site): Promise<void>;
}
