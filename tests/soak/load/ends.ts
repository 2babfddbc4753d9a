/**
 * The ways in which a call may end without its reply.
 *
 * @module
 */

import { ChannelError, HandlerError, PacketError, UnreachableError } from "../../../mod.ts";

/**
 * What a call that failed is counted as.
 *
 * @param signal What the caller could end it with.
 * @returns `null` if no call may end so.
 */
export function endOf(error: unknown, signal?: AbortSignal): string | null {
  if (signal?.aborted && error === signal.reason) return "aborted";
  if (error instanceof DOMException && error.name === "TimeoutError") return "timeout";
  const ours = error instanceof UnreachableError || error instanceof ChannelError ||
    error instanceof HandlerError;
  if (ours) return error.code;
  // Nothing that the loads send is at fault, and they keep far below the limit of open contexts.
  if (error instanceof PacketError || error instanceof RangeError) return null;
  return null;
}
