/**
 * A small, seeded share of the fuzzing; `full.ts` runs as much as it is told to. Where fast-check
 * can be had, it makes packets as well, and shrinks what fails.
 */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { Packet } from "../../src/wire/packet.ts";
import { Chance, mutateBytes, mutateText, randomPacket } from "../support/fuzz.ts";
import {
  codecsSurvive,
  decodersAgree,
  framesAreSurvived,
  FuzzFailure,
  greetingsSurvive,
  linkFramesSurvive,
  packetsSurvive,
  survivesTheWire,
} from "../support/fuzz_properties.ts";

const SEED = 20_240_607;
const timeout = 60_000; // Bun's default of 5 s is too little on a busy machine.

/** The part of fast-check that is used here. It is optional, and so are its types. */
interface FastCheck {
  record(model: Record<string, unknown>): unknown;
  array(of: unknown, constraints: object): unknown;
  integer(constraints: object): unknown;
  string(constraints: object): unknown;
  uint8Array(constraints: object): unknown;
  property(...args: unknown[]): unknown;
  assert(property: unknown, options: object): void;
}

/** fast-check, or `null` where it is not installed and cannot be fetched. */
async function loadFastCheck(): Promise<FastCheck | null> {
  // Not a literal: type checking, and those who are offline, must not need the package.
  const specifier = "Deno" in globalThis ? "npm:fast-check@4.10.2" : "fast-check";
  try {
    return await import([specifier][0]!);
  } catch {
    return null;
  }
}

test("Packets survive encode, frame, cut and decode", { timeout }, () => {
  for (let i = 0; i < 500; i++) packetsSurvive(SEED + i, 10);
});

test(
  "Packets as fast-check makes them survive encode, frame, cut and decode",
  { timeout },
  async () => {
    const fc = await loadFastCheck();
    if (fc === null) {
      // Deno fetches it; Bun and Node have it only where somebody has installed it.
      const mustHave = "Deno" in globalThis && process.env.ALN_SKIP_NOTHING;
      assert(!mustHave, "fast-check cannot be loaded");
      packetsSurvive(SEED - 1, 1_000); // The same property with our own cases instead.
      return;
    }
    const name = fc.string({ unit: "binary", maxLength: 63 }); // 63 code points fit in any case.
    const packet = fc.record({
      net: fc.integer({ min: 0, max: 0xff }),
      srv: name,
      src: name,
      dst: name,
      nxt: name,
      seq: fc.integer({ min: 0, max: 0xffff }),
      ack: fc.integer({ min: 0, max: 0xffff_ffff }),
      ctx: fc.integer({ min: 0, max: 0xffff }),
      typ: fc.integer({ min: 0, max: 0xff }),
      data: fc.uint8Array({ maxLength: 300 }),
    });
    const property = fc.property(
      fc.array(packet, { maxLength: 5 }),
      fc.integer({}),
      (inits: ConstructorParameters<typeof Packet>[0][], seed: number) =>
        survivesTheWire(inits.map((init) => new Packet(init)), new Chance(seed)),
    );
    fc.assert(property, { seed: SEED, numRuns: 500 });
  },
);

test("Hostile frames are survived, and the good packet behind them arrives", { timeout }, () => {
  for (let i = 0; i < 1_000; i++) framesAreSurvived(SEED + i, 10);
});

test("Packets and hostile frames are what a plain codec makes of them, byte by byte", {
  timeout,
}, () => {
  for (let i = 0; i < 1_000; i++) decodersAgree(SEED + i, 10);
});

test("Damaged packets, adverts and JSON give PacketError or a value", { timeout }, () => {
  for (let i = 0; i < 10_000; i++) codecsSurvive(SEED + i);
});

test("Hellos and trailers come back, and damaged ones give PacketError or a value", {
  timeout,
}, () => {
  for (let i = 0; i < 5_000; i++) greetingsSurvive(SEED + i);
});

test("Link frames come back, and damaged ones give PacketError after what was sound", {
  timeout,
}, () => {
  for (let i = 0; i < 2_000; i++) linkFramesSurvive(SEED + i);
});

test("Chance repeats, so that a seed is enough to see a failure again", () => {
  const numbers = (seed: number) => {
    const chance = new Chance(seed);
    return Array.from({ length: 4 }, () => chance.upTo(999));
  };
  assert.deepEqual(numbers(1), numbers(1));
  assert.notDeepEqual(numbers(1), numbers(2));
});

test("The made packets reach the ends of every field", () => {
  const chance = new Chance(SEED);
  const largest = { net: 0, srv: 0, seq: 0, ack: 0, ctx: 0, typ: 0, data: 0 };
  let empty = 0;
  for (let i = 0; i < 20_000; i++) {
    const packet = randomPacket(chance);
    for (const key of ["net", "seq", "ack", "ctx", "typ"] as const) {
      largest[key] = Math.max(largest[key], packet[key]);
    }
    largest.srv = Math.max(largest.srv, packet.srv.length);
    largest.data = Math.max(largest.data, packet.data.length);
    if (packet.data.length === 0) empty++;
  }
  assert.deepEqual(largest, {
    net: 0xff,
    srv: 255,
    seq: 0xffff,
    ack: 0xffff_ffff,
    ctx: 0xffff,
    typ: 0xff,
    data: 65_535,
  });
  assert.ok(empty > 0);
});

test("The mutations change most of what they are given", () => {
  const chance = new Chance(SEED);
  const bytes = randomPacket(chance).toBinary();
  const text = randomPacket(chance).toJson();
  let changed = 0;
  for (let i = 0; i < 1_000; i++) {
    if (String(mutateBytes(chance, bytes)) !== String(bytes)) changed++;
    if (mutateText(chance, text) !== text) changed++;
  }
  assert.ok(changed > 1_600, `${changed} of 2000 changed`);
});

test("FuzzFailure says the seed and the case in hex", () => {
  const failure = new FuzzFailure("it", 7, Uint8Array.of(0xc0, 1), new Error("why"));
  assert.equal(failure.message, "it fails for seed 7: Error: why\n  case: c001");
});
