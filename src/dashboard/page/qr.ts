/**
 * A small QR code encoder: bytes, versions 1 to 10, error correction level M.
 *
 * Pure functions. Source: ISO/IEC 18004:2015; names are its own.
 *
 * @module
 */

/** Modules of a code: rows of `true` for dark. */
export type QrMatrix = boolean[][];

/** Blocks of level M by version: codewords of correction in each, then counts and sizes of data. */
const BLOCKS:
  readonly (readonly [correction: number, ...groups: [count: number, data: number][]])[] = [
    [10, [1, 16]],
    [16, [1, 28]],
    [26, [1, 44]],
    [18, [2, 32]],
    [24, [2, 43]],
    [16, [4, 27]],
    [18, [4, 31]],
    [22, [2, 38], [2, 39]],
    [22, [3, 36], [2, 37]],
    [26, [4, 43], [1, 44]],
  ];

/** Centres of the alignment patterns by version. */
const ALIGNMENT: readonly (readonly number[])[] = [
  [],
  [6, 18],
  [6, 22],
  [6, 26],
  [6, 30],
  [6, 34],
  [6, 22, 38],
  [6, 24, 42],
  [6, 26, 46],
  [6, 28, 50],
];

/** The mode indicator of bytes. */
const BYTE_MODE = 4;

/** What fills the rest, in turns. */
const PADDING = [0xec, 0x11];

/** Generator polynomials: of the field, of the format's and of the version's check bits. */
const FIELD = 0x11d;
const FORMAT = 0x537;
const FORMAT_MASK = 0x5412;
const VERSION = 0x1f25;

/** Which modules each mask turns over. */
const MASKS: readonly ((row: number, column: number) => boolean)[] = [
  (r, c) => (r + c) % 2 === 0,
  (r) => r % 2 === 0,
  (_, c) => c % 3 === 0,
  (r, c) => (r + c) % 3 === 0,
  (r, c) => (Math.floor(r / 2) + Math.floor(c / 3)) % 2 === 0,
  (r, c) => (r * c) % 2 + (r * c) % 3 === 0,
  (r, c) => ((r * c) % 2 + (r * c) % 3) % 2 === 0,
  (r, c) => ((r + c) % 2 + (r * c) % 3) % 2 === 0,
];

/**
 * Encodes text as UTF-8.
 *
 * @returns A matrix without the quiet zone, which is to be four modules on each side; `null` if the
 *   text is too long: 213 bytes are the most.
 */
export function encodeQr(text: string): QrMatrix | null {
  const bytes = new TextEncoder().encode(text);
  const index = BLOCKS.findIndex((_, i) => headBits(i + 1) + 8 * bytes.length <= 8 * dataSize(i));
  if (index < 0) return null;
  const version = index + 1;
  const codewords = interleave(dataCodewords(bytes, version), BLOCKS[index]!);
  const { modules, fixed } = functionPatterns(version);
  placeData(modules, fixed, codewords);
  const candidates = MASKS.map((mask, number) => {
    const matrix = modules.map((row, r) =>
      row.map((dark, c) => dark !== (!fixed[r]![c]! && mask(r, c)))
    );
    placeFormat(matrix, number);
    return { matrix, penalty: penalty(matrix) };
  });
  return candidates.reduce((best, next) => next.penalty < best.penalty ? next : best).matrix;
}

/** Bits before the payload: the mode, and the count. */
function headBits(version: number): number {
  return 4 + (version < 10 ? 8 : 16);
}

/** Codewords of data. */
function dataSize(index: number): number {
  const [, ...groups] = BLOCKS[index]!;
  return groups.reduce((sum, [count, data]) => sum + count * data, 0);
}

function dataCodewords(bytes: Uint8Array, version: number): number[] {
  const bits: number[] = [];
  const put = (value: number, count: number) => {
    for (let i = count - 1; i >= 0; i--) bits.push(value >> i & 1);
  };
  put(BYTE_MODE, 4);
  put(bytes.length, headBits(version) - 4);
  for (const byte of bytes) put(byte, 8);
  const size = dataSize(version - 1);
  put(0, Math.min(4, 8 * size - bits.length)); // The terminator.
  while (bits.length % 8 !== 0) bits.push(0);
  const codewords: number[] = [];
  for (let i = 0; i < bits.length; i += 8) {
    codewords.push(bits.slice(i, i + 8).reduce((value, bit) => value << 1 | bit, 0));
  }
  for (let i = 0; codewords.length < size; i++) codewords.push(PADDING[i % 2]!);
  return codewords;
}

/** Cuts data into blocks, adds their correction, and takes both in turns. */
function interleave(data: number[], [correction, ...groups]: typeof BLOCKS[number]): number[] {
  const blocks: number[][] = [];
  let at = 0;
  for (const [count, size] of groups) {
    for (let i = 0; i < count; i++) blocks.push(data.slice(at, at += size));
  }
  const divisor = generator(correction);
  const checks = blocks.map((block) => remainder(block, divisor));
  const turns = (lists: number[][]) => {
    const longest = Math.max(...lists.map(({ length }) => length));
    return Array.from({ length: longest }, (_, i) => lists.flatMap((list) => list.slice(i, i + 1)))
      .flat();
  };
  return [...turns(blocks), ...turns(checks)];
}

function multiply(x: number, y: number): number {
  let product = 0;
  for (let i = 7; i >= 0; i--) {
    product = product << 1 ^ (product >> 7) * FIELD;
    product ^= (y >> i & 1) * x;
  }
  return product;
}

