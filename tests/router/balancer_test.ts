import assert from "node:assert/strict";
import { test } from "node:test";
import type { Candidate } from "../../src/mesh/effects.ts";
import { type BalancePolicy, type BalanceQuery, Balancer } from "../../src/router/balancer.ts";
import { below, seededRandom, shuffled } from "../../src/testing/seeded_random.ts";
import { simulateWorkers } from "../support/workers.ts";

const POLICIES: BalancePolicy[] = ["lowest", "round-robin", "two-choices", "latency", "sticky"];
const FULL = 65_535;

/** An instance a hop away at capacity 1, unless said otherwise. */
function at(address: string, other: Partial<Candidate> = {}): Candidate {
  return { address, capacity: 1, cost: 1, held: false, ...other };
}

/** Instances "i0", "i1" and so on. */
function instances(count: number): Candidate[] {
  return Array.from({ length: count }, (_, i) => at(`i${i}`));
}

/** A balancer, the time, and calls of one service. */
class Caller {
  now: number = 0;
  readonly balancer: Balancer;
  readonly policy: BalancePolicy;

  constructor(policy: BalancePolicy, seed: number = 1, limit?: number) {
    this.policy = policy;
    this.balancer = new Balancer(seededRandom(seed), () => this.now, limit);
  }

  pick(candidates: Candidate[], query: Partial<BalanceQuery> = {}): string | null {
    return this.balancer.pick(candidates, {
      service: "s",
      policy: this.policy,
      key: "k",
      ...query,
    });
  }

  /** Makes one call after another, each as long as its instance takes; `null` fails. */
  calls(count: number, times: Record<string, number | null>): Record<string, number> {
    const candidates = Object.keys(times).map((address) => at(address));
    const counts = Object.fromEntries(candidates.map(({ address }) => [address, 0]));
    for (let i = 0; i < count; i++) {
      const address = this.pick(candidates)!;
      const ms = times[address]!;
      counts[address]!++;
      this.balancer.began("s", address);
      this.now += ms ?? 1;
      this.balancer.ended("s", address, ms);
    }
    return counts;
  }
}

/** How often each is chosen. */
function shares(count: number, pick: (i: number) => string | null): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    const address = pick(i)!;
    counts.set(address, (counts.get(address) ?? 0) + 1);
  }
  return counts;
}

/** All have been chosen as often as fair dice would, within five standard deviations. */
function assertFair(counts: Map<string, number>, instances: number, total: number): void {
  const share = total / instances;
  const margin = 5 * Math.sqrt(share * (1 - 1 / instances));
  assert.equal(counts.size, instances);
  for (const [address, count] of counts) {
    assert(Math.abs(count - share) < margin, `${address}: ${count} of ${total}`);
  }
}

// ── common to all ───────────────────────────────────────────────────────────

for (const policy of POLICIES) {
  test(`Balancer.pick("${policy}") gives null if there is none, or each is excluded`, () => {
    const caller = new Caller(policy);
    const exclude = new Set(["i0", "i1", "i2"]);
    assert.equal(caller.pick([]), null);
    for (const count of [1, 2, 3]) assert.equal(caller.pick(instances(count), { exclude }), null);
    assert.equal(caller.pick(instances(4), { exclude }), "i3");
    assert.equal(caller.pick(instances(1)), "i0");
  });

  test(`Balancer.pick("${policy}") takes the full and those looked for only for want of others`, () => {
    const caller = new Caller(policy);
    const ranks = [
      at("good", { capacity: 65_534, cost: 9 }),
      at("full", { capacity: FULL, cost: 0 }),
      at("held", { held: true, cost: Infinity }),
      at("held-full", { held: true, cost: Infinity, capacity: FULL }),
    ];
    for (let best = 0; best < ranks.length; best++) {
      for (let i = 0; i < 20; i++) {
        const random = seededRandom(i);
        const candidates = shuffled(random, ranks.slice(best));
        assert.equal(caller.pick(candidates, { key: `${i}` }), ranks[best]!.address);
        const all = shuffled(random, ranks);
        const exclude = new Set(ranks.slice(0, best).map(({ address }) => address));
        assert.equal(caller.pick(all, { key: `${i}`, exclude }), ranks[best]!.address);
      }
    }
  });

  test(`Balancer.pick("${policy}") never takes an excluded one, nor a worse one than it must`, () => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = seededRandom(seed);
      const caller = new Caller(policy, seed, 20);
      const open: string[] = [];
      for (let i = 0; i < 300; i++) {
        const candidates = shuffled(random, instances(1 + below(random, 8))).map((one) => ({
          ...one,
          capacity: random() < 0.3 ? FULL : 1 + below(random, 3),
          held: random() < 0.3,
        }));
        const exclude = new Set(
          candidates.filter(() => random() < 0.3).map(({ address }) => address),
        );
        const left = candidates.filter(({ address }) => !exclude.has(address));
        const tier = ({ held, capacity }: Candidate) =>
          (held ? 2 : 0) + (capacity === FULL ? 1 : 0);
        const best = Math.min(...left.map(tier));
        const address = caller.pick(candidates, { exclude, key: `${i}` });
        const found = left.find((one) => one.address === address);
        assert.equal(address === null, left.length === 0, `seed ${seed}, call ${i}`);
        if (address === null) continue;
        assert(found !== undefined && tier(found) === best, `seed ${seed}, call ${i}`);
        caller.balancer.began("s", address);
        open.push(address);
        caller.now += random() * 100;
        if (random() < 0.6) {
          const ms = [null, undefined, 1, 50, 2_000][below(random, 5)];
          caller.balancer.ended("s", open.splice(below(random, open.length), 1)[0]!, ms);
        }
        if (random() < 0.05) caller.balancer.forget(address);
      }
    }
  });
}

