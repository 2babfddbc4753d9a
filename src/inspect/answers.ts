/**
 * What a router says of itself, taken from where it is known.
 *
 * @module
 */

import type { Router } from "../router/router.ts";
import type { LinksReport, RouterReport } from "./reports.ts";
import { VERSION } from "./version.ts";

/** What `aln.info` answers. */
export function infoOf(router: Router, runtime: string): RouterReport {
  const { address } = router;
  const services = router.services()
    .filter((one) => one.address === address)
    .map(({ service, capacity }) => ({ service, capacity }));
  return { address, version: VERSION, runtime, uptime: router.stats().uptime, services };
}

/** What `aln.links` answers. */
export function linksOf(router: Router): LinksReport {
  const { address, channels } = router.stats();
  const links = channels.map((channel) => ({
    id: channel.id,
    address: channel.address,
    kind: channel.kind,
    ...channel.neighbours && { neighbours: channel.neighbours },
    transport: channel.transport,
    cost: channel.cost,
    roundTrip: channel.roundTrip,
    packetsIn: channel.packetsIn,
    packetsOut: channel.packetsOut,
    queuedBytes: channel.queuedBytes,
    uptime: channel.uptime,
  }));
  return { address, links };
}
