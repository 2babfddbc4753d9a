/**
 * A pair of channels in memory: for routers in one process, for examples, for tests.
 *
 * @module
 */

import { ChannelError } from "../errors.ts";
import { checkFields } from "../wire/packet_codec.ts";
import type { Packet } from "../wire/packet.ts";
import { BaseChannel } from "./base_channel.ts";
import type { ChannelOptions } from "./channel.ts";
import { packetSize } from "./packet_streams.ts";

/** One end of a pair. Packets cross in the next microtask, as copies. */
class PairChannel extends BaseChannel<Packet> {
  override transport: string | undefined = "memory";
  #peer: PairChannel | null = null;
  #scheduled: boolean = false;

  constructor(options: ChannelOptions) {
    super({ ...options, stallTimeout: Infinity }); // What is queued moves with the next microtask.
  }

  static join(a: PairChannel, b: PairChannel): void {
    a.#peer = b;
    b.#peer = a;
  }

  protected override encode(packet: Packet): Packet {
    checkFields(packet);
    return packet.copy();
  }

  protected override sizeOf(packet: Packet): number {
    return packetSize(packet);
  }

  protected override flush(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      for (let packet; (packet = this.next()) !== undefined;) {
        const size = packetSize(packet);
        this.#peer!.received(size);
        this.#peer!.deliver(packet);
        this.sent(size);
      }
    });
  }

  protected override shut(reason?: unknown): void {
    const peer = this.#peer!;
    this.finish(reason);
    const cut = reason !== undefined;
    queueMicrotask(() =>
      peer.finish(
        cut
          ? new ChannelError("ERR_CHANNEL_CLOSED", "Cannot keep channel: the peer cut it")
          : undefined,
      )
    );
  }
}

/**
 * Makes two channels that are each other's far end.
 *
 * @example
 * ```ts
 * import { createChannelPair, Router } from "@aln/mesh";
 * import assert from "node:assert/strict";
 *
 * const [left, right] = createChannelPair();
 * const a = new Router("a");
 * const b = new Router("b");
 * a.addChannel(left);
 * b.addChannel(right);
 * b.registerService("greet", (packet, reply) => void reply(`hello ${packet.text()}`));
 *
 * await a.waitForService("greet");
 * assert.equal((await a.request("greet", "world")).text(), "hello world");
 * await Promise.all([a.close(), b.close()]);
 * ```
 */
export function createChannelPair(
  options: ChannelOptions = {},
): [BaseChannel<Packet>, BaseChannel<Packet>] {
  const a = new PairChannel(options);
  const b = new PairChannel(options);
  PairChannel.join(a, b);
  return [a, b];
}
