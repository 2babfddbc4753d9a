import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeQr } from "../../src/dashboard/page/qr.ts";
import { encodeUtf8 } from "../../src/wire/bytes.ts";
import { crc32 } from "../../src/wire/crc32.ts";

const rows = (text: string): string[] =>
  encodeQr(text)!.map((row) => row.map((dark) => dark ? "#" : ".").join(""));

test("encodeQr() writes a code as the standard has it", () => {
  assert.deepEqual(rows("ALN mesh"), [
    "#######.#.##..#######",
    "#.....#.##.##.#.....#",
    "#.###.#.#...#.#.###.#",
    "#.###.#..#.##.#.###.#",
    "#.###.#.##..#.#.###.#",
    "#.....#..####.#.....#",
    "#######.#.#.#.#######",
    ".........#.##........",
    "#..#######..##..#.###",
    "####.#.##.#.#....#..#",
    "#..#..#.......#..####",
    "###.#....#.#...#..##.",
    "#.#.#.##.#...########",
    "........#..##..###.##",
    "#######.##..###.#....",
    "#.....#.##.###.##.#.#",
    "#.###.#.#..##.#..#...",
    "#.###.#.#####....##..",
    "#.###.#.......#.#####",
    "#.....#...#..###.####",
    "#######.#.##.........",
  ]);
});

/** Length of a text, size and CRC-32 of its code. All were read by jsQR, and are those of node-qrcode. */
const KNOWN: [length: number, size: number, crc: number][] = [
  [14, 21, 0xabb1_5f87],
  [26, 25, 0xd86b_b554],
  [42, 29, 0xce28_fe90],
  [62, 33, 0x0944_959f],
  [84, 37, 0x0edb_099d],
  [106, 41, 0x2939_3569],
  [122, 45, 0x7ffa_113d],
  [152, 49, 0xfb69_4489],
  [180, 53, 0x4438_0ac1],
  [213, 57, 0x6272_94dd],
];

for (const [length, size, crc] of KNOWN) {
  test(`encodeQr() fits ${length} bytes into version ${(size - 17) / 4}`, () => {
    const text = "ws://mesh.example:8080/".repeat(10).slice(0, length);
    const code = rows(text);
    assert.deepEqual([code.length, crc32(encodeUtf8(code.join("\n")))], [size, crc]);
  });
}

test("encodeQr() takes 213 bytes and no more, which are not letters", () => {
  assert.notEqual(encodeQr("x".repeat(213)), null);
  assert.equal(encodeQr("x".repeat(214)), null);
  assert.equal(encodeQr("ü".repeat(107)), null);
});
