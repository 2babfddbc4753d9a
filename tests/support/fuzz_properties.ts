/**
 * What must hold for every packet and against every stream, one function per property. Each takes
 * a seed, makes its case from it and returns nothing, or throws {@linkcode FuzzFailure}.
 */

import assert from "node:assert/strict";
import { PacketError } from "../../src/errors.ts";
import { FrameWriter } from "../../src/framing/frame_writer.ts";
import { encodeFrame } from "../../src/framing/kiss.ts";
import { PacketDecoder } from "../../src/framing/packet_decoder.ts";
import {
  decodeRouteAdvert,
  decodeServiceAdvert,
  encodeRouteAdvert,
  encodeServiceAdvert,
} from "../../src/wire/adverts.ts";
import { decodeHello, encodeHello } from "../../src/wire/hello.ts";
import { decodeLinkAuth, encodeLinkAuth } from "../../src/wire/link_auth.ts";
import { LinkFrameWriter } from "../../src/wire/link_frame.ts";
import { Packet } from "../../src/wire/packet.ts";
import { decodePacket } from "../../src/wire/packet_codec.ts";
import { decodePacketJson } from "../../src/wire/packet_json.ts";
import { decodeLeniently } from "../../src/wire/repair.ts";
import { decodeTrailer, encodeTrailer, type Trailer } from "../../src/wire/trailer.ts";
import { concat, sameBytes, toHex } from "../wire/hex.ts";
import {
  Chance,
  type LinkRecord,
  mutateBytes,
  mutateText,
  randomBytes,
  randomCuts,
  randomHello,
  randomLinkAuth,
  randomLinkRecord,
  randomPacket,
  randomTrailer,
} from "./fuzz.ts";
import { recordsOf, write } from "./link_records.ts";
import { type Heard, plainBytes, PlainDecoder, plainFrame } from "./plain_frames.ts";

/** A property that did not hold, with all that it takes to see it again. */
export class FuzzFailure extends Error {
  override readonly name: string = "FuzzFailure";

  constructor(property: string, seed: number, input: Uint8Array | string, cause: unknown) {
    const shown = typeof input === "string" ? JSON.stringify(input) : toHex(input);
    super(`${property} fails for seed ${seed}: ${String(cause)}\n  case: ${shown}`, { cause });
  }
}

/** Whether both say the same. */
function samePacket(a: Packet, b: Packet): boolean {
  return a.net === b.net && a.srv === b.srv && a.src === b.src && a.dst === b.dst &&
    a.nxt === b.nxt && a.seq === b.seq && a.ack === b.ack && a.ctx === b.ctx && a.typ === b.typ &&
    sameBytes(a.data, b.data) && sameTrailer(a.trailer, b.trailer);
}

function sameTrailer(a: Trailer | null, b: Trailer | null): boolean {
  if (a === null || b === null) return a === b;
  return a.hops === b.hops && a.instance === b.instance && a.counter === b.counter;
}

/** Encode, frame, cut at random, decode: unchanged, and nothing dropped. */
export function survivesTheWire(packets: readonly Packet[], chance: Chance): void {
  const crc = chance.oneIn(4);
  const frames = packets.flatMap((packet) => {
    const frame = encodeFrame(packet.toBinary({ crc }));
    return chance.oneIn(8) ? [Uint8Array.of(0xc0), frame] : [frame];
  });
  const stream = concat(...frames);
  const repair = !chance.oneIn(4);
  const decoder = new PacketDecoder({ repair });
  let next = 0;
  for (const chunk of randomCuts(chance, stream)) {
    for (const packet of decoder.push(chunk)) {
      const sent = packets[next++];
      assert.ok(sent !== undefined && samePacket(sent, packet), `packet ${next - 1} has changed`);
    }
  }
  decoder.end();
  assert.equal(next, packets.length, "packets are missing");
  assert.deepEqual(decoder.dropped, { oversize: 0, escape: 0, malformed: 0 });
}

/** {@linkcode survivesTheWire} for `count` packets on one stream, and the same through JSON. */
export function packetsSurvive(seed: number, count: number): void {
  const chance = new Chance(seed);
  const packets = Array.from({ length: count }, () => randomPacket(chance));
  try {
    survivesTheWire(packets, chance);
    for (const packet of packets) {
      if (!chance.oneIn(8)) continue;
      assert.ok(samePacket(Packet.fromJson(packet.toJson()), packet), "JSON has changed it");
    }
  } catch (error) {
    const bytes = concat(...packets.map((packet) => encodeFrame(packet.toBinary())));
    throw new FuzzFailure("packetsSurvive", seed, bytes, error);
  }
}

/**
 * Sends `count` packets and as many hostile frames at random cuts into a decoder that borrows, and
 * byte by byte into a plain one: both say the same, in the same order, and hold as much.
 */
