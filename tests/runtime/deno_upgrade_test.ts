/** `upgradeWebSocket()`, which only Deno has: elsewhere this file holds no tests. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { connectWebSocket, Packet, type WebSocketChannel } from "../../mod.ts";

if ("Deno" in globalThis) {
  const { upgradeWebSocket } = await import("../../src/runtime/deno.ts");

  test("upgradeWebSocket() throws a TypeError for a plain request", () => {
    assert.throws(() => upgradeWebSocket(new Request("http://127.0.0.1/")), TypeError);
  });

  test("upgradeWebSocket() and connectWebSocket() make a channel", {
    timeout: 10_000,
  }, async () => {
    const accepted = Promise.withResolvers<WebSocketChannel>();
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
      const { response, channel } = upgradeWebSocket(request);
      accepted.resolve(channel);
      return response;
    });
    const [near, far] = await Promise.all([
      connectWebSocket(`ws://127.0.0.1:${server.addr.port}/`),
      accepted.promise,
    ]);
    const received = new Promise<Packet>((resolve) => far.onPacket = resolve);
    near.send(new Packet({ srv: "ping", data: "hi" }));
    assert.equal((await received).text(), "hi");
    near.close();
    assert.deepEqual(await Promise.all([near.closed, far.closed]), [undefined, undefined]);
    await server.shutdown();
  });
}
