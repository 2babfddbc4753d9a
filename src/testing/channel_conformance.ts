/**
 * What every channel has to keep, as a list of cases for any test runner.
 *
 * @module
 */

import type { BaseChannel } from "../channel/base_channel.ts";
import type { ChannelOptions } from "../channel/channel.ts";
import { PacketStreamChannel, packetStreams } from "../channel/packet_streams.ts";
import { Packet } from "../wire/packet.ts";

/** A channel of any kind. */
export type AnyChannel = BaseChannel<unknown>;

/** Two channels that are each other's far end. */
export interface OpenChannels {
  /** One end, made with the options that a case wants. */
  near: AnyChannel;
  /** The other end. */
  far: AnyChannel;
  /** Releases what the channels do not: listeners, servers. */
  cleanup?: () => void | Promise<void>;
}

/** One promise, and the test that it is kept. */
export interface ChannelCase {
  /** The promise, in words. */
  name: string;
  /** Rejects if it is broken. */
  run: () => Promise<void>;
}

/**
 * The cases for one kind of channel.
 *
 * @param open Opens a new pair of channels; called once per case.
 *
 * @example
 * ```ts
 * import { createChannelPair } from "@aln/mesh";
 * import { channelConformance } from "@aln/mesh/testing";
 *
 * const cases = channelConformance((options) => {
 *   const [near, far] = createChannelPair(options);
 *   return Promise.resolve({ near, far });
 * });
 * for (const { run } of cases) await run(); // Or hand `name` and `run` to your test runner.
 * ```
 */
