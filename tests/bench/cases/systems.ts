/**
 * Which systems take part.
 *
 * @module
 */

import type { SystemName, Transport } from "../host/middle.ts";
import type { Context } from "./case.ts";

/** Those that have clients, as far as they could be had. */
export function clientSystems({ packages, quick }: Context, transport: Transport): SystemName[] {
  const { servers, clients } = packages;
  const systems: SystemName[] = transport === "tcp" && !quick ? ["ours", "bytes"] : ["ours"];
  if (clients !== null && servers.has("nats-server")) systems.push("nats");
  // Debian's libwebsockets does not listen everywhere.
  const listens = servers.has("mosquitto") && transport === "tcp" && !quick;
  if (clients !== null && listens) systems.push("mosquitto");
  return systems;
}
