/**
 * What a call can be told.
 *
 * @module
 */

import type { Packet } from "../wire/packet.ts";
import type { BalancePolicy } from "./balancer.ts";

/** Options of every call. */
export interface CallOptions {
  /** Address of the instance to call; by default it is chosen. */
  dst?: string;
  /**
   * How the instance is chosen.
   *
   * @default {the router's}
   */
  balance?: BalancePolicy;
  /** What the call is about, for the policy `"sticky"`. */
  key?: string;
  /** Data type, u8. Python peers do not survive one. */
  typ?: number;
  /**
   * Delivered once and in order though links are lost: sent again until the far end has it, and not
   * given up when the route is lost, but only when the time is over, or the service has heard nothing
   * for 100 s. With an old peer it is an ordinary call, and a `fallback` event says so.
   *
   * @default {false}
   */
  reliable?: boolean;
  /** Ends the call when it aborts; the service is told. */
  signal?: AbortSignal;
}

/** Options of `Router.request`. */
export interface RequestOptions extends CallOptions {
  /**
   * How long to wait for the reply, all attempts together, in ms; `Infinity` for ever.
   *
   * @default {5000}
   */
  timeout?: number;
  /**
   * How many other instances may be tried after one has failed, been lost or not replied in time.
   * The call may then run more than once: for calls that do no harm twice. One that has certainly
   * not run is made elsewhere in any case.
   *
   * @default {0}
   */
  retries?: number;
  /**
   * How long one attempt may take, in ms.
   *
   * @default {an equal share of the timeout}
   */
  attemptTimeout?: number;
}

/** Options of `Router.stream`. */
export interface StreamOptions extends CallOptions {
  /** Ends it after a reply for which this is true. */
  until?: (packet: Packet) => boolean;
  /** Ends it after so many replies. */
  limit?: number;
  /**
   * How long to wait for the next reply, in ms; `Infinity` for ever. Time in which nobody reads does
   * not count.
   *
   * @default {30000}
   */
  idle?: number;
  /**
   * How long it may take in all, in ms.
   *
   * @default {Infinity}
   */
  timeout?: number;
}

/** Options of `Router.gather`. */
export interface GatherOptions {
  /** The first reply is enough. */
  first?: boolean;
  /** So many replies are enough. */
  count?: number;
  /**
   * How long to wait, in ms; what has come until then is the result.
   *
   * @default {5000}
   */
  timeout?: number;
  /** Data type, u8. Python peers do not survive one. */
  typ?: number;
  /** Told of every instance that fails, and why. */
  onFailure?: (address: string, error: unknown) => void;
  /** Ends it when it aborts. */
  signal?: AbortSignal;
}
