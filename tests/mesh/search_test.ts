/** Looking for routes: what is asked, who answers, and when to give up. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { LinkFrameWriter } from "../../src/wire/mod.ts";
import { retractX, X, x } from "./own_kind.ts";
import { LIFE, live, Script, sent } from "./script.ts";

/** Neighbours b, c and d, at rest. */
function three(): Script {
  const me = new Script();
  me.join(1, "b");
  me.join(2, "c");
  me.join(3, "d");
  me.wait(200);
  return me;
}

const request = (seq: number, hops: number = 9) => (frame: LinkFrameWriter) =>
  frame.seqRequest("x", X, seq, hops);

const requests = (lines: string[]) => lines.filter((line) => line.includes("request"));

/** x was 2 away by b and is lost; c and d offer it by detours that may lead through us. */
function starved(): Script {
  const me = three();
  me.tell(1, x(2));
  me.wait(200);
  me.tell(2, x(5));
  me.tell(3, x(4));
  me.tell(1, retractX);
  return me;
}

// ── starving ────────────────────────────────────────────────────────────────

test("a starved destination is withdrawn, and a fresher word asked for by the nearest offer", () => {
  const me = starved();
  assert.deepEqual(me.wait(60).sort(), [
    "> 2: [retract x]",
    "> 3: [request x by 500 #8 255 hops]",
    "> 3: [retract x]",
  ]);
});

test("bad news that is on its way makes asking vain: nothing is asked for 20 ms", () => {
  const me = starved();
  assert.deepEqual(requests(me.wait(19)), []);
  me.tell(2, retractX);
  me.tell(3, retractX);
  assert.deepEqual(requests(me.wait(60_000)), []);
});

for (const [roundTrip, settle] of [[60, 120], [500, 200]]) {
  test(`where a round trip takes ${roundTrip} ms, nothing is asked for ${settle} ms`, () => {
    const me = three();
    me.tell(1, x(2));
    me.tell(2, x(5));
    const token = me.ping(3);
    me.wait(roundTrip!);
    me.tell(3, (frame) => frame.pong(token));
    me.wait(200);
    me.tell(1, retractX);
    assert.deepEqual(requests(me.wait(settle! - 1)), []);
    assert.equal(requests(me.wait(6)).length, 1);
  });
}

test("when the last offer goes during a search, there is hope for half a second yet", () => {
  const me = starved();
  me.tell(3, retractX);
  me.wait(10);
  me.tell(2, retractX);
  assert.deepEqual(me.wait(499).filter((line) => line.startsWith("!")), []);
  assert.deepEqual(me.wait(2).filter((line) => line.startsWith("!")), ["! route x 0"]);
});

test("asking is repeated to all who offer it, less and less often, a minute apart in the end", () => {
  const me = starved();
  const times: number[] = [];
  const asked = new Set<string>();
  while (me.now < 400_000) {
    for (const line of requests(me.wait(50))) {
      times.push(me.now);
      asked.add(line.slice(0, 3));
    }
    for (const link of [1, 2, 3]) me.tell(link, (frame) => frame.pong(0));
  }
  const waits = [...new Set(times.map((time) => time - times[0]!))];
  for (const [i, expected] of [0, 250, 750, 1_750, 3_750, 7_750].entries()) {
    assert(Math.abs(waits[i]! - expected) <= 100, `${waits}`);
  }
  assert(waits.length >= 14 && waits.length <= 16, `asked ${waits.length} times in 400 s`);
  assert.deepEqual([...asked].sort(), ["> 2", "> 3"]);
  assert.equal(me.mesh.reaches("x"), false); // There has been no hope since the fourth time.
});

test("the application is told of a loss only when there is no hope", () => {
  const me = three();
  me.tell(1, x(2));
  me.wait(200);
  me.tell(2, x(5));
  assert.deepEqual(me.tell(1, retractX), ["! route x held"]);
  assert.equal(me.mesh.reaches("x"), true);
  const news = me.wait(5_000).filter((line) => line.startsWith("!"));
  assert.deepEqual(news, ["! route x 0"]);
});

