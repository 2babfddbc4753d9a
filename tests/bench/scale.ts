/**
 * What a thing costs when there are ten, a thousand and ten thousand of what it has to do with.
 *
 * Prints a line for each: nanoseconds of CPU at each size, and how many times more it is at the
 * largest than at the smallest. What has to grow, because all are told or all are listed, is divided
 * by how many they are, and says so. Then bytes of a link at rest, if there is `gc()`.
 *
 * ```sh
 * deno run -A --v8-flags=--expose-gc tests/bench/scale.ts [words of names]
 * node --expose-gc tests/bench/scale.ts
 * bun tests/bench/scale.ts
 * ```
 *
 * @module
 */

import process from "node:process";
import type { Channel } from "../../src/channel/channel.ts";
import type { Effect } from "../../src/mesh/effects.ts";
import { Mesh } from "../../src/mesh/mesh.ts";
import type { BalancePolicy } from "../../src/router/balancer.ts";
import { Caller, type CallerHost } from "../../src/router/caller.ts";
import { Router } from "../../src/router/router.ts";
import { seededRandom } from "../../src/testing/mod.ts";
import { LinkFrameWriter, Packet } from "../../src/wire/mod.ts";
import { helloOf } from "../support/hellos.ts";

const SIZES = [10, 1_000, 10_000];

/** When everybody's life has begun. */
const LIFE = 1_000;

/** How long one thing is measured at one size, in ms of CPU. */
const ENOUGH = 50;

// ── a mesh, and who speaks to it ────────────────────────────────────────────

/** Link frames with these records, as few as it takes. */
function frames<T>(
  items: readonly T[],
  write: (to: LinkFrameWriter, item: T) => boolean,
): Packet[] {
  const packets: Packet[] = [];
  let writer = new LinkFrameWriter();
  const flush = () => {
    packets.push(new Packet({ net: 4, data: writer.finish() }));
    writer = new LinkFrameWriter();
  };
  for (const item of items) {
    if (write(writer, item)) continue;
    flush();
    write(writer, item);
  }
  flush();
  return packets;
}

/** One mesh core, and its time. */
class Scene {
  now: number = 0;
  links: number = 0;
  readonly mesh: Mesh = new Mesh("me", seededRandom(1), {
    incarnation: LIFE,
    maxRoutes: 40_000,
    maxServices: 80_000,
  });

  /** A neighbour comes and tells of itself. */
  join(address: string, hears?: string[]): number {
    const link = ++this.links;
    this.mesh.linkUp(link, this.now, hears === undefined ? {} : { policy: { hears } });
    this.hear(link, new Packet({ net: 3, data: helloOf(link, address, { maxRoutes: 20_000 }) }));
    for (const packet of frames([address], (to, name) => to.route(name, 1, 1, LIFE))) {
      this.hear(link, packet);
    }
    return link;
  }

  /** A guest comes, and goes when there is nothing more to say. */
  visit(): void {
    const link = this.join("guest");
    this.settle();
    this.mesh.linkDown(link, this.now);
    this.settle();
  }

  /** Neighbours of these names come. They are not told of each other, but of us and a guest. */
  joinAll(addresses: string[]): void {
    for (const address of addresses) this.join(address, ["me", "guest"]);
    this.settle();
  }

  /** A neighbour tells routes, two hops away. */
  tellRoutes(link: number, addresses: string[]): void {
    for (const packet of frames(addresses, (to, name) => to.route(name, 2, 1, LIFE))) {
      this.hear(link, packet);
    }
  }

  /** A neighbour tells a service at each of these hosts. */
  tellServices(link: number, hosts: string[], service: string, load: number): void {
    for (const packet of frames(hosts, (to, host) => to.service(host, service, load, LIFE, 1))) {
      this.hear(link, packet);
    }
  }

  hear(link: number, packet: Packet): Effect[] {
    return this.mesh.receive(link, packet, this.now);
  }

  /** What is due soon is told. */
  settle(): void {
    const end = this.now + 300;
    for (let i = 0; i < 1_000_000 && this.mesh.deadline() <= end; i++) {
      this.now = Math.max(this.now, this.mesh.deadline());
      this.mesh.tick(this.now);
    }
    this.now = end;
  }
}

