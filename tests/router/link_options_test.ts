import assert from "node:assert/strict";
import { test } from "node:test";
import { createChannelPair, type LinkOptions, Router } from "../../mod.ts";
import { SteppingClock } from "../support/routers.ts";

test("LinkOptions.cost sends packets the cheaper way round", { timeout: 10_000 }, async () => {
  const clock = new SteppingClock();
  const [a, b, c] = ["a", "b", "c"].map((address) => new Router(address, { clock }));
  const link = (from: Router, to: Router, options?: LinkOptions) => {
    const [here, there] = createChannelPair();
    from.addChannel(here, options);
    to.addChannel(there, options);
  };
  link(a!, b!, { cost: 5 });
  link(b!, c!);
  link(c!, a!, { cost: 2 });
  await clock.rest();
  const routes = a!.routes().map(({ address, cost, via }) => `${address} ${cost} via ${via}`);
  assert.deepEqual(routes.sort(), ["b 3 via c", "c 2 via c"]);
  await Promise.all([a!.close(), b!.close(), c!.close()]);
});

test("Router.addChannel() refuses options out of their range, and does not take the channel", {
  timeout: 10_000,
}, async () => {
  const router = new Router("a");
  const [channel] = createChannelPair();
  const refused: [LinkOptions, string][] = [
    [{ cost: 0 }, "its cost, 0, is not an integer in 1-65534"],
    [{ cost: 1.5 }, "its cost, 1.5, is not an integer in 1-65534"],
    [{ cost: 65_535 }, "its cost, 65535, is not an integer in 1-65534"],
    [{ limits: { packets: 0 } }, "its limit of packets, 0, is not above 0"],
    [{ limits: { adverts: NaN } }, "its limit of adverts, NaN, is not above 0"],
  ];
  for (const [options, why] of refused) {
    const error = new RangeError(`Cannot add channel: ${why}`);
    assert.throws(() => router.addChannel(channel, options), error);
  }
  assert.equal(channel.onPacket, null);
  router.addChannel(channel, { cost: 65_534, limits: { adverts: 0.5, packets: Infinity } });
  await router.close();
});
