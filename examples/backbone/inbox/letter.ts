/**
 * A letter: its id, a line break, and what it says. The one who sends it makes the id, and the one
 * who takes it knows by it what has come before: both may try again.
 *
 * @module
 */

const LINE_BREAK = 10;

/** What an id may be: it is part of a header. */
const ID = /^[\w.-]{1,64}$/;

/** Writes a letter. */
export function writeLetter(id: string, text: string): string {
  return `${id}\n${text}`;
}

/**
 * Reads a letter.
 *
 * @throws {RangeError} If it does not begin with an id.
 */
export function readLetter(data: Uint8Array): { id: string; text: string } {
  const end = data.indexOf(LINE_BREAK);
  const decoder = new TextDecoder();
  const id = decoder.decode(data.subarray(0, Math.max(end, 0)));
  if (!ID.test(id)) throw new RangeError("a letter begins with a line that is its id");
  return { id, text: decoder.decode(data.subarray(end + 1)) };
}