test("Balancer.pick() refuses a policy that it does not know, and sticky without a key", () => {
  const { balancer } = new Caller("lowest");
  const policy = "best" as BalancePolicy;
  assert.throws(() => balancer.pick(instances(2), { service: "s", policy }), {
    name: "TypeError",
    message: 'Cannot choose an instance: there is no policy "best"',
  });
  assert.throws(() => balancer.pick(instances(1), { service: "s", policy: "sticky" }), {
    name: "TypeError",
    message: 'Cannot choose an instance: the policy "sticky" needs a key',
  });
});

// ── lowest ──────────────────────────────────────────────────────────────────

test("Balancer.pick() takes ours, else the lowest capacity, unless told otherwise", () => {
  const { balancer } = new Caller("lowest");
  const [a, b, own] = [at("a", { capacity: 5 }), at("b", { capacity: 3 }), at("own", { cost: 0 })];
  own.capacity = 60_000;
  assert.equal(balancer.pick([a, b], { service: "s" }), "b");
  assert.equal(balancer.pick([b, a], { service: "s" }), "b");
  assert.equal(balancer.pick([a, own, b], { service: "s" }), "own");
});

test("Balancer.pick() spreads calls evenly over equals", () => {
  const caller = new Caller("lowest");
  const candidates = [...instances(4), at("other", { capacity: 2 })];
  assertFair(shares(10_000, () => caller.pick(candidates)), 4, 10_000);
});

// ── round-robin ─────────────────────────────────────────────────────────────

test('Balancer.pick("round-robin") takes each once in every round, whatever their order', () => {
  const random = seededRandom(7);
  const caller = new Caller("round-robin");
  const rounds = Array.from(
    { length: 50 },
    () => Array.from({ length: 5 }, () => caller.pick(shuffled(random, instances(5)))).join(),
  );
  assert.deepEqual([...rounds[0]!.split(",")].sort(), ["i0", "i1", "i2", "i3", "i4"]);
  assert.deepEqual(new Set(rounds).size, 1); // Always the same turn.
});

test('Balancer.pick("round-robin") begins anywhere, so that many callers do not begin alike', () => {
  const first = shares(2_000, (i) => new Caller("round-robin", i).pick(instances(4)));
  assertFair(first, 4, 2_000);
});

test('Balancer.pick("round-robin") stays fair as instances come, go and are excluded', () => {
  const caller = new Caller("round-robin");
  const four = instances(4);
  shares(40, () => caller.pick(four));
  const five = instances(5);
  const counts = shares(50, () => caller.pick(five));
  assert.deepEqual([...counts.values()], [10, 10, 10, 10, 10]);
  const exclude = new Set(["i0"]);
  const without = shares(40, () => caller.pick(five, { exclude }));
  assert.deepEqual([...without.values()], [10, 10, 10, 10]);
  caller.balancer.forget("i4");
  assert.deepEqual([...shares(40, () => caller.pick(four)).values()].sort(), [10, 10, 10, 10]);
});

// ── two-choices ─────────────────────────────────────────────────────────────

test('Balancer.pick("two-choices") spreads calls evenly over equals', () => {
  for (const count of [2, 3, 8]) {
    const caller = new Caller("two-choices", count);
    assertFair(shares(10_000, () => caller.pick(instances(count))), count, 10_000);
  }
});

