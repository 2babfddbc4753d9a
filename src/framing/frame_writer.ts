/**
 * Packets as frames, written straight to where they are sent from.
 *
 * @module
 */

import { crc32 } from "../wire/crc32.ts";
import { FLAG } from "../wire/control_flags.ts";
import {
  checkFields,
  headBound,
  MAX_TAIL_SIZE,
  type PacketFields,
  writeHead,
  writeTail,
} from "../wire/packet_codec.ts";
import { copyEscaped, escapeInPlace, findSpecial } from "./kiss.ts";

const END = 0xc0;

/** From so many bytes of data on, it is worth to look first whether any of them is escaped. */
const LARGE = 1 << 10;

/** The bytes of `encodeFrame(encodePacket(fields))`, without one of these arrays. */
export class FrameWriter {
  readonly #crc: boolean;
  #fields: PacketFields | null = null;
  #flags: number = 0;
  /** Whether it is known that no byte of the data is escaped. */
  #plain: boolean = false;

  /**
   * Constructs a new instance.
   *
   * @param crc Whether packets get a checksum.
   */
  constructor(crc: boolean) {
    this.#crc = crc;
  }

  /**
   * Prepares a frame.
   *
   * @returns At most how many bytes it will have.
   * @throws {PacketError} `ERR_PACKET_FIELD` if a value does not fit its field.
   */
  prepare(fields: PacketFields): number {
    this.#flags = checkFields(fields) | (this.#crc ? FLAG.crc : 0);
    this.#fields = fields;
    const { length } = fields.data;
    this.#plain = length >= LARGE && findSpecial(fields.data, 0, length) === length;
    return 2 * (headBound(fields) + MAX_TAIL_SIZE) + (this.#plain ? length : 2 * length) + 1;
  }

  /**
   * Writes the frame that has been prepared, and nothing but it.
   *
   * @param bytes Room for as many bytes as was said, to be written over.
   * @returns Where it ends.
   */
  write(bytes: Uint8Array, start: number): number {
    const fields = this.#fields!;
    this.#fields = null;
    const head = writeHead(fields, this.#flags, bytes, start);
    const crc = this.#crc ? crc32(fields.data, crc32(bytes.subarray(start, head))) : null;
    let at = escapeInPlace(bytes, start, head);
    if (!this.#plain) at = copyEscaped(fields.data, bytes, at);
    else {
      bytes.set(fields.data, at);
      at += fields.data.length;
    }
    at = escapeInPlace(bytes, at, writeTail(fields, crc, bytes, at));
    bytes[at] = END;
    return at + 1;
  }
}
