/** Links that go dead without a word: nothing is closed, nothing is refused, nothing arrives. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Router } from "../../mod.ts";
import { connect, listen } from "../../src/runtime/net.ts";
import { ManualClock } from "../../src/testing/mod.ts";
import { openTunnel } from "../support/raw_socket.ts";
import { next, rejection } from "../support/routers.ts";

/** Lets a clock run while a promise is not settled: sockets take real time, routers take this one. */
async function runUntil<T>(clock: ManualClock, step: number, promise: Promise<T>): Promise<T> {
  let settled = false;
  promise.then(() => settled = true, () => settled = true);
  while (!settled) {
    await new Promise<void>((resolve) => setTimeout(resolve, 1));
    clock.advance(step);
  }
  return await promise;
}

for (const url of ["tcp+aln://127.0.0.1:0", "ws://127.0.0.1:0"]) {
  test(
    `A link over ${url} that goes dead is closed by both sides within 31 s, and calls over it fail`,
    {
      timeout: 30_000,
    },
    async () => {
      const clock = new ManualClock();
      const [hub, edge] = [new Router("hub", { clock }), new Router("edge", { clock })];
      const listener = await listen(url, hub);
      const tunnel = await openTunnel(Number(new URL(listener.url).port));
      hub.registerService("silent", () => {});
      const target = new URL(listener.url);
      target.port = String(tunnel.port);
      const channel = await connect(target);
      edge.addChannel(channel);
      await runUntil(clock, 1, edge.waitForService("silent"));

      tunnel.hold("near");
      tunnel.hold("far");
      const start = clock.now();
      const call = rejection(edge.request("silent", "", { timeout: 600_000 }));
      const closed = [edge, hub].map(async (router) => {
        const event = await next(router, "channel");
        return { open: event.open, after: clock.now() - start };
      });
      const ends = await runUntil(clock, 100, Promise.all(closed));
      for (const { open, after } of ends) {
        assert.equal(open, false);
        assert(after >= 20_000 && after <= 31_000, `closed after ${after} ms`);
      }
      const { code } = await runUntil(clock, 100, call) as { code: string };
      assert.equal(code, "ERR_NO_ROUTE");
      const reason = await channel.closed as Error;
      assert.match(reason.message, /nothing was heard|silent/);

      await Promise.all([edge.close(), hub.close()]);
      await tunnel.close();
      await listener.close();
    },
  );
}
