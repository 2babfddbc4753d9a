import assert from "node:assert/strict";
import { test } from "node:test";
import { numberOf, WINDOW } from "../../src/call/frame.ts";
import { callFrame } from "../../src/call/items.ts";
import { type NumberedFrame, SendWindow } from "../../src/call/send_window.ts";
import { below, seededRandom } from "../../src/testing/seeded_random.ts";
import { CALL, MAX_FRAME_NUMBER } from "../../src/wire/call_mark.ts";

const NO_GAPS = new Uint8Array(0);

/** A window with so many frames to send, of which it may send `first` at once. */
function windowOf(frames: number, first: number = 8): SendWindow {
  const window = new SendWindow(first);
  push(window, frames);
  return window;
}

function push(window: SendWindow, frames: number, now: number = 0): void {
  for (let i = 0; i < frames; i++) window.push(callFrame(CALL.data), now);
}

/** The number of a frame; `null` if it is none. */
function numberIn(next: NumberedFrame | "probe" | null): number | null {
  return next === null || next === "probe" ? null : next.number;
}

/** All that it sends now: numbers of frames, and "probe". */
function sent(window: SendWindow, now: number): (number | "probe")[] {
  const all: (number | "probe")[] = [];
  for (let next; (next = window.next(now)) !== null;) {
    all.push(next === "probe" ? next : next.number);
    assert.ok(all.length <= WINDOW + 1, "it never ends");
  }
  assert.ok(window.deadline > now, "it has something to do, and does not do it");
  return all;
}

/** Frame `next` is expected, there is room for `room` from there, and these are here, too. */
function acknowledge(
  window: SendWindow,
  next: number,
  now: number,
  { room = WINDOW, behind = [] }: { room?: number; behind?: number[] } = {},
): void {
  const gaps = new Uint8Array(5);
  for (const number of behind) {
    const bit = number - next - 1;
    gaps[Math.floor(bit / 7)]! |= 1 << (bit % 7);
  }
  window.acknowledge(numberOf(next - 1), numberOf(next - 1 + room), gaps, now);
}

/** All numbers from one to another, both included. */
function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

/** A window with so many frames to send from number 33 on, for none of which there is room. */
function crowdedWindow(frames: number): SendWindow {
  const window = windowOf(WINDOW);
  for (const next of [1, 9, 25, 33]) {
    acknowledge(window, next, 10, { room: 33 - next });
    sent(window, 10);
  }
  push(window, frames, 10);
  return window;
}

// ── what is sent ────────────────────────────────────────────────────────────

test("SendWindow.next() gives frames with numbers from 1 on, in order and once", () => {
  const window = new SendWindow(8);
  assert.equal(window.next(0), null);
  const frames = [CALL.open, CALL.data, CALL.end].map((kind) => callFrame(kind));
  for (const frame of frames) window.push(frame, 0);
  assert.deepEqual(
    [window.next(0), window.next(0), window.next(0), window.next(0)],
    [
      { frame: frames[0], number: 1, last: false },
      { frame: frames[1], number: 2, last: false },
      { frame: frames[2], number: 3, last: false },
      null,
    ],
  );
});

test("SendWindow sends so many frames before any is acknowledged as it was told to", () => {
  for (const first of [1, 4, 8]) {
    assert.deepEqual(sent(windowOf(20, first), 0), range(1, first));
  }
});

test("SendWindow sends a caller's first frame alone, however often it is lost or refused", () => {
  const window = windowOf(20, 1);
  let now = 0;
  for (let i = 0; i < 8; i++) {
    assert.deepEqual(sent(window, now), [1]);
    now = window.deadline;
  }
  assert.equal(numberIn(window.next(now)), 1);
  window.refused(1, now);
  assert.deepEqual(sent(window, now), []);
  assert.deepEqual(sent(window, window.deadline), [1]);
  acknowledge(window, 2, now);
  assert.deepEqual(sent(window, now), [2, 3]);
});