/** Names of so many. */
function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
}

/** So many routes over one link. */
function withRoutes(count: number): Scene {
  const scene = new Scene();
  scene.join("near");
  scene.join("far");
  scene.tellRoutes(1, names("host", count));
  scene.settle();
  return scene;
}

/** So many hosts over one link, each with a service of the same name. */
function withInstances(count: number): Scene {
  const scene = withRoutes(count);
  names("host", count).forEach((host, i) => {
    if (i % 100 === 0) scene.now += 100;
    scene.tellServices(1, [host], "all", 1 + i % 7);
  });
  scene.settle();
  return scene;
}

// ── measuring ───────────────────────────────────────────────────────────────

/** One thing that is measured. */
interface Case {
  name: string;
  /** What there are ten, a thousand and ten thousand of. */
  of: string;
  /** Whether it is divided by how many there are. */
  each: boolean;
  /** Makes ready; what it gives is done again and again. */
  prepare: (count: number) => () => void;
  /** What it leaves to do, which is not measured. */
  runs?: number;
}

/** CPU time of this process, in ns. */
function cpu(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1_000;
}

/** Nanoseconds of CPU that one run takes. */
function measure(run: () => void, most: number): number {
  let runs = 0;
  const began = cpu();
  for (let i = 0; i < most / 4 && i < 200 && cpu() - began < ENOUGH * 5e5; i++) run();
  const start = cpu();
  let spent = 0;
  for (let batch = 1; spent < ENOUGH * 1e6 && runs < most; batch = Math.min(1_000, 2 * batch)) {
    for (let i = 0; i < batch && runs < most; i++, runs++) run();
    spent = cpu() - start;
  }
  return spent / runs;
}

const cases: Case[] = [];

/** Something that does not have to grow. */
function flat(name: string, of: string, prepare: Case["prepare"], runs?: number): void {
  cases.push({ name, of, each: false, prepare, runs });
}

/** Something of which each of them has its share. */
function each(name: string, of: string, prepare: Case["prepare"], runs?: number): void {
  cases.push({ name, of, each: true, prepare, runs });
}

// ── packets ─────────────────────────────────────────────────────────────────

const payload = new Uint8Array(64).fill(65);

function unicast(scene: Scene, from: number, dst: (i: number) => string): () => void {
  let i = 0;
  return () => {
    const trailer = { hops: 9, instance: 0, counter: 0 };
    const packet = new Packet({ src: "far", dst: dst(i++), srv: "s", data: payload, trailer });
    scene.hear(from, packet);
  };
}

flat("routed unicast", "routes", (count) => {
  const scene = withRoutes(count);
  return unicast(scene, 2, (i) => `host-${i % count}`);
});

flat("routed unicast", "links", (count) => {
  const scene = new Scene();
  scene.joinAll(names("client", count));
  scene.join("far");
  return unicast(scene, count + 1, (i) => `client-${i % count}`);
});

flat("delivery to a service of ours", "services", (count) => {
  const scene = withRoutes(10);
  for (const service of names("service", count)) scene.mesh.offer(service, 1, scene.now);
  scene.settle();
  return unicast(scene, 2, () => "me");
});

for (const balance of ["lowest", "round-robin", "two-choices", "sticky", "latency"] as const) {
  flat(`choice for a call, "${balance}"`, "instances", (count) => {
    const { mesh } = withInstances(count);
    return chooser(mesh, balance);
  });
}

flat('choice for a call, "lowest", loads change', "instances", (count) => {
  const scene = withInstances(count);
  const choose = chooser(scene.mesh, "lowest");
  let version = 1;
  let turn = 0;
  return () => {
    const i = turn++ % count;
    if (i === 0) version++;
    const write = (to: LinkFrameWriter) => to.service(`host-${i}`, "all", version, LIFE, version);
    for (const packet of frames([0], write)) scene.hear(1, packet);
    scene.now += 1;
    choose();
  };
}, 3_000);