test("with no offer left, there is hope for half a second: neighbours may be searching", () => {
  const me = three();
  me.tell(1, x(2));
  me.wait(200);
  assert.deepEqual(me.tell(1, retractX), ["! route x held"]);
  assert.deepEqual(me.wait(499).filter((line) => line.startsWith("!")), []);
  assert.deepEqual(me.wait(2).filter((line) => line.startsWith("!")), ["! route x 0"]);
});

test("a loss is told though what is old is swept away just then", () => {
  const me = new Script();
  me.join(1, "b");
  live(me, 55_000, [1]);
  me.wait(4_700); // The first minute ends in 300 ms.
  me.tell(1, (frame) => frame.route("x", 2, 7, X) && frame.service("x", "echo", 1, X, 1));
  me.tell(1, retractX);
  const told = me.wait(600).filter((line) => line.startsWith("!"));
  assert.deepEqual(told, ["! route x 0", "! service echo@x 0"]);
});

test("with no neighbour of our kind left, there is no hope", () => {
  const me = new Script();
  me.join(1, "b");
  me.tell(1, x(2));
  assert.deepEqual(me.down(1).filter((line) => line.startsWith("!")), [
    "! route b 0",
    "! route x 0",
  ]);
});

test("a newer word ends the search, and is told at once to those who lost the route", () => {
  const me = starved();
  me.wait(60);
  assert.deepEqual(me.tell(3, x(4, 8)), ["! route x 4 d"]);
  assert.deepEqual(me.wait(5), ["> 2: [route x 5 by 500 #8]"]);
  assert.deepEqual(me.wait(20), ["> 1: [route x 5 by 500 #8]"]); // It had not: no hurry.
  assert.deepEqual(requests(me.wait(9_000)), []);
});

test("a new offer after giving up is looked into again", () => {
  const me = starved();
  me.wait(8_000);
  me.tell(2, x(9));
  assert.deepEqual(requests(me.wait(60)).length, 1);
});

// ── answering ───────────────────────────────────────────────────────────────

test("asked for a fresher word of our own, we give exactly one, to who asked", () => {
  const me = three();
  const before = me.mesh.told(1).get("me")!.seq;
  const next = before % 65_535 + 1;
  me.tell(1, (frame) => frame.seqRequest("me", LIFE, next, 5));
  assert.deepEqual(sent(me.wait(20)), ["> 1: [route me 1 by 1000]"]);
  assert.equal(me.mesh.told(1).get("me")!.seq, next);
  assert.equal(me.mesh.told(2).get("me")!.seq, before);
});

test("asked for a word that we have given, we give it, and no newer one", () => {
  const me = three();
  const { seq } = me.mesh.told(1).get("me")!;
  me.tell(1, (frame) => frame.seqRequest("me", LIFE, seq, 5));
  assert.deepEqual(sent(me.wait(20)), ["> 1: [route me 1 by 1000]"]);
  assert.equal(me.mesh.told(1).get("me")!.seq, seq);
});

test("fresh words about ourselves are rationed, however many ask", () => {
  const me = three();
  const start = me.mesh.told(1).get("me")!.seq;
  for (let i = 0; i < 1_000; i++) {
    const next = me.mesh.told(1).get("me")!.seq % 65_535 + 1;
    me.tell(1, (frame) => frame.seqRequest("me", LIFE, next, 5));
    me.wait(10);
  }
  const given = (me.mesh.told(1).get("me")!.seq - start + 65_535) % 65_535;
  assert(given <= 20 + 10 * 10 + 1, `${given} words in 10 s`);
});

test("who asks for what we have is answered at once", () => {
  const me = three();
  me.tell(1, x(2, 8));
  me.wait(200);
  me.tell(2, request(8));
  assert.deepEqual(sent(me.wait(7)), ["> 2: [route x 3 by 500 #8]"]);
});

test("who asks for any word of a life is answered with the one we have", () => {
  const me = three();
  me.tell(1, x(2, 60_000));
  me.wait(200);
  me.tell(2, request(0));
  assert.deepEqual(sent(me.wait(7)), ["> 2: [route x 3 by 500 #60000]"]);
});

test("who asks for what we do not have is passed on along our route, one hop less", () => {
  const me = three();
  me.tell(1, x(2));
  me.wait(200);
  me.tell(2, request(8));
  assert.deepEqual(sent(me.wait(20)), ["> 1: [request x by 500 #8 8 hops]"]);
  me.tell(1, x(2, 8));
  assert.deepEqual(sent(me.wait(20)), ["> 2: [route x 3 by 500 #8]"]); // Nobody else has asked.
});

