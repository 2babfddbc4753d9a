/** What does not grow: counted in looks at tables, not in time. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Effect } from "../../src/mesh/effects.ts";
import { Ledger } from "../../src/mesh/ledger.ts";
import { Mesh } from "../../src/mesh/mesh.ts";
import { Namesakes } from "../../src/mesh/namesakes.ts";
import { Meters } from "../../src/mesh/rate_limits.ts";
import { RouteTable } from "../../src/mesh/route_table.ts";
import { ServiceTable } from "../../src/mesh/service_table.ts";
import { Neighbour, Segment } from "../../src/mesh/state.ts";
import { seededRandom } from "../../src/testing/mod.ts";
import { ROLE } from "../../src/wire/hello.ts";
import { LinkFrameWriter, Packet } from "../../src/wire/mod.ts";
import { helloOf } from "../support/hellos.ts";

/** How often ledgers are read and ways judged while something runs. */
function looks(run: () => void): number {
  let count = 0;
  const counted = [[Ledger.prototype, "cost"], [RouteTable.prototype, "judge"]] as const;
  const undo = counted.map(([owner, name]) => {
    const table = owner as unknown as Record<string, (...args: unknown[]) => unknown>;
    const before = table[name]!;
    table[name] = function (this: unknown, ...args: unknown[]) {
      count++;
      return before.apply(this, args);
    };
    return () => table[name] = before;
  });
  try {
    run();
  } finally {
    for (const restore of undo) restore();
  }
  return count;
}

/** A mesh with so many neighbours that are told of nobody. */
function star(count: number): Mesh {
  const mesh = new Mesh("me", seededRandom(1), { incarnation: 1 });
  for (let link = 1; link <= count; link++) join(mesh, link, [`n${link}`], []);
  return mesh;
}

/** A neighbour comes, and tells of itself and of others behind it. */
function join(mesh: Mesh, link: number, addresses: string[], hears?: string[]): Effect[] {
  const hello = helloOf(link, addresses[0]!, { instance: 1 });
  const frame = new LinkFrameWriter();
  addresses.forEach((address, i) => frame.route(address, i === 0 ? 1 : 2, 1, 1));
  return [
    ...mesh.linkUp(link, 0, { policy: { hears } }),
    ...mesh.receive(link, new Packet({ net: 3, data: hello }), 0),
    ...mesh.receive(link, new Packet({ net: 4, data: frame.finish() }), 0),
  ];
}

test("a link that goes costs what it led to, not what others do", () => {
  const cost = (count: number) => {
    const mesh = star(count);
    const behind = Array.from({ length: 50 }, (_, i) => `x${i}`);
    join(mesh, count + 1, ["via", ...behind], []);
    assert.equal(mesh.counts().routes, count + 51);
    const before = looks(() => void mesh.linkDown(count + 1, 0));
    assert.equal(mesh.counts().routes, count);
    return before - 51 * count; // Each neighbour is seen once for each route: it may know it.
  };
  const few = cost(10);
  assert(few > 0 && few < 51 * 10, `${few}`);
  assert(Math.abs(cost(400) - few) <= 51, `${cost(400)}, not ${few}`);
});

/** Somebody on a segment says who it is, tells of itself, and says what that comes to. */
function speak(mesh: Mesh, peer: number): void {
  const address = `m${peer}`;
  const told = new LinkFrameWriter();
  told.route(address, 1, 1, peer);
  const summary = new LinkFrameWriter();
  summary.digest({ routes: 1, routesHash: [0, 0], services: 0, servicesHash: [0, 0] });
  const role = ROLE.shared | ROLE.answering;
  const hello = helloOf(peer, address, { instance: peer, role });
  for (const [net, data] of [[3, hello], [4, told.finish()], [4, summary.finish()]] as const) {
    mesh.receiveFrom(SEGMENT, peer, new Packet({ net, data }), 0);
  }
}

const SEGMENT = 1;

/** A mesh on a segment with so many others. */
function onSegment(count: number): Mesh {
  const mesh = new Mesh("me", seededRandom(1), { incarnation: 1 });
  mesh.segmentUp(SEGMENT, 0);
  for (let peer = 1; peer <= count; peer++) speak(mesh, peer);
  assert.equal(mesh.counts().routes, count);
  return mesh;
}

test("a neighbour on a segment that comes, and that is still there, costs the same among many", () => {
  const cost = (count: number) => {
    const mesh = onSegment(count);
    return looks(() => {
      speak(mesh, count + 1);
      speak(mesh, 1); // Its digest differs once more: it is asked for all.
    });
  };
  const few = cost(10);
  assert(few > 0 && few < 40, `${few}`);
  assert.equal(cost(400), few);
});

test("answering one on a segment costs what is told, not what is known", () => {
  const cost = (count: number) => {
    const mesh = onSegment(count);
    const asking = helloOf(count + 1, "new", { instance: 1, role: ROLE.shared });
    mesh.receiveFrom(SEGMENT, count + 1, new Packet({ net: 3, data: asking }), 0);
    return looks(() => void mesh.tick(2_000));
  };
  const few = cost(10);
  assert(few > 0 && few < 40, `${few}`);
  assert.equal(cost(400), few);
});

