import assert from "node:assert/strict";
import { test } from "node:test";
import type { Effect } from "../../src/mesh/effects.ts";
import { Mesh } from "../../src/mesh/mesh.ts";
import { seededRandom } from "../../src/testing/mod.ts";
import {
  CAP,
  encodeHello,
  encodeRouteAdvert,
  encodeServiceAdvert,
  LinkFrameWriter,
  Packet,
} from "../../src/wire/mod.ts";
import { Script } from "./script.ts";

/** me – b – x, and me – c; all of them old peers. */
function threeWays(): Script {
  const me = new Script();
  me.up(1, "b");
  me.route(1, "x", 2, "b");
  me.up(2, "c");
  return me;
}

test("Mesh.send() sets src and the next hop", () => {
  const me = threeWays();
  assert.deepEqual(me.send({ dst: "x", srv: "s" }), ["> 1: srv=s src=me dst=x nxt=b"]);
  assert.deepEqual(me.send({ dst: "x", src: "behind-me" }), ["> 1: src=behind-me dst=x nxt=b"]);
});

test("Mesh.send() leaves nxt out while the neighbour has not said its name", () => {
  const me = new Script();
  me.up(1);
  me.route(1, "x", 2);
  assert.deepEqual(me.send({ dst: "x" }), ["> 1: src=me dst=x"]);
});

test("Mesh.send() delivers to ourselves", () => {
  const me = new Script();
  assert.deepEqual(me.send({ dst: "me", srv: "s" }), ["deliver srv=s src=me dst=me"]);
});

test("Mesh.send() without dst sends one copy to every instance, the local one first", () => {
  const me = threeWays();
  me.service(1, "s", "x", 1);
  me.service(2, "s", "c", 2);
  me.offer("s", 9);
  assert.deepEqual(me.send({ srv: "s", ctx: 7 }), [
    "deliver srv=s src=me dst=me ctx=7",
    "> 1: srv=s src=me dst=x nxt=b ctx=7",
    "> 2: srv=s src=me dst=c nxt=c ctx=7",
  ]);
});

test("Mesh.send() refuses what cannot be sent", () => {
  const me = threeWays();
  assert.deepEqual(me.send({ dst: "nobody" }), ["drop ERR_NO_ROUTE"]);
  assert.deepEqual(me.send({ srv: "nothing" }), ["drop ERR_NO_SERVICE"]);
  assert.deepEqual(me.send({ data: "to whom?" }), ["drop ERR_PACKET_FIELD"]);
  assert.deepEqual(me.send({ net: 3, dst: "x" }), ["drop ERR_PACKET_FIELD"]);
});

test("Mesh forwards a packet with its fields unchanged but for nxt", () => {
  const me = threeWays();
  const init = {
    dst: "x",
    src: "c",
    srv: "s",
    seq: 1,
    ack: 2,
    ctx: 40_000,
    typ: 3,
    nxt: "me",
    data: "d",
  };
  const [effect] = me.mesh.receive(2, new Packet(init), 0);
  assert(effect?.kind === "transmit" && effect.link === 1);
  assert.equal(effect.packet.toJson(), new Packet({ ...init, nxt: "b" }).toJson());
});

test("Mesh carries a packet whatever its nxt says, as Go peers set it to the destination", () => {
  const me = threeWays();
  assert.deepEqual(me.hear(2, { dst: "x", src: "c", nxt: "x" }), ["> 1: src=c dst=x nxt=b"]);
  assert.deepEqual(me.hear(2, { dst: "x", src: "c" }), ["> 1: src=c dst=x nxt=b"]);
});

test("Mesh delivers a packet for us whatever its nxt says", () => {
  const me = threeWays();
  for (const nxt of ["", "me", "nobody"]) {
    const expected = `deliver srv=s src=c dst=me ${nxt && `nxt=${nxt} `}ctx=1`;
    assert.deepEqual(me.hear(2, { dst: "me", src: "c", srv: "s", ctx: 1, nxt }), [expected]);
  }
});

