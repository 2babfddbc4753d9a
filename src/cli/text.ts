/**
 * What others say, for people to read: it must not steer the terminal, and may be no text at all.
 *
 * @module
 */

import { encodeBase64 } from "../wire/base64.ts";

const strictDecoder = new TextDecoder("utf-8", { fatal: true });

/**
 * A text without characters that control a terminal, or turn its lines around.
 *
 * @param kept Those that may stay, such as `"\n"`.
 */
export function printable(text: string, kept: string = ""): string {
  return text.replace(
    /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu,
    (char) => kept.includes(char) ? char : "·",
  );
}

/** Whom a link leads to; of a segment, how many. */
export function farEnd(
  { address, neighbours }: { address: string; neighbours?: readonly unknown[] },
): string {
  if (neighbours === undefined) return printable(address) || "?";
  return neighbours.length === 1 ? "1 neighbour" : `${neighbours.length} neighbours`;
}

/** The bytes as text; `null` if they are not UTF-8. */
export function textOrNull(bytes: Uint8Array): string | null {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return null;
  }
}

/** A payload as a field of a JSON object: `text` if it is UTF-8, else `base64`. */
export function payloadField(bytes: Uint8Array): { text: string } | { base64: string } {
  const text = textOrNull(bytes);
  return text === null ? { base64: encodeBase64(bytes) } : { text };
}

/** The beginning of a payload on one line: its text, or its bytes in hex. */
export function preview(bytes: Uint8Array, most: number): string {
  const text = textOrNull(bytes);
  if (text === null) return `<${hex(bytes.subarray(0, most / 2))}>`;
  const line = printable(text);
  return line.length > most ? `${line.slice(0, most)}…` : line;
}

/** Bytes in hex. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** Bytes as lines of sixteen: where, in hex, as text. */
export function hexLines(bytes: Uint8Array): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const part = bytes.subarray(at, at + 16);
    const text = Array.from(
      part,
      (byte) => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·",
    ).join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${hex(part).padEnd(47)}  ${text}`);
  }
  return lines;
}

/** Rows as columns that line up. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, i) => widths[i] = Math.max(widths[i] ?? 0, [...cell].length));
  }
  return rows.map((row) =>
    row.map((cell, i) =>
      i === row.length - 1 ? cell : cell + " ".repeat(widths[i]! - [...cell].length)
    )
      .join("  ").trimEnd()
  );
}