test("SendWindow has more and more frames on their way as they are acknowledged, 32 at most", () => {
  const window = windowOf(200);
  const counts: number[] = [];
  let next = 1;
  for (let now = 0; now < 60; now += 10) {
    const numbers = sent(window, now);
    counts.push(numbers.length);
    next += numbers.length;
    acknowledge(window, next, now + 10);
  }
  assert.deepEqual(counts, [8, 16, 32, 32, 32, 32]);
});

test("SendWindow does not send more at once while frames wait in a queue on their way", () => {
  const window = windowOf(100);
  assert.deepEqual(sent(window, 0), range(1, 8));
  acknowledge(window, 2, 1_000); // The first has waited for nothing.
  assert.equal(sent(window, 1_000).length, 2);
  acknowledge(window, 3, 2_100);
  assert.equal(sent(window, 2_100).length, 2); // 2.1 times as long as the first: just so.
  acknowledge(window, 4, 2_101); // Longer than that: what it waited for was a queue.
  assert.equal(sent(window, 2_101).length, 1);
});

test("SendWindow sends more at once again on a way that has become longer, after a loss", () => {
  const window = windowOf(60);
  sent(window, 0);
  acknowledge(window, 9, 10);
  sent(window, 10);
  acknowledge(window, 9, 20, { behind: [12] });
  sent(window, 20); // 9 again: half as many may be on their way.
  acknowledge(window, 25, 320); // Much longer than 10 ms; but that was before.
  assert.deepEqual(sent(window, 320), range(25, 48)); // 8 and, for each that has arrived, one.
});

test("SendWindow never sends what the far end has no room for", () => {
  const window = crowdedWindow(20);
  assert.deepEqual(sent(window, 10), []);
  acknowledge(window, 33, 20, { room: 5 });
  assert.deepEqual(sent(window, 20), range(33, 37));
  acknowledge(window, 36, 30, { room: 2 });
  assert.deepEqual(sent(window, 30), []);
  acknowledge(window, 36, 40, { room: 3 });
  assert.deepEqual(sent(window, 40), [38]);
});

test("SendWindow believes in no room beyond a window, and in no less than it was told of", () => {
  const window = windowOf(100);
  sent(window, 0);
  acknowledge(window, 9, 10, { room: 8_000 });
  for (const now of [10, 10, 10]) sent(window, now);
  acknowledge(window, 25, 20, { room: 8_000 });
  assert.deepEqual(sent(window, 20), range(25, 56));
  for (const limit of [0, 1, 30, MAX_FRAME_NUMBER]) window.acknowledge(57, limit, NO_GAPS, 30);
  assert.deepEqual(sent(window, 30), []);
  acknowledge(window, 57, 30, { room: 2 });
  window.acknowledge(57, 1, NO_GAPS, 30);
  assert.deepEqual(sent(window, 30), [57, 58]);
});

test("NumberedFrame.last says that more is waiting, but not for its turn", () => {
  const lasts = (window: SendWindow, now: number) => {
    const all: boolean[] = [];
    for (let next; (next = window.next(now)) !== null && next !== "probe";) all.push(next.last);
    return all;
  };
  assert.deepEqual(lasts(windowOf(2), 0), [false, false]);
  assert.deepEqual(lasts(windowOf(3, 2), 0), [false, true]);
  assert.deepEqual(lasts(windowOf(2, 2), 0), [false, false]);
  // One that was lost, with others behind it that have arrived, or are on their way.
  const window = windowOf(6);
  sent(window, 0);
  acknowledge(window, 1, 10, { behind: [2, 3, 4] });
  assert.deepEqual(lasts(window, 10), [true]);
  // There is no room for what follows.
  const full = crowdedWindow(10);
  acknowledge(full, 33, 30, { room: 3 });
  assert.deepEqual(lasts(full, 30), [false, false, true]);
});

// ── what is said of it ──────────────────────────────────────────────────────

