import assert from "node:assert/strict";
import { test } from "node:test";
import { WINDOW } from "../../src/call/frame.ts";
import { below, seededRandom } from "../../src/testing/seeded_random.ts";
import {
  CLEAR,
  transfer,
  type TransferOptions,
  type TransferReport,
  type Way,
} from "./transfer.ts";

/** Transfers by each of the seeds; a failure names its seed. Gives back the reports. */
function transferAll(
  seeds: number,
  optionsOf: (random: () => number) => TransferOptions,
): TransferReport[] {
  return Array.from({ length: seeds }, (_, seed) => {
    const random = seededRandom(seed);
    try {
      return transfer(optionsOf(random), random);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  });
}

/** The middle one of some numbers. */
function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

function randomWay(random: () => number): Way {
  const way: Way = {
    loss: random() < 0.3 ? 0 : random() * 0.5,
    duplication: random() < 0.5 ? 0 : random() * 0.5,
    delay: random() < 0.2 ? 0 : random() * 200,
    jitter: random() < 0.3 ? 0 : random() * 300,
    pace: random() < 0.7 ? 0 : random() * 50,
  };
  if (random() < 0.2) {
    const from = random() * 500;
    way.outage = [from, from + random() * 10_000];
  }
  return way;
}

function randomBusy(random: () => number): (index: number) => number {
  const [usual, rarely] = [random() < 0.5 ? 0 : random() * 50, random() * 5_000];
  return () => random() < 0.03 ? rarely : usual;
}

test("Every frame arrives once and in order, whatever happens on the way, and no end holds too many", () => {
  transferAll(3_000, (random) => ({
    frames: 1 + below(random, random() < 0.8 ? 40 : 120),
    there: randomWay(random),
    back: randomWay(random),
    first: 1 + below(random, 8),
    refusals: random() < 0.7 ? 0 : random() * 0.3,
    busy: random() < 0.6 ? undefined : randomBusy(random),
    limit: 1_200_000,
  }));
});

test("Nothing is sent twice where nothing is lost, and few acknowledgements are needed", () => {
  for (const delay of [0, 1, 10, 80, 400]) {
    const way = { ...CLEAR, delay };
    const { takenAt, sent, acknowledgements, probes } = transfer(
      { frames: 1_000, there: way, back: way },
      () => 0.5,
    );
    // What takes longer than 500 ms seems lost, until it is known that it does.
    const twice = delay < 250 ? 0 : 8;
    assert.ok(sent <= 1_000 + twice, `${sent} frames`);
    assert.equal(probes, 0);
    assert.ok(acknowledgements < 1_000 / 7, `${acknowledgements} acknowledgements`);
    // A window in each round trip, but for the first few.
    const trips = 1_000 / WINDOW + (twice > 0 ? 6 : 3);
    assert.ok(takenAt <= trips * 2 * delay, `${takenAt} ms, each way ${delay}`);
  }
});

test("A slow consumer costs no frame, and few questions: it says when there is room", () => {
  const busy = (index: number) => index % 100 === 50 ? 60_000 : 10;
  const { takenAt, sent, probes } = transfer({ frames: 400, busy }, () => 0.5);
  assert.equal(sent, 400);
  assert.ok(takenAt < 4 * 60_000 + 400 * 10 + 100, `${takenAt} ms`);
  assert.ok(probes <= 4 * 16, `${probes} probes`);
});

test("A lost word that there is room again costs no more than the time that there was none", () => {
  for (const wait of [1_000, 3_000, 20_000]) {
    const busy = (index: number) => index === 0 ? wait : 0;
    const back: Way = { ...CLEAR, outage: [wait - 5, wait + 50] };
    const { takenAt, probes } = transfer({ frames: 100, back, busy }, () => 0.5);
    assert.ok(probes > 0 && takenAt < 2 * wait + 200, `${takenAt} ms after ${wait}`);
    assert.ok(takenAt < wait + 5_200, `${takenAt} ms after ${wait}`);
  }
});

test("After an outage of either way it goes on, at most half of its length later", () => {
  for (const length of [300, 1_000, 5_000, 20_000]) {
    const way: Way = { ...CLEAR, outage: [100, 100 + length] };
    for (const ways of [{ there: way }, { back: way }, { there: way, back: way }]) {
      const { takenAt } = transfer({ frames: 200, ...ways }, () => 0.5);
      assert.ok(takenAt < 100 + 1.5 * length + 800, `${takenAt} ms after ${length}`);
    }
  }
});

test("Losses cost no more time than they must", () => {
  const limits: [loss: number, limit: number][] = [
    [0.01, 250],
    [0.05, 600],
    [0.2, 3_000],
    [0.5, 100_000],
  ];
  for (const [loss, limit] of limits) {
    const way = { ...CLEAR, delay: 5, loss };
    const reports = transferAll(60, () => ({ frames: 300, there: way, back: way, limit: 1e7 }));
    const time = median(reports.map(({ takenAt }) => takenAt));
    assert.ok(time < limit, `${time} ms at a loss of ${loss}`);
    // What is lost has to be sent again, and little else.
    const sent = median(reports.map(({ sent }) => sent));
    assert.ok(sent < 1.2 * 300 / (1 - loss), `${sent} frames at a loss of ${loss}`);
  }
});

test("A slow way is kept busy, and is not flooded with what is on its way already", () => {
  // From 800 KB/s down to the 11 KB/s of a serial port.
  for (const pace of [10, 100, 700]) {
    const { takenAt, sent } = transfer(
      { frames: 500, there: { ...CLEAR, pace }, limit: 1e7 },
      () => 0.5,
    );
    assert.ok(takenAt < 1.1 * 500 * pace, `${takenAt} ms, ${pace} for each frame`);
    assert.ok(sent < 1.1 * 500, `${sent} frames`);
  }
  // It must not get worse and worse, though the first frames take longer than all timeouts.
  const { sent } = transfer(
    { frames: 200, there: { ...CLEAR, pace: 3_000 }, limit: 1e8 },
    () => 0.5,
  );
  assert.ok(sent < 4 * 200, `${sent} frames`);
});

test("A way that is full at times is tried again, soon and not too often", () => {
  const limits: [refusals: number, limit: number][] = [[0.05, 1_000], [0.3, 6_000], [0.5, 30_000]];
  for (const [refusals, limit] of limits) {
    const reports = transferAll(30, () => ({ frames: 200, refusals }));
    const time = median(reports.map(({ takenAt }) => takenAt));
    assert.ok(time < limit, `${time} ms at ${refusals}`);
  }
});

test("It goes on where the numbers begin again, on a bad way as well", () => {
  const way: Way = { loss: 0.02, duplication: 0.05, delay: 3, jitter: 2 };
  transferAll(2, () => ({ frames: 36_000, there: way, back: way }));
});
