/**
 * What the parts of a mesh share: the tables, what is put off, and the way out for effects.
 *
 * @module
 */

import type { Agenda } from "./agenda.ts";
import type { Effect, LinkId, RouteInfo } from "./effects.ts";
import type { Identity } from "./identity.ts";
import type { RouteTable } from "./route_table.ts";
import type { ServiceRecords } from "./service_records.ts";
import type { ServiceTable } from "./service_table.ts";
import type { Destination, Neighbour } from "./state.ts";

/** Tables and ways out. */
export interface Core {
  /** Who we are. */
  readonly identity: Identity;
  /** Every link that is up: the neighbours on a segment, and the segment itself. */
  readonly neighbours: Map<LinkId, Neighbour>;
  /** Those of them who are told of news: not each neighbour on a segment, but all of them at once. */
  readonly listeners: Map<LinkId, Neighbour>;
  /** Ways to other routers. */
  readonly routes: RouteTable;
  /** Instances of services that can be used now. */
  readonly services: ServiceTable;
  /** What each origin says that each host offers. */
  readonly records: ServiceRecords;
  /** What is put off. Each checks, when it comes up, whether it is still wanted. */
  readonly agenda: Agenda<(now: number) => void>;
  /** Uniform over [0, 1). */
  readonly random: () => number;
  /** Whether we tell of nobody but ourselves. */
  readonly stub: boolean;
  /** Whether we do not tell of ourselves. */
  readonly hidden: boolean;
  /** Whether our timers may run late. */
  readonly throttled: boolean;
  /** Wants something done. */
  readonly emit: (effect: Effect) => void;
}

/** A destination as applications see it. */
export function routeInfo({ address, cost, selected }: Destination): RouteInfo {
  return { address, cost, via: selected === null ? "" : selected.address };
}
