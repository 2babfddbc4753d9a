/**
 * Waiting for what a verb is about to be known: a router, or a service. Neither is waited for longer
 * than it takes the neighbours to say all that they know.
 *
 * @module
 */

import type { RouteInfo } from "../mesh/effects.ts";
import { UnreachableError } from "../errors.ts";
import { type Membership, settled } from "./connection.ts";
import { isTimeout } from "./exit.ts";

/**
 * The way to a router.
 *
 * @throws {UnreachableError} `ERR_NO_ROUTE` if there is none.
 */
export async function reach(member: Membership, address: string): Promise<RouteInfo> {
  const { router } = member;
  if (address === router.address) return { address, cost: 0, via: address };
  const found = () => router.routes().find((route) => route.address === address);
  await waitFor(member, () => found() !== undefined);
  const route = found();
  if (route) return route;
  const what = `no route leads to "${address}"`;
  throw new UnreachableError("ERR_NO_ROUTE", `Cannot reach router: ${what}`, address);
}

/**
 * Waits until a service can be called.
 *
 * @throws {UnreachableError} `ERR_NO_SERVICE` if nobody offers it.
 */
export async function reachService(member: Membership, service: string): Promise<void> {
  const { router } = member;
  await waitFor(member, () => router.selectService(service) !== null);
  if (router.selectService(service) !== null) return;
  const what = `nobody offers "${service}"`;
  throw new UnreachableError("ERR_NO_SERVICE", `Cannot call service: ${what}`, service);
}

/** Waits until something is so, or the tables are filled. */
async function waitFor(member: Membership, isSo: () => boolean): Promise<void> {
  const { router, signal, timeLeft } = member;
  if (isSo()) return;
  const enough = new AbortController();
  const check = () => {
    if (isSo()) enough.abort();
  };
  router.addEventListener("route", check);
  router.addEventListener("service", check);
  try {
    await settled(router, timeLeft(), AbortSignal.any([signal, enough.signal]));
  } finally {
    router.removeEventListener("route", check as (event: Event) => void);
    router.removeEventListener("service", check as (event: Event) => void);
  }
  signal.throwIfAborted();
  if (isSo()) return;
  try {
    timeLeft();
  } catch (error) {
    if (isTimeout(error) && router.routes().length === 0) {
      const what = "the router that we are connected to has not said who it is";
      throw new DOMException(`Cannot go on: ${what}`, "TimeoutError");
    }
    throw error;
  }
}