export function decodersAgree(seed: number, count: number): void {
  const chance = new Chance(seed);
  const crc = chance.oneIn(4);
  const writer = new FrameWriter(crc);
  const frames: Uint8Array[] = [];
  let stream: Uint8Array = new Uint8Array(0);
  try {
    for (let i = 0; i < count; i++) {
      const packet = randomPacket(chance);
      if (chance.oneIn(50)) packet.data = randomBytes(chance, chance.upTo(5_000));
      const bytes = Uint8Array.from(plainBytes(packet, crc));
      const room = new Uint8Array(writer.prepare(packet) + 7);
      const frame = room.subarray(7, writer.write(room, 7));
      const expected = Uint8Array.from(plainFrame([...bytes]));
      assert.ok(sameBytes(packet.toBinary({ crc }), bytes), `packet ${i} is encoded as another`);
      assert.ok(sameBytes(frame, expected), `packet ${i} is framed as another`);
      assert.ok(sameBytes(encodeFrame(bytes), expected), `packet ${i}, framed apart`);
      frames.push(frame, hostileFrame(chance));
      if (chance.oneIn(8)) frames.push(Uint8Array.of(0xc0));
    }
    stream = concat(...frames);
    const limit = chance.pick(LIMITS);
    const repair = !chance.oneIn(4);
    const heard: Heard[] = [];
    const expected: Heard[] = [];
    const hear = (one: Heard) => void heard.push(one);
    const decoder = new PacketDecoder({ limit, repair, onDrop: hear });
    const plain = new PlainDecoder(limit, repair, (one) => expected.push(one));
    for (const chunk of randomCuts(chance, stream)) {
      decoder.forEach(chunk, hear);
      plain.push(chunk);
      assert.equal(decoder.pending, plain.pending, "what is held");
      assert.equal(heard.length, expected.length, "what is told by then");
    }
    for (const [i, one] of heard.entries()) { // Payloads have not changed since they were told.
      assert.ok(sameHeard(one, expected[i]!), `${i}: ${show(one)} and not ${show(expected[i]!)}`);
    }
  } catch (error) {
    throw new FuzzFailure("decodersAgree", seed, stream, error);
  }
}

function sameHeard(a: Heard, b: Heard): boolean {
  if (a instanceof Packet) return b instanceof Packet && samePacket(a, b);
  return !(b instanceof Packet) && a.code === b.code && a.offset === b.offset &&
    a.message === b.message;
}

function show(heard: Heard): string {
  return heard instanceof Packet ? heard.toJson() : `${heard.message} (${heard.offset})`;
}

/** Runs a codec on hostile input: it may throw `PacketError` and nothing else. */
function onlyPacketErrors(decode: () => unknown): boolean {
  try {
    decode();
    return true;
  } catch (error) {
    if (error instanceof PacketError) return false;
    throw error;
  }
}

/** What a peer might send that is no sound frame: damaged, cut in two by Python, or noise. */
function hostileFrame(chance: Chance): Uint8Array {
  const kind = chance.upTo(9);
  if (kind === 0) return randomBytes(chance, chance.upTo(300));
  if (kind === 1) return encodeFrame(randomBytes(chance, chance.upTo(100)));
  const packet = randomPacket(chance);
  if (chance.oneIn(3)) packet.data = randomAdvert(chance);
  const bytes = packet.toBinary({ crc: chance.oneIn(4) });
  if (kind <= 3) return encodeFrame(mutateBytes(chance, bytes));
  if (kind === 4) { // C0 as Python writes it.
    const frame = encodeFrame(bytes);
    for (let i = 0; i + 1 < frame.length; i++) {
      if (frame[i] === 0xdb && frame[i + 1] === 0xdc) frame[i] = 0xc0;
    }
    return chance.oneIn(2) ? frame : mutateBytes(chance, frame);
  }
  return mutateBytes(chance, encodeFrame(bytes));
}

function randomAdvert(chance: Chance): Uint8Array {
  const address = chance.pick(["a", "node-b", "東京", "é".repeat(100)]);
  const number = chance.upTo(0xffff);
  return chance.oneIn(2)
    ? encodeRouteAdvert({ address, cost: number })
    : encodeServiceAdvert({ address, service: "ping", capacity: number });
}

const LIMITS = [64, 1_000, 66_608];

/**
 * Sends `count` hostile frames at random cuts into one decoder, then a good one.
 *
 * Nothing may throw, what is held stays bounded, every drop is told and counted, and the good
 * packet arrives, whatever was before it.
 */
