/**
 * What one core takes by itself, with four neighbours of its own kind that tell it every route: time
 * for each record, memory for each destination.
 *
 * @module
 */

import process from "node:process";
import { Mesh, seededRandom } from "../../src/testing/mod.ts";
import { CAP, encodeHello, LinkFrameWriter, Packet } from "../../src/wire/mod.ts";

const DESTINATIONS = 1_000;
const LINKS = [1, 2, 3, 4];
const LIFE = 1_000;

/** Rounds in which every neighbour tells every route anew, and those that are not measured. */
const ROUNDS = 60;
const WARM_UP = 20;

/** Cores whose memory is measured together. */
const CORES = 30;

/** How long it takes to receive a record, choose, and tell the others: the median, in µs. */
export function recordTime(): number {
  const hub = new Hub(1);
  const times = Array.from({ length: ROUNDS }, (_, i) => {
    const told = LINKS.map((link) => ({ link, packets: table(link, i + 1) }));
    const start = performance.now();
    for (const { link, packets } of told) hub.receive(link, packets);
    hub.rest();
    return 1_000 * (performance.now() - start) / (LINKS.length * DESTINATIONS);
  });
  const sorted = times.slice(WARM_UP).sort((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}

/**
 * Memory for each destination, its address and all that neighbours say and were told of it
 * included, in bytes; `NaN` where the garbage cannot be collected first.
 */
export function destinationMemory(): number {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) return NaN;
  const used = () => {
    for (let i = 0; i < 3; i++) gc(); // Buffers go a collection after what held them.
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const tables = LINKS.map((link) => ({ link, packets: table(link, 1) }));
  const hubs = Array.from({ length: CORES }, (_, i) => new Hub(i));
  const before = used();
  for (const hub of hubs) {
    for (const { link, packets } of tables) hub.receive(link, packets);
    hub.rest();
  }
  const grown = used() - before;
  return grown / (hubs.length * DESTINATIONS);
}

/** A core in the middle of four neighbours. */
class Hub {
  readonly #mesh: Mesh;
  #now: number = 0;

  constructor(seed: number) {
    this.#mesh = new Mesh("hub", seededRandom(seed), { incarnation: LIFE });
    for (const link of LINKS) {
      this.#mesh.linkUp(link, 0);
      this.#mesh.receive(link, new Packet({ net: 3, data: hello(link) }), 0);
    }
  }

  receive(link: number, packets: Packet[]): void {
    for (const packet of packets) this.#mesh.receive(link, packet, this.#now);
  }

  /** Lets two seconds pass. */
  rest(): void {
    const end = this.#now + 2_000;
    while (this.#mesh.deadline() < end) {
      this.#now = Math.max(this.#now, this.#mesh.deadline());
      this.#mesh.tick(this.#now);
    }
    this.#now = end;
  }
}

function hello(link: number): Uint8Array {
  return encodeHello({
    ...{ caps: CAP.seq | CAP.bulk | CAP.hops, address: `neighbour-${link}`, instance: LIFE },
    ...{ session: `${link}`.padStart(16, "0"), keepalive: 10, dead: 30, role: 0 },
    ...{ maxFrame: 4_096, maxRoutes: 10_000, seen: "", also: "" },
  });
}

/** All that a neighbour tells in one round: a newer word of each origin, at another cost. */
function table(link: number, round: number): Packet[] {
  const packets: Packet[] = [];
  const writer = new LinkFrameWriter();
  const send = () => void packets.push(new Packet({ net: 4, data: writer.finish() }));
  for (let i = 0; i < DESTINATIONS; i++) {
    const cost = 2 + (i + link + round) % 7;
    while (!writer.route(`node-${i}`, cost, round, LIFE + i)) send();
  }
  send();
  return packets;
}
