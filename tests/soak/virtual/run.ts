/**
 * One run of the virtual soak: a world, half an hour of chaos in it, and rests to look at it.
 *
 * @module
 */

import process from "node:process";
import {
  geometric,
  grid,
  randomDegree,
  ring,
  scaleFree,
  star,
  type Topology,
  tree,
} from "../../../src/testing/mod.ts";
import { below, pick, seededRandom } from "../../../src/testing/seeded_random.ts";
import { Chaos } from "../chaos.ts";
import { faults } from "./faults.ts";
import { rest } from "./rest.ts";
import { World } from "./world.ts";

/** Options of {@linkcode runVirtual}. */
export interface VirtualOptions {
  /** All chance comes from it. */
  seed: number;
  /** Virtual minutes; rests between them are extra. */
  minutes: number;
  /** Is told what happens, line by line. */
  trace?: (line: string) => void;
  /** Collects the garbage, if the heap is to be looked at. */
  gc?: () => void;
}

/** What a run came to. */
export interface VirtualReport {
  /** What it began with. */
  seed: number;
  /** The same for the same seed, in the same runtime. */
  fingerprint: string;
  hosts: number;
  shape: string;
  /** Virtual time at the end, in ms. */
  now: number;
  /** See the tally. */
  tally: World["tally"];
  /** Heap in use at each rest, in bytes. */
  heap: number[];
}

/** Chaos lasts so long, then the world rests, in ms. */
const CHAOS = 180_000;

/** Shortest chaos, in ms. */
const MIN_CHAOS = 30_000;

/** Nothing new goes wrong for so long on average, in ms: some chaos is worse than other. */
const PAUSES = [400, 5_000] as const;

/** Machines: 12 to 20. */
const MIN_HOSTS = 12;
const MAX_HOSTS = 20;

/** How long the first links have to come up, in ms. */
const COLD_START = 5_000;

/** How long it may take until all routers have closed, and all readers have read, in ms. */
const CLOSED_WITHIN = 15_000;

/** What a heap may grow by from a third of a run on, in all. */
const MAX_GROWTH = 0.15;

/** A heap so small is not looked at: its growth is the program's own code, in bytes. */
const HEAP_NOISE = 2 << 20;

/** Shapes of networks at first. */
const SHAPES: Record<string, (hosts: number, seed: number) => Topology> = {
  ring: (hosts) => ring(hosts),
  grid: (hosts) => grid(Math.ceil(Math.sqrt(hosts))),
  tree: (hosts, seed) => tree(hosts, seed),
  star: (hosts) => star(hosts),
  random: (hosts, seed) => randomDegree(hosts, 3, seed),
  geometric: (hosts, seed) => geometric(hosts, 5, seed),
  "scale-free": (hosts, seed) => scaleFree(hosts, 2, seed),
};

/** Runs a world. Never throws: what is wrong is in the tally. */
export async function runVirtual(options: VirtualOptions): Promise<VirtualReport> {
  const { seed, minutes, trace, gc } = options;
  const random = seededRandom(seed ^ 0x50a_c0de);
  const hosts = MIN_HOSTS + below(random, MAX_HOSTS - MIN_HOSTS + 1);
  const shape = pick(random, Object.keys(SHAPES))!;
  const world = new World(seed, hosts);
  if (trace) world.tell = (line) => trace(`${world.clock.now().toFixed(3)} ms: ${line}`);
  for (const [a, b] of SHAPES[shape]!(hosts, below(random, 2 ** 32))) {
    if (a < hosts && b < hosts) world.join(world.hosts[a]!, world.hosts[b]!);
  }
  for (const host of world.hosts) host.start();
  await world.run(COLD_START);

  const heap: number[] = [];
  const [least, most] = PAUSES;
  for (let left = minutes * 60_000; left > 0; left -= CHAOS) {
    world.work();
    const chaos = new Chaos(world, faults, least * (most / least) ** random());
    chaos.start();
    await world.run(Math.max(MIN_CHAOS, Math.min(CHAOS, left)));
    chaos.stop();
    world.pause();
    await rest(world);
    if (gc) heap.push(await heapOf(world, gc));
    chaos.heal();
  }
  await end(world);
  if (gc) checkHeap(world, heap);
  const { fingerprint, tally, clock } = world;
  return { seed, fingerprint, hosts, shape, now: clock.now(), tally, heap };
}

/** Ends all routers, and looks at what is left. */
async function end(world: World): Promise<void> {
  const { tally, clock } = world;
  const leaving = world.hosts.map((host) => host.leave());
  let left = false;
  Promise.all(leaving).then(() => left = true);
  await world.run(CLOSED_WITHIN);
  if (!left) tally.violation("not every router has closed");
  for (const { life } of world.lives) tally.violation(`${life} still runs`);
  if (clock.pending > 0) tally.violation(`${clock.pending} timers are left`);
  if (clock.next !== Infinity) await world.run(60_000);
}

/** The heap in use once the garbage is gone; nothing of routers that are gone is in it. */
async function heapOf(world: World, gc: () => void): Promise<number> {
  await world.turn();
  gc();
  await world.turn();
  const ghosts = world.ghosts();
  if (ghosts.length > 0) {
    const what = `${ghosts.length} routers that are gone are still held: ${ghosts.join(", ")}`;
    world.tally.violation(what);
  }
  await world.turn();
  gc();
  return process.memoryUsage().heapUsed;
}

/** Compares the least of the middle third with the least of the last. */
function checkHeap({ tally }: World, heap: number[]): void {
  const third = Math.floor(heap.length / 3);
  if (third === 0) return;
  const before = Math.min(...heap.slice(third, 2 * third));
  const after = Math.min(...heap.slice(2 * third));
  if (after <= before * (1 + MAX_GROWTH) + HEAP_NOISE) return;
  const mib = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
  tally.violation(`the heap has grown from ${mib(before)} MiB to ${mib(after)} MiB`);
}