export function channelConformance(
  open: (options: ChannelOptions) => Promise<OpenChannels>,
): ChannelCase[] {
  const promise = (
    name: string,
    check: (channels: OpenChannels) => Promise<void>,
    options: ChannelOptions = {},
  ): ChannelCase => ({
    name,
    async run() {
      const channels = await open(options);
      try {
        await check(channels);
      } finally {
        channels.near.close(new Error("the case is over"));
        channels.far.close(new Error("the case is over"));
        await Promise.all([channels.near.closed, channels.far.closed]);
        await channels.cleanup?.();
      }
    },
  });

  return [
    promise("carries every field of a packet, and any byte", async ({ near, far }) => {
      const received = packets(far, 1);
      const data = Uint8Array.from({ length: 512 }, (_, i) => i & 0xff);
      const sent = new Packet({ ...FIELDS, data });
      accepted(near.send(sent));
      same(await received, [sent]);
    }),
    promise("carries packets in order, both ways at once", async ({ near, far }) => {
      const there = packets(far, 200);
      const back = packets(near, 200);
      const sent = numbered(200);
      for (const packet of sent) {
        accepted(near.send(packet));
        accepted(far.send(packet));
      }
      same(await there, sent);
      same(await back, sent);
    }),
    promise("carries the largest payload", async ({ near, far }) => {
      const received = packets(far, 1);
      const sent = new Packet({ srv: "s", data: new Uint8Array(65_535).fill(0xc0) });
      accepted(near.send(sent));
      same(await received, [sent]);
    }),
    promise("leaves the caller's packet alone", async ({ near, far }) => {
      const received = packets(far, 1);
      const packet = new Packet({ srv: "s", data: Uint8Array.of(1, 2, 3) });
      accepted(near.send(packet));
      packet.srv = "changed";
      packet.data.fill(9);
      same(await received, [new Packet({ srv: "s", data: Uint8Array.of(1, 2, 3) })]);
    }),
    promise("keeps packets that arrive before anybody reads", async ({ near, far }) => {
      const sent = numbered(10);
      for (const packet of sent) accepted(near.send(packet));
      await near.drained();
      same(await packets(far, 10), sent);
    }),
    promise("refuses a packet whose fields do not fit, and lives on", async ({ near, far }) => {
      let reason = "";
      near.onDrop = (error) => reason = error.code;
      const bad = new Packet({ srv: "s" });
      bad.ctx = 70_000;
      refused(near.send(bad));
      equal(reason, "ERR_PACKET_FIELD", "the reason told to onDrop");
      const received = packets(far, 1);
      const good = new Packet({ srv: "s" });
      accepted(near.send(good));
      same(await received, [good]);
    }),
    promise("refuses data beyond highWater, and takes it again once drained", async (channels) => {
      const { near, far } = channels;
      const packet = new Packet({ srv: "s", data: new Uint8Array(1_000) });
      const sent = fill(near, packet);
      if (near.bufferedBytes > 4_096) throw new Error(`${near.bufferedBytes} bytes are buffered`);
      const received = packets(far, sent + 1);
      await near.drained();
      accepted(near.send(packet));
      equal((await received).length, sent + 1, "packets that arrived");
    }, { highWater: 4_096 }),
    promise("takes control traffic while data is refused, and sends it first", async (channels) => {
      const { near, far } = channels;
      const data = new Packet({ srv: "s", data: new Uint8Array(1_000) });
      const control = new Packet({ net: 3 });
      const sent = fill(near, data);
      accepted(near.send(control));
      const arrived = await packets(far, sent + 1);
      if (arrived.at(-1)!.net === 3) throw new Error("control traffic came last");
    }, { highWater: 4_096 }),
    promise("drops the newest data beyond highWater if told to, and says so", async (channels) => {
      const arrived = await overflow(channels);
      const last = arrived.length - 1; // The first ones have come, all of them.
      equal(arrived.at(-1), last, "the last packet that arrived");
    }, { highWater: 4_096, overflow: "drop-newest" }),
    promise("drops the oldest data beyond highWater if told to, and says so", async (channels) => {
      const arrived = await overflow(channels);
      equal(arrived.at(-1), OVERFLOW - 1, "the last packet that arrived");
    }, { highWater: 4_096, overflow: "drop-oldest" }),
    promise("closes when data goes beyond highWater if told to", async ({ near }) => {
      fill(near, new Packet({ srv: "s", data: new Uint8Array(1_000) }));
      const reason = await near.closed as { code?: string };
      equal(reason?.code, "ERR_CHANNEL_FULL", "the reason of the close");
    }, { highWater: 4_096, overflow: "close" }),
    promise("counts what it carries", async ({ near, far }) => {
      const received = packets(far, 50);
      for (const packet of numbered(50)) accepted(near.send(packet));
      await received;
      await near.drained();
      equal(near.counters.packetsOut, 50, "packets out");
      equal(far.counters.packetsIn, 50, "packets in");
      const [{ bytesOut }, { bytesIn }] = [near.counters, far.counters];
      const least = 50 * 4; // No packet is shorter.
      if (bytesOut < least || bytesIn < least) throw new Error(`${bytesOut}, ${bytesIn} bytes`);
    }),
    promise("closes if its queue cannot even hold control traffic", async ({ near }) => {
      const control = new Packet({ net: 2, data: new Uint8Array(1_000) });
      fill(near, control);
      const reason = await near.closed as { code?: string };
      equal(reason?.code, "ERR_CHANNEL_FULL", "the reason of the close");
    }, { highWater: 4_096 }),
    promise("sends what is queued before an orderly close", async ({ near, far }) => {
      const sent = numbered(50);
      const received = packets(far, 50);
      for (const packet of sent) accepted(near.send(packet));
      near.close();
      same(await received, sent);
      equal(await near.closed, undefined, "the reason of the close");
      equal(await far.closed, undefined, "the far end's reason");
    }),
    promise("tells both ends of a close exactly once", async ({ near, far }) => {
      const told = [0, 0];
      near.onClose = () => told[0]!++;
      far.onClose = () => told[1]!++;
      near.close();
      near.close();
      await Promise.all([near.closed, far.closed]);
      far.close();
      near.close(new Error("late"));
      await turn();
      equal(told.join(), "1,1", "calls of onClose");
    }),
    promise("tells of a close even whoever asks later", async ({ near, far }) => {
      near.close();
      await Promise.all([near.closed, far.closed]);
      await new Promise<void>((resolve) => far.onClose = () => resolve());
    }),
    promise("closes both ends for a reason, and tells ours", async ({ near, far }) => {
      const reason = new Error("enough");
      near.close(reason);
      equal(await near.closed, reason, "the reason of the close");
      await far.closed;
    }),
    promise("neither sends nor delivers after close()", async ({ near, far }) => {
      let late = 0;
      near.onPacket = () => late++;
      near.close();
      refused(near.send(new Packet({ srv: "s" })));
      far.send(new Packet({ srv: "s" }));
      await Promise.all([near.closed, far.closed]);
      refused(near.send(new Packet({ srv: "s" })));
      equal(late, 0, "packets delivered");
    }),
    promise("lets drained() end with the channel", async ({ near }) => {
      const packet = new Packet({ srv: "s", data: new Uint8Array(1_000) });
      fill(near, packet);
      const waiting = near.drained();
      near.close(new Error("enough"));
      const error = await waiting.then(() => null, (reason) => reason);
      equal(error?.code, "ERR_CHANNEL_CLOSED", "what drained() threw");
    }, { highWater: 4_096 }),
    promise("can be disposed of", async ({ near, far }) => {
      await near[Symbol.asyncDispose]();
      await far.closed;
    }),
    promise("can be taken as streams, and streams as a channel", async ({ near, far }) => {
      const tapped: number[] = [];
      const streams = packetStreams(near);
      const tap = new TransformStream<Packet, Packet>({
        transform(packet, controller) {
          tapped.push(packet.seq);
          controller.enqueue(packet);
        },
      });
      const channel = new PacketStreamChannel({
        readable: streams.readable.pipeThrough(tap),
        writable: streams.writable,
      });
      const sent = numbered(20);
      const there = packets(far, 20);
      const back = packets(channel, 20);
      for (const packet of sent) {
        accepted(channel.send(packet));
        accepted(far.send(packet));
      }
      same(await there, sent);
      same(await back, sent);
      equal(tapped.length, 20, "packets that passed the tap");
      channel.close();
      await Promise.all([channel.closed, near.closed, far.closed]);
    }),
    {
      name: "closes when its signal aborts",
      async run() {
        const controller = new AbortController();
        const { near, far, cleanup } = await open({ signal: controller.signal });
        const reason = new Error("aborted");
        controller.abort(reason);
        equal(await near.closed, reason, "the reason of the close");
        far.close(reason);
        await far.closed;
        await cleanup?.();
      },
    },
  ];
}

