/**
 * Whole segments in virtual time: every router is a real core, the bus and the clock are simulated.
 *
 * @module
 */

import process from "node:process";
import { Mesh } from "../../src/mesh/mesh.ts";
import { seededRandom, SimulatedNetwork } from "../../src/testing/mod.ts";

/** What was measured of one size. */
export interface WholeFigures {
  routers: number;
  /** One after the other, each when those before it have been greeted; of large ones not measured. */
  oneByOne: Join | null;
  /** The last of them alone. */
  last: Join;
  /** All within a second. */
  atOnce: Join;
  /** The same, with one in a hundred messages lost until all had come. */
  lossy: Join;
  /** One more service. */
  service: { publications: number; deliveries: number };
  /** When nothing happens, in a second. */
  idle: { publications: number; deliveries: number; cpu: number };
}

/** What it took to come. */
export interface Join {
  publications: number;
  deliveries: number;
  /** From the last that came until everybody knows everybody and each one's service, in virtual ms. */
  whole: number;
  /** CPU for each router, the simulator's share included, in ms. */
  cpu: number;
}

const BUS = "bus";

/** Between looks at the tables, in ms. */
const STEP = 5;

/** How long tables may take to be whole, in ms. */
const LIMIT = 600_000;

/** How long messages are lost after the last has come, in ms. */
const LOSSY = 2_000;

/** Up to so many come one by one: of more it would take too long. */
const MOST_ONE_BY_ONE = 200;

/** How long nothing is to happen, in ms: several keepalives of each. */
const IDLE = 60_000;

/** Routers on one segment. */
class Scene {
  readonly meshes: Mesh[] = [];
  readonly options: { loss: number; delay: (random: () => number) => number };
  readonly network: SimulatedNetwork;
  readonly #random: () => number = seededRandom(1);

  constructor(loss: number = 0) {
    this.options = { loss, delay: (random) => 0.2 + 0.6 * random() };
    this.network = new SimulatedNetwork({
      random: this.#random,
      record: false,
      encode: false,
      mesh: { maxRoutes: 20_000, maxServices: 40_000 },
    });
    this.network.segments.get(BUS, this.options);
  }

  /** One more comes, with a service. */
  join(): void {
    const id = `router-${this.meshes.length}`;
    this.network.start(id, {
      create: (...args) => {
        const mesh = new Mesh(...args);
        this.meshes.push(mesh);
        return mesh;
      },
    });
    this.network.offer(id, "service", 1);
    this.network.join(id, BUS);
  }

  /** Lets time pass until everybody knows everybody; how long that took, in ms. */
  whole(): number {
    const count = this.meshes.length;
    const start = this.network.now;
    const isWhole = () =>
      this.meshes.every((mesh) => {
        const { routes, services } = mesh.counts();
        return routes === count - 1 && services === count;
      });
    while (!isWhole()) {
      if (this.network.now - start > LIMIT) throw new Error("Cannot come to rest: tables differ");
      this.network.run(STEP);
    }
    return this.network.now - start;
  }

  /** Runs something, and says what it took. */
  measure(run: () => void): Join {
    const segment = this.network.segments.get(BUS);
    const { publications, deliveries } = segment;
    const { user, system } = process.cpuUsage();
    run();
    const whole = this.whole();
    const spent = process.cpuUsage({ user, system });
    return {
      publications: segment.publications - publications,
      deliveries: segment.deliveries - deliveries,
      whole,
      cpu: (spent.user + spent.system) / 1_000 / this.meshes.length,
    };
  }
}

/** Between joins one by one, in ms: longer than answers take. */
function gap(count: number): number {
  return 40 + Math.min(1_000, 0.2 * count);
}

/** All come within a second. */
function rush(scene: Scene, count: number): Join {
  return scene.measure(() => {
    for (let i = 0; i < count; i++) {
      if (i > 0) scene.network.run(1_000 / count);
      scene.join();
    }
    if (scene.options.loss === 0) return;
    scene.network.run(LOSSY);
    scene.options.loss = 0;
  });
}

/** All come one by one. */
function queue(scene: Scene, count: number): Join {
  return scene.measure(() => {
    for (let i = 0; i < count; i++) {
      scene.join();
      scene.network.run(gap(count));
    }
  });
}

/** Measures one size. */
export function measureWhole(routers: number): WholeFigures {
  const lossy = rush(new Scene(0.01), routers);
  const oneByOne = routers <= MOST_ONE_BY_ONE ? queue(new Scene(), routers) : null;
  const scene = new Scene();
  const atOnce = rush(scene, routers - 1);
  scene.network.run(5_000);
  const last = scene.measure(() => scene.join());
  scene.network.run(5_000);
  const { network } = scene;
  const segment = network.segments.get(BUS);
  const before = { ...segment };
  network.offer("router-0", "another", 1);
  network.run(30);
  const service = {
    publications: segment.publications - before.publications,
    deliveries: segment.deliveries - before.deliveries,
  };
  network.run(IDLE);
  const idle = { ...segment };
  const start = process.cpuUsage();
  network.run(IDLE);
  const spent = process.cpuUsage(start);
  const perSecond = IDLE / 1_000;
  return {
    routers,
    oneByOne,
    last,
    atOnce,
    lossy,
    service,
    idle: {
      publications: (segment.publications - idle.publications) / perSecond,
      deliveries: (segment.deliveries - idle.deliveries) / perSecond,
      cpu: (spent.user + spent.system) / 1_000 / routers / perSecond,
    },
  };
}
