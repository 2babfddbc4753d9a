/**
 * The control word that opens every packet: eleven presence bits, protected by four check bits.
 *
 * Layout, from bit 15 to bit 0: `check: 4 | unused: 1, sent as 0 | flags: 11`. Each check bit is
 * the parity of some flags (a Hamming code), so that any one flipped bit can be put right.
 *
 * @module
 */

/** Presence bits, in the order in which the fields follow. */
export const FLAG = {
  net: 0x0400,
  srv: 0x0200,
  src: 0x0100,
  dst: 0x0080,
  nxt: 0x0040,
  seq: 0x0020,
  ack: 0x0010,
  ctx: 0x0008,
  typ: 0x0004,
  data: 0x0002,
  crc: 0x0001,
} as const;

const FLAGS_MASK = 0x07ff;

/** Which flags each check bit covers, check bit 12 first. */
const COVERS = [0x071d, 0x04db, 0x01b7, 0x026f];

/** Which flag was flipped when the checks fail in this pattern; 0 where it was a check bit. */
const FLIPPED = [
  0x000, // 0: nothing is wrong
  0x000, // 1: check bit 15
  0x000, // 2: check bit 14
  0x020,
  0x000, // 4: check bit 13
  0x040,
  0x080,
  0x002,
  0x000, // 8: check bit 12
  0x200,
  0x100,
  0x004,
  0x400,
  0x008,
  0x010,
  0x001,
];

/** 1 for an odd number of one bits in a 16-bit word, else 0. */
function parity(word: number): number {
  word ^= word >> 8;
  word ^= word >> 4;
  word ^= word >> 2;
  word ^= word >> 1;
  return word & 1;
}

/** Adds the check bits to the presence bits. */
export function encodeControlWord(flags: number): number {
  let word = flags;
  for (let i = 0; i < COVERS.length; i++) word |= parity(flags & COVERS[i]!) << (12 + i);
  return word;
}

/** Takes the presence bits out of a control word, with any single flipped bit put right. */
export function decodeControlWord(word: number): number {
  let syndrome = 0;
  for (let i = 0; i < COVERS.length; i++) {
    syndrome |= parity(word & (COVERS[i]! | (0x1000 << i))) << (3 - i);
  }
  return (word ^ FLIPPED[syndrome]!) & FLAGS_MASK;
}
