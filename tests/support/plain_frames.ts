/**
 * What frames and packets are, written down as plainly as can be, one byte after another: what the
 * faster code is compared with.
 */

import { PacketError } from "../../src/errors.ts";
import { encodeControlWord } from "../../src/wire/control_flags.ts";
import { crc32 } from "../../src/wire/crc32.ts";
import { Packet } from "../../src/wire/packet.ts";
import { decodePacket } from "../../src/wire/packet_codec.ts";
import { decodeLeniently } from "../../src/wire/repair.ts";

/** A packet as bytes. */
export function plainBytes(packet: Packet, crc: boolean): number[] {
  const big = (value: number, size: number) =>
    Array.from({ length: size }, (_, i) => Math.floor(value / 256 ** (size - 1 - i)) % 256);
  const name = (text: string) => {
    const bytes = new TextEncoder().encode(text);
    return [bytes.length, ...bytes];
  };
  const { net, srv, src, dst, nxt, seq, ack, ctx, typ, data, trailer } = packet;
  const fields = [
    net ? [net] : null,
    srv ? name(srv) : null,
    src ? name(src) : null,
    dst ? name(dst) : null,
    nxt ? name(nxt) : null,
    seq ? big(seq, 2) : null,
    ack ? big(ack, 4) : null,
    ctx ? big(ctx, 2) : null,
    typ ? [typ] : null,
    data.length > 0 ? [...big(data.length, 2), ...data] : null,
    crc ? [] : null,
  ];
  const flags = fields.reduce((flags, field) => 2 * flags + (field === null ? 0 : 1), 0);
  const bytes = [...big(encodeControlWord(flags), 2), ...fields.flatMap((field) => field ?? [])];
  if (crc) bytes.push(...big(crc32(Uint8Array.from(bytes)), 4));
  if (trailer !== null) {
    const { hops, instance, counter } = trailer;
    const id = [2, 8, ...big(instance, 4), ...big(counter, 4)];
    const items = [...hops ? [1, 1, hops] : [], ...instance || counter ? id : []];
    bytes.push(0x58, 0x54, items.length, ...items);
  }
  return bytes;
}

/** Bytes as a frame. */
export function plainFrame(bytes: readonly number[]): number[] {
  const escaped = bytes.flatMap((byte) =>
    byte === 0xc0 ? [0xdb, 0xdc] : byte === 0xdb ? [0xdb, 0xdd] : [byte]
  );
  return [...escaped, 0xc0];
}

/** What {@linkcode PlainDecoder} says, in order. */
export type Heard = Packet | PacketError;

/** Frames and their repair: a byte at a time, every frame an array of its own. */
export class PlainDecoder {
  readonly #limit: number;
  readonly #repair: boolean;
  readonly #hear: (heard: Heard) => void;
  #frame: number[] = [];
  #state: "frame" | "escape" | "skip" = "frame";
  #adjoins: boolean = false;
  #held: { bytes: number[]; error: PacketError } | null = null;

  constructor(limit: number, repair: boolean, hear: (heard: Heard) => void) {
    this.#limit = limit;
    this.#repair = repair;
    this.#hear = hear;
  }

  get pending(): number {
    return this.#frame.length + (this.#held?.bytes.length ?? 0);
  }

  push(chunk: Iterable<number>): void {
    for (const byte of chunk) this.#take(byte);
  }

  #take(byte: number): void {
    if (byte === 0xc0) {
      const empty = this.#state === "frame" && this.#frame.length === 0;
      const frame = this.#frame;
      this.#frame = [];
      if (this.#state === "escape") this.#break(frame.length);
      else if (frame.length > 0) this.#end(frame);
      this.#adjoins = !empty;
      this.#state = "frame";
    } else if (this.#state === "escape") {
      this.#state = "frame";
      if (byte === 0xdc) this.#add(0xc0);
      else if (byte === 0xdd) this.#add(0xdb);
      else this.#break(this.#frame.length);
    } else if (this.#state === "frame") {
      if (byte === 0xdb) this.#state = "escape";
      else this.#add(byte);
    }
  }

  #add(byte: number): void {
    if (this.#frame.length < this.#limit) return void this.#frame.push(byte);
    this.#refuse(`it is larger than ${this.#limit} bytes`, this.#limit);
  }

  #break(at: number): void {
    this.#refuse(`byte ${at} is a broken escape`, at);
  }

  #refuse(why: string, at: number): void {
    this.#frame = [];
    this.#state = "skip";
    this.#letGo();
    this.#hear(new PacketError("ERR_PACKET_FRAME", `Cannot accept frame: ${why}`, at));
  }

  #end(frame: number[]): void {
    let whole = frame;
    if (this.#repair && frame[0] === 0xdc) {
      if (!this.#adjoins) {
        this.#letGo();
        whole = [0xc0, ...frame.slice(1)];
      } else if (this.#held !== null) {
        whole = [...this.#held.bytes, 0xc0, ...frame.slice(1)];
        this.#held = null;
      } else {
        const why = "Cannot accept frame: its first half was not accepted";
        return this.#hear(new PacketError("ERR_PACKET_FRAME", why));
      }
    } else {
      this.#letGo();
    }
    if (whole.length > this.#limit) {
      const why = `Cannot accept frame: it is larger than ${this.#limit} bytes`;
      return this.#hear(new PacketError("ERR_PACKET_FRAME", why, this.#limit));
    }
    const bytes = Uint8Array.from(whole);
    try {
      this.#hear(new Packet(this.#repair ? decodeLeniently(bytes) : decodePacket(bytes)));
    } catch (error) {
      if (!(error instanceof PacketError)) throw error;
      if (this.#repair && error.code !== "ERR_PACKET_CRC") this.#held = { bytes: whole, error };
      else this.#hear(error);
    }
  }

  /** What was held was no first half. */
  #letGo(): void {
    const held = this.#held;
    this.#held = null;
    if (held !== null) this.#hear(held.error);
  }
}
