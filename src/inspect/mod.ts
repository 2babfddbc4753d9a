/**
 * Looking into routers from anywhere in the mesh: who is there, what they have done, whom they are
 * linked to, and which way packets take.
 *
 * @module
 */

export { inspect, type InspectOptions, type Inspector, type TraceOptions } from "./inspector.ts";
export type {
  InspectService,
  LinkReport,
  LinksReport,
  OfferedService,
  RouterReport,
  TraceHop,
  TraceReport,
  TraceRequest,
} from "./reports.ts";
export { inspectable, type InspectableOptions } from "./services.ts";
