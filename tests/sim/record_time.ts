/**
 * How long one core takes for each route record that it receives: reading the frame, choosing, and
 * telling the others.
 *
 * @module
 */

import { Mesh, seededRandom } from "../../src/testing/mod.ts";
import { CAP, encodeHello, LinkFrameWriter, Packet } from "../../src/wire/mod.ts";

const DESTINATIONS = 1_000;
const LINKS = [1, 2, 3, 4];
const LIFE = 1_000;

/** Rounds in which every neighbour tells every route anew, and those that are not measured. */
const ROUNDS = 60;
const WARM_UP = 20;

/** The median over the rounds, in µs. */
export function recordTime(): number {
  const mesh = new Mesh("hub", seededRandom(1), { incarnation: LIFE });
  let now = 0;
  for (const link of LINKS) {
    mesh.linkUp(link, now);
    mesh.receive(link, new Packet({ net: 3, data: hello(link) }), now);
  }
  const times: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const told = LINKS.map((link) => ({ link, packets: table(link, round) }));
    const start = performance.now();
    for (const { link, packets } of told) {
      for (const packet of packets) mesh.receive(link, packet, now);
    }
    for (const end = now + 2_000; mesh.deadline() < end;) {
      now = Math.max(now, mesh.deadline());
      mesh.tick(now);
    }
    times.push(1_000 * (performance.now() - start) / (LINKS.length * DESTINATIONS));
    now += 2_000;
  }
  const sorted = times.slice(WARM_UP).sort((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}

function hello(link: number): Uint8Array {
  return encodeHello({
    ...{ caps: CAP.seq | CAP.bulk | CAP.hops, address: `neighbour-${link}`, instance: LIFE },
    ...{ session: `${link}`.padStart(16, "0"), keepalive: 10, dead: 30, role: 0 },
    ...{ maxFrame: 4_096, maxRoutes: 10_000, seen: "" },
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