test("who asks through us while it is our own next hop is passed on to somebody else", () => {
  const me = three();
  me.tell(1, x(2));
  me.tell(3, x(6));
  me.wait(200);
  me.tell(1, request(8));
  assert.deepEqual(sent(me.wait(20)), ["> 3: [request x by 500 #8 8 hops]"]);
});

test("the same question from several is passed on once, and all are answered", () => {
  const me = three();
  me.tell(1, x(2));
  me.wait(200);
  me.tell(2, request(8));
  me.tell(3, request(8));
  assert.deepEqual(requests(me.wait(20)), ["> 1: [request x by 500 #8 8 hops]"]);
  me.tell(1, x(2, 8));
  assert.deepEqual(sent(me.wait(20)).map((line) => line.slice(0, 3)).sort(), ["> 2", "> 3"]);
});

test("who asks for a later life than we know of is passed on, and not answered with the earlier", () => {
  const me = three();
  me.tell(1, x(2));
  me.wait(200);
  me.tell(2, (frame) => frame.seqRequest("x", X + 1, 0, 9));
  assert.deepEqual(sent(me.wait(20)), ["> 1: [request x by 501 #0 8 hops]"]);
});

test("who has asked is not answered with an older word, and is when the newer one comes", () => {
  const me = three();
  me.tell(1, x(2));
  me.wait(200);
  me.tell(2, request(8));
  me.wait(20);
  me.tell(1, x(1)); // Nearer, but not newer: news to all.
  me.wait(200);
  me.tell(1, x(1, 8));
  assert.deepEqual(sent(me.wait(20)), ["> 2: [route x 2 by 500 #8]"]);
});

test("who has asked and had no answer for 5 s is forgotten", () => {
  const me = three();
  me.tell(1, x(2));
  me.wait(200);
  me.tell(2, request(8));
  me.wait(5_100);
  me.tell(1, x(2, 8));
  assert.deepEqual(sent(me.wait(100)), []);
});

test("we remember who asks for a thousand others at most; whoever is gone does not count", () => {
  const me = three();
  const all = (names: string, write: (frame: LinkFrameWriter, name: string) => boolean) => {
    return (link: number) => {
      for (let i = 0; i < 1_500; i += 100) {
        me.tell(link, (frame) => {
          for (let k = i; k < i + 100; k++) write(frame, `${names}${k}`);
        });
      }
    };
  };
  const tell = (names: string, seq: number) =>
    all(names, (frame, name) => frame.route(name, 2, seq, X))(1);
  const ask = (names: string) => all(names, (frame, name) => frame.seqRequest(name, X, 8, 9));
  tell("x", 7);
  tell("y", 7);
  me.wait(5_000);
  ask("x")(2);
  me.down(2);
  ask("y")(3);
  me.wait(100);
  tell("x", 8);
  tell("y", 8);
  const answers = sent(me.wait(100)).filter((line) => line.startsWith("> 3")).join();
  assert.equal(answers.split("route y").length - 1, 1_000);
});

test("a request goes no further than it may", () => {
  const me = three();
  me.tell(1, x(2));
  me.wait(200);
  me.tell(2, request(8, 1));
  assert.deepEqual(sent(me.wait(500)), []);
});

test("requests for others are rationed for each neighbour", () => {
  const me = three();
  me.tell(1, (frame) => {
    for (let i = 0; i < 200; i++) frame.route(`x${i}`, 2, 7, X);
  });
  me.wait(1_000);
  let passedOn = 0;
  for (let round = 0; round < 100; round++) {
    me.tell(2, (frame) => {
      for (let i = 0; i < 200; i++) frame.seqRequest(`x${i}`, X, 8 + round, 9);
    });
    for (const line of me.wait(300)) passedOn += line.split("request").length - 1;
  }
  assert(passedOn <= 2_000 + 100 * 31, `${passedOn} of 20,000 passed on in 30 s`);
});

test("a request for nobody we know is not passed on", () => {
  const me = three();
  me.tell(2, (frame) => frame.seqRequest("nobody", 1, 1, 9));
  assert.deepEqual(sent(me.wait(500)), []);
});

