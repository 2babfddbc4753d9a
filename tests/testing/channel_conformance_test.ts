import assert from "node:assert/strict";
import { test } from "node:test";
import { createChannelPair, Packet } from "../../mod.ts";
import { type AnyChannel, type ChannelCase, channelConformance } from "../../src/testing/mod.ts";

/** The cases for a pair of channels of which the near one has been spoilt. */
function cases(spoil: (near: AnyChannel) => void): ChannelCase[] {
  return channelConformance((options) => {
    const [near, far] = createChannelPair(options);
    spoil(near);
    return Promise.resolve({ near, far });
  });
}

test("channelConformance() has nothing to say of a channel that keeps its promises", {
  timeout: 10_000,
}, async () => {
  for (const { run } of cases(() => {})) await run();
});

const SPOILT: [what: string, promise: string, spoil: (near: AnyChannel) => void][] = [
  ["loses a field", "carries every field of a packet, and any byte", (near) => {
    const { send } = near;
    near.send = (packet) => send.call(near, new Packet({ ...fields(packet), typ: 0 }));
  }],
  ["keeps the caller's packet", "leaves the caller's packet alone", (near) => {
    const { send } = near;
    near.send = (packet) => {
      queueMicrotask(() => send.call(near, packet));
      return true;
    };
  }],
  ["never refuses", "refuses a packet whose fields do not fit, and lives on", (near) => {
    const { send } = near;
    near.send = (packet) => (send.call(near, packet), true);
  }],
  ["ignores an orderly close", "sends what is queued before an orderly close", (near) => {
    const { close } = near;
    near.close = (reason) => close.call(near, reason ?? new Error("at once"));
  }],
  ["forgets the reason", "closes both ends for a reason, and tells ours", (near) => {
    const { close } = near;
    near.close = () => close.call(near);
  }],
  ["has no bound", "lets drained() end with the channel", (near) => {
    near.send = () => true;
  }],
];
for (const [what, promise, spoil] of SPOILT) {
  test(`channelConformance() catches a channel that ${what}`, { timeout: 10_000 }, async () => {
    const [broken] = cases(spoil).filter(({ name }) => name === promise);
    await assert.rejects(broken!.run());
  });
}

function fields({ net, srv, src, dst, nxt, seq, ack, ctx, typ, data }: Packet) {
  return { net, srv, src, dst, nxt, seq, ack, ctx, typ, data };
}
