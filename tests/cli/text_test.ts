/** What the command makes of texts, times and numbers: to read them, and to show them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../../src/cli/exit.ts";
import { columns, hexLines, payloadField, preview, printable } from "../../src/cli/text.ts";
import { formatAge, formatBytes, formatTime, parseCount, parseTime } from "../../src/cli/units.ts";

test("printable() lets nothing through that steers a terminal", () => {
  assert.equal(printable("a\x1b[2Jb\x07\x9b31m\u202ec\n"), "a·[2Jb··31m·c·");
  assert.equal(printable("a\tb\nc", "\n\t"), "a\tb\nc");
});

test("preview() shows text on one line, and other bytes in hex, no more than fits", () => {
  assert.equal(preview(new TextEncoder().encode("grüß\ndich"), 20), "grüß·dich");
  assert.equal(preview(new TextEncoder().encode("x".repeat(30)), 10), `${"x".repeat(10)}…`);
  assert.equal(preview(Uint8Array.of(0xff, 0, 1), 20), "<ff 00 01>");
});

test("payloadField() keeps every byte, as text if it is text", () => {
  assert.deepEqual(payloadField(new TextEncoder().encode("ü")), { text: "ü" });
  assert.deepEqual(payloadField(Uint8Array.of(0xff, 0)), { base64: "/wA=" });
});

test("hexLines() shows sixteen bytes a line", () => {
  const bytes = Uint8Array.from({ length: 17 }, (_, i) => 0x41 + i);
  assert.deepEqual(hexLines(bytes), [
    "0000  41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f 50  ABCDEFGHIJKLMNOP",
    `0010  51${" ".repeat(45)}  Q`,
  ]);
});

test("columns() line up, whatever is in them", () => {
  assert.deepEqual(columns([["A", "B"], ["grüße", ""], ["x", "y"]]), [
    "A      B",
    "grüße",
    "x      y",
  ]);
});

test("parseTime() reads times as people write them, and nothing else", () => {
  const times = {
    "500ms": 500,
    "2s": 2_000,
    "2": 2_000,
    "0.5s": 500,
    "1m": 60_000,
    "1h": 3_600_000,
  };
  for (const [text, ms] of Object.entries(times)) assert.equal(parseTime("--for", text), ms);
  for (const text of ["", "s", "-1", "1 s", "1d", "NaN", "1e3", "Infinity"]) {
    assert.throws(() => parseTime("--for", text), UsageError);
  }
});

test("parseCount() reads whole numbers within their range, and nothing else", () => {
  assert.equal(parseCount("--count", "16", 1, 16), 16);
  for (const text of ["0", "17", "", "-1", "1.5", "0x10", "1e1"]) {
    assert.throws(() => parseCount("--count", text, 1, 16), UsageError);
  }
});

test("formatTime(), formatAge() and formatBytes() are short", () => {
  assert.deepEqual([0.126, 12.34, 1_234, 61_000].map(formatTime), [
    "0.13 ms",
    "12.3 ms",
    "1.23 s",
    "61.0 s",
  ]);
  assert.deepEqual([0, 59_000, 61_000, 90_000_000].map(formatAge), ["0s", "59s", "1m 1s", "1d 1h"]);
  assert.deepEqual([0, 1_023, 1_536, 3 * 2 ** 30].map(formatBytes), [
    "0 B",
    "1023 B",
    "1.5 KiB",
    "3.0 GiB",
  ]);
});
