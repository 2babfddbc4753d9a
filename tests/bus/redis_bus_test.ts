/** What is particular to Redis. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { redisBus, type RedisBusOptions } from "../../src/bus/mod.ts";
import { haveClients, haveEngines, startRedis } from "../support/engines.ts";
import { needing } from "../support/toolchain.ts";
import { connectRedis, Ears } from "./engines.ts";

const engines = haveEngines("redis-server");
const there = engines === true ? await haveClients() : engines;

/** Runs with an engine of that configuration, and two connections to it. */
async function withRedis(
  config: string,
  connection: object,
  run: (
    open: (
      topic: string,
      options?: RedisBusOptions,
    ) => Promise<[ReturnType<typeof redisBus>, Ears]>,
  ) => Promise<void>,
): Promise<void> {
  const engine = await startRedis({ config });
  const publisher = await connectRedis(engine.url, connection);
  const subscriber = await connectRedis(engine.url, connection);
  try {
    await run(async (topic, options) => {
      const bus = redisBus(publisher, subscriber, options);
      const ears = new Ears();
      await bus.open([topic], ears);
      return [bus, ears];
    });
  } finally {
    publisher.disconnect();
    subscriber.disconnect();
    await engine[Symbol.asyncDispose]();
  }
}

test(...needing(there, "redisBus() fails to open what it may not subscribe to"), () => {
  return withRedis("user default on nopass ~* resetchannels &ok +@all", {}, async (open) => {
    await assert.rejects(open("secret"), /NOPERM/);
    const [bus, ears] = await open("ok");
    bus.publish("secret", Uint8Array.of(1));
    bus.publish("ok", Uint8Array.of(2));
    assert.deepEqual((await ears.heard(1)).map((message) => [...message]), [[2]]);
    await bus.flush!();
    assert.deepEqual(ears.events, []);
    await bus.close();
  });
});

test(...needing(there, "redisBus() believes no count of listeners if it is told not to"), () => {
  return withRedis("", {}, async (open) => {
    const [bus, ears] = await open("own", { unheard: false });
    bus.publish("none", Uint8Array.of(1));
    await bus.flush!();
    assert.deepEqual(ears.events, []);
    await bus.close();
  });
});

test(...needing(there, "redisBus() works with connections that have a prefix for keys"), () => {
  return withRedis("", { keyPrefix: "app:" }, async (open) => {
    const [bus, ears] = await open("own");
    bus.publish("own", Uint8Array.of(1));
    await ears.heard(1);
    await bus.close();
  });
});
