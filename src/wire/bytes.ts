/**
 * Reading and writing big-endian fields with every range checked: the only `DataView` here. For
 * those who check ranges themselves, there are a few functions without one.
 *
 * @module
 */

import { PacketError } from "../errors.ts";
import { MAX_NAME_SIZE } from "./limits.ts";

/** Bytes in a buffer of their own kind, as sockets and Web Streams want them. */
export type Bytes = Uint8Array<ArrayBuffer>;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** No bytes: what an absent payload reads as. */
export const NO_BYTES: Bytes = new Uint8Array(0);

/**
 * Bytes to keep: the same, or a copy if they are a small part of a buffer, all of which would be kept
 * with them.
 */
export function compact(bytes: Uint8Array): Uint8Array {
  return bytes.buffer.byteLength > 4 * bytes.length + 256 ? new Uint8Array(bytes) : bytes;
}

/** Encodes text as UTF-8; a lone surrogate becomes U+FFFD. Owned by the caller. */
export function encodeUtf8(text: string): Bytes {
  return encoder.encode(text);
}

/**
 * Decodes UTF-8 strictly.
 *
 * @returns The text, or `null` if the bytes are not UTF-8.
 */
export function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

/** How many bytes the text takes in UTF-8. Makes no bytes. */
export function utf8Size(text: string): number {
  let size = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    size += unit < 0x800 ? 1 : 2;
    if (unit >= 0xd800 && unit < 0xdc00) {
      const next = text.charCodeAt(i + 1);
      if (next >= 0xdc00 && next < 0xe000) i++; // A pair takes 4 bytes, two of them counted.
    }
  }
  return size;
}

/** The u16 at an offset, with the range checked by the caller. */
export function uint16At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** The u32 at an offset, with the range checked by the caller. */
export function uint32At(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | uint16At(bytes, at + 2)) >>> 0;
}

/** Writes a u16 at an offset, with both ranges checked by the caller. */
export function setUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

/** Writes a u32 at an offset, with both ranges checked by the caller. */
export function setUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/**
 * Writes a name: `length: u8 | UTF-8`.
 *
 * @param text At most 255 bytes in UTF-8.
 * @param bytes Room for three bytes a UTF-16 unit, and one.
 * @returns Where it ends.
 */
export function setName(bytes: Uint8Array, at: number, text: string): number {
  const { length } = text;
  const start = at + 1;
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x80) {
      const { written } = encoder.encodeInto(text, bytes.subarray(start));
      bytes[at] = written;
      return start + written;
    }
    bytes[start + i] = unit;
  }
  bytes[at] = length;
  return start + length;
}

/**
 * How a peer counts the length byte before a name: `bytes` is right, the others are what some
 * peers write for names that are not ASCII.
 */
export type LengthUnit = "bytes" | "utf16" | "codepoints";

/** Reads fields one after another. Borrows its bytes; slices it returns share them. */
export class ByteReader {
  /** Where the next field starts. */
  offset: number = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #unit: LengthUnit;

  /** Constructs a new instance. */
  constructor(bytes: Uint8Array, unit: LengthUnit = "bytes") {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#unit = unit;
  }

  /** Bytes not yet read. */
  get left(): number {
    return this.#bytes.length - this.offset;
  }

