import assert from "node:assert/strict";
import { test } from "node:test";
import { LoadMeter } from "../../src/router/load_meter.ts";
import { seededRandom } from "../../src/testing/mod.ts";

/** Begins so many calls. */
function begin(meter: LoadMeter, calls: number, now: number): void {
  for (let i = 0; i < calls; i++) meter.began(now);
}

/** Ends so many calls. */
function end(meter: LoadMeter, calls: number, now: number): void {
  for (let i = 0; i < calls; i++) meter.ended(now);
}

test("LoadMeter says nothing while nothing happens", () => {
  const meter = new LoadMeter(5);
  assert.equal(meter.capacity, 5);
  assert.equal(meter.deadline(), Infinity);
  assert.equal(meter.due(1e9), null);
});

test("LoadMeter tells a first change at once, and the next a second later, the latest of all", () => {
  const meter = new LoadMeter(5);
  meter.began(100);
  assert.equal(meter.deadline(), 100);
  assert.equal(meter.due(100), 6);
  assert.equal(meter.deadline(), Infinity);
  meter.began(200);
  assert.equal(meter.deadline(), 1_100);
  begin(meter, 2, 900);
  assert.equal(meter.deadline(), 1_100);
  assert.equal(meter.due(1_099), null);
  assert.equal(meter.due(1_100), 9);
  assert.equal(meter.due(1_100), null);
  assert.equal(meter.deadline(), Infinity);
});

test("LoadMeter tells a change at once again when it has been quiet for a second", () => {
  const meter = new LoadMeter();
  meter.began(0);
  assert.equal(meter.due(0), 2);
  meter.began(5_000);
  assert.equal(meter.deadline(), 5_000);
  assert.equal(meter.due(5_000), 3);
});

test("LoadMeter tells nothing of what is over before its turn comes", () => {
  const meter = new LoadMeter();
  meter.began(0);
  assert.equal(meter.due(0), 2);
  meter.began(10);
  meter.ended(20);
  assert.equal(meter.deadline(), Infinity);
  assert.equal(meter.due(2_000), null);
});

test("LoadMeter does not tell changes of less than a tenth, but adds them up", () => {
  const meter = new LoadMeter(1);
  begin(meter, 99, 0);
  assert.equal(meter.due(0), 100);
  begin(meter, 9, 2_000);
  assert.equal(meter.due(2_000), null);
  assert.equal(meter.deadline(), Infinity);
  meter.began(2_500);
  assert.equal(meter.due(2_500), 110);
  end(meter, 10, 4_000); // 11 would be a tenth.
  assert.equal(meter.due(4_000), null);
  end(meter, 1, 4_100);
  assert.equal(meter.due(4_100), 99);
});

test("LoadMeter goes back to its base when there is nothing left to do, however small the change", () => {
  const meter = new LoadMeter(1_000);
  begin(meter, 100, 0);
  assert.equal(meter.due(0), 1_100);
  end(meter, 99, 100);
  assert.equal(meter.deadline(), Infinity); // 1001: a change of less than a tenth.
  meter.ended(200);
  assert.equal(meter.deadline(), 1_000);
  assert.equal(meter.due(1_000), 1_000);
  assert.equal(meter.deadline(), Infinity);
});

test("LoadMeter never says that an instance is full, and still counts beyond", () => {
  const meter = new LoadMeter(65_530);
  begin(meter, 10, 0);
  assert.equal(meter.capacity, 65_534);
  end(meter, 5, 0);
  assert.equal(meter.capacity, 65_534);
  end(meter, 2, 0);
  assert.equal(meter.capacity, 65_533);
});

test("LoadMeter.ended() more often than calls began changes nothing", () => {
  const meter = new LoadMeter(3);
  meter.ended(0);
  assert.equal(meter.capacity, 3);
  meter.began(1);
  assert.deepEqual([meter.inFlight, meter.capacity], [1, 4]);
});

test("LoadMeter refuses a base that is no capacity, or the one of a full instance", () => {
  for (const base of [0, -1, 1.5, NaN, 65_535, Infinity]) {
    assert.throws(() => new LoadMeter(base), {
      name: "RangeError",
      message: `Cannot measure load: ${base} is not a whole number in 1-65534`,
    });
  }
});

test("LoadMeter, however calls come and go, tells once a second at most, and in the end its base", () => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = seededRandom(seed);
    const base = 1 + Math.floor(random() * 50);
    const meter = new LoadMeter(base);
    let now = 0;
    let toldAt = -Infinity;
    let told = base;
    const tellBefore = (time: number) => {
      const at = meter.deadline();
      if (at > time) return;
      assert(at >= now, `seed ${seed}: due in the past`);
      assert.equal(meter.due(at - 0.001), null, `seed ${seed}`);
      told = meter.due(at)!;
      assert.equal(told, base + meter.inFlight, `seed ${seed}`);
      assert(at - toldAt >= 1_000, `seed ${seed}: told after ${at - toldAt} ms`);
      toldAt = at;
      assert.equal(meter.deadline(), Infinity, `seed ${seed}`);
    };
    for (let i = 0; i < 500; i++) {
      const next = now + random() * 300;
      tellBefore(next);
      now = next;
      if (random() < 0.5) meter.began(now);
      else meter.ended(now);
    }
    while (meter.inFlight > 0) meter.ended(now);
    if (meter.deadline() < Infinity) tellBefore(meter.deadline());
    assert.equal(told, base, `seed ${seed}`);
  }
});
