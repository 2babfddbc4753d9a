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
  return text.replace(/\p{Cc}/gu, (char) => kept.includes(char) ? char : "·");
}
