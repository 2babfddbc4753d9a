import assert from "node:assert/strict";
import { test } from "node:test";
import { createChannelPair, Packet, Router } from "../../mod.ts";
import { ManualClock, seededRandom } from "../../src/testing/mod.ts";
import { encodeRouteAdvert, encodeServiceAdvert } from "../../src/wire/mod.ts";
import { CountingController, turn } from "../support/routers.ts";

test("Router is as it was after 1,000 channels have come and gone", {
  timeout: 60_000,
}, async () => {
  const clock = new ManualClock();
  const random = seededRandom(7);
  const router = new Router("hub", { clock, random });
  const controller = new CountingController();
  for (let i = 0; i < 1_000; i++) {
    const [here, there] = createChannelPair({ signal: controller.signal });
    router.addChannel(here);
    const name = `guest ${i}`;
    const net = (kind: number, data: Uint8Array) => new Packet({ net: kind, src: name, data });
    there.onPacket = () => {};
    there.send(new Packet({ net: 3 }));
    there.send(net(1, encodeRouteAdvert({ address: name, cost: 1 })));
    there.send(net(1, encodeRouteAdvert({ address: "shared", cost: 2 + i % 3 })));
    there.send(net(2, encodeServiceAdvert({ address: name, service: "s", capacity: 1 })));
    await there.drained();
    assert.equal(await router.waitForService("s"), name);
    // Every way to end, by turns.
    if (i % 4 === 0) there.close();
    else if (i % 4 === 1) there.close(new Error("cut"));
    else if (i % 4 === 2) here.close();
    else router.removeChannel(here);
    await Promise.all([here.closed, there.closed]);
    assert.deepEqual([here.onPacket, here.onClose, here.onDrop], [null, null, null]);
  }
  await turn();
  clock.advance(120_000);
  await turn();
  assert.deepEqual(
    {
      routes: router.routes(),
      services: router.services(),
      timers: clock.pending,
      listening: controller.listening,
    },
    { routes: [], services: [], timers: 0, listening: 0 },
  );
});

test("Two routers that join and part 1,000 times find each other as fast as the first time", {
  timeout: 60_000,
}, async () => {
  const clock = new ManualClock();
  const random = seededRandom(7);
  const [a, b] = ["a", "b"].map((address) => new Router(address, { clock, random })) as [
    Router,
    Router,
  ];
  b.registerService("ping", (_packet, reply) => void reply("pong"));
  for (let i = 0; i < 1_000; i++) {
    const [here, there] = createChannelPair();
    a.addChannel(here);
    b.addChannel(there);
    await a.waitForService("ping");
    assert.equal((await a.request("ping")).text(), "pong");
    i % 2 ? a.removeChannel(here) : b.removeChannel(there);
    await Promise.all([here.closed, there.closed]);
    assert.deepEqual([a.routes(), a.services(), b.routes()], [[], [], []], `round ${i}`);
  }
  clock.advance(120_000);
  assert.equal(clock.pending, 0);
  await Promise.all([a.close(), b.close()]);
});
