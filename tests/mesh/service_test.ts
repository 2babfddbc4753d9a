/** Services among our own kind: versions, removals, and whose word counts. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ServiceRecords } from "../../src/mesh/service_records.ts";
import type { LinkFrameWriter } from "../../src/wire/mod.ts";
import { X } from "./own_kind.ts";
import { LIFE, live, Script, sent } from "./script.ts";

/** Neighbours b and c, and x behind b, at rest. */
function withX(): Script {
  const me = new Script();
  me.join(1, "b");
  me.join(2, "c");
  me.tell(1, (frame) => frame.route("x", 2, 7, X));
  me.wait(200);
  return me;
}

/** A neighbour tells a service at x. */
const echo = (load: number, version: number, origin = X) => (frame: LinkFrameWriter) =>
  frame.service("x", "echo", load, origin, version);

test("a service that comes, changes or goes is told once to every neighbour", () => {
  const me = withX();
  me.offer("ping", 5);
  me.offer("ping", 3);
  assert.deepEqual(sent(me.wait(200)).sort(), [
    "> 1: [service ping@me 3 v2]",
    "> 2: [service ping@me 3 v2]",
  ]);
  me.offer("ping", 0);
  assert.deepEqual(sent(me.wait(200)).sort(), [
    "> 1: [service ping@me 0 v3]",
    "> 2: [service ping@me 0 v3]",
  ]);
  assert.deepEqual(me.wait(1_000), []);
});

test("a service that comes back after its removal is newer than the removal", () => {
  const me = withX();
  me.offer("ping", 5);
  me.offer("ping", 0);
  me.offer("ping", 6);
  assert(sent(me.wait(200)).includes("> 1: [service ping@me 6 v3]"));
});

test("the newest version counts, from wherever it comes, and goes on to those who lack it", () => {
  const me = withX();
  assert.deepEqual(me.tell(1, echo(5, 2)), ["! service echo@x 5"]);
  assert.deepEqual(sent(me.wait(200)), ["> 2: [service echo@x 5 v2]"]);
  assert.deepEqual(me.tell(2, echo(9, 1)), []); // Old news by a detour.
  assert.deepEqual(me.tell(2, echo(8, 3)), ["! service echo@x 8"]);
  assert.deepEqual(me.tell(1, echo(8, 3)), []);
  assert.deepEqual(sent(me.wait(1_000)), []); // b leads to x: it need not be told.
});

test("of one version the removal counts: two lives may have begun in the same second", () => {
  const me = withX();
  me.tell(1, echo(5, 1));
  assert.deepEqual(me.tell(2, echo(0, 1)), ["! service echo@x 0"]);
  assert.deepEqual(me.tell(1, echo(5, 1)), []);
});

test("who tells a service before we have told it is not told it", () => {
  const me = withX();
  me.tell(1, echo(5, 2));
  me.tell(2, echo(5, 2));
  assert.deepEqual(sent(me.wait(200)), []);
});

test("versions go round: the one after 65535 is 1", () => {
  const me = withX();
  me.tell(1, echo(5, 65_535));
  assert.deepEqual(me.tell(1, echo(6, 1)), ["! service echo@x 6"]);
});

test("a removal reaches everybody of our kind, and old news does not undo it", () => {
  const me = withX();
  me.tell(1, echo(5, 1));
  me.wait(200);
  assert.deepEqual(me.tell(1, echo(0, 2)), ["! service echo@x 0"]);
  assert.deepEqual(sent(me.wait(200)), ["> 2: [service echo@x 0 v2]"]);
  assert.deepEqual(me.tell(2, echo(5, 1)), []);
  assert.deepEqual(me.services(), []);
});

test("a removal is told to our kind whatever is told to old peers", () => {
  for (const removal of ["announce", "silent", "reannounce"] as const) {
    const me = new Script({ removal });
    me.join(1, "b");
    me.offer("ping", 5);
    me.wait(200);
    me.offer("ping", 0);
    assert.deepEqual(sent(me.wait(200)), ["> 1: [service ping@me 0 v2]"]);
  }
});

test("a removal is remembered for five minutes, so that a late joiner cannot bring it back", () => {
  const me = withX();
  me.tell(1, echo(5, 1));
  me.tell(1, echo(0, 2));
  const alive = (duration: number) => {
    for (const end = me.now + duration; me.now < end;) {
      me.wait(5_000);
      for (const link of [1, 2]) me.tell(link, (frame) => frame.pong(0));
    }
  };
  alive(290_000);
  assert.deepEqual(me.tell(2, echo(5, 1)), []);
  assert.deepEqual(me.services(), []);
});