test("Mesh resolves a packet without dst from a link to every instance, and keeps its src", () => {
  const me = threeWays();
  me.service(1, "log", "x", 1);
  me.offer("log", 1);
  assert.deepEqual(me.hear(2, { srv: "log", src: "sketch" }), [
    "deliver srv=log src=sketch dst=me",
    "> 1: srv=log src=sketch dst=x nxt=b",
  ]);
});

test("Mesh sends no packet back over the link that it came from", () => {
  const me = threeWays();
  assert.deepEqual(me.hear(1, { dst: "x", src: "b" }), ["drop ERR_NO_ROUTE"]);
});

test("Mesh does not carry its own packet a second time", () => {
  const me = threeWays();
  assert.deepEqual(me.hear(2, { dst: "x", src: "me" }), ["drop ERR_NO_ROUTE"]);
});

test("Mesh drops a packet that no route or service is there for", () => {
  const me = threeWays();
  assert.deepEqual(me.hear(2, { dst: "nobody", src: "c" }), ["drop ERR_NO_ROUTE"]);
  assert.deepEqual(me.hear(2, { srv: "nothing", src: "c" }), ["drop ERR_NO_SERVICE"]);
  assert.deepEqual(me.hear(2, {}), ["drop ERR_NO_SERVICE"]);
});

test("Mesh.instances() lists ourselves first, then by capacity", () => {
  const me = threeWays();
  assert.deepEqual(me.mesh.instances("s"), []);
  me.service(1, "s", "x", 5);
  me.service(2, "s", "c", 3);
  assert.deepEqual(me.mesh.instances("s"), ["c", "x"]);
  me.offer("s", 60_000);
  assert.deepEqual(me.mesh.instances("s"), ["me", "c", "x"]);
});

test("Mesh.reaches() is true of ourselves and of routes that can be used", () => {
  const me = threeWays();
  assert.deepEqual(["me", "b", "x", "y"].map((to) => me.mesh.reaches(to)), [
    true,
    true,
    true,
    false,
  ]);
  me.down(1);
  assert.equal(me.mesh.reaches("x"), false);
});

/** What hostile neighbours say: valid things in no order, and broken ones. */
class Babble {
  readonly #random: () => number;
  readonly #names: string[];

  constructor(random: () => number) {
    this.#random = random;
    this.#names = Array.from({ length: 80 }, (_, i) => `n${i}`).concat("me", "é".repeat(100));
  }

