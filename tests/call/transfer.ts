/**
 * One direction of a call between two windows, over a simulated way: time is moved by hand, chance
 * has a seed. What must always hold is checked at every step.
 */

import assert from "node:assert/strict";
import { type CallFrame, indexOf, WINDOW } from "../../src/call/frame.ts";
import { callFrame } from "../../src/call/items.ts";
import { type Acknowledgement, ReceiveWindow } from "../../src/call/receive_window.ts";
import { SendWindow } from "../../src/call/send_window.ts";
import { Agenda } from "../../src/mesh/agenda.ts";
import { CALL, DATA_ASKS } from "../../src/wire/call_mark.ts";

/** What happens to packets on one way. */
export interface Way {
  /** Share that is lost, 0 to 1. */
  loss: number;
  /** Share that arrives twice, 0 to 1. */
  duplication: number;
  /** How long it takes, in ms: so long, and up to `jitter` longer, so that packets overtake. */
  delay: number;
  jitter: number;
  /** How long each packet keeps the way busy, in ms: those behind it wait. @default {0} */
  pace?: number;
  /** From when until when nothing arrives, in ms. */
  outage?: [from: number, to: number];
}

/** A way on which nothing happens but that it takes a while. */
export const CLEAR: Way = { loss: 0, duplication: 0, delay: 10, jitter: 0 };

export interface TransferOptions {
  /** Frames to be transferred; the last one is an `end`. */
  frames: number;
  /** The way of the frames, and that of the acknowledgements. */
  there?: Way;
  back?: Way;
  /** Share of frames that the sender's own queue does not take, 0 to 1. */
  refusals?: number;
  /** Frames that are sent before the first acknowledgement. */
  first?: number;
  /** How long the consumer is busy with a frame, in ms. */
  busy?: (index: number) => number;
  /** How long it may take in all, in ms. */
  limit?: number;
}

/** What a transfer has cost. */
export interface TransferReport {
  /** Until everything was acknowledged, in ms. */
  time: number;
  /** Until the consumer had everything, in ms. */
  takenAt: number;
  /** Frames sent, those sent again and those refused included. */
  sent: number;
  acknowledgements: number;
  probes: number;
}

/** A packet that arrives. */
type Arrival = { number: number; frame: CallFrame } | Acknowledgement | "probe";

const EMPTY = new Uint8Array(0);

/**
 * Transfers frames, each of which has its index as its argument.
 *
 * @throws If one is lost, comes twice or out of order, if either end holds more than it may, or if
 * it takes too long.
 */
export function transfer(options: TransferOptions, random: () => number): TransferReport {
  const { frames, there = CLEAR, back = CLEAR, refusals = 0, first = WINDOW / 4 } = options;
  const { busy = () => 0, limit = 600_000 } = options;
  const arrivals: Agenda<Arrival> = new Agenda();
  const sending = new SendWindow(first);
  const receiving = new ReceiveWindow();
  const report: TransferReport = { time: 0, takenAt: 0, sent: 0, acknowledgements: 0, probes: 0 };
  let [now, pushed, taken, freeAt] = [0, 0, 0, 0];

  const freeFrom: Map<Way, number> = new Map();

  const travel = (way: Way, arrival: Arrival) => {
    const start = Math.max(now, freeFrom.get(way) ?? 0) + (way.pace ?? 0);
    freeFrom.set(way, start);
    if (way.outage !== undefined && now >= way.outage[0] && now < way.outage[1]) return;
    if (random() < way.loss) return;
    const copies = random() < way.duplication ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      arrivals.add(start + way.delay + random() * way.jitter, arrival);
    }
  };

  const acknowledge = () => {
    const ack = receiving.acknowledge();
    const expected = indexOf(ack.next, taken);
    let held = expected - taken;
    for (const byte of ack.gaps) for (let bit = 0; bit < 7; bit++) held += (byte >> bit) & 1;
    assert.ok(held >= 0 && held <= WINDOW, `${held} frames are held`);
    assert.equal(indexOf(ack.limit, expected), taken + WINDOW);
    report.acknowledgements++;
    travel(back, ack);
  };

  const send = () => {
    while (pushed < frames && sending.size < WINDOW) {
      const kind = pushed === frames - 1 ? CALL.end : CALL.data;
      sending.push(callFrame(kind, { argument: pushed++, data: EMPTY }), now);
    }
    for (let next; (next = sending.next(now)) !== null;) {
      if (next === "probe") {
        report.probes++;
        travel(there, "probe");
        continue;
      }
      const { frame, number, last } = next;
      assert.equal(indexOf(number, taken), frame.argument);
      assert.ok(frame.argument < taken + WINDOW, "more is sent than there is room for");
      report.sent++;
      if (random() < refusals) sending.refused(number, now);
      else travel(there, { number, frame: last ? { ...frame, flags: DATA_ASKS } : frame });
    }
    assert.ok(sending.deadline > now, "the sender has something to do, and does not do it");
  };

  const receive = () => {
    for (let frame; freeAt <= now && (frame = receiving.take(now)) !== undefined;) {
      assert.equal(frame.argument, taken, "a frame was lost, or came twice, or too early");
      freeAt = now + busy(taken++);
      if (taken === frames) report.takenAt = now;
    }
    if (receiving.deadline <= now) acknowledge();
  };

  const arrive = (arrival: Arrival) => {
    if (arrival === "probe") acknowledge();
    else if ("frame" in arrival) receiving.receive(arrival.number, arrival.frame, now);
    else sending.acknowledge(arrival.next, arrival.limit, arrival.gaps, now);
  };

  for (;;) {
    send();
    receive();
    if (taken === frames && sending.idle) break;
    const consumerAt = freeAt > now ? freeAt : Infinity;
    const next = Math.min(arrivals.next, sending.deadline, receiving.deadline, consumerAt);
    assert.ok(next < limit, `it is not over at ${now} ms: the consumer has ${taken} of ${frames}`);
    now = Math.max(now, next);
    const arrival = arrivals.take(now);
    if (arrival !== undefined) arrive(arrival);
  }
  report.time = now;
  return report;
}
