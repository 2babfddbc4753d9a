/**
 * The ways in which a call may end without its reply.
 *
 * @module
 */

import { CallError, ChannelError, UnreachableError } from "../../../mod.ts";

/**
 * What a call that failed is counted as.
 *
 * @param signal What the caller could end it with.
 * @returns `null` if no call may end so.
 */
export function endOf(error: unknown, signal?: AbortSignal): string | null {
  if (signal?.aborted && error === signal.reason) return "aborted";
  if (error instanceof DOMException && error.name === "TimeoutError") return "timeout";
  // No load sends what does not fit, or opens too many contexts: that would be a fault.
  const mayBe = error instanceof UnreachableError || error instanceof ChannelError ||
    error instanceof CallError;
  return mayBe ? error.code : null;
}
