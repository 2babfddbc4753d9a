/**
 * The fuzzing at full length:
 *
 *     deno run -A tests/fuzz/full.ts [count] [seed]
 *
 * Sends `count` packets (1,000,000) through encode, frame, cut and decode, then as many hostile
 * frames into decoders, as many of both through a plain codec beside, as many packets through a
 * router that need not read them, half as many damaged inputs into the codecs, a tenth as many
 * hellos, trailers and link frames, and as many streams of frames into WebSocket decoders. Exits
 * with 1, the seed and the case in hex as soon as one does not hold.
 */

import process from "node:process";
import { passesAlike } from "../support/crossing.ts";
import {
  codecsSurvive,
  decodersAgree,
  framesAreSurvived,
  greetingsSurvive,
  linkFramesSurvive,
  packetsSurvive,
} from "../support/fuzz_properties.ts";
import { webSocketStreamIsUnderstood } from "../support/websocket_fuzz.ts";

const PER_STREAM = 20;
const PER_CROSSING = 20_000;
const REPORT_EVERY = 10_000; // ms

function argument(index: number, fallback: number): number {
  const text = process.argv[index];
  const value = text === undefined ? fallback : Number(text.replaceAll("_", ""));
  if (!Number.isSafeInteger(value) || value < 0) {
    console.error(`Cannot start: "${text}" is not a positive integer`);
    process.exit(2);
  }
  return value;
}

/** Runs `cases` cases, `perRun` of them for each seed. */
async function run(
  what: string,
  cases: number,
  perRun: number,
  one: (seed: number) => unknown,
): Promise<void> {
  const started = performance.now();
  const seconds = () => ((performance.now() - started) / 1_000).toFixed(1);
  let reported = started;
  let done = 0;
  for (let i = 0; done < cases; i++) {
    await one(seed + i);
    done += perRun;
    if (performance.now() - reported > REPORT_EVERY) {
      reported = performance.now();
      console.log(`  ${what}: ${done} of ${cases} in ${seconds()} s`);
    }
  }
  console.log(`${what}: ${done} cases, ${seconds()} s, seed ${seed}`);
}

const count = argument(2, 1_000_000);
const seed = argument(3, Math.floor(Math.random() * 0x7fff_ffff));

try {
  await run("packets", count, PER_STREAM, (at) => packetsSurvive(at, PER_STREAM));
  await run("hostile frames", count, PER_STREAM, (at) => framesAreSurvived(at, PER_STREAM));
  await run("plain and fast", count, PER_STREAM, (at) => decodersAgree(at, PER_STREAM));
  await run("unread", count, PER_CROSSING, (at) => passesAlike(at, PER_CROSSING));
  await run("damaged inputs", Math.ceil(count / 2), 1, codecsSurvive);
  await run("hellos and trailers", Math.ceil(count / 10), 1, greetingsSurvive);
  await run("link frames", Math.ceil(count / 10), 1, linkFramesSurvive);
  await run("WebSocket streams", count, 1, webSocketStreamIsUnderstood);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  console.error(`Started with seed ${seed}, count ${count}`);
  process.exit(1);
}
