/**
 * {@linkcode CallWatcher}: somebody who is shown each call, such as a tracer.
 *
 * @module
 */

import type { CalledService } from "./incoming_call.ts";

/**
 * Shown each call of a service, on both sides. None of its methods may throw: it stands in the way
 * of the calls.
 */
export interface CallWatcher {
  /**
   * A call begins: one attempt of it, if there are several.
   *
   * @param call Names it: the same until it has ended.
   * @param side Whether we call, or are called.
   * @param address Of the other side; `""` if it has not said it.
   */
  began(call: object, side: "caller" | "service", service: string, address: string): void;
  /** A call has failed, or its handler has thrown. It has not ended yet. */
  failed(call: object, reason: unknown): void;
  /** A call has ended. */
  ended(call: object): void;
}

/** A service, one call of which is watched. */
export function watched(
  watcher: CallWatcher,
  call: object,
  service: CalledService,
  name: string,
  caller: string,
): CalledService {
  return {
    handler: service.handler,
    began() {
      service.began();
      watcher.began(call, "service", name, caller);
    },
    ended() {
      service.ended();
      watcher.ended(call);
    },
  };
}
