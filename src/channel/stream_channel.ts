/**
 * {@linkcode StreamChannel}: packets over any stream of bytes, in KISS frames.
 *
 * @module
 */

import { encodeFrame } from "../framing/kiss.ts";
import { PacketDecoder } from "../framing/packet_decoder.ts";
import { ChannelError, PacketError } from "../errors.ts";
import type { Bytes } from "../wire/bytes.ts";
import { NET_ERROR } from "../wire/limits.ts";
import { Packet } from "../wire/packet.ts";
import { encodePacket } from "../wire/packet_codec.ts";
import { ByteChannel } from "./byte_channel.ts";
import type { ByteDuplex, ChannelOptions } from "./channel.ts";
import type { ByteTransport } from "./transport.ts";

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
  /**
   * Network to join, where several share a port ("maln"): its name, 1-255 bytes of UTF-8, is the
   * first that the peer is sent. If it answers with an error, the channel closes with
   * `ERR_CHANNEL_PEER`. By default nothing is sent, for the peer has one network only.
   */
  network?: string;
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
  #joining: string | null = null; // The network, until the peer's first packet.

  /**
   * Constructs a new instance, which owns the transport, or both streams.
   *
   * @throws {PacketError} `ERR_PACKET_FIELD` if the network's name does not fit.
   */
  constructor(duplex: ByteDuplex | ByteTransport, options: StreamChannelOptions = {}) {
    const { network } = options;
    const selection = network === undefined ? null : encodeSelection(network);
    super(duplex, options);
    this.#crc = options.crc ?? false;
    this.#decoder = new PacketDecoder({
      limit: options.limit,
      repair: options.repair,
      onDrop: (error) => this.drop(error),
    });
    if (selection === null) return;
    this.#joining = network!;
    this.enqueue(selection, true);
  }

  /** Frames a packet. */
  protected override encode(packet: Packet): Bytes {
    return encodeFrame(encodePacket(packet, { crc: this.#crc }));
  }

  /** Takes bytes apart into packets. */
  protected override receive(chunk: Uint8Array): void {
    this.received(chunk.length);
    for (const packet of this.#decoder.push(chunk)) {
      const network = this.#joining;
      this.#joining = null;
      if (network === null || packet.net !== NET_ERROR) {
        this.deliver(packet);
        continue;
      }
      const message = `Cannot join network "${network}": ${packet.text()}`;
      return this.peerEnded(new ChannelError("ERR_CHANNEL_PEER", message));
    }
  }

  /** Reports what was left unfinished. */
  protected override ended(): void {
    this.#decoder.end();
  }
}

/** The frame that names the network to join: a packet whose only field is `dst`. */
function encodeSelection(network: string): Bytes {
  if (network === "") {
    throw new PacketError("ERR_PACKET_FIELD", "Cannot join network: its name is empty");
  }
  return encodeFrame(encodePacket(new Packet({ dst: network })));
}