test("SendWindow.size and .idle say what has not been acknowledged", () => {
  const window = new SendWindow(8);
  const said = () => [window.size, window.idle];
  assert.deepEqual(said(), [0, true]);
  push(window, 3);
  assert.deepEqual(said(), [3, false]);
  sent(window, 0);
  acknowledge(window, 3, 10);
  assert.deepEqual(said(), [1, false]);
  acknowledge(window, 4, 10);
  assert.deepEqual(said(), [0, true]);
});

test("SendWindow.stalledFor() counts from the last sign of life, or from when it was needed", () => {
  const window = new SendWindow(8);
  assert.equal(window.stalledFor(1_000), 0);
  push(window, 2, 1_000);
  assert.equal(window.stalledFor(1_500), 500);
  push(window, 1, 1_500);
  assert.equal(window.stalledFor(1_500), 500);
  sent(window, 1_500);
  acknowledge(window, 1, 1_800);
  assert.equal(window.stalledFor(2_000), 200);
  window.acknowledge(9, 33, NO_GAPS, 2_000); // That many have not been sent.
  assert.equal(window.stalledFor(2_000), 200);
  acknowledge(window, 4, 2_000);
  assert.equal(window.stalledFor(9_000), 0);
});

test("SendWindow.deadline is Infinity when nothing is to be done", () => {
  const window = new SendWindow(8);
  assert.equal(window.deadline, Infinity);
  push(window, 1);
  sent(window, 0);
  acknowledge(window, 2, 10);
  assert.equal(window.deadline, Infinity);
});

test("SendWindow ignores acknowledgements that are old, or of frames that were not sent", () => {
  const fresh = windowOf(1);
  acknowledge(fresh, 2, 0);
  assert.deepEqual([fresh.size, sent(fresh, 0)], [1, [1]]);
  const window = windowOf(20);
  sent(window, 0);
  acknowledge(window, 5, 10);
  sent(window, 10);
  const { size, deadline } = window;
  for (const next of [0, 1, 4, 18, 8_000, 9_000, MAX_FRAME_NUMBER]) {
    window.acknowledge(next, 40, Uint8Array.of(0x7f, 0x7f), 11);
    assert.deepEqual([window.size, window.deadline, sent(window, 11)], [size, deadline, []]);
  }
});

// ── what is sent again ──────────────────────────────────────────────────────

test("SendWindow sends again what is not acknowledged for 500 ms, and then ever more slowly", () => {
  const window = windowOf(1);
  const times: number[] = [];
  for (let now = 0; now < 60_000; now = window.deadline) {
    assert.deepEqual(sent(window, now), [1]);
    assert.deepEqual(sent(window, window.deadline - 0.001), []);
    times.push(now);
  }
  const pauses = times.slice(1).map((time, i) => time - times[i]!);
  const expected = [500, 750, 1_125, 1_687.5, 2_531.25, 3_796.875, 5_695.3125, 8_542.96875];
  assert.deepEqual(pauses.slice(0, 8), expected);
  assert.deepEqual(new Set(pauses.slice(8)), new Set([10_000]));
});

test("SendWindow sends all again when one takes too long, with half as many on their way", () => {
  const window = windowOf(20);
  sent(window, 0);
  assert.deepEqual(sent(window, 500), range(1, 4));
  assert.deepEqual(sent(window, window.deadline), [1, 2]);
  assert.deepEqual(sent(window, window.deadline), [1, 2]);
  acknowledge(window, 3, 3_000);
  assert.deepEqual(sent(window, 3_000), [3, 4]);
});

