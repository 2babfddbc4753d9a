/**
 * Why something was dropped, in one word for programs and statistics.
 *
 * @module
 */

import type { AlnError, AlnErrorCode } from "../errors.ts";
import type { Packet } from "../wire/packet.ts";

/** Why something was dropped. Names are stable; there may be more of them one day. */
export type DropReason =
  /** What came is no packet, or is one that means nothing. */
  | "parse"
  /** What was to go out does not fit into the fields of a packet. */
  | "field"
  /** A channel's queue is full, or nobody takes what it receives. */
  | "queue"
  /** A channel has closed, and what it had yet to send is lost. */
  | "closed"
  /** A neighbour says more in a second than it may. */
  | "rate"
  /** A table is full: of routes, or of services. */
  | "table"
  /** A neighbour does what no router should. */
  | "protocol"
  /** Nothing of ours: a neighbour reports that something is wrong on its side. */
  | "peer"
  /** No way leads to the destination. */
  | "no-route"
  /** Nobody offers the service. */
  | "no-service"
  /** Nobody waits for the reply, any more at least. */
  | "no-context"
  /** It has been forwarded too often. */
  | "hops"
  /** It has been here before, or would go back to where it came from. */
  | "loop"
  /** No way leads to the destination for the moment, and too much waits for one already. */
  | "hold"
  /** It is for somebody else, and this router carries nothing for others. */
  | "stub"
  /** The policy or the gate of a link does not let it pass. */
  | "refused"
  /** A handler of the application threw. */
  | "handler";

const BY_CODE: Record<AlnErrorCode, DropReason> = {
  ERR_PACKET_FIELD: "parse",
  ERR_PACKET_TRUNCATED: "parse",
  ERR_PACKET_CRC: "parse",
  ERR_PACKET_JSON: "parse",
  ERR_PACKET_FRAME: "parse",
  ERR_NO_SERVICE: "no-service",
  ERR_NO_ROUTE: "no-route",
  ERR_CHANNEL_CLOSED: "closed",
  ERR_CHANNEL_FULL: "queue",
  ERR_CHANNEL_PROTOCOL: "protocol",
  ERR_CHANNEL_PEER: "peer",
  ERR_CHANNEL_REFUSED: "refused",
  ERR_CHANNEL_AUTH: "refused",
  ERR_HANDLER: "handler",
  ERR_CALL_HANDLER: "handler",
  ERR_CALL_REFUSED: "refused",
  ERR_CALL_LOST: "no-context",
  ERR_CALL_SIZE: "queue",
};

/** What an error says by itself of why something was dropped. */
export function reasonOf({ code }: AlnError, packet: Packet | null): DropReason {
  const isReply = code === "ERR_NO_SERVICE" && packet !== null && packet.srv === "";
  return isReply ? "no-context" : BY_CODE[code] ?? "protocol"; // A foreign channel may say anything.
}

const NONE: Readonly<Record<DropReason, number>> = {
  parse: 0,
  field: 0,
  queue: 0,
  closed: 0,
  rate: 0,
  table: 0,
  protocol: 0,
  peer: 0,
  "no-route": 0,
  "no-service": 0,
  "no-context": 0,
  hops: 0,
  loop: 0,
  hold: 0,
  stub: 0,
  refused: 0,
  handler: 0,
};

/** Counts of drops by reason, all of them 0. */
export function noDrops(): Record<DropReason, number> {
  return { ...NONE };
}
