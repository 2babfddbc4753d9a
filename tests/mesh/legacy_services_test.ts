/**
 * Services that old peers offer, and what they are told of others'.
 *
 * @module
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { learn, two } from "./old_peers.ts";
import { Script, sent } from "./script.ts";

test("Mesh tells every old peer of its own services, and of every change", () => {
  const me = two({ removal: "announce" });
  const all = (capacity: number) => [
    `! service ping@me ${capacity}`,
    `> 1: service ping@me ${capacity}`,
    `> 2: service ping@me ${capacity}`,
  ];
  assert.deepEqual(me.offer("ping", 1), all(1));
  assert.deepEqual(me.offer("ping", 7), all(7));
  assert.deepEqual(me.offer("ping", 7), []);
  assert.deepEqual(me.offer("ping", 0), all(0));
  assert.deepEqual(me.offer("ping", 0), []);
});

test("Mesh believes a service from the old peer that leads to its host, and passes it on", () => {
  const me = two({ removal: "announce" });
  learn(me, 1, "x", 2, "b");
  assert.deepEqual(me.service(1, "echo", "x", 5), ["! service echo@x 5", "> 2: service echo@x 5"]);
  assert.deepEqual(me.service(2, "echo", "x", 9), []); // Old news on a detour.
  assert.deepEqual(me.services(), ["echo@x 5"]);
  assert.deepEqual(me.service(1, "echo", "x", 0), ["! service echo@x 0", "> 2: service echo@x 0"]);
});

test("Mesh uses a service only while its host can be reached", () => {
  const me = new Script();
  me.up(1, "b");
  assert.deepEqual(me.service(1, "echo", "x", 5), []); // Before its host's route: kept, not used.
  assert.deepEqual(me.services(), []);
  assert.deepEqual(me.route(1, "x", 2, "b"), ["! route x 2 b", "! service echo@x 5"]);
  assert.deepEqual(me.route(1, "x", 0, "b"), ["! route x 0", "! service echo@x 0"]);
  assert.deepEqual(learn(me, 1, "x", 2, "b"), ["! route x 2 b"]); // Forgotten with the route.
});

test("Mesh forgets what an old peer says of a host that it withdraws, route or no route", () => {
  const me = new Script();
  me.up(1, "b");
  for (const host of ["x", "y"]) me.service(1, "echo", host, 5);
  me.route(1, "y", 2, "b");
  for (const host of ["x", "y"]) me.route(1, host, 0, "b");
  me.service(1, "echo", "y", 5);
  for (const host of ["x", "y"]) me.route(1, host, 0, "b");
  for (const host of ["x", "y"]) me.route(1, host, 2, "b");
  me.wait(5_000);
  assert.deepEqual(me.services(), []);
});

test("Mesh takes over the services that the new next hop tells when a route moves", () => {
  const me = two({ removal: "announce" });
  me.up(3, "d");
  learn(me, 1, "x", 2, "b");
  me.service(1, "old", "x", 1);
  me.service(1, "both", "x", 1);
  me.route(2, "x", 2, "c");
  me.service(2, "both", "x", 1);
  me.service(2, "new", "x", 1);
  const lines = [...me.down(1), ...me.wait(4_000)].filter((line) => line.includes("x "));
  assert.deepEqual(lines, [
    "! route x 0",
    "! service old@x 0",
    "! service both@x 0",
    "> 3: route x 0",
    "! route x 2 c",
    "! service both@x 1",
    "! service new@x 1",
    "> 3: route x 3",
    "> 3: service both@x 1",
    "> 3: service new@x 1",
  ]);
});

test("Mesh forgets the services of a neighbour that withdraws and advertises itself unasked", () => {
  const me = two();
  me.service(1, "echo", "b", 5);
  assert.deepEqual(me.route(1, "b", 0, "b"), []);
  assert.deepEqual(me.route(1, "b", 1, "b"), [
    "! service echo@b 0",
    "> 2: route b 0",
    "> 2: route b 2",
  ]);
  assert.deepEqual(me.wait(60_000), []);
});

test("Mesh ignores what others say of its own services, and keeps no room for it", () => {
  const me = new Script({ maxServices: 1 });
  me.up(1, "b");
  me.offer("ping", 1);
  assert.deepEqual(me.service(1, "ping", "me", 0), []);
  assert.deepEqual(me.service(1, "pong", "me", 1), []);
  assert.deepEqual(me.services(), ["ping@me 1"]);
  assert.deepEqual(me.service(1, "echo", "b", 1), ["! service echo@b 1"]);
});

test("Mesh takes service adverts with a src, padded, or from a router that miscounts", () => {
  const me = new Script();
  me.up(1, "b");
  const padded = Uint8Array.of(1, 98, 2, 101, 101, 0, 5, 0, 0, 0);
  assert.deepEqual(me.hear(1, { net: 2, src: "b", data: padded }), ["! service ee@b 5"]);
  const miscounted = Uint8Array.of(1, 98, 1, 0xc3, 0xa9, 0, 7); // "é" counted as one.
  assert.deepEqual(me.hear(1, { net: 2, data: miscounted }), ["! service é@b 7"]);
});

test('MeshOptions.removal "announce" sends capacity 0, once to each old peer', () => {
  const me = two({ removal: "announce" });
  me.offer("ping", 1);
  me.service(1, "echo", "b", 5);
  assert.deepEqual(sent(me.offer("ping", 0)), [
    "> 1: service ping@me 0",
    "> 2: service ping@me 0",
  ]);
  assert.deepEqual(sent(me.service(1, "echo", "b", 0)), ["> 2: service echo@b 0"]);
  assert.deepEqual(me.service(1, "echo", "b", 0), []);
});

test('MeshOptions.removal "silent" sends nothing when a service goes', () => {
  const me = two({ removal: "silent" });
  me.offer("ping", 1);
  me.service(1, "echo", "b", 5);
  assert.deepEqual(me.offer("ping", 0), ["! service ping@me 0"]);
  assert.deepEqual(me.service(1, "echo", "b", 0), ["! service echo@b 0"]);
});

for (const removal of [undefined, "reannounce"] as const) {
  const name = removal ? `"${removal}"` : "left out";
  test(`MeshOptions.removal ${name} withdraws the host and advertises what is left`, () => {
    const me = two(removal ? { removal } : {});
    me.offer("ping", 1);
    me.offer("time", 2);
    me.service(1, "echo", "b", 5);
    me.service(1, "log", "b", 6);
    assert.deepEqual(me.offer("ping", 0), [
      "! service ping@me 0",
      "> 1: route me 0",
      "> 1: route me 1",
      "> 1: service time@me 2",
      "> 2: route me 0",
      "> 2: route me 1",
      "> 2: service time@me 2",
    ]);
    assert.deepEqual(me.service(1, "echo", "b", 0), [
      "! service echo@b 0",
      "> 2: route b 0",
      "> 2: route b 2",
      "> 2: service log@b 6",
    ]);
  });
}

test("the services of a host that is lost go with its route, by no word of their own", () => {
  for (const removal of ["announce", "silent", "reannounce"] as const) {
    const me = two({ removal });
    learn(me, 1, "x", 2, "b");
    me.service(1, "echo", "x", 5);
    assert.deepEqual(me.route(1, "x", 0, "b"), ["! route x 0", "! service echo@x 0"]);
    assert.deepEqual(me.wait(60_000), ["> 2: route x 0"]);
  }
});

test("a removal needs no telling while a neighbour has forgotten the host: it hears what is left", () => {
  const me = two();
  me.service(1, "echo", "b", 5);
  me.service(1, "log", "b", 6);
  me.route(2, "b", 0, "c");
  assert.deepEqual(sent(me.service(1, "echo", "b", 0)), []);
  assert.deepEqual(me.wait(500), ["> 2: route b 2", "> 2: service log@b 6"]);
});
