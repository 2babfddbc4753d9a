/**
 * Packets out of a stream of bytes: {@linkcode KissDecoder} below, the packet codec above, and
 * between them the one repair that has to see the frame that follows.
 *
 * @module
 */

import { PacketError } from "../errors.ts";
import type { Bytes } from "../wire/bytes.ts";
import { MAX_PACKET_SIZE } from "../wire/limits.ts";
import { decodePart, type Packet } from "../wire/packet.ts";
import { checkLimit, KissDecoder, type KissDrops } from "./kiss.ts";

/** Options of {@linkcode PacketDecoder}. */
export interface PacketDecoderOptions {
  /**
   * Largest packet, in bytes.
   *
   * @default {66608}
   */
  limit?: number;
  /**
   * Understand the known damaged encodings of other peers, too. A frame that is no packet is then
   * kept until the next one ends, which may turn out to be its other half.
   *
   * @default {true}
   */
  repair?: boolean;
  /** Told of every frame that is dropped. */
  onDrop?: (error: PacketError) => void;
}

/** How many frames a {@linkcode PacketDecoder} has dropped, by reason. */
export interface PacketDrops extends KissDrops {
  /** Frames that are no packet. */
  malformed: number;
}

const END = 0xc0;

/** What Python peers leave behind of an escaped `C0` once the delimiter is cut off. */
const ORPHAN = 0xdc;

/** Given each frame: a part of these bytes. */
type FrameHandler = (bytes: Uint8Array, start: number, end: number, adjoins: boolean) => void;

/** A frame that may be the first half of a packet, and what decoding it said. */
interface HeldFrame {
  bytes: Bytes;
  error: PacketError;
}

/**
 * Takes a stream in chunks of any size and gives back the packets in it. Never throws.
 *
 * Python peers escape `C0` as `C0 DC`, which cuts the packet in two at the delimiter. No packet
 * begins with `DC`, so a frame that does is the rest of the one right before it, or of an empty one.
 */
export class PacketDecoder {
  /** Made for the first frame that is not known to be whole. */
  #kiss: KissDecoder | null = null;
  /** Whether there was a frame right before the next one, as long as it has not been made. */
  #adjoins: boolean = false;
  readonly #repair: boolean;
  readonly #limit: number;
  readonly #onDrop: ((error: PacketError) => void) | undefined;
  #onFrame: FrameHandler | null = null;
  #onPacket: ((packet: Packet) => void) | null = null;
  #held: HeldFrame | null = null;
  #malformed: number = 0;

