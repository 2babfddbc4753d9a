/**
 * The same over WebSocket: what is carried is one binary message for each packet.
 *
 * @module
 */

import type { Case } from "./case.ts";
import { oneWay, oneWayRows } from "./one_way.ts";
import { relay, relayRows } from "./relay.ts";
import { request, requestRows } from "./request.ts";

/** The cases. */
export const websocket: Case[] = [{
  ...relay,
  name: "ws-relay",
  title: `${relay.title}, over WebSocket`,
  control: "bytes",
  rows: (context) => relayRows(context, "ws"),
}, {
  ...oneWay,
  name: "ws-one-way",
  title: `${oneWay.title}, over WebSocket`,
  rows: (context) => oneWayRows(context, "ws"),
}, {
  ...request,
  name: "ws-request",
  title: `${request.title}, over WebSocket`,
  rows: (context) => requestRows(context, "ws"),
}];
