/**
 * Following a way through the mesh: each router adds itself, and asks the next hop on its own route.
 *
 * @module
 */

import { systemClock } from "../router/clock.ts";
import type { Router } from "../router/router.ts";
import type { ChannelStats } from "../router/stats.ts";
import { textOf } from "../router/text_of.ts";
import {
  readTrace,
  serviceName,
  type TraceHop,
  type TraceReport,
  type TraceRequest,
} from "./reports.ts";

/** What is left to the next hop of the time that a router has: it must answer before we give up. */
const SHARE = 15 / 16;

/**
 * Follows the way from a router to a destination. That nobody answers is a result, too.
 *
 * @throws The signal's reason, if it aborts before.
 */
export async function traceFrom(
  router: Router,
  { dst, ttl, timeout }: Required<TraceRequest>,
  signal?: AbortSignal,
): Promise<TraceReport> {
  const start = systemClock.now();
  signal?.throwIfAborted();
  const here: TraceHop = {
    address: router.address,
    cost: 0,
    transport: null,
    roundTrip: null,
    at: 0,
  };
  if (dst === router.address) return { hops: [here], reached: true };
  const gaveUp = (reason: string): TraceReport => ({ hops: [here], reached: false, reason });
  const route = router.routes().find(({ address }) => address === dst);
  here.cost = route?.cost ?? null;
  if (route === undefined) return gaveUp(`"${router.address}" knows no route to "${dst}"`);
  const { via } = route;
  if (via === "") return gaveUp("the next hop has not said its name");

  const link = linkTo(router, via);
  here.transport = link?.transport ?? null;
  here.roundTrip = link?.roundTrip ?? null;
  if (ttl <= 1) return gaveUp("that was as many hops as may be asked");
  const silent = (reason: string): TraceReport => ({
    hops: [here, { address: via, cost: null, transport: null, roundTrip: null, at: null }],
    reached: false,
    reason,
  });
  if (link?.kind === "legacy") return silent(`"${via}" is an old router, which cannot be asked`);
  const question: TraceRequest = { dst, ttl: ttl - 1, timeout: timeout * SHARE };
  let report: TraceReport;
  try {
    const options = { dst: via, timeout, signal };
    const answer = await router.request(serviceName("trace"), JSON.stringify(question), options);
    const { hops, reached, reason } = readTrace(answer, ttl - 1);
    report = { hops: [here, ...hops], reached };
    if (!reached) report.reason = reason ?? `"${via}" does not say why`;
  } catch (error) {
    signal?.throwIfAborted();
    report = silent(`"${via}" does not answer: ${textOf(error)}`);
  }
  here.at = elapsed(start);
  return report;
}

/** The link that leads to a neighbour: if there are several, the one that is preferred. */
function linkTo(router: Router, address: string): ChannelStats | undefined {
  return router.stats().channels
    .flatMap(({ neighbours, ...channel }) =>
      neighbours?.map((it) => ({ ...channel, ...it })) ?? channel
    )
    .filter((channel) => channel.address === address)
    .sort((a, b) => a.cost - b.cost || a.id - b.id)[0];
}

/** How long it is since a time, in ms to the thousandth. */
function elapsed(start: number): number {
  return Math.round((systemClock.now() - start) * 1_000) / 1_000;
}