function chooser(mesh: Mesh, balance: BalancePolicy): () => void {
  const host = {
    mesh,
    balance,
    random: seededRandom(2),
    clock: { now: () => 0, schedule: () => () => {} },
  };
  const caller = new Caller(host as unknown as CallerHost);
  let i = 0;
  return () => {
    if (caller.pick("all", { key: `key ${i++ % 100}` }) === null) throw new Error("Nobody");
  };
}

each("multicast, each copy", "instances", (count) => {
  const scene = withInstances(count);
  return () => {
    const effects = scene.mesh.send(new Packet({ srv: "all", data: payload }), scene.now);
    if (effects.length < count) throw new Error(`${effects.length} copies`);
  };
});

// ── news ────────────────────────────────────────────────────────────────────

flat("a route changes its cost", "routes", (count) => {
  const scene = withRoutes(count);
  let i = 0;
  return () => {
    const cost = 2 + Math.floor(i / count) % 2;
    for (
      const packet of frames([`host-${i++ % count}`], (to, name) => to.route(name, cost, 1, LIFE))
    ) {
      scene.hear(1, packet);
    }
    scene.now += 20;
    scene.mesh.tick(scene.now);
  };
}, 5_000);

flat("a service changes its load", "services", (count) => {
  const scene = withRoutes(count);
  scene.tellServices(1, names("host", count), "all", 1);
  let version = 2;
  return () => {
    const load = 1 + version % 9;
    const write = (to: LinkFrameWriter) => to.service("host-3", "all", load, LIFE, version);
    for (const packet of frames([0], write)) scene.hear(1, packet);
    version++;
    scene.now += 20;
    scene.mesh.tick(scene.now);
  };
}, 5_000);

each("a service of ours comes and goes, each link", "links", (count) => {
  const scene = new Scene();
  scene.joinAll(names("client", count));
  return () => {
    scene.mesh.offer("new", 1, scene.now);
    scene.settle();
    scene.mesh.offer("new", 0, scene.now);
    scene.settle();
  };
}, 4);

each("a client joins and leaves, each link", "links", (count) => {
  const scene = new Scene();
  scene.joinAll(names("client", count));
  return () => scene.visit();
}, 4);

each("a link comes and is told all, each route", "routes", (count) => {
  const scene = withRoutes(count);
  return () => scene.visit();
}, 4);

each("a link comes and is told all, each service", "services", (count) => {
  const scene = withRoutes(Math.ceil(count / 100));
  for (let i = 0; i < 100; i++) {
    scene.tellServices(1, names("host", Math.ceil(count / 100)), `service-${i}`, 1);
    scene.now += 10;
  }
  scene.settle();
  return () => scene.visit();
}, 4);

each("a link that leads to all comes and goes, each route", "routes", (count) => {
  const scene = new Scene();
  scene.join("far");
  const hosts = names("host", count);
  return () => {
    const link = scene.join("near");
    scene.tellRoutes(link, hosts);
    scene.settle();
    scene.now += 10_000;
    scene.mesh.linkDown(link, scene.now);
    scene.settle();
  };
}, 8);

each("one with a route for each comes and goes, none told", "links", (count) => {
  const scene = new Scene();
  scene.joinAll(names("client", count));
  const hosts = names("host", count);
  return () => {
    const link = scene.join("near");
    scene.tellRoutes(link, hosts);
    scene.mesh.linkDown(link, scene.now);
    scene.now += 2_000;
  };
}, 1);

each("all links go, each link", "links", (count) => {
  const scenes = Array.from({ length: 2 }, () => {
    const scene = new Scene();
    scene.joinAll(names("client", count));
    return scene;
  });
  return () => {
    const scene = scenes.pop();
    for (let link = 1; scene && link <= count; link++) scene.mesh.linkDown(link, scene.now);
  };
}, 1);

// ── questions ───────────────────────────────────────────────────────────────

flat("counts()", "routes", (count) => {
  const { mesh } = withRoutes(count);
  return () => void mesh.counts();
});

each("routes(), each", "routes", (count) => {
  const { mesh } = withRoutes(count);
  return () => void mesh.routes();
});

each("services(), each", "services", (count) => {
  const scene = withRoutes(count);
  scene.tellServices(1, names("host", count), "all", 1);
  return () => void scene.mesh.services();
});

