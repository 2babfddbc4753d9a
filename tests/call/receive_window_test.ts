import assert from "node:assert/strict";
import { test } from "node:test";
import { type CallFrame, numberOf, WINDOW } from "../../src/call/frame.ts";
import { callFrame } from "../../src/call/items.ts";
import { ReceiveWindow } from "../../src/call/receive_window.ts";
import { below, seededRandom } from "../../src/testing/seeded_random.ts";
import { CALL, type CallKind, DATA_ASKS, DATA_MORE } from "../../src/wire/call_mark.ts";

/** A frame that can be told from others. */
function frame(index: number, kind: CallKind = CALL.data, flags: number = 0): CallFrame {
  return callFrame(kind, { argument: index, flags });
}

/** Frames with these indexes come, one after the other. */
function receive(window: ReceiveWindow, indexes: readonly number[], now: number = 0): void {
  for (const index of indexes) window.receive(numberOf(index), frame(index), now);
}

/** Takes all that is there; gives back the indexes. */
function takeAll(window: ReceiveWindow, now: number = 0): number[] {
  const taken: number[] = [];
  for (let next; (next = window.take(now)) !== undefined;) taken.push(next.argument);
  return taken;
}

/** All indexes from one to before another. */
function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

/** Bits of a byte that are set. */
function ones(byte: number): number {
  return byte.toString(2).replaceAll("0", "").length;
}

/** When an acknowledgement is due after frames that come at 100 ms, the earlier ones being said. */
function dueAfter(earlier: readonly number[], indexes: readonly number[]): number {
  const window = new ReceiveWindow();
  receive(window, earlier);
  window.acknowledge();
  receive(window, indexes, 100);
  return window.deadline;
}

test("ReceiveWindow.take() gives frames in order, whatever order they came in", () => {
  const window = new ReceiveWindow();
  receive(window, [2, 0]);
  assert.deepEqual(takeAll(window), [0]);
  receive(window, [3]);
  assert.deepEqual(takeAll(window), []);
  receive(window, [1]);
  assert.deepEqual(takeAll(window), [1, 2, 3]);
  assert.deepEqual(takeAll(window), []);
});

test("ReceiveWindow.take() gives each frame once, though it comes again", () => {
  const window = new ReceiveWindow();
  receive(window, [0, 0, 2, 2, 0]);
  assert.deepEqual(takeAll(window), [0]);
  receive(window, [0, 1, 1, 2]);
  assert.deepEqual(takeAll(window), [1, 2]);
  receive(window, [0, 1, 2]);
  assert.deepEqual(takeAll(window), []);
});

test("ReceiveWindow gives the frame that came first, not another one with its number", () => {
  const window = new ReceiveWindow();
  const first = callFrame(CALL.data, { data: Uint8Array.of(1) });
  window.receive(1, first, 0);
  window.receive(1, callFrame(CALL.end), 0);
  assert.equal(window.take(0), first);
});

test("ReceiveWindow holds no more than 32 frames, and takes more when some have been taken", () => {
  const window = new ReceiveWindow();
  receive(window, range(0, 40));
  assert.deepEqual(takeAll(window), range(0, WINDOW));
  receive(window, range(WINDOW, WINDOW + 40));
  assert.deepEqual(window.take(0)?.argument, WINDOW);
  receive(window, [2 * WINDOW, 2 * WINDOW + 1]); // There is room for the first of them.
  assert.deepEqual(takeAll(window), range(WINDOW + 1, 2 * WINDOW + 1));
});

test("ReceiveWindow counts frames that wait for others among those 32", () => {
  const window = new ReceiveWindow();
  receive(window, range(1, 100));
  assert.deepEqual(takeAll(window), []);
  receive(window, [0]);
  assert.deepEqual(takeAll(window), range(0, WINDOW));
});

test("ReceiveWindow.acknowledge() says what is expected, and for what there is room", () => {
  const window = new ReceiveWindow();
  const gaps = new Uint8Array(0);
  assert.deepEqual(window.acknowledge(), { next: 1, limit: 33, gaps });
  receive(window, [0, 1, 2]);
  assert.deepEqual(window.acknowledge(), { next: 4, limit: 33, gaps });
  window.take(0);
  assert.deepEqual(window.acknowledge(), { next: 4, limit: 34, gaps });
  receive(window, range(3, 33));
  assert.deepEqual(window.acknowledge(), { next: 34, limit: 34, gaps });
});

test("ReceiveWindow.acknowledge() maps what has come behind a gap, seven frames to a byte", () => {
  const maps: [indexes: number[], next: number, gaps: number[]][] = [
    [[1], 1, [0b1]],
    [[7], 1, [0b100_0000]],
    [[8], 1, [0, 0b1]],
    [[1, 3, 8, 31], 1, [0b101, 0b1, 0, 0, 0b100]],
    [range(1, 32), 1, [0x7f, 0x7f, 0x7f, 0x7f, 0b111]],
    // Frames before the gap are not in the map, though nobody has taken them.
    [[0, 1, 2, 4, 6, 11], 4, [0b101, 0b1]],
    [[11, 6, 4, 2, 1, 0], 4, [0b101, 0b1]],
  ];
  for (const [indexes, next, gaps] of maps) {
    const window = new ReceiveWindow();
    receive(window, indexes);
    const told = { next, limit: 33, gaps: Uint8Array.from(gaps) };
    assert.deepEqual(window.acknowledge(), told);
  }
});

