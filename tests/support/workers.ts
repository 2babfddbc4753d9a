/**
 * Workers of different speed behind balancers, simulated: how long callers wait, by policy.
 *
 * @module
 */

import { Agenda } from "../../src/mesh/agenda.ts";
import type { Candidate } from "../../src/mesh/effects.ts";
import { type BalancePolicy, Balancer } from "../../src/router/balancer.ts";
import { LoadMeter } from "../../src/router/load_meter.ts";
import { seededRandom } from "../../src/testing/mod.ts";

/** One way there and back, in ms. */
const ROUND_TRIP = 2;

/** What is simulated. */
export interface WorkersSetup {
  policy: BalancePolicy;
  /** Mean time that each worker needs for a call, in ms; it serves one at a time. */
  speeds: number[];
  /** How much of what all can do together is asked for, in 0-1. */
  usage: number;
  /** Whether workers advertise their load, or 1 for ever. */
  metered: boolean;
  calls: number;
  seed: number;
  /** Routers that call, each with a balancer of its own. */
  callers?: number;
}

/** How it went. */
export interface WorkersReport {
  /** Calls to each worker, as shares of all. */
  shares: number[];
  /** How long calls took, in ms. */
  mean: number;
  p99: number;
  /** Adverts a second and worker. */
  adverts: number;
}

/** Lets callers call, at random times, and workers work, for times at random. */
export function simulateWorkers(setup: WorkersSetup): WorkersReport {
  const { policy, speeds, usage, metered, calls, seed, callers = 4 } = setup;
  const random = seededRandom(seed);
  const exponential = (mean: number) => -mean * Math.log(1 - random());
  let now = 0;
  const agenda = new Agenda<() => void>();
  const candidates: Candidate[] = speeds.map((_, i) => (
    { address: `worker-${i}`, capacity: 1, cost: 1, held: false }
  ));
  const meters = speeds.map(() => new LoadMeter());
  const freeAt = speeds.map(() => 0);
  const counts = speeds.map(() => 0);
  const balancers = Array.from({ length: callers }, () => new Balancer(random, () => now));
  const gap = 1 / (usage * speeds.reduce((sum, speed) => sum + 1 / speed, 0));
  const times: number[] = [];
  let adverts = 0;
  const advertise = (i: number) => {
    const capacity = metered ? meters[i]!.due(now) : null;
    if (capacity === null) return;
    adverts++;
    candidates[i]!.capacity = capacity;
  };
  const measure = (i: number) => {
    const at = meters[i]!.deadline();
    if (at < Infinity) agenda.add(at, () => advertise(i));
  };
  const call = () => {
    const balancer = balancers[Math.floor(random() * callers)]!;
    const address = balancer.pick(candidates, { service: "s", policy })!;
    const i = Number(address.slice("worker-".length));
    const start = now;
    counts[i]!++;
    balancer.began("s", address);
    agenda.add(now + ROUND_TRIP / 2, () => {
      meters[i]!.began(now);
      measure(i);
      freeAt[i] = Math.max(now, freeAt[i]!) + exponential(speeds[i]!);
      agenda.add(freeAt[i]!, () => {
        meters[i]!.ended(now);
        measure(i);
        agenda.add(now + ROUND_TRIP / 2, () => {
          times.push(now - start);
          balancer.ended("s", address, now - start);
        });
      });
    });
  };
  for (let i = 0, at = 0; i < calls; i++) agenda.add(at += exponential(gap), call);
  while (agenda.next < Infinity) {
    now = Math.max(now, agenda.next);
    agenda.take(now)!();
  }
  times.sort((a, b) => a - b);
  return {
    shares: counts.map((count) => count / calls),
    mean: times.reduce((sum, time) => sum + time, 0) / times.length,
    p99: times[Math.floor(times.length * 0.99)]!,
    adverts: adverts / speeds.length / (now / 1_000),
  };
}
