import assert from "node:assert/strict";
import { test } from "node:test";
import { Router, StreamChannel } from "../../mod.ts";
import { startChild } from "../support/child.ts";

const LIMIT = { timeout: 30_000 };

test(
  "StreamChannel joins a router in a child process over its stdin and stdout",
  LIMIT,
  async () => {
    const child = startChild("stdio_router.ts");
    const channel = new StreamChannel(child.duplex);
    const router = new Router("parent");
    router.addChannel(channel);
    assert.equal(await router.waitForService("echo"), "child");
    const data = Uint8Array.from({ length: 65_535 }, (_, i) => i & 0xff);
    assert.deepEqual(new Uint8Array((await router.request("echo", data)).data), data);
    await router.close();
    assert.equal(await channel.closed, undefined);
    assert.equal(await child.ended, 0);
  },
);

test("StreamChannel closes when the child process is killed", LIMIT, async () => {
  const child = startChild("stdio_router.ts");
  const channel = new StreamChannel(child.duplex);
  const router = new Router("parent");
  router.addChannel(channel);
  await router.waitForService("echo");
  child.kill();
  await Promise.all([channel.closed, child.ended]);
  assert.deepEqual([router.routes(), router.services()], [[], []]);
  await router.close();
});
