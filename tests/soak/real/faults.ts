/**
 * What can go wrong between and with real processes.
 *
 * @module
 */

import { pick } from "../../../src/testing/seeded_random.ts";
import type { Fault } from "../chaos.ts";
import type { Fleet, Host, Path } from "./fleet.ts";

/** What has nothing to set right. */
const NOTHING = () => {};

/** Hosts whose process is down or stopped at once, at most, of all. */
const MAX_DOWN = 1 / 3;

/** Every fault. */
export const faults: readonly Fault<Fleet>[] = [
  {
    name: "link reset",
    weight: 4,
    lasts: [0, 0],
    begin: (fleet) =>
      onPath(fleet, ({ proxy }) => {
        proxy.reset();
        return NOTHING;
      }),
  },
  {
    name: "path cut",
    weight: 3,
    lasts: [100, 20_000],
    begin: (fleet) =>
      onPath(fleet, ({ proxy }) => {
        proxy.cut(true);
        return () => proxy.cut(false);
      }),
  },
  stall("black hole, both ways", 3, ["there", "back"], [1_000, 45_000]),
  stall("black hole, one way", 1.5, ["there"], [1_000, 45_000]),
  stall("black hole, the other way", 1.5, ["back"], [1_000, 45_000]),
  stall("stall", 3, ["there", "back"], [200, 5_000]),
  {
    name: "process killed",
    weight: 2,
    lasts: [100, 10_000],
    begin: (fleet) =>
      onHost(fleet, (host) => {
        fleet.kill(host);
        return () => void restart(fleet, host);
      }),
  },
  {
    name: "router leaves",
    weight: 1,
    lasts: [100, 10_000],
    begin: (fleet) =>
      onHost(fleet, (host) => {
        fleet.leave(host);
        return () => void restart(fleet, host);
      }),
  },
  {
    name: "process stopped",
    weight: 2,
    lasts: [2_000, 40_000],
    begin: (fleet) =>
      onHost(fleet, ({ process }) => {
        process!.stop();
        return () => process!.continue();
      }),
  },
];

function stall(
  name: string,
  weight: number,
  directions: ("there" | "back")[],
  lasts: [number, number],
): Fault<Fleet> {
  return {
    name,
    weight,
    lasts,
    begin: (fleet) =>
      onPath(fleet, ({ proxy }) => {
        for (const direction of directions) proxy.stall(direction, true);
        return () => {
          for (const direction of directions) proxy.stall(direction, false);
        };
      }),
  };
}

/** A path with which nothing is wrong. */
function onPath(
  { paths, random }: Fleet,
  begin: (path: Path) => () => void,
): (() => void) | null {
  const path = pick(random, paths.filter(({ proxy }) => proxy.fair));
  return path === undefined ? null : begin(path);
}

/** A host whose process runs, has begun, and is not to end. */
function onHost({ hosts, random }: Fleet, begin: (host: Host) => () => void): (() => void) | null {
  const running = hosts.filter(({ process }) =>
    process && !process.stopped && !process.doomed && process.tally !== null
  );
  if (running.length < (1 - MAX_DOWN) * hosts.length) return null;
  const host = pick(random, running);
  return host === undefined ? null : begin(host);
}

/** Starts a host again, once what ran there has ended. */
async function restart(fleet: Fleet, host: Host): Promise<void> {
  await host.process?.ended;
  await Promise.resolve(); // Whoever cleans up after it was told before us, or is now.
  await fleet.start(host);
}