test("Namesakes agrees with a plain search, whoever comes, goes and changes its name", () => {
  const random = seededRandom(9);
  const below = (limit: number) => Math.floor(random() * limit);
  const namesakes = new Namesakes();
  const known: Neighbour[] = [];
  const make = (link: number) => new Neighbour(link, {}, new Meters({}, 1, 0), 0);
  const segment = new Segment(make(0), {});
  for (let turn = 1; turn <= 2_000; turn++) {
    const address = `n${below(6)}`;
    const one = known[below(20)];
    if (one !== undefined) {
      namesakes.delete(one);
      known.splice(known.indexOf(one), 1);
    }
    if (one === undefined || below(2) === 0) {
      const neighbour = one ?? make(turn);
      neighbour.address = address;
      if (below(3) === 0) neighbour.segment = segment;
      namesakes.add(neighbour);
      known.push(neighbour);
    }
    const those = known.filter((other) => other.address === address);
    assert.deepEqual(namesakes.of(address), those);
    const isOn = those.some((other) => other.segment === segment);
    assert.equal(namesakes.isOn(segment, address), isOn);
  }
});

test("Ranking looks at a few of many instances, by whatever policy", () => {
  for (const policy of ["lowest", "round-robin", "two-choices", "sticky"]) {
    const services = new ServiceTable("me", seededRandom(3));
    let asked = 0;
    for (let i = 0; i < 1_000; i++) services.set(`i${i}`, "s", 2 + i % 5);
    const exclude = {
      size: 0,
      has: () => (asked++, false),
      [Symbol.iterator]: () => [][Symbol.iterator](),
    } as unknown as ReadonlySet<string>;
    const ranking = services.ranking("s")!;
    assert.equal(services.ranking("s"), ranking);
    if (policy === "lowest") ranking.lowest(exclude);
    else if (policy === "round-robin") ranking.next(exclude);
    else if (policy === "two-choices") ranking.two(exclude);
    else ranking.owner("k"), ranking.owner("k", exclude);
    assert(asked >= 1 && asked <= 20, `${policy}: ${asked}`);
  }
});

test("Ranking agrees with a plain search, whatever comes, goes, changes and is held", () => {
  const random = seededRandom(7);
  const services = new ServiceTable("me", random);
  const known = new Map<string, { capacity: number; held: boolean }>();
  const taken = new Map<string, number>();
  const below = (limit: number) => Math.floor(random() * limit);
  services.set("i0", "s", 1);
  known.set("i0", { capacity: 1, held: false });
  services.ranking("s");
  for (let turn = 1; turn <= 5_000; turn++) {
    const address = below(15) === 0 ? "me" : `i${1 + below(20)}`;
    const capacity = [0, 1, 2, 3, 65_535][below(5)]!;
    const one = known.get(address);
    if (below(3) === 0 && one !== undefined && address !== "me") {
      one.held = !one.held;
      services.hold(address, one.held);
    } else {
      services.set(address, "s", capacity);
      if (capacity === 0) known.delete(address);
      else known.set(address, { capacity, held: one?.held ?? false });
      if (capacity === 0) taken.delete(address);
      if (capacity === 0 && one?.held) services.hold(address, false);
    }
    const exclude = new Set([...known.keys()].filter(() => below(4) === 0));
    const left = [...known].filter(([name]) => !exclude.has(name));
    const tierOf = (name: string) => {
      const { capacity, held } = known.get(name)!;
      return (held ? 2 : 0) + (capacity === 65_535 ? 1 : 0);
    };
    const tier = Math.min(...left.map(([name]) => tierOf(name)));
    const best = left.map(([name]) => name).filter((name) => tierOf(name) === tier);
    const rank = (name: string) => name === "me" ? 0 : known.get(name)!.capacity;
    const lowest = Math.min(...best.map(rank));
    const ranking = services.ranking("s")!;
    const chosen = ranking.lowest(exclude);
    const pair = ranking.two(exclude);
    const owner = ranking.owner(`key ${below(5)}`, exclude);
    const next = ranking.next(exclude);
    if (best.length === 0) {
      assert.deepEqual([chosen, pair, owner, next], [null, [], null, null]);
      continue;
    }
    assert.equal(best.filter((name) => rank(name) === lowest).includes(chosen!), true, `${turn}`);
    assert.equal(new Set(pair).size, Math.min(2, best.length));
    assert(pair.every((name) => best.includes(name)));
    assert(best.includes(owner!));
    const longest = Math.min(...best.map((name) => taken.get(name) ?? 0));
    assert.equal(taken.get(next!) ?? 0, longest, `turn ${turn}`);
    assert(best.includes(next!));
    taken.set(next!, turn);
  }
});

test("Ledger keeps a few entries as it keeps many", () => {
  const random = seededRandom(5);
  const ledger = new Ledger();
  const known = new Map<number, [cost: number, seq: number, origin: number, note: number]>();
  for (let i = 0; i < 3_000; i++) {
    const id = Math.floor(random() * (i < 1_500 ? 8 : 600));
    const [cost = 0, seq = 0, origin = 0, note = 0] = known.get(id) ?? [];
    const value = Math.floor(random() * 60_000);
    switch (Math.floor(random() * 4)) {
      case 0:
        ledger.clear(id);
        known.delete(id);
        break;
      case 1:
        ledger.setNote(id, value);
        known.set(id, [cost, seq, origin, value]);
        break;
      default:
        ledger.set(id, value, seq + 1, -value);
        known.set(id, [value, seq + 1, -value, note]);
    }
    for (const [each, values] of known) {
      assert.deepEqual(
        [ledger.cost(each), ledger.seq(each), ledger.origin(each), ledger.note(each)],
        values.map((one) => one + 0),
      );
    }
    const ids = [...known].filter(([, values]) => values[0] > 0).map(([each]) => each);
    assert.deepEqual(ledger.ids(), ids.sort((a, b) => a - b));
  }
  ledger.clearAll();
  assert.deepEqual(ledger.ids(), []);
});
