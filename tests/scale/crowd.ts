/**
 * A few real routers among thousands on one segment. The others are voices: each says exactly what a
 * real router says, for it was recorded from one, but keeps no tables and hears nobody. What the real
 * ones do for so many neighbours is measured; what the voices would have to, is not.
 *
 * @module
 */

import process from "node:process";
import { Agenda } from "../../src/mesh/agenda.ts";
import type { Effect, LinkId, PeerId } from "../../src/mesh/effects.ts";
import { Mesh } from "../../src/mesh/mesh.ts";
import { seededRandom } from "../../src/testing/mod.ts";
import { decodeHello, encodeHello, ROLE } from "../../src/wire/hello.ts";
import { Packet } from "../../src/wire/mod.ts";

/** What was measured; CPU in ms, memory in bytes, messages for each of the real ones. */
export interface CrowdFigures {
  routers: number;
  real: number;
  /** All others come within a second. */
  atOnce: { published: number; heard: number; cpu: number };
  /** One of the others comes: for one who is there. */
  oneMore: { published: number; cpu: number };
  /** It comes itself. */
  own: { heard: number; cpu: number; time: number };
  /** When nothing happens, in a second. */
  idle: { published: number; heard: number; cpu: number };
  /** One more service of its own: messages that it publishes; of another: CPU. */
  service: { published: number; cpu: number };
  /** The engine is away: all are gone at once. */
  away: { cpu: number };
  memory: { router: number; neighbour: number };
}

const LINK: LinkId = 1;
const MESH = { maxRoutes: 20_000, maxServices: 40_000 };

/** As src/mesh/segments.ts has them, in ms. */
const ANSWER_DELAY = 5;
const KEEPALIVE_EACH = 20;
const KEEPALIVE = 10_000;

/** How often one comes. */
const TIMES = 5;

/** What a message takes, in ms. */
const DELAY = 0.5;

/** One that only speaks. */
interface Voice {
  peer: PeerId;
  /** What it says when it comes, when it is asked, now and then, and of one more service. */
  coming: Packet[];
  answer: Packet[];
  keepalive: Packet[];
  news: Packet[];
}

/** A real one, and what it calls the others. */
interface Real {
  peer: PeerId;
  mesh: Mesh;
  ways: Map<LinkId, PeerId>;
}

/** What a router alone on a segment says. */
function record(peer: PeerId, keepalive: number): Voice {
  const mesh = new Mesh(`voice-${peer}`, seededRandom(peer), { ...MESH, incarnation: peer });
  const packets = (effects: Effect[]) =>
    effects.flatMap((effect) => effect.kind === "transmit" ? [effect.packet] : []);
  const until = (time: number) => {
    const said: Packet[] = [];
    while (mesh.deadline() <= time) said.push(...packets(mesh.tick(mesh.deadline())));
    return said;
  };
  mesh.offer("service", 1, 0);
  const promise = (role: number) => (packet: Packet) => {
    const hello = decodeHello(packet.data);
    if (hello === null) return packet;
    return new Packet({ net: packet.net, data: encodeHello({ ...hello, keepalive, role }) });
  };
  const coming = packets(mesh.segmentUp(LINK, 0)).map(promise(ROLE.shared));
  const answering = ROLE.shared | ROLE.answering;
  const lonely = until(KEEPALIVE).map(promise(answering));
  const answer = coming.map(promise(answering));
  const news = [...packets(mesh.offer("another", 1, KEEPALIVE)), ...until(KEEPALIVE + 100)];
  return { peer, coming, answer, keepalive: lonely.slice(-2), news: news.slice(-1) };
}