test("ReceiveWindow acknowledges a frame after 20 ms: more may come meanwhile", () => {
  assert.equal(new ReceiveWindow().deadline, Infinity);
  assert.equal(dueAfter([], [0]), 120);
  assert.equal(dueAfter([0], [1]), 120);
  const window = new ReceiveWindow();
  receive(window, [0], 100);
  receive(window, [1], 115); // The first waits for no other.
  assert.equal(window.deadline, 120);
  window.acknowledge();
  assert.equal(window.deadline, Infinity);
});

test("ReceiveWindow acknowledges at once after eight frames", () => {
  assert.equal(dueAfter([], range(0, 7)), 120);
  assert.equal(dueAfter([], range(0, 8)), 100);
  assert.equal(dueAfter(range(0, 7), [7]), 120);
});

test("ReceiveWindow acknowledges at once what is no item: the sender waits for that", () => {
  for (
    const [kind, flags, due] of [
      [CALL.open, 0, 100],
      [CALL.end, 0, 100],
      [CALL.error, 0, 100],
      [CALL.data, DATA_MORE, 120],
      [CALL.data, DATA_ASKS, 100],
      [CALL.data, DATA_MORE | DATA_ASKS, 100],
    ] as const
  ) {
    const window = new ReceiveWindow();
    window.receive(1, frame(0, kind, flags), 100);
    assert.equal(window.deadline, due, `kind ${kind}, flags ${flags}`);
  }
});

test("ReceiveWindow acknowledges at once if a frame is missing, and when it has come", () => {
  assert.equal(dueAfter([], [1]), 100);
  assert.equal(dueAfter([2], [0]), 100); // Frame 1 is still missing.
  assert.equal(dueAfter([1], [0]), 100);
  assert.equal(dueAfter([1, 0], [2]), 120);
});

test("ReceiveWindow acknowledges at once what it has already, or has no room for", () => {
  assert.equal(dueAfter([0], [0]), 100);
  assert.equal(dueAfter([0, 2], [2]), 100);
  assert.equal(dueAfter([], [WINDOW]), 100);
});

test("ReceiveWindow tells of new room when half of the window is free that was not told of", () => {
  const window = new ReceiveWindow();
  receive(window, range(0, WINDOW));
  window.acknowledge();
  for (let i = 1; i < WINDOW / 2; i++) {
    window.take(100);
    assert.equal(window.deadline, Infinity, `${i} are taken`);
  }
  window.take(100);
  assert.equal(window.deadline, 100);
  assert.equal(window.acknowledge().limit, numberOf(WINDOW + WINDOW / 2));
  window.take(200);
  assert.equal(window.deadline, Infinity);
});

test("ReceiveWindow.take() changes nothing if no frame is there", () => {
  const window = new ReceiveWindow();
  receive(window, [1]);
  const before = window.acknowledge();
  assert.equal(window.take(0), undefined);
  assert.deepEqual(window.acknowledge(), before);
});

test("ReceiveWindow goes on where the numbers begin again", () => {
  const window = new ReceiveWindow();
  for (let index = 0; index < 40_000; index += 2) {
    receive(window, [index + 1, index]);
    assert.deepEqual(takeAll(window), [index, index + 1]);
  }
  const { next, limit } = window.acknowledge();
  assert.deepEqual([next, limit], [40_000 % 16_383 + 1, 40_032 % 16_383 + 1]);
  receive(window, range(39_000, 40_000)); // Long ago.
  assert.deepEqual(takeAll(window), []);
});

test("ReceiveWindow survives whatever numbers come, and holds no more than 32 frames", () => {
  for (let seed = 0; seed < 200; seed++) {
    const random = seededRandom(seed);
    const window = new ReceiveWindow();
    let taken = 0;
    for (let i = 0; i < 200; i++) {
      const near = taken + below(random, 80) - 20;
      const number = random() < 0.3 ? below(random, 0x4000) : numberOf(Math.max(0, near));
      const kind = below(random, 8) as CallKind;
      window.receive(number, callFrame(kind, { argument: number, flags: below(random, 8) }), i);
      if (random() < 0.2) {
        for (let next; (next = window.take(i)) !== undefined; taken++) {
          assert.equal(next.argument, numberOf(taken), `seed ${seed}`);
        }
      }
      const { next, limit, gaps } = window.acknowledge();
      assert.equal(limit, numberOf(taken + WINDOW), `seed ${seed}`);
      const behind = gaps.reduce((sum, byte) => sum + ones(byte), 0);
      const held = next - numberOf(taken) + behind;
      assert.ok(held >= 0 && held <= WINDOW, `seed ${seed}`);
    }
  }
});
