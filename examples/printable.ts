/**
 * {@linkcode printable}: what others are called and what they say must not steer the terminal.
 *
 * @module
 */

/**
 * A text without characters that control a terminal.
 *
 * @param kept Those that may stay, such as `"\n"`.
 */
export function printable(text: string, kept: string = ""): string {
  // deno-lint-ignore no-control-regex -- Those are meant.
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, (char) => kept.includes(char) ? char : "·");
}
