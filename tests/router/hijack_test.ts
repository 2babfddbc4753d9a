/** Somebody next to a router who wants the packets of others, played against real routers. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Packet, type Router } from "../../mod.ts";
import { encodeHello, encodeRouteAdvert, LinkFrameWriter } from "../../src/wire/mod.ts";
import { chain, ForeignChannel, record } from "../support/routers.ts";

const timeout = 10_000;

/** A route as an old peer tells it. */
function advert(src: string, address: string, cost: number): Packet {
  return new Packet({ net: 1, src, data: encodeRouteAdvert({ address, cost }) });
}

/** A link frame that says this of an address. */
function frame(address: string, cost: number, seq: number, origin: number): Packet {
  const writer = new LinkFrameWriter();
  writer.route(address, cost, seq, origin);
  return new Packet({ net: 4, data: writer.finish() });
}

/** A hello by this name. */
function hello(address: string, session: string): Packet {
  const data = encodeHello({
    ...{ caps: 7, address, instance: 100, session, keepalive: 10, dead: 30, role: 0 },
    ...{ maxFrame: 4_096, maxRoutes: 10_000, seen: "", also: "" },
  });
  return new Packet({ net: 3, data });
}

for (const kind of ["an old peer", "one of our kind"] as const) {
  test(
    `${kind} next to a router gets none of its neighbours' packets, nor its own, whatever it claims`,
    {
      timeout,
    },
    async () => {
      const { routers: [client, hub, server], clock } = await chain(["client", "hub", "server"], {
        incarnation: 100,
      });
      for (const router of [hub, server]) {
        router.registerService("who", (_packet, reply) => void reply(router.address));
      }
      await clock.rest();
      const told = record(hub);
      const attacker = new ForeignChannel();
      hub.addChannel(attacker);
      const say = (packet: Packet) => attacker.onPacket!(packet);
      const claim = (round: number) => {
        for (const name of ["server", "client", "hub"]) {
          if (kind === "an old peer") {
            for (const src of [name, "eve", ""]) {
              for (const cost of [1, 0]) say(advert(src, name, cost));
            }
          } else {
            say(hello(round % 3 === 0 ? name : "eve", `${round}`.padStart(16, "0")));
            say(frame("eve", 1, 1, 100));
            for (const origin of [100, 101 + 10 * round, 0x8000_0001]) {
              for (const cost of [1, 2]) say(frame(name, cost, 1 + 100 * round, origin));
            }
          }
        }
      };
      for (let round = 0; round < 40; round++) {
        claim(round);
        for (const dst of ["server", "hub"]) {
          const answer = await clock.until(client.request("who", "", { dst, timeout: 2_000 }));
          assert.equal(answer.text(), dst);
        }
        await clock.pass(250);
      }
      assert.deepEqual(attacker.sent.filter(({ net }) => net === 0), []);
      const conflicts = new Set(told.filter((line) => line.startsWith("conflict")));
      assert(conflicts.has("conflict server"), [...conflicts].join());
      assert.deepEqual(told.filter((line) => line.startsWith("channel closed")), []);
      await Promise.all([client, hub, server].map((router: Router) => clock.until(router.close())));
    },
  );
}
