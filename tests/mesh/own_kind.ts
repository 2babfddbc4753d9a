/** Scenes with neighbours of our own kind, for several test files. */

import type { LinkFrameWriter } from "../../src/wire/mod.ts";
import { Script } from "./script.ts";

/** The origin of "x", a router further away. */
export const X = 500;

/** Neighbours b and c, at rest. */
export function two(): Script {
  const me = new Script();
  me.join(1, "b");
  me.join(2, "c");
  me.wait(200);
  return me;
}

/** A neighbour tells a route to x. */
export const x = (cost: number, seq: number = 7) => (frame: LinkFrameWriter): boolean =>
  frame.route("x", cost, seq, X);

/** A neighbour takes its route to x back. */
export const retractX = (frame: LinkFrameWriter): boolean => frame.route("x", 0, 0, 0);

/** Our route to x, as "x cost via". */
export const wayToX = (me: Script): string =>
  me.routes().find((route) => route.startsWith("x")) ?? "none";
