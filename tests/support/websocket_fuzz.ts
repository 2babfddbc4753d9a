/**
 * Streams of WebSocket frames, right and wrong, and what must hold for each.
 *
 * @module
 */

import assert from "node:assert/strict";
import { WebSocketDecoder, type WebSocketEvent } from "../../src/framing/websocket_frames.ts";
import { concat } from "../wire/hex.ts";
import { Chance, mutateBytes, randomBytes, randomCuts } from "./fuzz.ts";
import { FuzzFailure } from "./fuzz_properties.ts";
import {
  clientFrame,
  closePayload,
  type FrameOptions,
  referenceEvents,
} from "./websocket_frames.ts";

/** Longest header and longest control payload: what may be held beside a message. */
const HELD_BESIDE = 14 + 125;

/** All that is in an event, but for the reason of a violation. */
function describeEvent(event: WebSocketEvent): string {
  switch (event.kind) {
    case "text":
      return `text ${JSON.stringify(event.text)}`;
    case "binary":
    case "ping":
      return `${event.kind} ${event.data}`;
    case "pong":
      return "pong";
    case "close":
      return `close ${event.code} ${JSON.stringify(event.reason)}`;
    case "violation":
      return `violation ${event.code}`;
  }
}

const TEXTS = ["", "a", '{"srv":"ping"}', "é", "東京", "🚀", "\ufeffbom", "x".repeat(130)] as const;
const CODES = [0, 999, 1000, 1001, 1004, 1005, 1006, 1007, 1014, 1015, 2999, 3000, 4999, 5000];

function randomOptions(chance: Chance): FrameOptions {
  const mask = [0, 0, 0, 0].map(() => chance.upTo(255)) as unknown as FrameOptions["mask"];
  if (!chance.oneIn(25)) return { mask };
  return chance.pick<FrameOptions>([
    { mask: null },
    { mask, reserved: 1 + chance.upTo(6) },
    { mask, lengthSize: 2 },
    { mask, lengthSize: 8 },
    { mask, lengthSize: 8, length: chance.pick([2 ** 16, 2 ** 32, 2 ** 53]) },
    { mask, fin: false },
  ]);
}

function randomControl(chance: Chance): Uint8Array {
  const options = randomOptions(chance);
  if (!chance.oneIn(6)) {
    const size = chance.oneIn(4) ? chance.pick([124, 125, 126]) : chance.upTo(8);
    return clientFrame(9 + chance.upTo(1), randomBytes(chance, size), options);
  }
  if (chance.oneIn(4)) return clientFrame(8, randomBytes(chance, chance.upTo(3)), options);
  const code = chance.oneIn(2) ? chance.pick(CODES) : chance.upTo(5_000);
  return clientFrame(8, closePayload(code, chance.pick(TEXTS).slice(0, 40)), options);
}

/** A message in one or more frames, with control frames in between. */
function randomMessage(chance: Chance): Uint8Array[] {
  const isText = chance.oneIn(2);
  const data = isText && !chance.oneIn(10)
    ? new TextEncoder().encode(chance.pick(TEXTS))
    : randomBytes(chance, chance.oneIn(20) ? chance.pick([125, 126, 127, 300]) : chance.upTo(40));
  const frames: Uint8Array[] = [];
  const pieces = chance.oneIn(3) ? 1 + chance.upTo(4) : 1;
  for (let piece = 0, at = 0; piece < pieces; piece++) {
    const end = piece === pieces - 1 ? data.length : at + chance.upTo(data.length - at);
    const opcode = piece > 0 ? 0 : isText ? 1 : 2;
    const fin = piece === pieces - 1;
    const options = randomOptions(chance);
    frames.push(clientFrame(opcode, data.subarray(at, end), { fin, ...options }));
    if (chance.oneIn(4)) frames.push(randomControl(chance));
    at = end;
  }
  return frames;
}

/**
 * Sends one stream at random cuts into a decoder: it does not throw, holds no more than it may, and
 * tells what the reference tells.
 *
 * @returns What it tells, each event in words.
 */
export function webSocketStreamIsUnderstood(seed: number): string[] {
  const chance = new Chance(seed);
  let stream: Uint8Array = new Uint8Array(0);
  if (chance.oneIn(10)) stream = randomBytes(chance, chance.upTo(200));
  else {
    const frames: Uint8Array[] = [];
    for (let messages = 1 + chance.upTo(4); messages > 0; messages--) {
      frames.push(...randomMessage(chance));
    }
    stream = concat(...frames);
  }
  if (chance.oneIn(3)) stream = mutateBytes(chance, stream);
  const limit = chance.pick([0, 20, 128, 131_072]);
  try {
    const told: string[] = [];
    const decoder = new WebSocketDecoder({ limit });
    for (const chunk of randomCuts(chance, stream)) {
      decoder.push(chunk, (event) => told.push(describeEvent(event)));
      assert.ok(decoder.pending <= limit + HELD_BESIDE, `${decoder.pending} bytes are held`);
    }
    const expected = referenceEvents(stream, limit).map(describeEvent);
    assert.equal(told.join("\n"), expected.join("\n")); // Much faster than to compare deeply.
    return told;
  } catch (error) {
    throw new FuzzFailure("webSocketStreamIsUnderstood", seed, stream, error);
  }
}
