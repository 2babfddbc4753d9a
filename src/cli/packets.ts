/**
 * Packets as verbs show, choose and record them.
 *
 * @module
 */

import { CALL, decodeCallMark } from "../wire/call_mark.ts";
import type { Packet } from "../wire/packet.ts";
import type { PacketDirection } from "../inspect/watched_router.ts";
import { payloadField, preview, printable } from "./text.ts";
import type { Arguments, OptionSpecs } from "./verb.ts";

/** How much of a payload is shown, in characters. */
const SHOWN = 120;

/** Options that choose packets. */
export const CHOOSING: OptionSpecs = {
  srv: { value: "SERVICE", help: "only packets for this service" },
  src: { value: "ADDRESS", help: "only packets from there" },
  dst: { value: "ADDRESS", help: "only packets for there" },
  net: { help: "also what routers tell each other" },
};

/** Whether a packet is one of those that the options choose. */
export function chooser(options: Arguments): (packet: Packet) => boolean {
  const [srv, src, dst] = ["srv", "src", "dst"].map((name) => options.text(name));
  const net = options.has("net");
  return (packet) =>
    (net || packet.net === 0) &&
    (srv === undefined || packet.srv === srv) &&
    (src === undefined || packet.src === src) &&
    (dst === undefined || packet.dst === dst);
}

/** What a packet is in a call; "" if it belongs to none, or its peers do not mark them. */
export function roleOf({ net, seq, ack, ctx, srv }: Packet): string {
  if (net !== 0) return `net ${net}`;
  const mark = decodeCallMark({ seq, ack });
  if (mark !== null) {
    const [kind] = Object.entries(CALL).find(([, value]) => value === mark.kind) ?? ["?"];
    return kind === "data" && !mark.toService ? "reply" : kind;
  }
  return ctx === 0 ? "" : srv === "" ? "reply" : "ask";
}

/** A packet as one line for people. */
export function packetLine(direction: PacketDirection, packet: Packet): string {
  const { src, dst, srv, ctx, data } = packet;
  const what = [
    direction === "in" ? "<" : ">",
    printable(src) || "?",
    "→",
    printable(dst) || (packet.net === 0 ? "all" : "neighbour"),
    ...(srv === "" ? [] : [printable(srv)]),
    ...(ctx === 0 ? [] : [`#${ctx}`]),
    roleOf(packet),
    `${data.length} B`,
    data.length === 0 || packet.net !== 0 ? "" : preview(data, SHOWN),
  ];
  return what.filter((word) => word !== "").join(" ");
}

/** A packet as an object for programs: the fields that it has. */
export function packetValue(direction: PacketDirection, packet: Packet): Record<string, unknown> {
  const value: Record<string, unknown> = { at: Date.now(), direction };
  for (const name of ["srv", "src", "dst"] as const) {
    if (packet[name] !== "") value[name] = packet[name];
  }
  for (const name of ["net", "seq", "ack", "ctx", "typ"] as const) {
    if (packet[name] !== 0) value[name] = packet[name];
  }
  const role = roleOf(packet);
  if (role !== "") value.role = role;
  if (packet.data.length > 0) Object.assign(value, payloadField(packet.data));
  return value;
}
