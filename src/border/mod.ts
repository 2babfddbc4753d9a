/**
 * Joining meshes: a border stands in several areas, each a mesh of its own, and offers in each what
 * is exported from the others. What grows with the number of all routers everywhere, routes and
 * instances, stays within an area.
 *
 * @module
 */

export type { AreaOptions } from "./area.ts";
export {
  Border,
  type BorderOptions,
  type BorderStats,
  joinAreas,
  type SummaryInfo,
} from "./border.ts";
