import assert from "node:assert/strict";
import { test } from "node:test";
import { type Packet, Router } from "../../mod.ts";
import { seededRandom } from "../../src/testing/mod.ts";
import { chain, joinDirectly, SteppingClock } from "../support/routers.ts";

for (
  const [what, ends] of [
    ["limit", { limit: 3 }],
    ["until", { until: (packet: Packet) => packet.text() === "2" }],
  ] as const
) {
  test(
    `Router.stream() gives no reply after the last that "${what}" allows, though more have come`,
    {
      timeout: 10_000,
    },
    async () => {
      const clock = new SteppingClock();
      const [a, b] = ["a", "b"].map((address) =>
        new Router(address, { clock, random: seededRandom(1) })
      ) as [Router, Router];
      const [, there] = joinDirectly(a, b);
      b.registerService("count", async function* () {
        for (let i = 0; i < 30; i++) yield `${i}`;
      });
      await clock.until(a.waitForService("count"));
      // The first reply is lost, and sent again when the next ones are there: they come all at once.
      const { answer } = there;
      let lost = 0;
      there.answer = (packet) => packet.text() === "0" && lost++ === 0 ? true : answer(packet);
      const replies: string[] = [];
      const reading = (async () => {
        for await (const packet of a.stream("count", "", ends)) replies.push(packet.text());
      })();
      await clock.until(reading);
      assert.deepEqual([replies, lost], [["0", "1", "2"], 2]);
      await Promise.all([a.close(), b.close()]);
    },
  );
}

test("Router.stream() leaves no timer behind, and is not timed out while replies come", {
  timeout: 10_000,
}, async () => {
  const { routers: [a, b], clock } = await chain(["a", "b"]);
  b.registerService("tick", async function* () {
    for (let i = 0; i < 40; i++) {
      await new Promise<void>((resolve) => void clock.schedule(clock.now() + 50, resolve));
      yield `${i}`;
    }
  });
  await clock.rest();
  const idle = clock.pending;
  const replies: string[] = [];
  const reading = (async () => {
    for await (const packet of a.stream("tick", "", { idle: 500 })) replies.push(packet.text());
  })();
  await clock.until(reading);
  assert.equal(replies.length, 40);
  await clock.pass(5_000);
  assert.equal(clock.pending, idle);
  await Promise.all([a.close(), b.close()]);
});
