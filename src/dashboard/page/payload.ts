/**
 * Payloads as people write and read them: text, JSON, hex.
 *
 * Pure functions.
 *
 * @module
 */

/** How a payload is written. */
export type PayloadFormat = "text" | "json" | "hex";

/**
 * Reads what somebody has written.
 *
 * @throws {SyntaxError} If it is not of that format; the message says where.
 */
export function parsePayload(text: string, format: PayloadFormat): Uint8Array {
  if (format === "hex") return parseHex(text);
  if (format === "json" && text.trim() !== "") {
    return new TextEncoder().encode(JSON.stringify(JSON.parse(text)));
  }
  return new TextEncoder().encode(text);
}

function parseHex(text: string): Uint8Array {
  const digits = text.replaceAll(/0x|[\s,:]/gi, "");
  const wrong = /[^0-9a-f]/i.exec(digits);
  if (wrong) throw new SyntaxError(`"${wrong[0]}" is no hexadecimal digit`);
  if (digits.length % 2 !== 0) throw new SyntaxError("A byte has two hexadecimal digits");
  return Uint8Array.from(
    { length: digits.length / 2 },
    (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
}

const strict = new TextDecoder("utf-8", { fatal: true });

/** Bytes as the text that they are; `null` if they are none that could be read. */
export function readableText(bytes: Uint8Array): string | null {
  try {
    const text = strict.decode(bytes);
    return /(?![\t\n\r])\p{Cc}/u.test(text) ? null : text;
  } catch {
    return null;
  }
}

/** Bytes as people read them: indented JSON, text, else hex. */
export function showPayload(bytes: Uint8Array): string {
  const text = readableText(bytes);
  if (text === null) return hexDump(bytes);
  if (/^\s*[[{]/.test(text)) {
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      return text; // It only begins like JSON.
    }
  }
  return text;
}

/** Bytes in one line, no longer than so many characters. */
export function previewPayload(bytes: Uint8Array, length: number): string {
  const some = bytes.subarray(0, 2 * length);
  // A character that is cut in two makes no bytes of a text.
  const text = readableText(some) ??
    (bytes.length > some.length
      ? [1, 2, 3].map((cut) => readableText(some.subarray(0, some.length - cut)))
        .find((it) => it !== null)
      : null);
  const line = text?.replaceAll(/\s+/g, " ") ?? hex(some.subarray(0, length / 3));
  return line.length > length || bytes.length > some.length ? `${line.slice(0, length)}…` : line;
}

/** Bytes in hexadecimal, with spaces between. */
export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** Bytes in lines of sixteen: where, in hexadecimal, and as ASCII. */
export function hexDump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const part = bytes.subarray(at, at + 16);
    const ascii = Array.from(
      part,
      (byte) => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·",
    );
    const place = at.toString(16).padStart(4, "0");
    lines.push(`${place} ${hex(part).padEnd(47)} ${ascii.join("")}`);
  }
  return lines.join("\n");
}

/** A size in bytes for people. */
export function showSize(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(bytes < 10_000 ? 1 : 0)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** A time in ms for people. */
export function showTime(ms: number): string {
  if (ms < 10) return `${ms.toFixed(2)} ms`;
  if (ms < 1_000) return `${ms.toFixed(0)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.floor(ms / 3_600_000)} h`;
  return `${Math.floor(ms / 86_400_000)} d`;
}

/** How long something has lasted, in whole seconds and up. */
export function showAge(ms: number): string {
  return ms < 60_000 ? `${Math.max(0, Math.floor(ms / 1_000))} s` : showTime(ms);
}
