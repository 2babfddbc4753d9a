/**
 * Scenes with old peers, for tests of what a router says to them and hears.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { MeshOptions } from "../../src/mesh/options.ts";
import { Script } from "./script.ts";

/** Only what has to do with one link. */
export function over(link: number, lines: string[]): string[] {
  return lines.filter((line) => line.startsWith(`> ${link}: `));
}

/** What a neighbour offers us: address → cost. */
export function heard({ mesh }: Script, link: number): Record<string, number> {
  return Object.fromEntries([...mesh.heard(link)].map(([address, { cost }]) => [address, cost]));
}

/** me, with the old peers b (which leads to x) and c, and what they have to say long said. */
export function betweenOldPeers(): Script {
  const me = new Script();
  me.now = 7.25; // No round number.
  me.up(1, "b");
  me.up(2, "c");
  me.route(1, "x", 2, "b");
  assert.deepEqual(me.wait(1_000), ["! route x 2 b", "> 2: route x 3"]);
  return me;
}

/** me, with the old peers b and c, and m, of our kind. */
export function mixed(): Script {
  const me = new Script();
  me.up(1, "b");
  me.up(2, "c");
  me.join(3, "m");
  me.wait(1_000);
  return me;
}

/** me, with the old peers b and c. */
export function two(options: MeshOptions = {}): Script {
  const me = new Script(options);
  me.up(1, "b");
  me.up(2, "c");
  return me;
}

/** An old peer tells a route, and it is adopted. */
export function learn(
  me: Script,
  link: number,
  address: string,
  cost: number,
  src: string,
): string[] {
  return [...me.route(link, address, cost, src), ...me.wait(1_000)];
}