each("Router.stats(), each", "channels", (count) => {
  const { router } = hub(count);
  return () => void router.stats();
}, 200);

// ── memory ──────────────────────────────────────────────────────────────────

/** A channel into the void, and what it brings. */
function voidChannel(): Channel {
  return {
    onPacket: null,
    onClose: null,
    onDrop: null,
    send: () => true,
    close() {},
  } as unknown as Channel;
}

/** A whole router with so many links, by which neighbours of our kind have told of themselves. */
function hub(count: number): { router: Router; channels: Channel[] } {
  let time = 0;
  let due: (() => void) | null = null;
  const clock = {
    now: () => time,
    schedule: (_at: number, task: () => void) => {
      due = task;
      return () => void (due = null);
    },
  };
  const router = new Router("me", { clock, random: seededRandom(1) });
  const channels = Array.from({ length: count }, voidChannel);
  channels.forEach((channel, i) => {
    router.addChannel(channel, { policy: HEARS_US });
    channel.onPacket!(new Packet({ net: 3, data: helloOf(i + 1, `client-${i}`) }));
    for (const packet of frames([`client-${i}`], (to, name) => to.route(name, 1, 1, LIFE))) {
      channel.onPacket!(packet);
    }
  });
  for (; time < 5_000; time += 20) {
    for (let task = due as (() => void) | null; task !== null; task = null) {
      due = null;
      task();
    }
  }
  return { router, channels };
}

const HEARS_US = { hears: ["me"] };

const collect = (globalThis as { gc?: () => void }).gc;

/** Bytes of the heap and of arrays beside it. */
function memory(): number {
  for (let i = 0; i < 4; i++) collect!();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + (arrayBuffers ?? 0);
}

/** Bytes that each of so many things takes. */
function bytesEach(count: number, make: (count: number) => unknown): number {
  make(8);
  const before = memory();
  const kept = make(count);
  const after = memory();
  if (kept === null) throw new Error("Nothing was made");
  return Math.round((after - before) / count);
}

function bareLinks(count: number): Scene {
  const scene = new Scene();
  for (let link = 1; link <= count; link++) scene.mesh.linkUp(link, 0, {});
  return scene;
}

function quietLinks(count: number): Scene {
  const scene = new Scene();
  scene.joinAll(names("client", count));
  scene.now += 5_000;
  scene.settle();
  return scene;
}

function links(count: number): Scene {
  const scene = new Scene();
  for (const name of names("client", count)) scene.join(name);
  scene.now += 5_000;
  scene.settle();
  return scene;
}

// ── all of it ───────────────────────────────────────────────────────────────

function main(words: string[]): void {
  const wanted = cases.filter(({ name, of }) =>
    words.length === 0 || words.some((word) => `${name} ${of}`.includes(word))
  );
  const line = (name: string, values: string[]) =>
    console.log(name.padEnd(62) + values.map((value) => value.padStart(12)).join(""));
  line("ns of CPU", [...SIZES.map((size) => size.toLocaleString("en")), "ratio"]);
  for (const { name, of, each, prepare, runs = 1_000_000 } of wanted) {
    const times = SIZES.map((size) => measure(prepare(size), runs) / (each ? size : 1));
    const ratio = times.at(-1)! / times[0]!;
    line(`${name} [${of}]`, [...times.map((time) => time.toFixed(0)), ratio.toFixed(1)]);
  }
  if (collect === undefined || (words.length > 0 && !words.includes("memory"))) return;
  console.log();
  line("bytes of a link at rest", ["of 1,000"]);
  line("in the mesh, before anybody has spoken", [`${bytesEach(1_000, bareLinks)}`]);
  line("in the mesh, a neighbour that is told of us alone", [`${bytesEach(1_000, quietLinks)}`]);
  line("in the mesh, each is told of all", [`${bytesEach(1_000, links)}`]);
  line("in the router, a neighbour that is told of us alone", [`${bytesEach(1_000, hub)}`]);
  line("a mesh without links", [
    `${bytesEach(50, (n) => Array.from({ length: n }, () => new Scene()))}`,
  ]);
}

main(process.argv.slice(2));
