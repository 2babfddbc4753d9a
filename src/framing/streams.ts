/**
 * Framing as `TransformStream`s, to be put together with `pipeThrough`.
 *
 * @module
 */

import type { Bytes } from "../wire/bytes.ts";
import type { Packet } from "../wire/packet.ts";
import { type EncodeOptions, encodePacket, type PacketFields } from "../wire/packet_codec.ts";
import { encodeFrame, KissDecoder, type KissOptions } from "./kiss.ts";
import { PacketDecoder, type PacketDecoderOptions } from "./packet_decoder.ts";

/** Packets as bytes in, frames out. */
export class KissEncoderStream extends TransformStream<Uint8Array, Bytes> {
  /** Constructs a new instance. */
  constructor() {
    super({ transform: (packet, controller) => controller.enqueue(encodeFrame(packet)) });
  }
}

/** Any chunks of a stream of frames in, packets as bytes out. */
export class KissDecoderStream extends TransformStream<Uint8Array, Bytes> {
  /** Constructs a new instance. */
  constructor(options: KissOptions = {}) {
    const decoder = new KissDecoder(options);
    super({
      transform(chunk, controller) {
        for (const frame of decoder.push(chunk)) controller.enqueue(frame);
      },
    });
  }
}

/** Packets in, frames out. A packet whose values do not fit errors the stream. */
export class PacketEncoderStream extends TransformStream<PacketFields, Bytes> {
  /** Constructs a new instance. */
  constructor(options: EncodeOptions = {}) {
    super({
      transform: (packet, controller) =>
        controller.enqueue(encodeFrame(encodePacket(packet, options))),
    });
  }
}

/**
 * Any chunks of a stream of frames in, packets out. What is no packet is dropped.
 *
 * @example
 * ```ts
 * import { Packet, PacketDecoderStream, PacketEncoderStream } from "@aln/mesh/wire";
 * import assert from "node:assert/strict";
 *
 * const source = new ReadableStream<Packet>({
 *   start(controller) {
 *     controller.enqueue(new Packet({ srv: "ping" }));
 *     controller.close();
 *   },
 * });
 * const packets = source
 *   .pipeThrough(new PacketEncoderStream())
 *   .pipeThrough(new PacketDecoderStream());
 * for await (const packet of packets) assert.equal(packet.srv, "ping");
 * ```
 */
export class PacketDecoderStream extends TransformStream<Uint8Array, Packet> {
  /** Constructs a new instance. */
  constructor(options: PacketDecoderOptions = {}) {
    const decoder = new PacketDecoder(options);
    super({
      transform(chunk, controller) {
        for (const packet of decoder.push(chunk)) controller.enqueue(packet);
      },
      flush: () => decoder.end(),
    });
  }
}
