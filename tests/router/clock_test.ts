import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../mod.ts";

/** Resolves when the clock runs it. */
function ring(at: number): Promise<void> {
  return new Promise((resolve) => void systemClock.schedule(at, resolve));
}

test("systemClock.now() does not go back", () => {
  let last = systemClock.now();
  for (let i = 0; i < 1_000; i++) {
    const now = systemClock.now();
    assert(now >= last, `${now} after ${last}`);
    last = now;
  }
});

test("systemClock.schedule() runs what is due, the past at once", { timeout: 10_000 }, async () => {
  await Promise.all([
    ring(-Infinity),
    ring(0),
    ring(systemClock.now()),
    ring(systemClock.now() + 5),
  ]);
});

test("systemClock.schedule() does not run what was cancelled, nor what is weeks away", {
  timeout: 10_000,
}, async () => {
  const ran: string[] = [];
  const now = systemClock.now();
  // A timer of the platform that has to wait longer than 2^31 ms would fire in the next one.
  const far = [now + 2 ** 31, now + 2 ** 53, Infinity].map((at) =>
    systemClock.schedule(at, () => ran.push(`at ${at}`))
  );
  systemClock.schedule(now, () => ran.push("cancelled"))();
  await ring(now + 20);
  for (const cancel of far) cancel();
  assert.deepEqual(ran, []);
});
