/**
 * {@linkcode StreamChannel}: packets over any stream of bytes, in KISS frames.
 *
 * @module
 */

import { FrameScan } from "../framing/frame_scan.ts";
import { encodeFrame } from "../framing/kiss.ts";
import { PacketDecoder } from "../framing/packet_decoder.ts";
import { ChannelError, PacketError } from "../errors.ts";
import type { Bytes } from "../wire/bytes.ts";
import { MAX_PACKET_SIZE, NET_ERROR } from "../wire/limits.ts";
import { Packet } from "../wire/packet.ts";
import { encodePacket } from "../wire/packet_codec.ts";
import { ByteChannel } from "./byte_channel.ts";
import type { ByteDuplex, ChannelOptions, FrameCarrier, FrameOutlet } from "./channel.ts";
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
  readonly #limit: number;
  #scan: FrameScan | null = null;
  /** Shown each frame before it is decoded. */
  carrier: FrameCarrier | null = null;
  /** Where frames may be written that come from no packet; absent if each needs a checksum. */
  readonly outlet: FrameOutlet | undefined;
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
    this.outlet = this.#crc ? undefined : this;
    this.#limit = options.limit ?? MAX_PACKET_SIZE;
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

  /** Takes bytes apart into frames that are carried on, and packets. */
  protected override receive(chunk: Uint8Array): void {
    this.received(chunk.length);
    if (this.carrier === null) return void this.#decode(chunk);
    const scan = this.#scan ??= new FrameScan();
    scan.scan(chunk);
    let start = 0;
    let carried = 0;
    let clean = this.#decoder.pending === 0;
    for (let i = 0; i < scan.count; i++) {
      const end = scan.ends[i]!;
      const escapes = scan.escapes[i]!;
      if (clean && this.isOpen && this.#carry(chunk, start, end, escapes)) {
        carried++;
      } else {
        const packet = this.#decode(chunk.subarray(start, end + 1));
        if (clean && packet !== null) this.carrier?.learn(chunk, start, packet);
        clean = this.#decoder.pending === 0;
      }
      start = end + 1;
    }
    if (start < chunk.length) this.#decode(chunk.subarray(start));
    if (carried === 0) return;
    this.passed(carried);
    this.carrier?.carried(carried);
  }

  #carry(chunk: Uint8Array, start: number, end: number, escapes: number): boolean {
    if (this.carrier === null || end - start - escapes > this.#limit) return false;
    if (!this.carrier.carry(chunk, start, end, escapes)) return false;
    this.#decoder.skip();
    return true;
  }

  /** Hands on what has been read; the packet, if it is one alone. */
  #decode(chunk: Uint8Array): Packet | null {
    const packets = this.#decoder.push(chunk);
    for (const packet of packets) {
      const network = this.#joining;
      this.#joining = null;
      if (network === null || packet.net !== NET_ERROR) {
        this.deliver(packet);
        continue;
      }
      const message = `Cannot join network "${network}": ${packet.text()}`;
      this.peerEnded(new ChannelError("ERR_CHANNEL_PEER", message));
      return null;
    }
    return packets.length === 1 ? packets[0]! : null;
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
