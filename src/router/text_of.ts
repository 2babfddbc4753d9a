/**
 * Words for what was thrown.
 *
 * @module
 */

/** What was thrown, in words. It need not be an error, nor even have a text. */
export function textOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown);
  } catch {
    return "something without a text";
  }
}