test('Balancer.pick("two-choices") takes the lower capacity of two different ones, so never the worst', () => {
  const caller = new Caller("two-choices");
  const candidates = [1, 2, 3, 4].map((capacity) => at(`c${capacity}`, { capacity }));
  const counts = shares(12_000, () => caller.pick(candidates));
  // Of six pairs, c1 is in three, c2 is the better one of two, c3 of one.
  const margin = 5 * Math.sqrt(12_000 / 4);
  for (const [address, share] of [["c1", 6_000], ["c2", 4_000], ["c3", 2_000]] as const) {
    assert(Math.abs(counts.get(address)! - share) < margin, `${address}: ${counts.get(address)}`);
  }
  assert.equal(counts.has("c4"), false);
});

test('Balancer.pick("two-choices") counts calls of ours in flight, of this service alone', () => {
  const caller = new Caller("two-choices");
  const two = [at("a", { capacity: 1 }), at("b", { capacity: 3 })];
  const { balancer } = caller;
  balancer.began("other", "a");
  balancer.began("other", "a");
  balancer.began("other", "a");
  assert.equal(caller.pick(two), "a");
  for (let i = 0; i < 3; i++) balancer.began("s", "a");
  assert.equal(caller.pick(two), "b");
  balancer.ended("s", "a", 1);
  balancer.ended("s", "a");
  assert.equal(caller.pick(two), "a");
});

// ── latency ─────────────────────────────────────────────────────────────────

test('Balancer.pick("latency") tries whom it does not know, then keeps to the fastest', () => {
  const counts = new Caller("latency").calls(1_000, { slow: 200, fast: 10, slower: 400 });
  assert.equal(counts.slow! + counts.fast! + counts.slower!, 1_000);
  for (const address of ["slow", "slower"]) {
    assert(counts[address]! >= 1 && counts[address]! <= 20, `${address}: ${counts[address]}`);
  }
});

test('Balancer.pick("latency") does not heap calls on one that has not answered yet', () => {
  const caller = new Caller("latency");
  const counts = shares(40, () => {
    const address = caller.pick(instances(4))!;
    caller.balancer.began("s", address);
    return address;
  });
  assert.deepEqual([...counts.values()], [10, 10, 10, 10]);
});

test('Balancer.pick("latency") tries one that was slow again, one call at a time, and takes it back', () => {
  const caller = new Caller("latency");
  caller.calls(100, { a: 10, b: 500 });
  assert.equal(caller.calls(20, { a: 10, b: 500 }).b, 0);
  const still = caller.calls(20_000, { a: 10, b: 500 });
  assert(still.b! >= 1 && still.b! <= 20, `${still.b}`);
  const faster = caller.calls(20_000, { a: 10, b: 1 });
  assert(faster.b! > 10_000, `${faster.b}`);

  const busy = new Caller("latency");
  busy.calls(100, { a: 10, b: 500 });
  const both = [at("a"), at("b")];
  let tried = 0;
  for (let i = 0; i < 4_000; i++) { // The one that was slow does not answer at all.
    const address = busy.pick(both)!;
    busy.balancer.began("s", address);
    busy.now += 100;
    if (address === "a") busy.balancer.ended("s", "a", 10);
    else tried++;
  }
  assert.equal(tried, 1);
});

test('Balancer.pick("latency") takes time and calls for that: seldom called is not soon forgiven', () => {
  const seldom = new Caller("latency");
  const both = [at("a"), at("b")];
  seldom.calls(2, { a: 10, b: 1_000 });
  let slow = 0;
  for (let i = 0; i < 300; i++) {
    seldom.now += 60_000;
    const address = seldom.pick(both)!;
    seldom.balancer.began("s", address);
    seldom.balancer.ended("s", address, address === "a" ? 10 : 1_000);
    if (address === "b") slow++;
  }
  assert(slow >= 1 && slow <= 10, `${slow}`);
});

test('Balancer.pick("latency") takes a failed call for a slow one', () => {
  const counts = new Caller("latency").calls(1_000, { fails: null, works: 100 });
  assert(counts.fails! <= 20, `${counts.fails}`);
  const slow = new Caller("latency"); // Fails in no time, and yet a slow one is better.
  const after = slow.calls(100, { fails: null, slow: 6_000, slower: 9_000 });
  assert(after.slow! >= 50, JSON.stringify(after));
});

