/**
 * The same over WebSocket: what is carried is one binary message for each packet.
 *
 * @module
 */

import type { Case, Context } from "./case.ts";
import { oneWay, oneWayRows } from "./one_way.ts";
import { relay, relayRows } from "./relay.ts";
import { request, requestRows } from "./request.ts";

/** Sizes that are measured by default, in bytes: fewer than over TCP. */
const SIZES = [64, 4_096];

/** A context with those. */
function fewer(context: Context): Context {
  return { ...context, sizes: context.sizes ?? SIZES };
}

/** The cases. */
export const websocket: Case[] = [{
  ...relay,
  name: "ws-relay",
  title: `${relay.title}, over WebSocket`,
  control: "bytes",
  rows: (context) => relayRows(fewer(context), "ws"),
}, {
  ...oneWay,
  name: "ws-one-way",
  title: `${oneWay.title}, over WebSocket`,
  rows: (context) => oneWayRows(fewer(context), "ws"),
}, {
  ...request,
  name: "ws-request",
  title: `${request.title}, over WebSocket`,
  rows: (context) => requestRows(context, "ws"),
}];
