/**
 * What routers on one segment say of it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Router } from "../../mod.ts";
import { BusChannel } from "../../src/channel/bus_channel.ts";
import { mergeGraph } from "../../src/dashboard/page/graph.ts";
import { inspect, inspectable, prometheus } from "../../src/inspect/mod.ts";
import { MemoryEngine } from "../support/memory_bus.ts";

/** Three routers on one segment, who know each other. */
async function threeOnBus(): Promise<{ routers: Router[]; close(): Promise<unknown> }> {
  const engine = new MemoryEngine();
  const routers = ["a", "b", "c"].map((address) => {
    const router = new Router(address);
    inspectable(router);
    router.registerService(`at-${address}`, () => address);
    router.addChannel(new BusChannel(engine.bus()));
    return router;
  });
  for (const router of routers) {
    for (const address of ["a", "b", "c"]) await router.waitForService(`at-${address}`);
  }
  return { routers, close: () => Promise.all(routers.map((router) => router.close())) };
}

test("A router on a segment tells who else is there, and how a way leads over it", {
  timeout: 20_000,
}, async () => {
  const { routers: [a], close } = await threeOnBus();
  const { links } = await inspect(a!).links("b");
  const [link, ...more] = links;
  assert.deepEqual([link!.kind, link!.transport, more.length], ["segment", "memory-bus", 0]);
  assert.deepEqual(link!.neighbours!.map(({ address }) => address).sort(), ["a", "c"]);
  const { hops, reached } = await inspect(a!).trace("c");
  assert(reached);
  assert.deepEqual(hops.map(({ address, transport }) => [address, transport]), [
    ["a", "memory-bus"],
    ["c", null],
  ]);
  assert.match(prometheus(a!.stats()), /aln_channel_\w+\{[^}]*kind="segment"/);
  await close();
});

test("The map of a mesh has an edge for each two on a segment", { timeout: 20_000 }, async () => {
  const { routers, close } = await threeOnBus();
  const [a] = routers;
  const at = Date.now();
  const report = (router: Router) => ({ links: router.stats().channels, at, before: null });
  const { edges } = mergeGraph({
    self: "a",
    links: report(a!),
    routes: a!.routes(),
    services: a!.services(),
    reports: new Map(routers.slice(1).map((router) => [router.address, report(router)])),
  });
  assert.deepEqual(
    edges.map((edge) => [edge.a, edge.b, edge.transport, edge.halfOpen]).sort(),
    [["a", "b"], ["a", "c"], ["b", "c"]].map((ends) => [...ends, "memory-bus", null]),
  );
  await close();
});
