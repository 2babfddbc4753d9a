/**
 * {@linkcode StreamChannel}: packets over any stream of bytes, in KISS frames.
 *
 * @module
 */

import { FrameWriter } from "../framing/frame_writer.ts";
import { encodeFrame } from "../framing/kiss.ts";
import { PacketDecoder } from "../framing/packet_decoder.ts";
import { ChannelError, PacketError } from "../errors.ts";
import type { Bytes } from "../wire/bytes.ts";
import { NET_ERROR } from "../wire/limits.ts";
import { Packet } from "../wire/packet.ts";
import { encodePacket } from "../wire/packet_codec.ts";
import { ByteChannel } from "./byte_channel.ts";
import type { ByteDuplex, ChannelOptions } from "./channel.ts";

/** Buffers up to so many bytes are kept for what is in them, however little. */
const MIN_BUFFER = 1 << 12;

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
  readonly #writer: FrameWriter;
  #joining: string | null = null; // The network, until the peer's first packet.

  /**
   * Constructs a new instance, which owns both streams.
   *
   * @throws {PacketError} `ERR_PACKET_FIELD` if the network's name does not fit.
   */
  constructor(duplex: ByteDuplex, options: StreamChannelOptions = {}) {
    const { network } = options;
    const selection = network === undefined ? null : encodeSelection(network);
    super(duplex, options);
    this.#writer = new FrameWriter(options.crc ?? false);
    this.#decoder = new PacketDecoder({
      limit: options.limit,
      repair: options.repair,
      onDrop: (error) => this.drop(error),
    });
    if (selection === null) return;
    this.#joining = network!;
    this.enqueue(selection, true);
  }

  /** Frames a packet where it waits to be sent. */
  protected override encode(packet: Packet): Bytes {
    const { bytes, at } = this.room(this.#writer.prepare(packet), packet.net !== 0);
    return this.inPlace(this.#writer.write(bytes, at) - at);
  }

  /** Takes bytes apart into packets, whose payload is borrowed from them: they are the channel's. */
  protected override receive(chunk: Uint8Array): void {
    this.received(chunk.length);
    // Whoever keeps a packet is not to keep a large buffer in which little has come.
    const bare = chunk.buffer.byteLength > Math.max(MIN_BUFFER, 4 * chunk.length);
    this.#decoder.forEach(bare ? new Uint8Array(chunk) : chunk, this.#take);
  }

  readonly #take = (packet: Packet): void => {
    const network = this.#joining;
    this.#joining = null;
    if (network === null || packet.net !== NET_ERROR) {
      return this.deliver(this.onPacket === null ? packet.copy() : packet); // It may wait for long.
    }
    const message = `Cannot join network "${network}": ${packet.text()}`;
    this.peerEnded(new ChannelError("ERR_CHANNEL_PEER", message));
  };

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