/** The segment. */
class Crowd {
  now: number = 0;
  published: number = 0;
  heard: number = 0;
  /** CPU that the real ones have taken, in ms. */
  cpu: number = 0;
  readonly reals: Real[] = [];
  readonly #voices: Map<PeerId, Voice> = new Map();
  readonly #agenda: Agenda<() => void> = new Agenda();
  readonly #due: Map<Real, number> = new Map();
  readonly #random: () => number = seededRandom(1);
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
  }

  /** A real one comes. */
  join(): Real {
    const peer = 1_000_000 + this.reals.length;
    const options = { ...MESH, incarnation: peer };
    const real = { peer, mesh: new Mesh(`real-${peer}`, this.#random, options), ways: new Map() };
    this.reals.push(real);
    this.#apply(real, real.mesh.offer("service", 1, this.now));
    this.#apply(real, real.mesh.segmentUp(LINK, this.now));
    return real;
  }

  /** One that only speaks comes. */
  come(voice: Voice): void {
    this.#voices.set(voice.peer, voice);
    this.say(voice, voice.coming);
  }

  /** One that only speaks says something to all. */
  say({ peer }: Voice, packets: Packet[]): void {
    for (const real of this.reals) this.#fly(real, peer, packets);
  }

  /** All that only speak say that they are still there, in the course of so much time, in ms. */
  keepAlive(time: number): void {
    for (const voice of this.#voices.values()) {
      this.#agenda.add(this.now + time * this.#random(), () => this.say(voice, voice.keepalive));
    }
  }

  /** Lets time pass. */
  run(time: number): void {
    const end = this.now + time;
    const { user, system } = process.cpuUsage();
    for (let at; (at = this.#agenda.next) <= end;) {
      this.now = Math.max(this.now, at);
      this.#agenda.take(this.now)!();
    }
    this.now = end;
    const spent = process.cpuUsage({ user, system });
    this.cpu += (spent.user + spent.system) / 1_000;
  }

  #fly(real: Real, from: PeerId, packets: Packet[]): void {
    this.#agenda.add(this.now + DELAY, () => {
      this.heard++;
      for (const packet of packets) {
        this.#apply(real, real.mesh.receiveFrom(LINK, from, packet.copy(), this.now));
      }
    });
  }

  #apply(real: Real, effects: Effect[]): void {
    const messages: Map<LinkId, Packet[]> = new Map();
    for (const effect of effects) {
      if (effect.kind === "join") real.ways.set(effect.link, effect.peer);
      if (effect.kind === "part") real.ways.delete(effect.link);
      if (effect.kind !== "transmit") continue;
      const packets = messages.get(effect.link);
      if (packets) packets.push(effect.packet);
      else messages.set(effect.link, [effect.packet]);
    }
    for (const [link, packets] of messages) this.#publish(real, link, packets);
    const due = real.mesh.deadline();
    if (due >= (this.#due.get(real) ?? Infinity)) return;
    this.#due.set(real, due);
    this.#agenda.add(due, () => {
      if (this.#due.get(real) === due) this.#due.delete(real);
      if (real.mesh.deadline() <= this.now) this.#apply(real, real.mesh.tick(this.now));
      else this.#apply(real, []);
    });
  }

  #publish(from: Real, link: LinkId, packets: Packet[]): void {
    this.published++;
    const to = link === LINK ? null : from.ways.get(link);
    for (const real of this.reals) {
      if (real !== from && (to === null || to === real.peer)) this.#fly(real, from.peer, packets);
    }
    const asks = packets.some(({ data }) => {
      const hello = decodeHello(data);
      return hello !== null && (hello.role & ROLE.answering) === 0;
    });
    if (!asks || to !== null) return;
    const spread = Math.min(1_000, 20 + 0.2 * this.#size);
    for (const voice of this.#voices.values()) {
      const at = this.now + ANSWER_DELAY + spread * this.#random();
      this.#agenda.add(at, () => this.#fly(from, voice.peer, voice.answer));
    }
  }
}

/** What is reachable, in bytes. */
function heap(): number {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) return NaN;
  gc();
  gc();
  return process.memoryUsage().heapUsed + process.memoryUsage().external;
}

/** A real one comes, the only one among voices: a few times. */
function come(voices: Voice[], routers: number): CrowdFigures["own"] {
  const sum = { heard: 0, cpu: 0, time: 0 };
  for (let i = 0; i < TIMES; i++) {
    const crowd = new Crowd(routers);
    for (const voice of voices) crowd.come(voice);
    const { mesh } = crowd.join();
    while (mesh.counts().routes < voices.length && crowd.now < 10_000) crowd.run(5);
    sum.time += crowd.now / TIMES;
    crowd.run(2_000);
    check(crowd, voices.length);
    sum.heard += crowd.heard / TIMES;
    sum.cpu += crowd.cpu / TIMES;
  }
  return sum;
}

/** Measures so many real ones among so many routers in all. */
export function measureCrowd(routers: number, real: number): CrowdFigures {
  const keepalive = Math.max(KEEPALIVE, KEEPALIVE_EACH * routers);
  const voices = Array.from(
    { length: routers - real },
    (_, i) => record(i + 1, Math.min(65_535, keepalive / 1_000)),
  );
  const crowd = new Crowd(routers);
  const before = heap();
  for (let i = 1; i < real; i++) crowd.join();
  crowd.run(2_000);
  const delta = (run: () => void, among: number = crowd.reals.length) => {
    const { published, heard, cpu } = crowd;
    run();
    return {
      published: (crowd.published - published) / among,
      heard: (crowd.heard - heard) / among,
      cpu: (crowd.cpu - cpu) / among,
    };
  };
  const own = come(voices, routers);
  const late = voices.pop()!;
  const atOnce = delta(() => {
    for (const voice of voices) {
      crowd.come(voice);
      crowd.run(1_000 / voices.length);
    }
    crowd.run(2_000);
  });
  check(crowd, routers - 3);
  const memory = (heap() - before) / crowd.reals.length;
  const oneMore = delta(() => {
    crowd.come(late);
    crowd.run(2_000);
  });
  check(crowd, routers - 2);
  const time = 0.9 * keepalive;
  crowd.keepAlive(time);
  const idle = delta(() => crowd.run(time));
  crowd.keepAlive(time); // So that digests are compared twice.
  crowd.run(time);
  check(crowd, routers - 2);
  const told = delta(() => crowd.say(late, late.news), 1);
  const service = delta(() => crowd.run(50));
  const away = delta(() => {
    const { user, system } = process.cpuUsage();
    for (const { mesh } of crowd.reals) mesh.segmentAway(LINK, crowd.now);
    const spent = process.cpuUsage({ user, system });
    crowd.cpu += (spent.user + spent.system) / 1_000;
  });
  const seconds = time / 1_000;
  return {
    routers,
    real,
    atOnce,
    oneMore,
    own,
    idle: {
      published: idle.published / seconds,
      heard: idle.heard / seconds,
      cpu: idle.cpu / seconds,
    },
    service: { published: told.published + service.published, cpu: service.cpu },
    away: { cpu: away.cpu },
    memory: { router: memory, neighbour: memory / (routers - 3) },
  };
}

/** All tables are whole. */
function check({ reals }: Crowd, count: number): void {
  for (const { mesh } of reals) {
    const { routes, services } = mesh.counts();
    if (routes === count && services === count + 1) continue;
    throw new Error(`Cannot measure: ${mesh.address} knows ${routes} of ${count}`);
  }
}
