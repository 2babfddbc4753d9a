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

/** All who wait. */
export class Arrivals {
  readonly #waiters: Set<Waiter> = new Set();

  /** Waits for an instance of a service, and returns its address. */
  wait(service: string, signal: AbortSignal | undefined): Promise<string> {
    return new Promise((resolve, reject) => {
      const onAbort = () => waiter.fail(signal!.reason);
      const done = () => {
        this.#waiters.delete(waiter);
        signal?.removeEventListener("abort", onAbort);
      };
      const waiter: Waiter = {
        tell(info) {
          if (info.service === service && info.capacity > 0) done(), resolve(info.address);
        },
        fail: (reason) => (done(), reject(reason)),
      };
      this.#waiters.add(waiter);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Tells all of an instance that has changed. */
  tell(info: ServiceInfo): void {
    for (const waiter of [...this.#waiters]) waiter.tell(info);
  }

  /** Ends every wait. */
  failAll(reason: unknown): void {
    for (const waiter of [...this.#waiters]) waiter.fail(reason);
  }
}