test("a removal is forgotten after some minutes, and takes no room any more", () => {
  const me = new Script({ maxServices: 2 });
  me.join(1, "b");
  const service = (name: string, load: number, version: number) =>
    me.tell(1, (frame) => frame.service("b", name, load, LIFE, version));
  for (const name of ["s1", "s2"]) service(name, 1, 1);
  for (const name of ["s1", "s2"]) service(name, 0, 2);
  assert.deepEqual(service("s3", 1, 1), ["drop ERR_CHANNEL_PROTOCOL"]);
  for (const end = me.now + 400_000; me.now < end;) {
    me.wait(5_000);
    me.tell(1, (frame) => frame.pong(0));
  }
  assert.deepEqual(service("s3", 1, 1), ["! service s3@b 1"]);
});

test("a service can be called only while its host can be reached", () => {
  const me = withX();
  me.tell(1, echo(5, 1));
  assert.deepEqual(me.down(1).filter((line) => line.includes("echo")), []); // Hope for a moment.
  assert.deepEqual(me.services(), ["echo@x 5"]);
  assert(me.wait(600).includes("! service echo@x 0"));
  assert.deepEqual(me.services(), []);
  me.tell(2, (frame) => frame.route("x", 3, 8, X));
  assert.deepEqual(me.services(), ["echo@x 5"]); // What was said of it still holds.
});

test("what was said of a host is forgotten when nobody has led there for a minute", () => {
  const me = withX();
  me.tell(1, echo(5, 1));
  me.down(1);
  for (let i = 0; i < 30; i++) {
    me.wait(5_000);
    me.tell(2, (frame) => frame.pong(0));
  }
  me.tell(2, (frame) => frame.route("x", 3, 8, X));
  assert.deepEqual(me.services(), []);
});

test("a service of a host that we know no route to is not kept", () => {
  const me = withX();
  assert.deepEqual(me.tell(1, (frame) => frame.service("y", "echo", 5, 1, 1)), []);
  me.tell(1, (frame) => frame.route("y", 2, 1, 1));
  assert.deepEqual(me.services(), []);
});

test("what others say of our own services is ignored", () => {
  const me = withX();
  me.offer("ping", 5);
  me.tell(
    1,
    (frame) => frame.service("me", "ping", 0, LIFE, 9) && frame.service("me", "x", 1, 1, 1),
  );
  assert.deepEqual(me.services(), ["ping@me 5"]);
});

test("whose word a route is, theirs is the word about the services, too", () => {
  const me = withX();
  // x is an old router that b and c speak for.
  const [byB, byC] = [0x8000_000b, 0x8000_000c];
  me.tell(1, (frame) => frame.route("o", 2, 1, byB) && frame.service("o", "s", 1, byB, 1));
  me.tell(2, (frame) => frame.route("o", 2, 1, byC) && frame.service("o", "t", 2, byC, 1));
  assert.deepEqual(me.services(), ["s@o 1"]);
  me.tell(1, (frame) => frame.route("o", 0, 0, 0));
  assert.deepEqual(me.services(), ["t@o 2"]);
});

test("services follow their route in one frame, whoever is told of it", () => {
  const me = withX();
  me.tell(1, echo(5, 1));
  me.wait(200);
  assert(me.join(3, "d").some((line) => line.includes("route x 3") && line.includes("echo@x 5")));
});

test("a route that comes back within half a minute brings no services that are known already", () => {
  const me = withX();
  me.tell(1, echo(5, 1));
  me.wait(200);
  me.tell(1, (frame) => frame.route("x", 0, 0, 0));
  me.wait(200);
  me.tell(1, (frame) => frame.route("x", 2, 8, X));
  assert.deepEqual(sent(me.wait(200)), ["> 2: [route x 3 by 500 #8]"]);
});

test("a service that changes while its route is lost is told when the route is back", () => {
  const me = withX();
  me.tell(1, echo(5, 1));
  me.wait(200);
  me.tell(1, (frame) => frame.route("x", 0, 0, 0));
  me.wait(50);
  me.tell(1, echo(6, 2));
  me.wait(50);
  me.tell(1, (frame) => frame.route("x", 2, 8, X));
  assert.deepEqual(sent(me.wait(200)), ["> 2: [route x 3 by 500 #8; service echo@x 6 v2]"]);
});

test("a service that changes just before its route is lost is told when the route is back", () => {
  const me = withX();
  me.tell(1, echo(5, 1));
  me.wait(200);
  me.tell(1, echo(6, 2));
  me.tell(1, (frame) => frame.route("x", 0, 0, 0));
  me.wait(50);
  me.tell(1, (frame) => frame.route("x", 2, 8, X));
  assert.deepEqual(sent(me.wait(200)), ["> 2: [route x 3 by 500 #8; service echo@x 6 v2]"]);
});