  /**
   * Constructs a new instance.
   *
   * @throws {RangeError} If the limit is not a positive integer.
   */
  constructor(options: PacketDecoderOptions = {}) {
    this.#limit = options.limit ?? MAX_PACKET_SIZE;
    this.#repair = options.repair ?? true;
    this.#onDrop = options.onDrop;
    checkLimit(this.#limit);
  }

  /** Frames dropped so far. */
  get dropped(): PacketDrops {
    return { oversize: 0, escape: 0, ...this.#kiss?.dropped, malformed: this.#malformed };
  }

  /** Bytes held until the rest of their frame or packet comes: at most twice the limit. */
  get pending(): number {
    return (this.#kiss?.pending ?? 0) + (this.#held?.bytes.length ?? 0);
  }

  /**
   * Takes the next bytes of the stream.
   *
   * @param chunk Borrowed.
   * @returns The packets that end in it, each owning its bytes.
   */
  push(chunk: Uint8Array): Packet[] {
    const packets: Packet[] = [];
    this.forEach(chunk, (packet) => {
      if (packet.data.buffer === chunk.buffer) packet.data = new Uint8Array(packet.data);
      packets.push(packet);
    });
    return packets;
  }

  /**
   * Like {@linkcode push}, but hands each packet over where it ends, in order with `onDrop`, and
   * copies no payload that lies in the chunk as it is.
   *
   * @param chunk Must not change while one of the packets is in use. A packet that is kept keeps
   *   all of the chunk: its `copy()` does not.
   * @param onPacket Given the packets. Must not push into this decoder.
   */
  forEach(chunk: Uint8Array, onPacket: (packet: Packet) => void): void {
    this.#onPacket = onPacket;
    const kiss = this.#kiss ?? this.#begin();
    kiss.scan(chunk, this.#onFrame!);
    this.#onPacket = null;
  }

  /** Whether no frame has begun, not even one that is being dropped, nor is any held. */
  get between(): boolean {
    return (this.#kiss?.between ?? true) && this.#held === null;
  }

  /** A frame has been taken out of the stream by somebody else, {@linkcode between} two. */
  skip(): void {
    this.#pass();
  }

  /**
   * Like {@linkcode forEach}, for one frame that is known to be whole, {@linkcode between} two.
   *
   * @param start Where it begins.
   * @param end Where its delimiter is. No byte between is escaped; they are no more than the limit.
   */
  takeFrame(
    chunk: Uint8Array,
    start: number,
    end: number,
    onPacket: (packet: Packet) => void,
  ): void {
    const packet = this.#decode(chunk, start, end, this.#pass());
    if (packet !== null) onPacket(packet);
  }

  /** Says that the stream has ended: a frame that waited for its other half is dropped. */
  end(): void {
    this.#discardHeld();
    const pending = this.#kiss?.pending ?? 0;
    if (pending > 0) {
      this.#drop(
        new PacketError(
          "ERR_PACKET_TRUNCATED",
          "Cannot accept frame: the stream ended inside it",
          pending,
        ),
      );
    }
  }

  /** Notes a frame that the other decoder does not see; says whether there was one right before it. */
  #pass(): boolean {
    if (this.#kiss !== null) return this.#kiss.skip();
    const adjoins = this.#adjoins;
    this.#adjoins = true;
    return adjoins;
  }

  /** Makes what puts frames together. */
  #begin(): KissDecoder {
    const kiss = this.#kiss = new KissDecoder({
      limit: this.#limit,
      onDrop: (error) => {
        this.#discardHeld();
        this.#onDrop?.(error);
      },
    });
    if (this.#adjoins) kiss.skip();
    this.#onFrame = (bytes, start, end, adjoins) => {
      const packet = this.#decode(bytes, start, end, adjoins);
      if (packet !== null) this.#onPacket!(packet);
    };
    return kiss;
  }

  #decode(bytes: Uint8Array, start: number, end: number, adjoins: boolean): Packet | null {
    if (this.#repair && bytes[start] === ORPHAN) {
      return this.#decodeOrphan(bytes, start, end, adjoins);
    }
    this.#discardHeld();
    try {
      return decodePart(bytes, start, end, this.#repair);
    } catch (error) {
      this.#hold(error, bytes, start, end);
      return null;
    }
  }

  /** Decodes a frame that is not the first of its packet. */
  #decodeOrphan(bytes: Uint8Array, start: number, end: number, adjoins: boolean): Packet | null {
    const held = this.#held;
    if (adjoins && held === null) {
      // Read on its own it might pass for a packet that nobody sent.
      this.#drop(
        new PacketError("ERR_PACKET_FRAME", "Cannot accept frame: its first half was not accepted"),
      );
      return null;
    }
    if (adjoins) this.#held = null;
    else this.#discardHeld();
    const whole = rejoin(adjoins ? held!.bytes : undefined, bytes.subarray(start, end));
    if (whole.length > this.#limit) {
      this.#drop(
        new PacketError(
          "ERR_PACKET_FRAME",
          `Cannot accept frame: it is larger than ${this.#limit} bytes`,
          this.#limit,
        ),
      );
      return null;
    }
    try {
      return decodePart(whole, 0, whole.length, true);
    } catch (error) {
      this.#hold(error, whole, 0, whole.length);
      return null;
    }
  }

  /** Keeps a frame that is no packet until the next one ends, if that may be its other half. */
  #hold(error: unknown, bytes: Uint8Array, start: number, end: number): void {
    if (!(error instanceof PacketError)) throw error;
    // A half may look malformed and not short, for Python peers miscount names as well.
    if (!this.#repair || error.code === "ERR_PACKET_CRC") this.#drop(error);
    else this.#held = { bytes: new Uint8Array(bytes.subarray(start, end)), error };
  }

  #discardHeld(): void {
    if (this.#held === null) return;
    const { error } = this.#held;
    this.#held = null;
    this.#drop(error);
  }

  #drop(error: PacketError): void {
    this.#malformed++;
    this.#onDrop?.(error);
  }
}

/** Puts the delimiter back between two halves; the second begins with the orphan. */
function rejoin(first: Uint8Array | undefined, second: Uint8Array): Bytes {
  const size = first?.length ?? 0;
  const whole = new Uint8Array(size + second.length);
  if (first) whole.set(first);
  whole[size] = END;
  whole.set(second.subarray(1), size + 1);
  return whole;
}
