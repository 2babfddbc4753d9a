import assert from "node:assert/strict";
import { test } from "node:test";
import { Packet, type PacketInit, Router, StreamChannel } from "../../mod.ts";
import { ManualClock, seededRandom } from "../../src/testing/mod.ts";
import { encodeFrame, encodePacket, PacketDecoder } from "../../src/wire/mod.ts";
import { FakeDuplex, turn } from "../support/channels.ts";

/** A router between two others, of which the test sees and adds to what they send. */
class Crossing implements AsyncDisposable {
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
  readonly #far: [FakeDuplex, FakeDuplex] = [new FakeDuplex(), new FakeDuplex()];

  constructor({ unread = true, gate = false } = {}) {
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
    this.middle.addChannel(this.exit, gate ? { gate: ({ typ }) => typ !== 9 } : {});
    this.west.addChannel(new StreamChannel(this.#far[0]));
    this.east.addChannel(new StreamChannel(this.#far[1]));
    this.east.registerService("store", (_packet, reply) => void reply("kept"));
  }

  /** Carries what has been written, until nothing more is. */
  async settle(): Promise<void> {
    const pairs = [[this.fromWest, this.#far[0]], [this.toEast, this.#far[1]]] as const;
    for (let idle = 0; idle < 3; idle++) {
      await turn();
      this.clock.advance(60);
      for (const [one, other] of pairs) {
        for (const [from, to] of [[one, other], [other, one]] as const) {
          if (from.written.length > 0) idle = 0;
          to.push(...from.written.splice(0));
        }
      }
    }
  }

  /** Everything known everywhere. */
  async ready(): Promise<this> {
    for (let i = 0; i < 20; i++) await this.settle();
    assert.equal(this.west.services().length, 1);
    return this;
  }

  /** What comes out towards the east of chunks from the west. */
  async pass(...chunks: Uint8Array[]): Promise<Packet[]> {
    const decoder = new PacketDecoder();
    this.fromWest.push(...chunks);
    await turn();
    await turn();
    return this.toEast.written.splice(0).flatMap((chunk) => decoder.push(chunk))
      .filter(({ net }) => net === 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const routers = [this.west, this.middle, this.east];
    const closed = Promise.all(routers.map((router) => router.close()));
    for (let i = 0; i < 40; i++) {
      this.clock.advance(200);
      await this.settle();
    }
    await closed;
  }
}

const hops = (hops: number) => ({ hops, instance: 0, counter: 0 });

/** A frame from the west to the east, with a hop limit. */
function frame(init: PacketInit = {}): Uint8Array {
  const trailer = hops(9);
  const fields = { srv: "store", src: "west", dst: "east", nxt: "middle one", trailer, ...init };
  return encodeFrame(encodePacket(new Packet(fields)));
}

function join(frames: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(frames.reduce((size, { length }) => size + length, 0));
  let at = 0;
  for (const one of frames) {
    whole.set(one, at);
    at += one.length;
  }
  return whole;
}

test("A router carries on what it need not read, as if it had read it", {
  timeout: 20_000,
}, async () => {
  await using crossing = await new Crossing().ready();
  const frames = Array.from({ length: 50 }, (_, i) => frame({ ctx: i + 1, data: `number ${i}` }));
  const packets = await crossing.pass(...frames);
  assert.deepEqual(
    packets.map(({ ctx, nxt, trailer, data }) => [ctx, nxt, trailer!.hops, data.length]),
    frames.map((_, i) => [i + 1, "east", 8, `number ${i}`.length]),
  );
  assert.equal(crossing.carried, 49);
});

test("What is carried on unread is counted as the rest", { timeout: 20_000 }, async () => {
  const counts = [];
  for (const unread of [false, true]) {
    await using crossing = await new Crossing({ unread }).ready();
    const before = crossing.middle.stats().channels;
    await crossing.pass(join(Array.from({ length: 100 }, (_, i) => frame({ ctx: i + 1 }))));
    counts.push(
      crossing.middle.stats().channels.map(({ packetsIn, packetsOut, bytesOut }, i) => [
        packetsIn - before[i]!.packetsIn,
        packetsOut - before[i]!.packetsOut,
        bytesOut! - before[i]!.bytesOut!,
      ]),
    );
  }
  assert.deepEqual(counts[0], counts[1]);
  assert.deepEqual(counts[0]!.map(([received, sent]) => [received, sent]), [[100, 0], [0, 100]]);
});

test("Each packet passes the gate of a link, though others like it have passed", {
  timeout: 20_000,
}, async () => {
  await using crossing = await new Crossing({ gate: true }).ready();
  const packets = await crossing.pass(
    ...[1, 9, 2, 9, 3].map((typ) => frame({ typ, data: `${typ}` })),
  );
  assert.deepEqual(packets.map(({ typ }) => typ), [1, 2, 3]);
});

test("A packet whose hops are used up goes no further, though others like it do", {
  timeout: 20_000,
}, async () => {
  await using crossing = await new Crossing().ready();
  const left = [9, 5, 1, 2, 255];
  const packets = await crossing.pass(...left.map((left) => frame({ trailer: hops(left) })));
  assert.deepEqual(packets.map(({ trailer }) => trailer!.hops), [8, 4, 1, 18]);
});

test("No packet goes on after its way is lost, though many have gone that way", {
  timeout: 20_000,
}, async () => {
  await using crossing = await new Crossing().ready();
  assert.equal((await crossing.pass(frame({ ctx: 1 }), frame({ ctx: 2 }))).length, 2);
  const drops: string[] = [];
  crossing.middle.addEventListener("drop", ({ error }) => drops.push(error.code));
  crossing.middle.removeChannel(crossing.exit);
  assert.deepEqual(await crossing.pass(frame({ ctx: 3 }), frame({ ctx: 4 })), []);
  crossing.clock.advance(2_000);
  assert.deepEqual(drops, ["ERR_NO_ROUTE", "ERR_NO_ROUTE"]);
});

test("A queue that is full refuses what would be carried on, and tells it", {
  timeout: 20_000,
}, async () => {
  await using crossing = await new Crossing().ready();
  const drops: string[] = [];
  crossing.middle.addEventListener("drop", ({ reason }) => drops.push(reason));
  const gate = Promise.withResolvers<void>();
  crossing.toEast.gate = gate.promise;
  const data = new Uint8Array(60_000).fill(65);
  const frames = Array.from({ length: 40 }, (_, i) => frame({ ctx: i + 1, data }));
  await crossing.pass(join(frames));
  gate.resolve();
  const packets = await crossing.pass();
  assert.equal(packets.length + drops.length, 40);
  assert(drops.length > 10 && drops.every((reason) => reason === "queue"), `${drops}`);
});

test("A million bytes cut anywhere, of any packets, pass as the plain codec has them", {
  timeout: 60_000,
}, async () => {
  const random = seededRandom(20);
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
  const stream = join(Array.from({ length: 12_000 }, some));
  const chunks: Uint8Array[] = [];
  for (let at = 0, size; at < stream.length; at += size) {
    size = 1 + below(below(3) === 0 ? 20 : 5_000);
    chunks.push(stream.slice(at, at + size));
  }
  const outputs = [];
  for (const unread of [true, false]) {
    await using crossing = await new Crossing({ unread }).ready();
    outputs.push(await crossing.pass(...chunks.map((chunk) => chunk.slice())));
    assert.equal(crossing.carried > 1_000, unread);
  }
  const [fast, plain] = outputs.map((packets) =>
    packets.map((packet) => ({ ...packet, data: packet.data.join() }))
  );
  assert(plain!.length > 4_000, `${plain!.length} packets`);
  assert.deepEqual(fast, plain);
});