const FIELDS = {
  net: 0,
  srv: "service",
  src: "from",
  dst: "to",
  nxt: "via",
  seq: 1,
  ack: 0xffff_ffff,
  ctx: 0xc0db,
  typ: 7,
} as const;

/** Packets told apart by `seq`. */
function numbered(count: number): Packet[] {
  return Array.from(
    { length: count },
    (_, i) => new Packet({ srv: "s", seq: i + 1, data: `${i}` }),
  );
}

/** Packets that overflow a queue of 4,096 bytes. */
const OVERFLOW = 50;

/** Sends them, sees that each arrives or is dropped, and says which have arrived. */
async function overflow({ near, far }: OpenChannels): Promise<number[]> {
  let dropped = 0;
  near.onDrop = (error) => {
    equal(error.code, "ERR_CHANNEL_FULL", "the reason told to onDrop");
    dropped++;
  };
  const data = new Uint8Array(1_000);
  for (let seq = 0; seq < OVERFLOW; seq++) accepted(near.send(new Packet({ srv: "s", seq, data })));
  if (near.bufferedBytes > 4_096) throw new Error(`${near.bufferedBytes} bytes are buffered`);
  if (dropped === 0) throw new Error("nothing was dropped");
  const arrived = await packets(far, OVERFLOW - dropped);
  await near.drained();
  return arrived.map(({ seq }) => seq);
}

/** Sends a packet until it is refused; says how often it was not. */
function fill(channel: AnyChannel, packet: Packet): number {
  let sent = 0;
  while (channel.send(packet)) if (++sent > 10_000) throw new Error("send() never refused");
  return sent;
}

/** The next packets that arrive. */
function packets(channel: AnyChannel, count: number): Promise<Packet[]> {
  return new Promise((resolve, reject) => {
    const received: Packet[] = [];
    channel.onPacket = (packet) => {
      received.push(packet);
      if (received.length === count) resolve(received);
    };
    channel.closed.then(() => {
      const got = `${received.length} of ${count}`;
      reject(new Error(`the channel closed after ${got} packets`));
    });
  });
}

/** Lets everything that is due happen. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

function accepted(result: boolean): void {
  if (!result) throw new Error("send() refused a packet");
}

function refused(result: boolean): void {
  if (result) throw new Error("send() took a packet that it should refuse");
}

function equal(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) {
    throw new Error(`${what}: expected ${String(expected)}, got ${String(actual)}`);
  }
}

function same(actual: Packet[], expected: Packet[]): void {
  equal(actual.length, expected.length, "packets that arrived");
  actual.forEach((packet, i) => equal(packet.toJson(), expected[i]!.toJson(), `packet ${i}`));
}