  /** Moves on by `size` bytes and returns where they start. */
  #take(what: string, size: number): number {
    const start = this.offset;
    if (size > this.left) {
      throw new PacketError(
        "ERR_PACKET_TRUNCATED",
        `Cannot read ${what}: it takes ${size} bytes and ${this.left} are left`,
        start,
      );
    }
    this.offset = start + size;
    return start;
  }

  /** Reads a u8. */
  uint8(what: string): number {
    return this.#view.getUint8(this.#take(what, 1));
  }

  /** Reads a u16. */
  uint16(what: string): number {
    return this.#view.getUint16(this.#take(what, 2));
  }

  /** Reads a u32. */
  uint32(what: string): number {
    return this.#view.getUint32(this.#take(what, 4));
  }

  /** Reads `size` bytes; the slice is borrowed. */
  bytes(what: string, size: number): Uint8Array {
    const start = this.#take(what, size);
    return this.#bytes.subarray(start, start + size);
  }

  /** Reads a name: `length: u8 | UTF-8`. */
  string8(what: string): string {
    const length = this.uint8(what);
    const start = this.offset;
    const size = this.#unit === "bytes" ? length : this.#utf8Span(what, length);
    if (size > MAX_NAME_SIZE) { // Miscounted in another unit; nobody could pass it on.
      throw new PacketError(
        "ERR_PACKET_FIELD",
        `Cannot read ${what}: it takes ${size} bytes, more than ${MAX_NAME_SIZE}`,
        start,
      );
    }
    const text = decodeUtf8(this.bytes(what, size));
    if (text === null) {
      throw new PacketError("ERR_PACKET_FIELD", `Cannot read ${what}: it is not UTF-8`, start);
    }
    return text;
  }

  /** How many bytes the next `length` characters take, in the unit this reader counts in. */
  #utf8Span(what: string, length: number): number {
    let at = this.offset;
    for (let counted = 0; counted < length;) {
      const lead = this.#bytes[at];
      if (lead === undefined) this.#take(what, this.left + 1); // Throws: it ends too soon.
      const wide = lead! >= 0xf0;
      at += lead! < 0x80 ? 1 : lead! < 0xe0 ? 2 : wide ? 4 : 3;
      counted += wide && this.#unit === "utf16" ? 2 : 1;
    }
    return at - this.offset;
  }
}

/** Writes fields one after another into a buffer of its own. */
export class ByteWriter {
  #bytes: Bytes;
  #view: DataView;
  #offset: number = 0;

  /**
   * Constructs a new instance.
   *
   * @param capacity Expected size in bytes; the buffer grows when that was too little.
   */
  constructor(capacity: number = 64) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  #reserve(size: number): number {
    const start = this.#offset;
    this.#offset += size;
    if (this.#offset > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#offset, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return start;
  }

  #check(what: string, value: number, max: number): void {
    if (!Number.isInteger(value) || value < 0 || value > max) {
      throw new PacketError(
        "ERR_PACKET_FIELD",
        `Cannot write ${what}: ${value} is not an integer in 0-${max}`,
        this.#offset,
      );
    }
  }

  /** Writes a u8. */
  uint8(what: string, value: number): this {
    this.#check(what, value, 0xff);
    const start = this.#reserve(1);
    this.#view.setUint8(start, value);
    return this;
  }

  /** Writes a u16. */
  uint16(what: string, value: number): this {
    this.#check(what, value, 0xffff);
    const start = this.#reserve(2);
    this.#view.setUint16(start, value);
    return this;
  }

  /** Writes a u32. */
  uint32(what: string, value: number): this {
    this.#check(what, value, 0xffff_ffff);
    const start = this.#reserve(4);
    this.#view.setUint32(start, value);
    return this;
  }

  /** Writes bytes as they are. */
  bytes(value: Uint8Array): this {
    const start = this.#reserve(value.length);
    this.#bytes.set(value, start);
    return this;
  }

  /** Writes a name: `length: u8 | UTF-8`. */
  string8(what: string, value: string): this {
    if (typeof value !== "string") {
      throw new PacketError(
        "ERR_PACKET_FIELD",
        `Cannot write ${what}: it is not a string`,
        this.#offset,
      );
    }
    const text = encodeUtf8(value);
    if (text.length > MAX_NAME_SIZE) {
      throw new PacketError(
        "ERR_PACKET_FIELD",
        `Cannot write ${what}: it takes ${text.length} bytes, more than ${MAX_NAME_SIZE}`,
        this.#offset,
      );
    }
    return this.uint8(what, text.length).bytes(text);
  }

  /** The bytes so far. Borrowed: valid until the next write. */
  written(): Bytes {
    return this.#bytes.subarray(0, this.#offset);
  }

  /** The bytes, owned by the caller. */
  finish(): Bytes {
    return this.#offset === this.#bytes.length ? this.#bytes : this.#bytes.slice(0, this.#offset);
  }
}