test("SendWindow waits longer than the way is, by RFC 6298: 200 ms at least, and no more than 10 s", () => {
  const timeoutAfter = (...trips: number[]) => {
    const window = new SendWindow(8);
    let now = 0;
    for (const [i, trip] of trips.entries()) {
      push(window, 1, now);
      assert.deepEqual(sent(window, now), [i + 1]);
      acknowledge(window, i + 2, now += trip);
    }
    push(window, 1, now);
    sent(window, now);
    return window.deadline - now;
  };
  assert.equal(timeoutAfter(), 500);
  assert.equal(timeoutAfter(0), 200);
  assert.equal(timeoutAfter(10), 210);
  assert.equal(timeoutAfter(100), 300);
  assert.equal(timeoutAfter(400), 1_200);
  assert.equal(timeoutAfter(400, 400), 1_000);
  assert.equal(timeoutAfter(400, 480), 410 + 4 * 170);
  assert.equal(timeoutAfter(400, 320), 390 + 4 * 170);
  assert.equal(timeoutAfter(...Array(30).fill(1_000)), 1_200);
  assert.equal(timeoutAfter(4_000), 10_000);
});

test("SendWindow does not learn how long the way is from what it has sent twice", () => {
  const window = windowOf(1);
  sent(window, 0);
  sent(window, 500);
  acknowledge(window, 2, 501);
  push(window, 1, 501);
  sent(window, 501);
  assert.equal(window.deadline, 501 + 750); // As long as after the one that took too long.
  acknowledge(window, 3, 511);
  push(window, 1, 511);
  sent(window, 511);
  assert.equal(window.deadline, 511 + 210);
});

test("SendWindow does not learn how long the way is from what it had given up", () => {
  const window = windowOf(8);
  sent(window, 0);
  sent(window, 500); // Frames 5 to 8 wait until some of the others are acknowledged.
  acknowledge(window, 1, 510, { behind: [5, 6, 7, 8] });
  assert.equal(window.deadline, 500 + 750);
  acknowledge(window, 9, 520);
  push(window, 1, 520);
  sent(window, 520);
  assert.equal(window.deadline, 520 + 750);
});

test("SendWindow sends again what is missing once a frame has arrived that was sent 3 later", () => {
  const window = windowOf(8);
  sent(window, 0);
  for (const behind of [[2], [3], [2, 3]]) {
    acknowledge(window, 1, 10, { behind });
    assert.deepEqual(sent(window, 10), []);
  }
  acknowledge(window, 1, 10, { behind: [4] });
  assert.deepEqual(sent(window, 10), [1]);
  acknowledge(window, 1, 10, { behind: [4] });
  assert.deepEqual(sent(window, 10), []);
});

test("SendWindow sends again, at once, only what is missing", () => {
  const window = windowOf(8);
  sent(window, 0);
  acknowledge(window, 2, 10, { behind: [4, 5, 7, 8] });
  assert.deepEqual(sent(window, 10), [2, 3]); // 6 may still come: only two have overtaken it.
  acknowledge(window, 6, 20, { behind: [7, 8] });
  assert.deepEqual(sent(window, 20), []);
});

test("SendWindow notices that what it has sent again is lost again", () => {
  const window = windowOf(20);
  sent(window, 0);
  acknowledge(window, 1, 10, { behind: range(2, 8) });
  assert.deepEqual(sent(window, 10), [1, 9, 10, 11]);
  acknowledge(window, 1, 20, { behind: range(2, 10) });
  const numbers = sent(window, 20);
  assert.equal(numbers.includes(1), false); // Two have overtaken it.
  acknowledge(window, 1, 20, { behind: range(2, 11) });
  assert.deepEqual(sent(window, 20)[0], 1);
});

test("SendWindow does not know which of two has arrived, so it says nothing of those before", () => {
  const window = windowOf(8);
  sent(window, 0);
  assert.deepEqual(sent(window, 500), range(1, 4));
  acknowledge(window, 1, 501, { behind: [2, 3, 4] }); // Perhaps those sent at first.
  assert.deepEqual(sent(window, 501), [5, 6, 7]);
});

test("SendWindow sends what all others wait for, though enough is on its way", () => {
  const window = windowOf(20);
  sent(window, 0);
  acknowledge(window, 1, 10, { behind: [2, 3, 4] }); // Four are on their way, and no more may be.
  assert.deepEqual(sent(window, 10), [1]);
  acknowledge(window, 1, 20, { behind: [2, 3, 4, 5] });
  assert.deepEqual(sent(window, 20), []);
  acknowledge(window, 1, 30, { behind: [2, 3, 4, 5, 6] });
  assert.deepEqual(sent(window, 30), [9]);
});