export function framesAreSurvived(seed: number, count: number): void {
  const chance = new Chance(seed);
  const frames = Array.from({ length: count }, () => hostileFrame(chance));
  const stream = concat(...frames);
  try {
    const limit = chance.pick(LIMITS);
    let told = 0;
    const decoder = new PacketDecoder({
      limit,
      repair: !chance.oneIn(4),
      onDrop: (error) => {
        assert.ok(error instanceof PacketError);
        told++;
      },
    });
    for (const chunk of randomCuts(chance, stream)) {
      for (const packet of decoder.push(chunk)) packet.toBinary(); // All that we accept, we can send.
      assert.ok(decoder.pending <= 2 * limit, `${decoder.pending} bytes are held`);
    }
    decoder.push(Uint8Array.of(0xc0)); // Ends whatever frame the last one left open.
    const good = new Packet({ srv: "ping", src: "a", ctx: 0xc0db });
    const received = decoder.push(encodeFrame(good.toBinary()));
    assert.equal(received.length, 1, "the good packet is missing");
    assert.ok(samePacket(received[0]!, good), "the good packet has changed");
    assert.equal(decoder.pending, 0);
    decoder.end();
    const { oversize, escape, malformed } = decoder.dropped;
    assert.equal(told, oversize + escape + malformed, "drops told and counted");
  } catch (error) {
    throw new FuzzFailure("framesAreSurvived", seed, stream, error);
  }
}

/** Gives damaged packets, adverts and JSON to the codecs: `PacketError` or a value, no more. */
export function codecsSurvive(seed: number): void {
  const chance = new Chance(seed);
  const packet = randomPacket(chance);
  const advert = mutateBytes(chance, randomAdvert(chance));
  const bytes = mutateBytes(chance, packet.toBinary({ crc: chance.oneIn(4) }));
  const text = mutateText(chance, packet.toJson());
  let input: Uint8Array | string = bytes;
  try {
    onlyPacketErrors(() => decodePacket(bytes));
    onlyPacketErrors(() => new Packet(decodeLeniently(bytes)).toBinary());
    input = advert;
    for (const repair of [true, false]) {
      onlyPacketErrors(() => encodeRouteAdvert(decodeRouteAdvert(advert, { repair })));
      onlyPacketErrors(() => encodeServiceAdvert(decodeServiceAdvert(advert, { repair })));
    }
    input = text;
    onlyPacketErrors(() => new Packet(decodePacketJson(text)).toBinary());
  } catch (error) {
    throw new FuzzFailure("codecsSurvive", seed, input, error);
  }
}

/** Hellos, proofs and trailers come back as they were, and damaged ones give `PacketError` or a value. */
export function greetingsSurvive(seed: number): void {
  const chance = new Chance(seed);
  const hello = randomHello(chance);
  const trailer = randomTrailer(chance);
  let input: Uint8Array = encodeHello(hello);
  try {
    assert.deepEqual(decodeHello(input), hello);
    const damaged = mutateBytes(chance, input);
    input = damaged;
    onlyPacketErrors(() => {
      const read = decodeHello(damaged);
      if (read !== null) assert.deepEqual(decodeHello(encodeHello(read)), read);
    });
    input = encodeTrailer(trailer);
    assert.deepEqual(decodeTrailer(input), trailer);
    input = mutateBytes(chance, input);
    const read = decodeTrailer(input); // Never throws: it may be anything that follows a packet.
    if (read !== null) assert.deepEqual(decodeTrailer(encodeTrailer(read)), read);
    const message = randomLinkAuth(chance);
    input = encodeLinkAuth(message);
    assert.deepEqual(decodeLinkAuth(input), message);
    const broken = input = mutateBytes(chance, input);
    onlyPacketErrors(() => {
      const read = decodeLinkAuth(broken);
      if (read !== null) assert.deepEqual(decodeLinkAuth(encodeLinkAuth(read)), read);
    });
  } catch (error) {
    throw new FuzzFailure("greetingsSurvive", seed, input, error);
  }
}

/** Records come back as they were, in frames within the limit; damage gives `PacketError` at most. */
export function linkFramesSurvive(seed: number): void {
  const chance = new Chance(seed);
  const writer = new LinkFrameWriter(chance.pick([524, 1_000, 4_096]));
  const records: LinkRecord[] = [];
  const frames: Uint8Array[] = [];
  let before = "";
  for (let count = chance.upTo(40); count > 0; count--) {
    const record = randomLinkRecord(chance, before);
    if (typeof record[1] === "string") before = record[1];
    records.push(record);
    if (write(writer, record)) continue;
    frames.push(writer.finish());
    assert.ok(write(writer, record), `seed ${seed}: a record does not fit in an empty frame`);
  }
  frames.push(writer.finish());
  let input: Uint8Array = concat(...frames); // One frame behind another is a frame, too.
  try {
    assert.deepEqual(frames.flatMap((frame) => recordsOf(frame)), records);
    assert.deepEqual(recordsOf(input), records);
    input = mutateBytes(chance, chance.pick(frames));
    const read: LinkRecord[] = [];
    onlyPacketErrors(() => recordsOf(input, read));
    const again = new LinkFrameWriter(65_535);
    for (const record of read) assert.ok(write(again, record), "what was read is not written");
    assert.deepEqual(recordsOf(again.finish()), read);
  } catch (error) {
    throw new FuzzFailure("linkFramesSurvive", seed, input, error);
  }
}
