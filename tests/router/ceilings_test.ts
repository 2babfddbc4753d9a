/** Every table of a router has a bound, which can be reached, and which says so. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type DropEvent, Packet, Router } from "../../mod.ts";
import { ManualClock, seededRandom } from "../../src/testing/mod.ts";
import { encodeRouteAdvert, encodeServiceAdvert } from "../../src/wire/mod.ts";
import { ForeignChannel, rejection } from "../support/routers.ts";

/** A router, and what its old neighbour "x" tells it. */
function scene() {
  const clock = new ManualClock();
  const router = new Router("a", { clock, random: seededRandom(1) });
  const drops: string[] = [];
  router.addEventListener("drop", ({ reason, count, error }: DropEvent) => {
    drops.push(`${reason} ${count}: ${error.message}`);
  });
  const channel = new ForeignChannel();
  router.addChannel(channel);
  const route = (address: string) =>
    channel.onPacket!(
      new Packet({ net: 1, src: "x", data: encodeRouteAdvert({ address, cost: 1 }) }),
    );
  const service = (service: string) => {
    const data = encodeServiceAdvert({ address: "x", service, capacity: 1 });
    channel.onPacket!(new Packet({ net: 2, data }));
    if (channel.sent.length > 100) channel.sent.length = 0;
  };
  route("x");
  return { router, clock, drops, route, service };
}

test("A router keeps 10,000 routes, and says so when it is told of more", () => {
  const { router, clock, drops, route } = scene();
  for (let i = 1; i < 10_000; i++) route(`x${i}`);
  assert.deepEqual([router.stats().routes, drops], [10_000, []]);
  for (let i = 0; i < 5; i++) route(`more ${i}`);
  clock.advance(1_000);
  const why = 'Cannot keep route to "more 0": the table is full';
  assert.deepEqual(drops, [`table 1: ${why}`, `table 4: ${why}`]);
  assert.deepEqual([router.stats().routes, router.stats().drops.table], [10_000, 5]);
});

test("A router keeps 20,000 services of an old neighbour, and says so when it is told of more", {
  timeout: 20_000, // Each costs as little as the first.
}, () => {
  const { router, clock, drops, service } = scene();
  for (let i = 0; i < 19_990; i++) service(`s${i}`);
  clock.advance(1_000); // An old neighbour may not change more at once.
  for (let i = 19_990; i < 20_000; i++) service(`s${i}`);
  assert.deepEqual([router.stats().services, drops], [20_000, []]);
  service("one more");
  const why = 'Cannot keep service "one more" of "x": the table is full';
  assert.deepEqual(drops, [`table 1: ${why}`]);
  assert.equal(router.stats().services, 20_000);
});

test("A router has 16,384 contexts, and calls fail clearly while all are in use", {
  timeout: 10_000,
}, async () => {
  const { router, service } = scene();
  service("slow");
  const ids = Array.from({ length: 16_384 }, () => router.registerContextHandler(() => {}));
  assert.deepEqual([new Set(ids).size, router.stats().contexts], [16_384, 16_384]);
  const full = new RangeError("Cannot open context: all 16384 are in use");
  assert.throws(() => router.registerContextHandler(() => {}), full);
  assert.deepEqual(await rejection(router.request("slow")), full);
  router.releaseContext(ids[7]!);
  assert.equal(router.registerContextHandler(() => {}) > 0, true);
  await router.close();
  assert.equal(router.stats().contexts, 0);
});
