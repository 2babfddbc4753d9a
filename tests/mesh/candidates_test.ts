/** What a call can choose from. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { X } from "./own_kind.ts";
import { LIFE, Script } from "./script.ts";

/** Neighbours b and c, and x behind b; x and c offer "echo". */
function withEcho(): Script {
  const me = new Script();
  me.join(1, "b");
  me.join(2, "c");
  me.tell(1, (frame) => frame.route("x", 2, 7, X));
  me.wait(200);
  me.tell(1, (frame) => frame.service("x", "echo", 5, X, 1));
  me.tell(2, (frame) => frame.service("c", "echo", 65_535, LIFE, 1));
  return me;
}

test("Mesh.candidates() tells every instance with its capacity and distance, ours at 0 hops", () => {
  const me = withEcho();
  assert.deepEqual(me.mesh.candidates("nothing"), []);
  assert.deepEqual(me.mesh.candidates("echo"), [
    { address: "x", capacity: 5, cost: 2, held: false },
    { address: "c", capacity: 65_535, cost: 1, held: false },
  ]);
  me.offer("echo", 9);
  assert.deepEqual(me.mesh.candidates("echo")[2], {
    address: "me",
    capacity: 9,
    cost: 0,
    held: false,
  });
});

test("Mesh.candidates() says whose route is being looked for, and leaves out who is gone", () => {
  const me = withEcho();
  me.tell(1, (frame) => frame.route("x", 0, 0, 0));
  assert.deepEqual(me.mesh.candidates("echo"), [
    { address: "x", capacity: 5, cost: Infinity, held: true },
    { address: "c", capacity: 65_535, cost: 1, held: false },
  ]);
  me.wait(5_000); // The search has come to nothing.
  assert.deepEqual(me.mesh.candidates("echo").map(({ address }) => address), ["c"]);
  me.down(2);
  assert.equal(me.mesh.candidates("echo").some(({ held }) => !held), false);
});
