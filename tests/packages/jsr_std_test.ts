/**
 * What is exported composes with JSR's `@std` packages. Only these tests use them, and only where
 * JSR can be reached: the specifiers are no literals, so that nobody looks for them before that.
 * Where it cannot, they are skipped even if nothing else may be.
 */

import { test } from "node:test";
import {
  encodeFrame,
  KissDecoderStream,
  Packet,
  PacketDecoderStream,
  PacketEncoderStream,
} from "../../src/wire/mod.ts";

/** The part of `@std/assert` that is used here. */
interface StdAssert {
  assertEquals(actual: unknown, expected: unknown): void;
}

/** The part of `@std/bytes` that is used here. */
interface StdBytes {
  concat(parts: Uint8Array[]): Uint8Array<ArrayBuffer>;
  endsWith(bytes: Uint8Array, suffix: Uint8Array): boolean;
}

/** The part of `@std/streams` that is used here. */
interface StdStreams {
  mergeReadableStreams<T>(...streams: ReadableStream<T>[]): ReadableStream<T>;
  toArrayBuffer(stream: ReadableStream<Uint8Array>): Promise<ArrayBuffer>;
}

const TIMEOUT = 60_000;

/** How long JSR may take to answer, in ms: some networks swallow what they do not let through. */
const REACHED_WITHIN = 20_000;

const std = await Promise.race([
  Promise.all([
    import(["jsr:@std/assert@1"][0]!) as Promise<StdAssert>,
    import(["jsr:@std/bytes@1"][0]!) as Promise<StdBytes>,
    import(["jsr:@std/streams@1"][0]!) as Promise<StdStreams>,
  ]).catch(() => null),
  new Promise<null>((resolve) => Deno.unrefTimer(setTimeout(resolve, REACHED_WITHIN, null))),
]);

const packets = [new Packet({ srv: "ping", ctx: 1 }), new Packet({ srv: "log", data: "grüße" })];
const encoded = packets.map((packet) => packet.toBinary());

if (std === null) {
  const why = "JSR cannot be reached, so @std/assert, @std/bytes and @std/streams are not tried";
  test(`Streams and bytes compose with @std (skipped: ${why})`, { skip: true }, () => {});
} else {
  const [{ assertEquals }, { concat, endsWith }, { mergeReadableStreams, toArrayBuffer }] = std;

  test("KissDecoderStream takes what @std/bytes concatenates", { timeout: TIMEOUT }, async () => {
    const stream = concat(encoded.map((bytes) => encodeFrame(bytes)));
    assertEquals(endsWith(stream, encodeFrame(encoded[1]!)), true);
    const frames = await Array.fromAsync(
      ReadableStream.from([stream]).pipeThrough(new KissDecoderStream()),
    );
    assertEquals(frames, encoded);
  });

  test("PacketDecoderStream reads what @std/streams merges", { timeout: TIMEOUT }, async () => {
    const merged = mergeReadableStreams(
      ...packets.map((packet) =>
        ReadableStream.from([packet]).pipeThrough(new PacketEncoderStream())
      ),
    );
    const names = await Array.fromAsync(
      merged.pipeThrough(new PacketDecoderStream()),
      (packet) => packet.srv,
    );
    assertEquals(names.toSorted(), ["log", "ping"]);
  });

  test("PacketEncoderStream feeds toArrayBuffer() of @std/streams", {
    timeout: TIMEOUT,
  }, async () => {
    const stream = ReadableStream.from(packets).pipeThrough(new PacketEncoderStream());
    const bytes = new Uint8Array(await toArrayBuffer(stream));
    assertEquals(bytes, concat(encoded.map((packet) => encodeFrame(packet))));
  });
}
