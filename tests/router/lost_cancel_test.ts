/** A caller has had enough of waiting, and nobody hears of it: nothing of its call may stay for ever. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Packet, Router, type ServiceHandler } from "../../mod.ts";
import { seededRandom } from "../../src/testing/mod.ts";
import { CALL, decodeCallMark } from "../../src/wire/call_mark.ts";
import { joinThrough, turns } from "../support/calls.ts";
import { failureCode, SteppingClock } from "../support/routers.ts";

/** Two routers; what a caller says when it gives up is lost. */
async function deafPair(handler: ServiceHandler) {
  const clock = new SteppingClock();
  const random = seededRandom(1);
  const a = new Router("a", { clock, random });
  const b = new Router("b", { clock, random });
  joinThrough(a, b, (packet) => decodeCallMark(packet)?.kind === CALL.cancel ? 0 : 1);
  const service = b.registerService("work", handler);
  await clock.until(a.waitForService("work"));
  return { a, b, clock, service };
}

test("A service is told within seconds that its caller is gone, though the cancel was lost", {
  timeout: 10_000,
}, async () => {
  let signal: AbortSignal | null = null;
  const { a, b, clock, service } = await deafPair((_packet, _reply, call) => {
    signal = call.signal;
  });
  const failure = failureCode(a.request("work", "", { timeout: 100 }));
  await clock.pass(200);
  assert.equal(await failure, "TimeoutError");
  assert.equal(service.calls, 1);
  const idle = clock.pending;
  await clock.pass(20_000);
  assert.deepEqual([service.calls, signal!.aborted], [0, true]);
  assert(clock.pending <= idle, "no timer is left of looking after it");
  await Promise.all([a.close(), b.close()]);
});

test("Registration.drain() does not wait for callers that are gone, though the cancel was lost", {
  timeout: 10_000,
}, async () => {
  const { a, b, clock, service } = await deafPair(() => {});
  const failure = failureCode(a.request("work", "", { timeout: 100 }));
  await clock.pass(200);
  assert.equal(await failure, "TimeoutError");
  let drained = false;
  service.drain().then(() => drained = true);
  await clock.pass(20_000);
  assert(drained);
  await Promise.all([a.close(), b.close()]);
});

test("Router.request() waits for an answer as long as it takes, and is asked whether it does", {
  timeout: 10_000,
}, async () => {
  const answers: Record<string, (packet: Packet) => string> = {
    small: () => "done",
    large: () => "x".repeat(100_000),
  };
  for (const [what, answer] of Object.entries(answers)) {
    const { a, b, clock, service } = await deafPair(async (packet) => {
      await new Promise<void>((resolve) => void clock.schedule(clock.now() + 600_000, resolve));
      return answer(packet);
    });
    const reply = await clock.until(a.request("work", "", { timeout: Infinity }));
    assert.equal(reply.text().length, answer(reply).length, what);
    await turns();
    assert.equal(service.calls, 0);
    await Promise.all([a.close(), b.close()]);
  }
});
