/**
 * {@linkcode StreamChannel}: packets over any stream of bytes, in KISS frames.
 *
 * @module
 */

import { encodeFrame } from "../framing/kiss.ts";
import { PacketDecoder } from "../framing/packet_decoder.ts";
import type { Bytes } from "../wire/bytes.ts";
import type { Packet } from "../wire/packet.ts";
import { encodePacket } from "../wire/packet_codec.ts";
import { ByteChannel } from "./byte_channel.ts";
import type { ByteDuplex, ChannelOptions } from "./channel.ts";

/** Options of a {@linkcode StreamChannel}. */
export interface StreamChannelOptions extends ChannelOptions {
  /**
   * Largest packet accepted, in bytes.
   *
   * @default {66608}
   */
  limit?: number;
  /**
   * Send a checksum with every packet. Old peers ignore it; ours check it.
   *
   * @default {false}
   */
  crc?: boolean;
}

/**
 * A channel over any `{ readable, writable }` of bytes.
 *
 * @example Two routers over a pair of pipes
 * ```ts
 * import { Router, StreamChannel } from "@aln/mesh";
 *
 * const ab = new TransformStream<Uint8Array, Uint8Array>();
 * const ba = new TransformStream<Uint8Array, Uint8Array>();
 * const a = new Router("a");
 * const b = new Router("b");
 * a.addChannel(new StreamChannel({ readable: ba.readable, writable: ab.writable }));
 * b.addChannel(new StreamChannel({ readable: ab.readable, writable: ba.writable }));
 * await Promise.all([a.close(), b.close()]);
 * ```
 */
export class StreamChannel extends ByteChannel {
  readonly #decoder: PacketDecoder;
  readonly #crc: boolean;

  /** Constructs a new instance, which owns both streams. */
  constructor(duplex: ByteDuplex, options: StreamChannelOptions = {}) {
    super(duplex, options);
    this.#crc = options.crc ?? false;
    this.#decoder = new PacketDecoder({
      limit: options.limit,
      repair: options.repair,
      onDrop: (error) => this.drop(error),
    });
  }

  /** Frames a packet. */
  protected override encode(packet: Packet): Bytes {
    return encodeFrame(encodePacket(packet, { crc: this.#crc }));
  }

  /** Takes bytes apart into packets. */
  protected override receive(chunk: Uint8Array): void {
    this.received(chunk.length);
    for (const packet of this.#decoder.push(chunk)) this.deliver(packet);
  }

  /** Reports what was left unfinished. */
  protected override ended(): void {
    this.#decoder.end();
  }
}