  packet(): Packet {
    const kind = this.#below(10);
    if (kind < 3) return this.#advert();
    if (kind < 4) {
      return new Packet({ net: 3, data: this.#below(4) ? this.#hello() : new Uint8Array() });
    }
    if (kind < 8) return new Packet({ net: 4, data: this.#damaged(this.#frame()) });
    if (kind < 9) return new Packet({ net: this.#below(256), data: this.#bytes(this.#below(40)) });
    const packet = new Packet({ src: this.#name(), dst: this.#name(), data: this.#bytes(4) });
    packet.trailer = { hops: this.#below(256), instance: this.#below(9), counter: this.#below(99) };
    return packet;
  }

  #advert(): Packet {
    const address = this.#name();
    const cost = this.#pick([0, 1, 2, 3, 64, 65, 255, 256, 65_535]);
    const route = this.#below(2) > 0;
    const data = route
      ? encodeRouteAdvert({ address, cost })
      : encodeServiceAdvert({ address, service: "s", capacity: this.#below(3) });
    return new Packet({ net: route ? 1 : 2, src: this.#name(), data: this.#damaged(data) });
  }

  #hello(): Uint8Array {
    const data = encodeHello({
      caps: this.#pick([0, CAP.seq, CAP.seq | CAP.bulk, 0xffff_ffff]),
      address: this.#name(),
      instance: this.#origin(),
      session: this.#below(3).toString().padStart(16, "0"),
      ...{ keepalive: this.#below(99), dead: this.#below(99), role: this.#below(256) },
      ...{ maxFrame: this.#below(9), maxRoutes: this.#below(9), seen: "", also: "" },
    });
    return this.#below(4) > 0 ? data : this.#damaged(data);
  }

  #frame(): Uint8Array {
    const frame = new LinkFrameWriter();
    for (let i = this.#below(6); i >= 0; i--) {
      const name = this.#name();
      const seq = this.#pick([0, 1, 2, 30_000, 65_535]);
      const kind = this.#below(12);
      if (kind < 6) frame.route(name, this.#pick([0, 1, 2, 9, 65_535]), seq, this.#origin());
      else if (kind < 8) {
        frame.service(name, `s${this.#below(9)}`, this.#below(3), this.#origin(), seq);
      } else if (kind < 10) frame.seqRequest(name, this.#origin(), seq, this.#below(256));
      else if (kind < 11) this.#signal(frame);
      else frame.ping(this.#below(9));
    }
    return frame.finish();
  }

  #signal(frame: LinkFrameWriter): void {
    const hash = [this.#below(9), this.#below(9)] as const;
    switch (this.#below(8)) {
      case 0:
        return void frame.bye(this.#below(256));
      case 1:
        return void frame.resync(this.#below(256));
      case 2:
        return void frame.pong(this.#below(9));
      default:
        frame.digest({ routes: this.#below(9), routesHash: hash, services: 0, servicesHash: hash });
    }
  }

  #damaged(data: Uint8Array): Uint8Array {
    if (this.#below(8) > 0 || data.length === 0) return data;
    const copy = data.slice(0, this.#below(2) ? data.length : this.#below(data.length));
    if (copy.length > 0) copy[this.#below(copy.length)]! ^= 1 << this.#below(8);
    return copy;
  }

  #bytes(size: number): Uint8Array {
    return Uint8Array.from({ length: size }, () => this.#below(256));
  }

  #origin(): number {
    return this.#pick([1, 1_000, 1_001, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]);
  }

  #name(): string {
    return this.#pick(this.#names);
  }

  #pick<T>(values: readonly T[]): T {
    return values[this.#below(values.length)]!;
  }

  #below(limit: number): number {
    return Math.floor(limit * this.#random());
  }
}

for (const seed of [1, 2, 3, 4]) {
  test(`Mesh survives 10,000 random packets from three neighbours, and forgets them, seed ${seed}`, () => {
    const random = seededRandom(seed);
    const babble = new Babble(random);
    const mesh = new Mesh("me", random, { incarnation: 1_000, maxRoutes: 50, maxServices: 50 });
    mesh.offer("s", 1, 0);
    const links: number[] = [];
    let [next, now, most] = [1, 0, 0];
    const kinds = new Set<string>();
    const act = (effects: Effect[]) => {
      for (const effect of effects) {
        if (effect.kind === "close") links.splice(links.indexOf(effect.link), 1);
        if (effect.kind !== "transmit") continue;
        assert(links.includes(effect.link), `${effect.link} is down`);
        effect.packet.toBinary(); // It can be sent.
      }
    };
    for (let i = 0; i < 10_000; i++) {
      now += 10 * random();
      while (links.length < 3) {
        links.push(next);
        act(mesh.linkUp(next++, now));
      }
      const link = links[Math.floor(3 * random())]!;
      act(mesh.receive(link, babble.packet(), now));
      kinds.add(mesh.neighbourKind(link));
      act(mesh.tick(now));
      const gone = random() < 0.001;
      if (gone && links.length === 3) act(mesh.linkDown(links.shift()!, now));
      if (i % 10 > 0) continue;
      const routes = mesh.routes();
      most = Math.max(most, routes.length);
      assert.equal(new Set(routes.map(({ address }) => address)).size, routes.length);
      assert(routes.every(({ address, cost }) => address !== "me" && cost >= 1));
      assert(mesh.services().length <= 200, `${mesh.services().length} services`);
    }
    assert(most > 10 && most <= 50, `${most} routes`);
    assert(kinds.has("modern") && kinds.has("legacy"), [...kinds].join());
    for (const link of links.splice(0)) act(mesh.linkDown(link, now));
    assert.deepEqual(mesh.routes(), []);
    for (const end = now + 1_000_000; mesh.deadline() <= end;) {
      now = Math.max(now, mesh.deadline());
      act(mesh.tick(now));
    }
    assert.deepEqual(mesh.routes(), []);
    assert.deepEqual(mesh.services(), [{ service: "s", address: "me", capacity: 1 }]);
    assert.equal(mesh.deadline(), Infinity);
  });
}
