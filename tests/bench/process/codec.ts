/**
 * Encodes and decodes as a channel does, and nothing else: CPU time of this process for each packet.
 *
 * @module
 */

import process from "node:process";
import { Packet } from "../../../mod.ts";
import { FrameWriter } from "../../../src/framing/frame_writer.ts";
import { encodeFrame } from "../../../src/framing/kiss.ts";
import { PacketDecoder } from "../../../src/framing/packet_decoder.ts";
import { obey } from "./commands.ts";
import { type Filling, payload } from "./payload.ts";

/** Packets that are decoded at once, in bytes: what a socket gives. */
const CHUNK = 1 << 14;

/** Where frames are written to, in bytes. */
const SEGMENT = 1 << 16;

/** Packets that differ, so that nothing is found out beforehand. */
const VARIANTS = 64;

/** How long one of several measurements takes, in µs of CPU time, and how many there are. */
const SLICE = 20_000;
const SLICES = 10;

/** CPU time of one, in ns: the median of some slices, all after the same time of warming up. */
function measure(duration: number, work: () => number): number {
  for (const end = performance.now() + duration; performance.now() < end;) work();
  const times = Array.from({ length: SLICES }, () => {
    let count = 0;
    const start = process.cpuUsage();
    for (;;) {
      count += work();
      const { user, system } = process.cpuUsage(start);
      if (user + system >= SLICE) return 1_000 * (user + system) / count;
    }
  });
  return times.sort((a, b) => a - b)[SLICES >> 1]!;
}

/** Something that depends on each result, so that none is left out. */
let sum = 0;

/** Repeats what handles all variants, for it is too short to look at the time each time. */
function often(size: number, work: () => void): () => number {
  const times = Math.ceil(20_000 / size);
  return () => {
    for (let i = 0; i < times; i++) work();
    return times * VARIANTS;
  };
}

obey({
  measure({ size, filling, duration }: { size: number; filling: Filling; duration: number }) {
    const packets = Array.from({ length: VARIANTS }, (_, i) =>
      new Packet({
        ...{ srv: "sink", src: "source", dst: "sink", nxt: "relay", ctx: 4_711 + i },
        data: payload(size, filling),
      }));
    const frames = packets.map((packet) => encodeFrame(packet.toBinary()));
    const texts = packets.map((packet) => packet.toJson());
    const perChunk = Math.max(1, Math.floor(CHUNK / frames[0]!.length));
    const chunks: Uint8Array[] = [];
    for (let i = 0; i < VARIANTS; i += perChunk) {
      chunks.push(Uint8Array.from(frames.slice(i, i + perChunk).flatMap((frame) => [...frame])));
    }
    const decoder = new PacketDecoder();
    const onPacket = (packet: Packet) => void (sum += packet.data.length);
    const writer = new FrameWriter(false);
    const segment = new Uint8Array(SEGMENT);
    let at = 0;
    const run = (work: () => void) => measure(duration, often(size, work));
    return {
      copy: run(() => {
        for (const frame of frames) sum += frame.slice().length;
      }),
      encode: run(() => {
        for (const packet of packets) {
          const most = writer.prepare(packet);
          if (at + most > SEGMENT) at = 0;
          at = writer.write(segment, at);
        }
        sum += at;
      }),
      decode: run(() => {
        for (const chunk of chunks) decoder.forEach(chunk, onPacket);
      }),
      encodeJson: run(() => {
        for (const packet of packets) sum += packet.toJson().length;
      }),
      decodeJson: run(() => {
        for (const text of texts) sum += Packet.fromJson(text).data.length;
      }),
    };
  },
  sum: () => sum,
});
