import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { BaseChannel, ChannelError, createChannelPair, Packet } from "../../mod.ts";
import { CountingController, rejection, turn } from "../support/routers.ts";

/** A channel over nothing: what it flushes stays until the test takes it. */
class StuckChannel extends BaseChannel<Packet> {
  /** Every reason that it was shut for. */
  readonly shuts: unknown[] = [];

  protected override encode(packet: Packet): Packet {
    return packet;
  }
  protected override sizeOf(packet: Packet): number {
    return 1 + packet.data.length;
  }
  protected override flush(): void {}
  protected override shut(reason?: unknown): void {
    this.shuts.push(reason);
    if (reason !== undefined) this.finish(reason);
  }

  /** Takes and releases everything. */
  empty(): void {
    for (let packet; (packet = this.next()) !== undefined;) this.sent(this.sizeOf(packet));
  }
  arrive(text: string): void {
    this.deliver(new Packet({ data: text }));
  }
  end(reason?: unknown): void {
    this.finish(reason);
  }
}

const packet = new Packet({ srv: "s" });
const closed = new ChannelError("ERR_CHANNEL_CLOSED", "Cannot send: the channel is closed");

test("BaseChannel.drained() resolves when nothing is queued any more", {
  timeout: 10_000,
}, async () => {
  const channel = new StuckChannel();
  await channel.drained();
  channel.send(packet);
  let drained = 0;
  const waiting = [channel.drained(), channel.drained()].map((wait) => wait.then(() => drained++));
  await turn();
  assert.deepEqual([drained, channel.bufferedBytes], [0, 1]);
  channel.empty();
  await Promise.all(waiting);
  assert.deepEqual([drained, channel.bufferedBytes], [2, 0]);
});

test("BaseChannel.drained() ends with the reason of its signal, and leaves nothing on it", {
  timeout: 10_000,
}, async () => {
  const channel = new StuckChannel();
  channel.send(packet);
  const controller = new CountingController();
  const { signal } = controller;
  const reason = new Error("enough");
  const waiting = rejection(channel.drained({ signal }));
  const other = channel.drained();
  assert.equal(controller.listening, 1);
  controller.abort(reason);
  assert.equal(await waiting, reason);
  assert.equal(await rejection(channel.drained({ signal })), reason);
  channel.empty();
  await other; // Whoever waits without that signal goes on waiting.
  assert.equal(controller.listening, 0);
});

test("BaseChannel.drained() leaves nothing on its signal when it resolves or the channel closes", {
  timeout: 10_000,
}, async () => {
  const channel = new StuckChannel();
  const controller = new CountingController();
  const { signal } = controller;
  channel.send(packet);
  const resolved = channel.drained({ signal });
  channel.empty();
  await resolved;
  assert.equal(controller.listening, 0);
  channel.send(packet);
  const rejected = rejection(channel.drained({ signal }));
  channel.close(new Error("cut"));
  assert.deepEqual(await rejected, closed);
  assert.deepEqual(await rejection(channel.drained()), closed);
  assert.equal(controller.listening, 0);
});

test("BaseChannel.closed leaves nothing on the channel's signal", { timeout: 10_000 }, async () => {
  const controller = new CountingController();
  const channel = new StuckChannel({ signal: controller.signal });
  assert.equal(controller.listening, 1);
  channel.end();
  assert.deepEqual([await channel.closed, controller.listening], [undefined, 0]);
});

test("BaseChannel closes for the reason of a signal that has aborted already", {
  timeout: 10_000,
}, async () => {
  const reason = new Error("too late");
  const channel = new StuckChannel({ signal: AbortSignal.abort(reason) });
  assert.equal(await channel.closed, reason);
});

test("BaseChannel.onPacket is given first what came before it was set, in order", {
  timeout: 10_000,
}, async () => {
  const channel = new StuckChannel();
  const heard: string[] = [];
  channel.arrive("1");
  channel.arrive("2");
  channel.onPacket = (packet) => void heard.push(packet.text());
  channel.arrive("3"); // Not yet told of the others: it has to wait its turn.
  await turn();
  channel.arrive("4");
  assert.deepEqual(heard, ["1", "2", "3", "4"]);
});

test("BaseChannel.onPacket is given what came before it was set, though the peer has closed", {
  timeout: 10_000,
}, async () => {
  const channel = new StuckChannel();
  channel.arrive("last words");
  channel.end();
  await channel.closed;
  const told: string[] = [];
  channel.onPacket = (packet) => void told.push(packet.text());
  channel.onClose = () => void told.push("closed");
  await turn();
  assert.deepEqual(told, ["last words", "closed"]);
});

test(
  "BaseChannel.onPacket is given nothing after our own close()",
  { timeout: 10_000 },
  async () => {
    for (const reason of [undefined, new Error("cut")]) {
      const channel = new StuckChannel();
      channel.arrive("early");
      channel.close(reason);
      let heard = 0;
      channel.onPacket = () => void heard++;
      channel.arrive("late");
      channel.end();
      await turn();
      assert.equal(heard, 0);
    }
  },
);

test("BaseChannel holds 1,024 packets for whoever comes late, and drops the rest", {
  timeout: 10_000,
}, async () => {
  const channel = new StuckChannel();
  const drops: string[] = [];
  channel.onDrop = (error, packet) => void drops.push(`${error.code} ${packet?.text()}`);
  for (let i = 0; i < 1_026; i++) channel.arrive(`${i}`);
  assert.deepEqual(drops, ["ERR_CHANNEL_FULL 1024", "ERR_CHANNEL_FULL 1025"]);
  let heard = 0;
  channel.onPacket = () => void heard++;
  await turn();
  assert.equal(heard, 1_024);
});

test("BaseChannel.close() cuts what takes longer than a second", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const channel = new StuckChannel();
    const told: unknown[] = [];
    channel.onClose = (reason) => told.push(reason);
    channel.send(packet);
    channel.close();
    mock.timers.tick(999);
    assert.deepEqual([told, channel.shuts], [[], []]);
    mock.timers.tick(1);
    const why = "Cannot close channel in order: it takes too long";
    assert.deepEqual(told, [new ChannelError("ERR_CHANNEL_CLOSED", why)]);
    assert.equal(channel.bufferedBytes, 0);
  } finally {
    mock.timers.reset();
  }
});

test(
  "BaseChannel.close() with a reason overtakes an orderly close",
  { timeout: 10_000 },
  async () => {
    const channel = new StuckChannel();
    channel.send(packet);
    channel.close();
    channel.close();
    const reason = new Error("now");
    channel.close(reason);
    channel.close(new Error("later"));
    assert.deepEqual([await channel.closed, channel.shuts, channel.send(packet)], [
      reason,
      [reason],
      false,
    ]);
  },
);

test("createChannelPair() tells the far end why only that it was cut", {
  timeout: 10_000,
}, async () => {
  const [a, b] = createChannelPair();
  const reason = new Error("mine");
  a.close(reason);
  assert.deepEqual(await Promise.all([a.closed, b.closed]), [
    reason,
    new ChannelError("ERR_CHANNEL_CLOSED", "Cannot keep channel: the peer cut it"),
  ]);
});
