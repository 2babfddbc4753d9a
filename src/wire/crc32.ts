/**
 * CRC-32, the common one: reflected polynomial 0xEDB88320, `"123456789"` gives 0xCBF43926.
 *
 * @module
 */

const TABLE: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb8_8320 : 0);
  return crc;
});

/**
 * The checksum of the bytes, as an unsigned 32-bit number.
 *
 * @param before The checksum of what is before them.
 */
export function crc32(bytes: Uint8Array, before: number = 0): number {
  let crc = before ^ 0xffff_ffff;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[i]!) & 0xff]!;
  return (crc ^ 0xffff_ffff) >>> 0;
}
