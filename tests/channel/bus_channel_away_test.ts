/**
 * How long a segment waits for its engine, by timers that the test moves.
 *
 * @module
 */

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { BusChannel } from "../../src/channel/bus_channel.ts";
import { MemoryEngine } from "../support/memory_bus.ts";
import { pass } from "../support/timers.ts";

test("A segment is told to be away after two seconds, but not if its engine is back or it has closed", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const bus = new MemoryEngine().bus();
    const channel = new BusChannel(bus);
    const states: boolean[] = [];
    const joined = new Promise<void>((resolve) => {
      channel.segment.onState = (there) => {
        states.push(there);
        resolve();
      };
    });
    channel.segment.open("a");
    await joined;
    const { events } = bus;
    events!.away();
    pass(1_900);
    events!.back();
    pass(10_000);
    assert.deepEqual(states, [true, true]);
    events!.away();
    pass(1_900);
    assert.deepEqual(states, [true, true]);
    pass(100);
    assert.deepEqual(states, [true, true, false]);
    events!.back();
    events!.away();
    channel.close();
    await channel.closed;
    pass(10_000);
    assert.deepEqual(states, [true, true, false, true]);
  } finally {
    mock.timers.reset();
  }
});
