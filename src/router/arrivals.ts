/**
 * Those who wait for a service to appear.
 *
 * @module
 */

import type { ServiceInfo } from "../mesh/effects.ts";

/** Told of an instance that has changed, or why there will be none. */
interface Waiter {
  tell: (info: ServiceInfo) => void;
  fail: (reason: unknown) => void;
}

/** All who wait, by service. */
export class Arrivals {
  readonly #waiters: Map<string, Set<Waiter>> = new Map();

  /** Waits for an instance of a service, and returns its address. */
  wait(service: string, signal: AbortSignal | undefined): Promise<string> {
    return new Promise((resolve, reject) => {
      const onAbort = () => waiter.fail(signal!.reason);
      let waiters = this.#waiters.get(service);
      if (waiters === undefined) this.#waiters.set(service, waiters = new Set());
      const done = () => {
        waiters.delete(waiter);
        const isLast = waiters.size === 0 && this.#waiters.get(service) === waiters;
        if (isLast) this.#waiters.delete(service);
        signal?.removeEventListener("abort", onAbort);
      };
      const waiter: Waiter = {
        tell(info) {
          if (info.capacity > 0) done(), resolve(info.address);
        },
        fail: (reason) => (done(), reject(reason)),
      };
      waiters.add(waiter);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Tells all of an instance that has changed. */
  tell(info: ServiceInfo): void {
    for (const waiter of [...this.#waiters.get(info.service) ?? []]) waiter.tell(info);
  }

  /** Ends every wait. */
  failAll(reason: unknown): void {
    for (const waiters of [...this.#waiters.values()]) {
      for (const waiter of [...waiters]) waiter.fail(reason);
    }
  }
}