// ── something better ────────────────────────────────────────────────────────

test("a better way that cannot be trusted yet is asked for after 300 ms, every 5 s at most", () => {
  const me = three();
  me.tell(1, x(2));
  me.wait(200); // Told as 3.
  me.tell(1, x(8, 8)); // A newer word, but a long way.
  me.wait(200);
  me.tell(2, x(4)); // Shorter, but of the old word.
  assert.deepEqual(requests(me.wait(299)), []);
  assert.deepEqual(requests(me.wait(10)), ["> 2: [request x by 500 #9 255 hops]"]);
  assert.deepEqual(requests(me.wait(4_900)), []);
  assert.deepEqual(requests(me.wait(200)).length, 1);
  me.tell(2, x(4, 9));
  assert.equal(me.routes().at(-1), "x 4 c");
  assert.deepEqual(requests(me.wait(20_000)), []);
});

test("a shorter way is not better if it is told on somebody's behalf, and is not asked for", () => {
  const me = three();
  const proxied = (cost: number) => (frame: LinkFrameWriter) =>
    frame.route("x", cost, 7, 0x8000_0001);
  me.tell(1, proxied(2));
  me.wait(200); // Told as 3.
  me.tell(2, x(6));
  me.tell(1, proxied(4)); // Cannot be trusted any more.
  assert.deepEqual(requests(me.wait(9_000)), []);
});

test("after a loss, what would be better than what is left is asked for", () => {
  const me = three();
  me.tell(1, x(2));
  me.wait(200); // Told as 3.
  me.tell(2, x(8, 8)); // Can be trusted, but a long way.
  me.tell(3, x(5)); // The other way round.
  me.tell(1, retractX);
  assert.equal(me.routes().at(-1), "x 8 c");
  assert.deepEqual(requests(me.wait(310)), ["> 3: [request x by 500 #9 255 hops]"]);
});

test("a better way that is gone within 300 ms is not asked for", () => {
  const me = three();
  me.tell(1, x(2));
  me.wait(200);
  me.tell(1, x(8, 8));
  me.tell(2, x(4));
  me.tell(2, retractX);
  assert.deepEqual(requests(me.wait(9_000)), []);
});

// ── proxies ─────────────────────────────────────────────────────────────────

test("asked for a fresher word of an old peer for which we speak, we give it", () => {
  const me = new Script();
  me.join(1, "b");
  me.up(2, "old");
  me.wait(200);
  const { origin, seq } = me.mesh.told(1).get("old")!;
  me.tell(1, (frame) => frame.seqRequest("old", origin, seq + 1, 5));
  assert.deepEqual(sent(me.wait(20)), [`> 1: [route old 2 by us #${seq + 1}]`]);
});

test("fresh words of old peers are rationed, too", () => {
  const me = new Script();
  me.join(1, "b");
  me.up(2, "old");
  me.wait(200);
  const { origin, seq: start } = me.mesh.told(1).get("old")!;
  for (let i = 0; i < 1_000; i++) {
    const next = me.mesh.told(1).get("old")!.seq + 1;
    me.tell(1, (frame) => frame.seqRequest("old", origin, next, 5));
    me.wait(10);
  }
  const given = me.mesh.told(1).get("old")!.seq - start;
  assert(given >= 50 && given <= 20 + 10 * 10 + 1, `${given} words in 10 s`);
});

test("our own word for an old peer is no hope, and not asked for, when the peer is gone", () => {
  const me = new Script();
  me.join(1, "b");
  me.up(2, "old");
  me.wait(200);
  const { origin } = me.mesh.told(1).get("old")!;
  me.tell(1, (frame) => frame.route("old", 3, 9, origin));
  me.down(2);
  assert.deepEqual(requests(me.wait(9_000)), []);
});

test("our own word for an old peer, coming back by a detour, is never used", () => {
  const me = new Script();
  me.join(1, "b");
  me.up(2, "old");
  me.wait(200);
  const { origin } = me.mesh.told(1).get("old")!;
  me.tell(1, (frame) => frame.route("old", 3, 9, origin));
  me.down(2);
  me.wait(10_000);
  assert.deepEqual(me.routes(), ["b 1 b"]);
});
