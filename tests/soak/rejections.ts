/**
 * Errors that nobody has caught, in any runtime.
 *
 * @module
 */

import process from "node:process";

/** Tells of every error and rejection that nobody catches, instead of ending the process. */
export function watchErrors(tell: (what: string) => void): void {
  if ("Deno" in globalThis) {
    globalThis.addEventListener("unhandledrejection", (event) => {
      event.preventDefault();
      tell(`a rejection that nobody has caught: ${words(event.reason)}`);
    });
    globalThis.addEventListener("error", (event) => {
      event.preventDefault();
      tell(`an error that nobody has caught: ${words(event.error)}`);
    });
    return;
  }
  process.on("unhandledRejection", (reason) => {
    tell(`a rejection that nobody has caught: ${words(reason)}`);
  });
  process.on("uncaughtException", (error) => {
    tell(`an error that nobody has caught: ${words(error)}`);
  });
}

function words(thrown: unknown): string {
  return thrown instanceof Error ? thrown.stack ?? String(thrown) : String(thrown);
}
