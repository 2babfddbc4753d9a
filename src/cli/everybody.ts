/**
 * {@linkcode askEverybody}: the same question for every router that can be reached.
 *
 * @module
 */

import { inspect, type Inspector } from "../inspect/mod.ts";
import type { Membership } from "./connection.ts";

/** Routers that are asked at once. */
const PARALLEL = 32;

/** How long one may take to answer, in ms, if there is so much time. */
const PATIENCE = 2_000;

/** What one router has answered; `null` if it did not. */
export interface Answer<T> {
  address: string;
  answer: T | null;
}

/**
 * Asks every router that can be reached, or the one that is named. Old peers, and those that do not
 * answer in time, are in the list, too.
 */
export async function askEverybody<T>(
  { router, signal }: Membership,
  only: string | undefined,
  ask: (inspector: Inspector, address: string, timeout: number) => Promise<T>,
): Promise<Answer<T>[]> {
  const inspector = inspect(router);
  const addresses = router.routes().map(({ address }) => address)
    .filter((address) => only === undefined || address === only)
    .sort();
  const answers: Answer<T>[] = [];
  const work = async () => {
    for (let address; (address = addresses.shift()) !== undefined && !signal.aborted;) {
      const answer = await ask(inspector, address, PATIENCE).catch(() => null);
      answers.push({ address, answer });
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  signal.throwIfAborted();
  return answers;
}
