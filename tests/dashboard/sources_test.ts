import assert from "node:assert/strict";
import { test } from "node:test";
import { importsOf } from "../../src/dashboard/sources.ts";

test("importsOf() finds all that a module loads at once, and nothing that it may load later", () => {
  const code = `/**
 * import { no } from "./comment.js";
 */ import { a } from "./a.js";
import {
  b,
  type C,
} from "../b/b.ts";
import "./effect.ts"; export * from './star.ts';
export { d as default } from "./d.ts";
import fs from "node:fs";
const later = () => import("./later.ts");
export const text = "./text.ts";
export function f() { return "./g.ts"; }
`;
  assert.deepEqual(importsOf(code), [
    ...["./a.js", "../b/b.ts", "./effect.ts", "./star.ts", "./d.ts"],
  ]);
});