/** The generator polynomial of Reed and Solomon, without its leading 1. */
function generator(degree: number): number[] {
  const result: number[] = new Array(degree).fill(0);
  result[degree - 1] = 1;
  let root = 1;
  for (let i = 0; i < degree; i++) {
    for (let j = 0; j < degree; j++) {
      result[j] = multiply(result[j]!, root) ^ (result[j + 1] ?? 0);
    }
    root = multiply(root, 2);
  }
  return result;
}

function remainder(data: number[], divisor: number[]): number[] {
  const result: number[] = new Array(divisor.length).fill(0);
  for (const byte of data) {
    const factor = byte ^ result.shift()!;
    result.push(0);
    divisor.forEach((coefficient, i) => result[i]! ^= multiply(coefficient, factor));
  }
  return result;
}

/** Everything but data and format, and which modules are not data's. */
function functionPatterns(version: number): { modules: QrMatrix; fixed: QrMatrix } {
  const size = 17 + 4 * version;
  const grid = () => Array.from({ length: size }, () => new Array<boolean>(size).fill(false));
  const modules = grid();
  const fixed = grid();
  const set = (row: number, column: number, dark: boolean) => {
    if (row < 0 || column < 0 || row >= size || column >= size) return;
    modules[row]![column] = dark;
    fixed[row]![column] = true;
  };
  for (let i = 0; i < size; i++) {
    set(6, i, i % 2 === 0);
    set(i, 6, i % 2 === 0);
  }
  const square = (
    row: number,
    column: number,
    radius: number,
    isDark: (ring: number) => boolean,
  ) => {
    for (let r = -radius; r <= radius; r++) {
      for (let c = -radius; c <= radius; c++) {
        set(row + r, column + c, isDark(Math.max(Math.abs(r), Math.abs(c))));
      }
    }
  };
  const finder = (ring: number) => ring !== 2 && ring !== 4;
  for (const [row, column] of [[3, 3], [3, size - 4], [size - 4, 3]] as const) {
    square(row, column, 4, finder);
  }
  const centres = ALIGNMENT[version - 1]!;
  const last = centres.length - 1;
  centres.forEach((row, i) =>
    centres.forEach((column, j) => {
      const corner = (i === 0 && j === 0) || (i === 0 && j === last) || (i === last && j === 0);
      if (!corner) square(row, column, 2, (ring) => ring !== 1);
    })
  );
  // The places of the format, and the one module beside it that is always dark.
  for (const [row, column] of formatPlaces(size).flat()) set(row, column, false);
  set(size - 8, 8, true);
  if (version >= 7) {
    const bits = withCheck(version, VERSION, 12);
    for (let i = 0; i < 18; i++) {
      const [near, far] = [Math.floor(i / 3), size - 11 + i % 3];
      set(near, far, (bits >> i & 1) === 1);
      set(far, near, (bits >> i & 1) === 1);
    }
  }
  return { modules, fixed };
}

/** A value with the remainder of its division behind it. */
function withCheck(value: number, divisor: number, degree: number): number {
  let rest = value;
  for (let i = 0; i < degree; i++) rest = rest << 1 ^ (rest >> (degree - 1)) * divisor;
  return value << degree | rest;
}

/** Where each bit of the format is, twice. */
function formatPlaces(size: number): [row: number, column: number][][] {
  return Array.from({ length: 15 }, (_, i) => [
    i < 6 ? [i, 8] : i < 8 ? [i + 1, 8] : i === 8 ? [8, 7] : [8, 14 - i],
    i < 8 ? [8, size - 1 - i] : [size - 15 + i, 8],
  ]);
}

function placeFormat(matrix: QrMatrix, mask: number): void {
  const bits = withCheck(mask, FORMAT, 10) ^ FORMAT_MASK; // Level M is 00, before the mask.
  formatPlaces(matrix.length).forEach((places, i) => {
    for (const [row, column] of places) matrix[row]![column] = (bits >> i & 1) === 1;
  });
}

/** Data runs upwards and downwards in turns, in columns of two, from the right. */
function placeData(modules: QrMatrix, fixed: QrMatrix, codewords: number[]): void {
  const size = modules.length;
  let bit = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5; // The timing pattern has this column to itself.
    for (let i = 0; i < size; i++) {
      const row = (right + 1 & 2) === 0 ? size - 1 - i : i;
      for (const column of [right, right - 1]) {
        if (fixed[row]![column]) continue;
        modules[row]![column] = ((codewords[bit >> 3] ?? 0) >> (7 - bit % 8) & 1) === 1;
        bit++;
      }
    }
  }
}

/** How hard a code is to read: the mask with the least is taken. */
function penalty(matrix: QrMatrix): number {
  const size = matrix.length;
  const columns = matrix.map((_, c) => matrix.map((row) => row[c]!));
  let result = 0;
  for (const line of [...matrix, ...columns]) {
    const text = line.map((dark) => dark ? "1" : "0").join("");
    for (const [run] of text.matchAll(/0{5,}|1{5,}/g)) result += run.length - 2;
    for (const pattern of ["10111010000", "00001011101"]) {
      for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, at + 1)) {
        result += 40;
      }
    }
  }
  for (let r = 1; r < size; r++) {
    for (let c = 1; c < size; c++) {
      const dark = matrix[r]![c];
      const above = matrix[r - 1]!;
      if (dark === above[c] && dark === above[c - 1] && dark === matrix[r]![c - 1]) result += 3;
    }
  }
  const dark = matrix.flat().filter(Boolean).length * 100 / (size * size);
  return result + 10 * Math.floor(Math.abs(dark - 50) / 5);
}
