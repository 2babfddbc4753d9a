import { test } from "node:test";
import { createChannelPair, type Packet, PacketStreamChannel, StreamChannel } from "../../mod.ts";
import { channelConformance, type OpenChannels } from "../../src/testing/mod.ts";
import type { ChannelOptions } from "../../mod.ts";

const kinds: Record<string, (options: ChannelOptions) => OpenChannels> = {
  createChannelPair: (options) => {
    const [near, far] = createChannelPair(options);
    return { near, far };
  },
  StreamChannel: (options) => {
    const there = new TransformStream<Uint8Array, Uint8Array>();
    const back = new TransformStream<Uint8Array, Uint8Array>();
    return {
      near: new StreamChannel({ readable: back.readable, writable: there.writable }, options),
      far: new StreamChannel({ readable: there.readable, writable: back.writable }),
    };
  },
  "StreamChannel with checksums": (options) => {
    const there = new TransformStream<Uint8Array, Uint8Array>();
    const back = new TransformStream<Uint8Array, Uint8Array>();
    const crc = true;
    return {
      near: new StreamChannel(
        { readable: back.readable, writable: there.writable },
        { ...options, crc },
      ),
      far: new StreamChannel({ readable: there.readable, writable: back.writable }, { crc }),
    };
  },
  PacketStreamChannel: (options) => {
    const there = new TransformStream<Packet, Packet>();
    const back = new TransformStream<Packet, Packet>();
    return {
      near: new PacketStreamChannel({ readable: back.readable, writable: there.writable }, options),
      far: new PacketStreamChannel({ readable: there.readable, writable: back.writable }),
    };
  },
};

for (const [kind, open] of Object.entries(kinds)) {
  for (const { name, run } of channelConformance((options) => Promise.resolve(open(options)))) {
    test(`${kind} ${name}`, { timeout: 10_000 }, run);
  }
}
