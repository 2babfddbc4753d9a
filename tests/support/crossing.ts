/**
 * For tests of what only passes: a router between two others, and packets of all kinds for it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Packet, type PacketInit, Router, StreamChannel } from "../../mod.ts";
import { ManualClock, seededRandom } from "../../src/testing/mod.ts";
import { encodeFrame, encodePacket, PacketDecoder } from "../../src/wire/mod.ts";
import { FakeDuplex, turn } from "./channels.ts";

/** A router between two others, of which the test sees and adds to what they send. */
export class Crossing {
  readonly clock: ManualClock = new ManualClock();
  readonly west: Router;
  readonly middle: Router;
  readonly east: Router;
  /** The middle's ends of both links. */
  readonly fromWest: FakeDuplex = new FakeDuplex();
  readonly toEast: FakeDuplex = new FakeDuplex();
  readonly channel: StreamChannel;
  readonly exit: StreamChannel;
  /** Packets that have been carried on unread. */
  carried: number = 0;
  readonly #pairs: (readonly [FakeDuplex, FakeDuplex])[] = [
    [this.fromWest, new FakeDuplex()],
    [this.toEast, new FakeDuplex()],
  ];

  constructor({ unread = true, gate = false, cost = 1 } = {}) {
    const router = (address: string) =>
      new Router(address, { clock: this.clock, random: seededRandom(address.length) });
    this.west = router("west");
    this.middle = router("middle one");
    this.east = router("east");
    this.channel = new StreamChannel(this.fromWest);
    this.middle.addChannel(this.channel);
    const carrier = this.channel.carrier!;
    this.channel.carrier = !unread ? null : {
      carry: (...frame) => carrier.carry(...frame) && ++this.carried > 0,
      learn: (...frame) => carrier.learn(...frame),
      carried: (count) => carrier.carried(count),
    };
    this.exit = new StreamChannel(this.toEast);
    this.middle.addChannel(this.exit, { cost, gate: gate ? ({ typ }) => typ !== 9 : undefined });
    this.west.addChannel(new StreamChannel(this.#pairs[0]![1]));
    this.east.addChannel(new StreamChannel(this.#pairs[1]![1]));
    this.east.registerService("store", (_packet, reply) => void reply("kept"));
  }

  /** Carries what has been written, until nothing more is. */
  async settle(): Promise<void> {
    for (let idle = 0; idle < 3; idle++) {
      await turn();
      this.clock.advance(60);
      for (const [one, other] of this.#pairs) {
        for (const [from, to] of [[one, other], [other, one]] as const) {
          if (from.written.length > 0) idle = 0;
          to.push(...from.written.splice(0));
        }
      }
    }
  }

  /** Links the middle and the east once more. */
  shortcut(): FakeDuplex {
    const ends = [new FakeDuplex(), new FakeDuplex()] as const;
    this.#pairs.push(ends);
    this.middle.addChannel(new StreamChannel(ends[0]));
    this.east.addChannel(new StreamChannel(ends[1]));
    return ends[0];
  }

  /** Everything known everywhere. */
  async ready(): Promise<this> {
    for (let i = 0; i < 20; i++) await this.settle();
    assert.equal(this.west.services().length, 1);
    return this;
  }

  /** What comes out towards the east of chunks from the west. */
  async pass(...chunks: Uint8Array[]): Promise<Packet[]> {
    this.fromWest.push(...chunks);
    await turn();
    await turn();
    return this.written(this.toEast);
  }

  /** Packets of applications that have been written to a link, and not yet carried over it. */
  written(link: FakeDuplex): Packet[] {
    const decoder = new PacketDecoder();
    return link.written.splice(0).flatMap((chunk) => decoder.push(chunk))
      .filter(({ net }) => net === 0);
  }

  /** Closes all three. */
  async close(): Promise<void> {
    const routers = [this.west, this.middle, this.east];
    const closed = Promise.all(routers.map((router) => router.close()));
    for (let i = 0; i < 40; i++) {
      this.clock.advance(200);
      await this.settle();
    }
    await closed;
  }
}

/** A trailer with a hop limit. */
export const hops = (hops: number) => ({ hops, instance: 0, counter: 0 });

/** A frame from the west to the east, with a hop limit. */
export function frame(init: PacketInit = {}): Uint8Array {
  const trailer = hops(9);
  const fields = {
    srv: "store",
    src: "west",
    dst: "east",
    nxt: "middle one",
    data: "x",
    trailer,
    ...init,
  };
  return encodeFrame(encodePacket(new Packet(fields)));
}

/** Frames one behind another. */
export function join(frames: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(frames.reduce((size, { length }) => size + length, 0));
  let at = 0;
  for (const one of frames) {
    whole.set(one, at);
    at += one.length;
  }
  return whole;
}

/**
 * Random packets for everybody, some damaged, cut anywhere: what is carried on unread is what the
 * plain codec makes of it.
 *
 * @returns How many have passed, and how many of them unread.
 */
export async function passesAlike(
  seed: number,
  count: number,
): Promise<{ passed: number; carried: number }> {
  const random = seededRandom(seed);
  const below = (n: number) => Math.floor(random() * n);
  const names = ["east", "east", "east", "west", "middle one", "nobody", "", "östlich"];
  const bytes = (size: number) =>
    Uint8Array.from({ length: size }, () => [0xc0, 0xdb, 0xdc, 0xdd, 65, below(256)][below(6)]!);
  const some = (): Uint8Array => {
    const packet = new Packet({
      srv: ["store", "store", "", "störe", "other"][below(5)]!,
      src: ["west", "west", "far west", "wést"][below(4)]!,
      dst: names[below(names.length)]!,
      nxt: below(8) === 0 ? "" : "middle one",
      seq: below(12) === 0 ? below(65_536) : 0,
      ack: below(12) === 0 ? below(2 ** 32) : 0,
      ctx: below(2) === 0 ? below(65_536) : 0,
      typ: below(12) === 0 ? below(256) : 0,
      data: below(20) === 0 ? null : bytes(below(10) === 0 ? below(3_000) : below(80)),
      trailer: below(20) === 0
        ? null
        : below(10) === 0
        ? { hops: below(256), instance: below(2 ** 32), counter: below(2 ** 32) }
        : hops([9, 193, 220, below(256)][below(4)]!),
    });
    const encoded = encodePacket(packet, { crc: below(20) === 0 });
    if (below(500) === 0) encoded[below(encoded.length)] = below(256); // Perhaps no packet any more.
    const framed = encodeFrame(encoded);
    if (below(500) === 0) framed[below(framed.length)] = [0xc0, 0xdb, 0xdc][below(3)]!;
    return framed;
  };
  const stream = join(Array.from({ length: count }, some));
  const chunks: Uint8Array[] = [];
  for (let at = 0, size; at < stream.length; at += size) {
    size = 1 + below(below(3) === 0 ? 20 : 5_000);
    chunks.push(stream.slice(at, at + size));
  }
  const outputs = [];
  let carried = 0;
  for (const unread of [true, false]) {
    const crossing = await new Crossing({ unread }).ready();
    outputs.push(await crossing.pass(...chunks.map((chunk) => chunk.slice())));
    if (unread) carried = crossing.carried;
    else assert.equal(crossing.carried, 0);
    await crossing.close();
  }
  const [fast, plain] = outputs.map((packets) =>
    packets.map((packet) => ({ ...packet, data: packet.data.join() }))
  );
  assert.deepEqual(fast, plain);
  return { passed: plain!.length, carried };
}
