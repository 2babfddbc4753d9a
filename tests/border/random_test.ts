/** Areas joined at random, in which everything comes and goes: what is offered at rest is what is there. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Registration } from "../../mod.ts";
import { seededRandom } from "../../src/testing/mod.ts";
import { Areas, type Joined } from "../support/areas.ts";
import { join } from "../support/routers.ts";

const EVENTS = 25;

for (let seed = 1; seed <= 4; seed++) {
  test(
    `Whatever comes and goes, at rest every area that can be reached offers what there is, and nothing else (seed ${seed})`,
    {
      timeout: 60_000,
    },
    async () => {
      const random = seededRandom(seed);
      const below = (limit: number) => Math.floor(random() * limit);
      const areas = new Areas();
      const { clock } = areas;
      const names = ["a", "b", "c", "d", "e"].slice(0, 3 + below(3));
      const workers = names.map((name) => areas.router(name, `worker-${name}`));
      const offers: (Registration | null)[] = workers.map(() => null);
      const withdraw = (i: number) => {
        offers[i]?.[Symbol.dispose]();
        offers[i] = null;
      };
      const borders: { joined: Joined; between: [string, string]; cut: Set<string> }[] = [];
      const addBorder = () => {
        const one = below(names.length);
        const other = (one + 1 + below(names.length - 1)) % names.length;
        const between: [string, string] = [names[one]!, names[other]!];
        const sides = between.map((area) => ({ area, exports: ["*"] }));
        const joined = areas.border(`border-${borders.length}`, sides);
        borders.push({ joined, between, cut: new Set() });
      };
      const closed: Promise<void>[] = [];
      for (let i = 0; i < names.length; i++) addBorder();

      /** Areas in which a service can be called: where it is, and where borders lead there. */
      const reachable = () => {
        const found = new Set(names.filter((_, i) => offers[i] !== null));
        for (let size = -1; size < found.size;) {
          size = found.size;
          for (const { between, cut } of borders) {
            if (cut.size === 0 && between.some((area) => found.has(area))) {
              for (const area of between) found.add(area);
            }
          }
        }
        return found;
      };

      const check = async () => {
        await clock.pass(10_000);
        const there = reachable();
        for (const [i, name] of names.entries()) {
          const hub = areas.hub(name);
          const who = hub.serviceAddresses("work");
          assert.equal(who.length > 0, there.has(name), `${who} in ${name}`);
          assert.equal(who.includes(`worker-${name}`), offers[i] !== null, `${who} in ${name}`);
          for (const dst of who) { // Each of them leads somewhere.
            const reply = await clock.until(hub.request("work", "", { dst }));
            assert.equal(reply.text(), "done");
          }
        }
        for (const { joined: { border } } of borders) {
          assert.equal(border.stats().calls, 0);
          for (const { area, path } of border.summaries()) {
            assert(
              !path.includes(area) && new Set(path).size === path.length,
              `${path} in ${area}`,
            );
          }
        }
      };

      for (let event = 0; event < EVENTS; event++) {
        const kind = below(10);
        if (kind < 5) {
          const i = below(workers.length);
          if (offers[i] === null) offers[i] = workers[i]!.registerService("work", () => "done");
          else withdraw(i);
        } else if (kind < 8) {
          const { joined, between, cut } = borders[below(borders.length)]!;
          const area = between[below(2)]!;
          const router = joined.at[area]!;
          if (cut.has("closed")) continue;
          if (!cut.delete(area)) {
            cut.add(area);
            areas.link(router)[1].close();
          } else {
            areas.relink(router, join(areas.hub(area), router));
          }
        } else if (kind === 8) {
          const { joined, cut } = borders[below(borders.length)]!;
          closed.push(joined.border.close());
          cut.add("closed");
        } else if (borders.length < 10) {
          addBorder();
        }
        await clock.pass(random() < 0.5 ? 10 * random() : 1_000 * random());
        if (event % 8 === 7) await check();
      }
      await check();
      for (const i of offers.keys()) withdraw(i);
      await check();
      await clock.until(Promise.all(closed));
      for (const { joined: { border } } of borders) await clock.until(border.close());
      await areas.close();
      assert.equal(clock.pending, 0);
    },
  );
}