test("SendWindow slows down once for all that was lost at about the same time", () => {
  const window = windowOf(60);
  for (const next of [1, 9, 25]) {
    acknowledge(window, next, 10);
    sent(window, 10);
  }
  // 25 to 56 are on their way. Three of them are lost, and noticed one by one.
  const lost = [25, 29, 33];
  const numbers: (number | "probe")[][] = [];
  for (let last = 26; last <= 43; last++) {
    acknowledge(window, 25, 20, { behind: range(26, last).filter((n) => !lost.includes(n)) });
    numbers.push(sent(window, 20));
  }
  // The first goes at once; the others when less than half of the 32 are on their way.
  assert.deepEqual(numbers.map((sent, i) => [26 + i, ...sent]).filter((sent) => sent.length > 1), [
    [28, 25],
    [42, 29],
    [43, 33],
  ]);
});

// ── when it cannot be sent ──────────────────────────────────────────────────

test("SendWindow tries again soon what could not be sent, and ever later if it still cannot", () => {
  const window = windowOf(20);
  const pauses: number[] = [];
  let now = 0;
  for (let i = 0; i < 8; i++) {
    assert.equal(numberIn(window.next(now)), 1);
    window.refused(1, now);
    assert.deepEqual(sent(window, now), []);
    pauses.push(window.deadline - now);
    assert.deepEqual(sent(window, window.deadline - 0.001), []);
    now = window.deadline;
  }
  assert.deepEqual(pauses, [20, 40, 80, 160, 320, 640, 1_000, 1_000]);
  // The way is free again. It was full: so it begins with less than before.
  assert.deepEqual(sent(window, now), [1, 2]);
  acknowledge(window, 3, now + 10);
  window.next(now + 10);
  window.refused(3, now + 10);
  assert.equal(window.deadline, now + 30);
});

test("SendWindow learns how long the way is from what was sent at last, not from what could not be", () => {
  const window = windowOf(1);
  window.next(0);
  window.refused(1, 0);
  assert.deepEqual(sent(window, 20), [1]);
  acknowledge(window, 2, 420);
  push(window, 1, 420);
  sent(window, 420);
  assert.equal(window.deadline, 420 + 1_200);
});

test("SendWindow waits for what is on its way while the way is full, and sends it again if it must", () => {
  const window = windowOf(20);
  window.next(0);
  window.next(0);
  window.refused(2, 0);
  assert.equal(window.deadline, 20);
  for (let now = 20; now < 500; now = window.deadline) {
    assert.equal(numberIn(window.next(now)), 2);
    window.refused(2, now);
    assert.equal(window.next(now), null);
  }
  assert.equal(window.next(500), null); // The way was full just now.
  assert.equal(window.deadline, 620);
  assert.equal(numberIn(window.next(620)), 1);
});

test("SendWindow.refused() ignores frames that are not on their way", () => {
  const window = windowOf(2);
  sent(window, 0);
  acknowledge(window, 2, 10);
  push(window, 8, 10);
  sent(window, 10); // 2 to 10, but not yet the last.
  push(window, 1, 10);
  for (const number of [0, 1, 11, 12, MAX_FRAME_NUMBER]) window.refused(number, 10);
  assert.deepEqual([window.deadline, sent(window, 10)], [210, []]);
});

// ── when there is no room ───────────────────────────────────────────────────