test("a route that comes back later than that brings its services again", () => {
  const me = withX();
  me.tell(1, echo(5, 1));
  me.wait(200);
  me.tell(1, (frame) => frame.route("x", 0, 0, 0));
  for (let i = 0; i < 8; i++) {
    me.wait(4_000);
    for (const link of [1, 2]) me.tell(link, (frame) => frame.pong(0));
  }
  me.tell(1, (frame) => frame.route("x", 2, 8, X));
  assert.deepEqual(sent(me.wait(100)).filter((line) => line.includes("route x")), [
    "> 2: [route x 3 by 500 #8; service echo@x 5 v1]",
  ]);
});

test("a service whose host begins another life before it is told is not told", () => {
  const me = withX();
  me.tell(1, echo(5, 1));
  me.tell(1, (frame) => frame.route("x", 2, 1, X + 1));
  assert.deepEqual(sent(me.wait(200)), ["> 2: [route x 3 by 501 #1]"]);
});

test("what others say by our own word about an old peer's services is ignored", () => {
  const me = new Script();
  me.join(1, "b");
  me.up(2, "old");
  me.service(2, "s", "old", 3);
  me.wait(200);
  const { origin } = me.mesh.told(1).get("old")!;
  me.tell(1, (frame) => frame.service("old", "s", 0, origin, 9));
  assert.match(sent(me.join(3, "d")).join(), /service s@old 3 v1\]/);
});

test("options.maxServices bounds what is kept; what is known stays", () => {
  const me = new Script({ maxServices: 2 });
  me.join(1, "b");
  const service = (name: string, load: number, version = 1) =>
    me.tell(1, (frame) => frame.service("b", name, load, LIFE, version));
  service("s1", 1);
  service("s2", 1);
  assert.deepEqual(service("s3", 1), ["drop ERR_CHANNEL_PROTOCOL"]);
  assert.deepEqual(service("s1", 4, 2), ["! service s1@b 4"]);
});

test("one host cannot take all the room there is", () => {
  const me = withX();
  for (let i = 0; i < 2_000; i++) {
    me.tell(1, (frame) => frame.service("x", `s${i}`, 1, X, 1));
  }
  assert.equal(me.services().length, 1_000);
  assert.deepEqual(me.tell(1, (frame) => frame.service("b", "s", 1, LIFE, 1)), ["! service s@b 1"]);
});

test("of many origins that speak for one host, only some are remembered", () => {
  const records = new ServiceRecords(20_000, () => false);
  for (let i = 1; i <= 100; i++) records.accept("x", -i, "echo", 1, 1, 1_000 * i);
  assert.equal([...records.all()].length, 4);
});

test("of services of ours that have come and gone nothing is left after a while", () => {
  const me = new Script();
  me.join(1, "b");
  for (let i = 0; i < 3_000; i++) {
    me.offer(`once-${i}`, 1);
    me.offer(`once-${i}`, 0);
  }
  live(me, 700_000, [1]);
  const [, greeting] = sent(me.join(2, "c"));
  assert.equal(greeting, "> 2: [route me 1 by 1000; route b 2 by 1000 #1]");
});

test("a service of ours is told however many have gone before it, and whatever others offer", () => {
  const me = new Script({ maxServices: 10 });
  me.join(1, "b");
  me.tell(1, (frame) => {
    for (let i = 0; i < 20; i++) frame.service("b", `s${i}`, 1, LIFE, 1);
  });
  for (let i = 0; i < 3_000; i++) {
    me.offer(`once-${i}`, 1);
    me.offer(`once-${i}`, 0);
  }
  me.wait(1_000);
  me.offer("ping", 1);
  assert.deepEqual(sent(me.wait(1_100)), ["> 1: [service ping@me 1 v1]"]);
});

test("a service that comes back some minutes later is believed by who remembers its removal", () => {
  const [me, other] = [new Script(), withX()];
  me.join(1, "b");
  me.offer("ping", 1);
  me.offer("ping", 0);
  live(me, 400_000, [1]);
  me.offer("ping", 2);
  const [line] = sent(me.wait(200)).filter((one) => one.includes("service"));
  assert.equal(line, "> 1: [service ping@me 2 v3]"); // Not 1 again, which is older than 2.
  other.tell(1, echo(0, 2));
  assert.deepEqual(other.tell(1, echo(2, 3)), ["! service echo@x 2"]);
});
