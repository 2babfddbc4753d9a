import assert from "node:assert/strict";
import { test } from "node:test";
import { BROKEN, FrameScan } from "../../src/framing/frame_scan.ts";
import { seededRandom } from "../../src/testing/mod.ts";

/** The same, byte by byte. */
function plain(chunk: Uint8Array): [end: number, escapes: number][] {
  const frames: [number, number][] = [];
  let escapes = 0;
  for (const [i, byte] of chunk.entries()) {
    if (byte === 0xc0) {
      frames.push([i, escapes]);
      escapes = 0;
    } else if (byte === 0xdb) {
      const whole = chunk[i + 1] === 0xdc || chunk[i + 1] === 0xdd;
      escapes = whole && escapes !== BROKEN ? escapes + 1 : BROKEN;
    }
  }
  return frames;
}

function found(scan: FrameScan, chunk: Uint8Array): [end: number, escapes: number][] {
  scan.scan(chunk);
  return Array.from({ length: scan.count }, (_, i) => [scan.ends[i]!, scan.escapes[i]!]);
}

test("Frames are found wherever a chunk lies in its buffer, escaped or not", () => {
  const random = seededRandom(7);
  const below = (n: number) => Math.floor(random() * n);
  const scan = new FrameScan();
  for (let run = 0; run < 3_000; run++) {
    const offset = below(9);
    const size = below(below(2) === 0 ? 20 : 400);
    const chunk = new Uint8Array(offset + size).subarray(offset);
    const kinds = [0x41, 0xc0, 0xdb, 0xdc, 0xdd, 0xff, 0xe0];
    for (let i = 0; i < size; i++) {
      chunk[i] = below(3) === 0 ? kinds[below(kinds.length)]! : below(256);
    }
    assert.deepEqual(found(scan, chunk), plain(chunk));
  }
});

test("A chunk of nothing but delimiters is as many empty frames", () => {
  const scan = new FrameScan();
  const chunk = new Uint8Array(1_000).fill(0xc0);
  assert.deepEqual(found(scan, chunk), Array.from({ length: 1_000 }, (_, i) => [i, 0]));
});
