import assert from "node:assert/strict";
import { test } from "node:test";
import { chain } from "../support/routers.ts";

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