test('Balancer.pick("latency") takes nothing for slow because a call was given up', () => {
  const caller = new Caller("latency");
  const both = [at("a"), at("b")];
  caller.calls(2, { a: 10, b: 20 });
  assert.equal(caller.pick(both), "a");
  caller.balancer.began("s", "a");
  assert.equal(caller.balancer.size, 2);
  caller.now += 5_000;
  caller.balancer.ended("s", "a");
  assert.equal(caller.pick(both), "a");
});

test('Balancer.pick("latency") and "two-choices" cope with workers of different speed', () => {
  const setup = { speeds: [5, 5, 10, 20, 50], usage: 0.5, metered: false, calls: 10_000, seed: 1 };
  const [lowest, turns, choices, latency] =
    (["lowest", "round-robin", "two-choices", "latency"] as const)
      .map((policy) => simulateWorkers({ ...setup, policy }));
  assert(choices!.mean < lowest!.mean / 20 && choices!.mean < turns!.mean / 20);
  assert(choices!.p99 < lowest!.p99 / 20 && choices!.p99 < turns!.p99 / 20);
  assert(latency!.mean < choices!.mean / 2 && latency!.p99 < choices!.p99 / 2);
  assert(latency!.shares[4]! < 0.02 && latency!.shares[0]! > 0.3);
});

// ── sticky ──────────────────────────────────────────────────────────────────

test('Balancer.pick("sticky") sends a key to the same instance, whoever asks in whatever order', () => {
  const random = seededRandom(5);
  for (let i = 0; i < 200; i++) {
    const key = `key ${i} ü`;
    const owner = new Caller("sticky", 1).pick(instances(7), { key });
    assert.equal(new Caller("sticky", i).pick(shuffled(random, instances(7)), { key }), owner);
  }
});

test('Balancer.pick("sticky") spreads keys evenly', () => {
  const caller = new Caller("sticky");
  for (const count of [2, 3, 10]) {
    assertFair(
      shares(10_000, (i) => caller.pick(instances(count), { key: `user-${i}` })),
      count,
      10_000,
    );
  }
});

test('Balancer.pick("sticky") moves the keys of a lost instance evenly, and no other key', () => {
  const caller = new Caller("sticky");
  const all = instances(6);
  const moved = new Map<string, number>();
  let lost = 0;
  for (let i = 0; i < 12_000; i++) {
    const key = `user-${i}`;
    const before = caller.pick(all, { key });
    const after = caller.pick(all.filter(({ address }) => address !== "i2"), { key })!;
    assert.equal(after, caller.pick(all, { key, exclude: new Set(["i2"]) }));
    if (before !== "i2") {
      assert.equal(after, before, key);
      continue;
    }
    lost++;
    moved.set(after, (moved.get(after) ?? 0) + 1);
  }
  assertFair(moved, 5, lost);
});

// ── memory ──────────────────────────────────────────────────────────────────

test("Balancer.forget() leaves nothing of an address, or of one service there", () => {
  const caller = new Caller("two-choices");
  const { balancer } = caller;
  for (const service of ["s", "t"]) {
    for (const address of ["a", "b"]) balancer.began(service, address);
  }
  assert.equal(balancer.size, 4);
  balancer.forget("a", "t");
  assert.equal(balancer.size, 3);
  balancer.forget("a");
  assert.equal(balancer.size, 2);
  balancer.forget("a");
  balancer.forget("b", "nothing");
  balancer.ended("s", "a", 1); // Too late: it stays forgotten.
  assert.equal(balancer.size, 2);
  balancer.forget("b");
  assert.deepEqual([balancer.size, balancer.services], [0, 0]);
});

test("Balancer remembers so many instances and no more, and forgets those known longest", () => {
  const caller = new Caller("round-robin", 1, 100);
  const { balancer } = caller;
  for (let i = 0; i < 1_000; i++) {
    balancer.began(`s${i % 30}`, `i${i}`);
    balancer.ended(`s${i % 30}`, `i${i}`, 1);
    caller.pick(instances(3), { service: `r${i}` });
    assert(balancer.size <= 100 && balancer.services <= 100);
  }
  assert.equal(balancer.size, 100);
  const many = instances(300);
  for (let i = 0; i < 600; i++) assert(caller.pick(many) !== null);
  assert.equal(balancer.size, 100);
  balancer.began("s", "last");
  for (let i = 0; i < 50; i++) balancer.began("s", `new ${i}`);
  balancer.forget("last");
  assert.equal(balancer.size, 99);
});
