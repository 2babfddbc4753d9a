/**
 * What can go wrong in a simulated world, and how it is set right again.
 *
 * @module
 */

import { pick } from "../../../src/testing/seeded_random.ts";
import type { Fault } from "../chaos.ts";
import type { Weather } from "./connection.ts";
import type { Host, HostPath, Life } from "./host.ts";
import type { World } from "./world.ts";

/** What has nothing to set right. */
const NOTHING = () => {};

/** Routers that are down at once, at most, of all. */
const MAX_DOWN = 1 / 3;

/** Every fault. */
export const faults: readonly Fault<World>[] = [
  {
    name: "link reset",
    weight: 4,
    lasts: [0, 0],
    begin: (world) =>
      onPath(world, (path) => {
        path.reset(pick(world.random, ["both", "first", "second"] as const)!);
        return NOTHING;
      }),
  },
  {
    name: "path cut",
    weight: 4,
    lasts: [100, 40_000],
    mayStay: true,
    begin: (world) =>
      onPath(world, (path) => {
        path.cut(pick(world.random, ["both", "first", "second"] as const)!);
        return () => path.restore();
      }),
  },
  weatherFault("black hole, both ways", 3, [1_000, 90_000], "lossy", [0, 1]),
  weatherFault("black hole, one way", 1.5, [1_000, 90_000], "lossy", [0]),
  weatherFault("black hole, the other way", 1.5, [1_000, 90_000], "lossy", [1]),
  weatherFault("stall", 3, [300, 10_000], "stalled", [0, 1]),
  {
    name: "slow path",
    weight: 1,
    lasts: [1_000, 20_000],
    begin: (world) =>
      onPath(world, (path) => {
        const { rate } = path;
        path.rate = 2;
        return () => path.rate = rate;
      }),
  },
  {
    name: "crash",
    weight: 2,
    lasts: [50, 30_000],
    mayStay: true,
    begin: (world) => onHost(world, (host) => host.kill(false)),
  },
  {
    name: "power failure",
    weight: 1,
    lasts: [1_000, 60_000],
    mayStay: true,
    begin: (world) => onHost(world, (host) => host.kill(true)),
  },
  {
    name: "router leaves",
    weight: 2,
    lasts: [50, 30_000],
    mayStay: true,
    begin: (world) => onHost(world, (host) => void host.leave(), true),
  },
  {
    name: "process stopped",
    weight: 2,
    lasts: [300, 40_000],
    begin: (world) =>
      onLife(world, (life) => {
        life.stop();
        return () => life.continue();
      }),
  },
  {
    name: "new path",
    weight: 1,
    lasts: [0, 0],
    begin(world) {
      const { hosts, paths, random } = world;
      const [from, to] = [pick(random, hosts)!, pick(random, hosts)!];
      // Two at most between two machines, and not too many in all.
      const tooMany = paths.size > 2.5 * hosts.length || world.between(from, to).length > 1;
      if (from === to || tooMany) return null;
      world.join(from, to);
      return NOTHING;
    },
  },
  {
    name: "path gone",
    weight: 1,
    lasts: [0, 0],
    begin: (world) =>
      onPath(world, (path) => {
        if (world.paths.size < world.hosts.length) return null;
        world.part(path, world.random() < 0.5);
        return NOTHING;
      }),
  },
];

function weatherFault(
  name: string,
  weight: number,
  lasts: [number, number],
  weather: Weather,
  directions: (0 | 1)[],
): Fault<World> {
  return {
    name,
    weight,
    lasts,
    begin: (world) =>
      onPath(world, (path) => {
        if (path.weather.some((now) => now !== "fair")) return null;
        for (const direction of directions) path.turn(direction, weather);
        return () => {
          for (const direction of directions) path.turn(direction, "fair");
        };
      }),
  };
}

/** A path that is not cut. */
function onPath(
  { paths, random }: World,
  begin: (path: HostPath) => (() => void) | null,
): (() => void) | null {
  const path = pick(random, [...paths].filter(({ isCut }) => !isCut));
  return path === undefined ? null : begin(path);
}

/** A router that runs, and does not leave already. */
function onLife(
  { lives, random }: World,
  begin: (life: Life) => (() => void) | null,
): (() => void) | null {
  const life = pick(random, lives.filter(({ clock, leaving }) => clock.running && !leaving));
  return life === undefined ? null : begin(life);
}

/** A machine whose router ends, and starts again. */
function onHost(
  { hosts, lives, random }: World,
  end: (host: Host) => void,
  itself: boolean = false,
): (() => void) | null {
  if (lives.length < (1 - MAX_DOWN) * hosts.length) return null;
  const host = pick(
    random,
    hosts.filter(({ life }) => life && !life.leaving && (life.clock.running || !itself)),
  );
  if (host === undefined) return null;
  end(host);
  return () => host.start();
}
