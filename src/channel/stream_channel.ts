/**
 * {@linkcode StreamChannel}: packets over any stream of bytes, in KISS frames.
 *
 * @module
 */

import { FrameScan } from "../framing/frame_scan.ts";
import { FrameWriter } from "../framing/frame_writer.ts";
import { encodeFrame } from "../framing/kiss.ts";
import { PacketDecoder } from "../framing/packet_decoder.ts";
import { ChannelError, PacketError } from "../errors.ts";
import type { Bytes } from "../wire/bytes.ts";
import { MAX_PACKET_SIZE, NET_ERROR } from "../wire/limits.ts";
import { Packet } from "../wire/packet.ts";
import { encodePacket } from "../wire/packet_codec.ts";
import { ByteBuffer } from "./byte_buffer.ts";
import { ByteChannel } from "./byte_channel.ts";
import type { ByteDuplex, ChannelOptions, FrameCarrier, FrameOutlet } from "./channel.ts";
import type { ByteTransport } from "./transport.ts";

/** Buffers up to so many bytes are kept for what is in them, however little. */
const MIN_BUFFER = 1 << 12;

const END = 0xc0;

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
  /** What carries it. */
  override transport: string | undefined = "stream";
  readonly #decoder: PacketDecoder;
  readonly #writer: FrameWriter;
  readonly #limit: number;
  /** For whichever channel is the next to look for frames. */
  static #scan: FrameScan | null = null;
  /** The beginning of a frame, as it has come, while frames may be carried on. */
  readonly #rest: ByteBuffer = new ByteBuffer();
  #packet: Packet | null = null; // What was handed on of the frame at hand.
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
    const { crc = false, limit = MAX_PACKET_SIZE } = options;
    this.#writer = new FrameWriter(crc);
    this.outlet = crc ? undefined : this;
    this.#limit = limit;
    this.#decoder = new PacketDecoder({
      limit: options.limit,
      repair: options.repair,
      onDrop: this.#dropFrame,
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

  /**
   * Takes bytes apart into frames that are carried on, and packets, whose payload is borrowed from
   * the bytes: they are the channel's.
   */
  protected override receive(chunk: Uint8Array): void {
    this.received(chunk.length);
    // Whoever keeps a packet is not to keep a large buffer in which little has come.
    const bare = chunk.buffer.byteLength > Math.max(MIN_BUFFER, 4 * chunk.length);
    let bytes = bare ? new Uint8Array(chunk) : chunk;
    const rest = this.#rest;
    if (rest.size > 0) {
      const end = bytes.indexOf(END) + 1;
      rest.append(end > 0 ? bytes.subarray(0, end) : bytes);
      if (end > 0 || rest.size > this.#limit) this.#takeApart(rest.take());
      if (end === 0 || end === bytes.length) return;
      bytes = bytes.subarray(end);
    }
    this.#takeApart(bytes);
  }

  #takeApart(bytes: Uint8Array): void {
    if (this.carrier === null) return this.#decoder.forEach(bytes, this.#take);
    const scan = StreamChannel.#scan ?? new FrameScan();
    StreamChannel.#scan = null; // A frame may lead to another channel's while this one is busy.
    scan.scan(bytes);
    let start = 0;
    let carried = 0;
    let clean = this.#decoder.between;
    for (let i = 0; i < scan.count; i++) {
      const end = scan.ends[i]!;
      const escapes = scan.escapes[i]!;
      if (clean && this.isOpen && this.#carry(bytes, start, end, escapes)) {
        carried++;
      } else {
        this.#packet = null;
        const plain = clean && escapes === 0 && end > start && end - start <= this.#limit;
        if (plain) this.#decoder.takeFrame(bytes, start, end, this.#take);
        else this.#decoder.forEach(bytes.subarray(start, end + 1), this.#take);
        if (clean && this.#packet !== null) this.carrier?.learn(bytes, start, this.#packet);
        clean = this.#decoder.between;
      }
      start = end + 1;
    }
    StreamChannel.#scan = scan;
    this.#packet = null;
    if (start < bytes.length) this.#keep(start === 0 ? bytes : bytes.subarray(start), clean);
    if (carried === 0) return;
    this.passed(carried);
    this.carrier?.carried(carried);
  }

  #carry(bytes: Uint8Array, start: number, end: number, escapes: number): boolean {
    if (this.carrier === null || end - start - escapes > this.#limit) return false;
    if (!this.carrier.carry(bytes, start, end, escapes)) return false;
    this.#decoder.skip();
    return true;
  }

  /** Keeps the beginning of a frame, unless the decoder has it already, or it is too large. */
  #keep(bytes: Uint8Array, clean: boolean): void {
    if (clean && this.carrier !== null && bytes.length <= this.#limit) this.#rest.append(bytes);
    else this.#decoder.forEach(bytes, this.#take);
  }

  readonly #dropFrame = (error: PacketError): void => this.drop(error);

  readonly #take = (packet: Packet): void => {
    this.#packet = packet;
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
    if (this.#rest.size > 0) this.#decoder.forEach(this.#rest.take(), this.#take);
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
