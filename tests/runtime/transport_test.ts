import assert from "node:assert/strict";
import { test } from "node:test";
import { type Channel, createChannelPair, PacketStreamChannel, StreamChannel } from "../../mod.ts";
import { MessagePortChannel } from "../../src/channel/mod.ts";
import { connect, listen } from "../../src/runtime/net.ts";
import { testCertificate } from "../support/certificate.ts";

const timeout = 20_000;
const { ca, cert, key } = testCertificate;

const SCHEMES: [scheme: string, transport: string, listening: object, connecting: object][] = [
  ["tcp+aln", "tcp", {}, {}],
  ["tls+aln", "tls", { cert, key }, { ca: [ca] }],
  ["ws", "ws", {}, {}],
];

for (const [scheme, transport, listening, connecting] of SCHEMES) {
  test(
    `Channel.transport is "${transport}" on both sides of ${scheme}://`,
    { timeout },
    async () => {
      let accept: (channel: Channel) => void = () => {};
      const accepted = new Promise<Channel>((resolve) => accept = resolve);
      const listener = await listen(
        `${scheme}://localhost:0`,
        (channel) => accept(channel),
        listening,
      );
      const here = await connect(listener.url, connecting);
      const there = await accepted;
      assert.deepEqual([here.transport, there.transport], [transport, transport]);
      const gone = new Promise((resolve) => there.onClose = resolve);
      here.close();
      await Promise.all([here.closed, gone, listener.close()]);
    },
  );
}

test("Channel.transport tells channels in memory, streams and ports apart", async () => {
  const [left, right] = createChannelPair();
  const { port1, port2 } = new MessageChannel();
  const bytes = new TransformStream();
  const packets = new TransformStream();
  const channels = [
    left,
    new MessagePortChannel(port1),
    new StreamChannel(bytes),
    new PacketStreamChannel(packets),
  ];
  const names = channels.map(({ transport }) => transport);
  assert.deepEqual(names, ["memory", "port", "stream", "stream"]);
  for (const channel of [...channels, right]) channel.close(new Error("enough"));
  port2.close();
  await Promise.all([...channels, right].map(({ closed }) => closed));
});
