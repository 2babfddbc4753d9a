import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeFrame } from "../../src/framing/kiss.ts";
import {
  KissDecoderStream,
  KissEncoderStream,
  PacketDecoderStream,
  PacketEncoderStream,
} from "../../src/framing/streams.ts";
import { Packet } from "../../src/wire/packet.ts";
import { concat, hex } from "../wire/hex.ts";

const PACKETS = [
  new Packet({ net: 3 }),
  new Packet({ srv: "ping", src: "a", ctx: 0xc0db, data: hex("c0dbdcdd") }),
  new Packet({ dst: "東京", data: new Uint8Array(1_000).fill(0xc0) }),
];

/** A stream of these chunks. (Chromium has no `ReadableStream.from`.) */
function streamOf<T>(...chunks: readonly T[]): ReadableStream<T> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

async function collect<T>(stream: ReadableStream<T>): Promise<T[]> {
  const chunks: T[] = [];
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return chunks;
    chunks.push(value);
  }
}

/** Cuts every chunk into pieces of `size` bytes. */
class Cutter extends TransformStream<Uint8Array, Uint8Array> {
  constructor(size: number) {
    super({
      transform(chunk, controller) {
        for (let at = 0; at < chunk.length; at += size) {
          controller.enqueue(chunk.subarray(at, at + size));
        }
      },
    });
  }
}

test("PacketEncoderStream and PacketDecoderStream compose, however the bytes are cut", async () => {
  for (const size of [1, 2, 3, 7, 20, 5_000]) {
    const received = await collect(
      streamOf(...PACKETS)
        .pipeThrough(new PacketEncoderStream())
        .pipeThrough(new Cutter(size))
        .pipeThrough(new PacketDecoderStream()),
    );
    assert.deepEqual(
      received.map((packet) => packet.toJson()),
      PACKETS.map((packet) => packet.toJson()),
      `pieces of ${size}`,
    );
  }
});

test("KissEncoderStream and KissDecoderStream compose", async () => {
  const packets = PACKETS.map((packet) => packet.toBinary());
  const received = await collect(
    streamOf(...packets)
      .pipeThrough(new KissEncoderStream())
      .pipeThrough(new Cutter(3))
      .pipeThrough(new KissDecoderStream()),
  );
  assert.deepEqual(received, packets);
});

test("KissEncoderStream and PacketDecoderStream speak the same frames", async () => {
  const received = await collect(
    streamOf(...PACKETS.map((packet) => packet.toBinary()))
      .pipeThrough(new KissEncoderStream())
      .pipeThrough(new PacketDecoderStream()),
  );
  assert.deepEqual(received.map((p) => p.toJson()), PACKETS.map((p) => p.toJson()));
});

test("PacketEncoderStream appends checksums when asked", async () => {
  const [query] = PACKETS;
  const frames = await collect(
    streamOf(query!).pipeThrough(new PacketEncoderStream({ crc: true })),
  );
  assert.deepEqual(frames, [encodeFrame(query!.toBinary({ crc: true }))]);
});

test("PacketEncoderStream errors on a packet whose values do not fit", async () => {
  const stream = streamOf(new Packet({ ctx: 70_000 })).pipeThrough(new PacketEncoderStream());
  await assert.rejects(collect(stream), { name: "PacketError", code: "ERR_PACKET_FIELD" });
});

test("PacketDecoderStream drops what is no packet and lives", async () => {
  const drops: string[] = [];
  const stream = concat(
    hex("3400 c0"),
    encodeFrame(PACKETS[0]!.toBinary()),
    hex("01db02 c0"),
    encodeFrame(PACKETS[1]!.toBinary()),
    hex("3400"),
  );
  const received = await collect(
    streamOf(stream).pipeThrough(
      new PacketDecoderStream({ onDrop: (error) => drops.push(error.code) }),
    ),
  );
  assert.deepEqual(received.map((p) => p.toJson()), [PACKETS[0]!.toJson(), PACKETS[1]!.toJson()]);
  assert.deepEqual(drops, ["ERR_PACKET_TRUNCATED", "ERR_PACKET_FRAME", "ERR_PACKET_TRUNCATED"]);
});

test("PacketDecoderStream drops a frame that waits for its other half when the stream ends", async () => {
  const drops: string[] = [];
  const onDrop = (error: Error) => drops.push(error.message);
  const stream = streamOf(hex("3400 c0")).pipeThrough(new PacketDecoderStream({ onDrop }));
  assert.deepEqual(await collect(stream), []);
  assert.deepEqual(drops, ["Cannot read net: it takes 1 bytes and 0 are left"]);
});

test("PacketDecoderStream passes on its options", async () => {
  const python = hex("e002 0003 01 c0dc 02 c0");
  const decode = (repair: boolean) =>
    collect(streamOf(python).pipeThrough(new PacketDecoderStream({ repair })));
  assert.deepEqual((await decode(true)).map((p) => [...p.data]), [[1, 0xc0, 2]]);
  assert.notDeepEqual((await decode(false)).map((p) => [...p.data]), [[1, 0xc0, 2]]);
});

test("KissDecoderStream passes on its options", async () => {
  const drops: string[] = [];
  const options = { limit: 2, onDrop: (error: Error) => drops.push(error.message) };
  const stream = streamOf(hex("010203c0 01c0")).pipeThrough(new KissDecoderStream(options));
  assert.deepEqual(await collect(stream), [hex("01")]);
  assert.deepEqual(drops, ["Cannot accept frame: it is larger than 2 bytes"]);
});