test("SendWindow asks whether there is room, ever more rarely: what was said of it may be lost", () => {
  const window = crowdedWindow(1);
  const times: number[] = [];
  assert.deepEqual(sent(window, 10), []);
  for (let i = 0; i < 6; i++) {
    const at = window.deadline;
    assert.deepEqual(sent(window, at - 0.001), []);
    assert.deepEqual(sent(window, at), ["probe"]);
    times.push(at);
    acknowledge(window, 33, at + 5, { room: 0 });
  }
  const pauses = times.slice(1).map((time, i) => time - times[i]! - 5);
  assert.deepEqual([times[0], ...pauses], [510, 1_000, 2_000, 4_000, 5_000, 5_000]);
  // Nothing was sent but questions; now there is room.
  acknowledge(window, 33, 20_000, { room: 1 });
  assert.deepEqual(sent(window, 20_000), [33]);
  push(window, 1, 20_000);
  acknowledge(window, 34, 20_005, { room: 0 });
  assert.equal(window.deadline, 20_505);
});

test("SendWindow goes on asking though no answer comes", () => {
  const window = crowdedWindow(1);
  const times: number[] = [];
  for (let i = 0; i < 4; i++) {
    const now = window.deadline;
    assert.deepEqual(sent(window, now), ["probe"]);
    times.push(now);
  }
  assert.deepEqual(times, [510, 1_510, 3_510, 7_510]);
});

test("SendWindow does not ask for room when nothing waits for it, or something is on its way", () => {
  assert.equal(crowdedWindow(0).deadline, Infinity);
  const window = crowdedWindow(2);
  acknowledge(window, 33, 20, { room: 1 });
  assert.deepEqual(sent(window, 20), [33]);
  assert.deepEqual(sent(window, 219), []);
  assert.deepEqual(sent(window, 220), [33]);
  assert.deepEqual(sent(window, window.deadline), [33]);
});

test("SendWindow does not ask for room while the way is full: the question would overtake", () => {
  const window = windowOf(1, 1);
  for (let now = 0; now < 10_000; now = window.deadline) {
    assert.equal(numberIn(window.next(now)), 1);
    window.refused(1, now);
    assert.equal(window.next(now), null);
  }
});

// ── what never ends, and what nobody should say ─────────────────────────────

test("SendWindow goes on where the numbers begin again", () => {
  const window = new SendWindow(8);
  let next = 1;
  for (let now = 0; next < 40_000; now += 10) {
    push(window, WINDOW - window.size, now);
    for (const number of sent(window, now)) assert.equal(number, numberOf(next++ - 1));
    acknowledge(window, next, now + 10);
  }
  assert.equal(window.idle, true);
  acknowledge(window, next - 100, 1e6); // Long ago.
  assert.equal(window.idle, true);
});

test("SendWindow survives whatever is said to it: it never sends more than a window", () => {
  for (let seed = 0; seed < 300; seed++) {
    const random = seededRandom(seed);
    const window = new SendWindow(8);
    const numbers = new Set<number>();
    let now = 0;
    for (let i = 0; i < 200; i++) {
      push(window, WINDOW - window.size, now);
      for (const number of sent(window, now)) if (number !== "probe") numbers.add(number);
      const gaps = Uint8Array.from({ length: below(random, 9) }, () => below(random, 256));
      const near = random() < 0.8 ? 40 : 0x4000;
      window.acknowledge(below(random, near), below(random, 0x4000), gaps, now);
      if (random() < 0.1) window.refused(below(random, near), now);
      if (random() < 0.5) now += below(random, 400);
      assert.ok(window.size <= WINDOW, `seed ${seed}`);
    }
    // What it has sent is what was acknowledged, and at most a window more.
    const last = Math.max(...numbers);
    assert.equal(numbers.size, last, `seed ${seed}`);
  }
});

test("SendWindow looks at no more of a map than it has sent", () => {
  const window = windowOf(3);
  sent(window, 0);
  let looks = 0;
  const get = (map: Uint8Array, key: PropertyKey) => {
    looks++;
    return Reflect.get(map, key);
  };
  for (const fill of [0, 0x7f, 0xff]) {
    window.acknowledge(1, 33, new Proxy(new Uint8Array(65_535).fill(fill), { get }), 10);
  }
  assert.ok(looks < 20, `${looks} looks`);
  acknowledge(window, 4, 20);
  assert.equal(window.idle, true);
});
