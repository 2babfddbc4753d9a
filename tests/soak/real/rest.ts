/**
 * What must hold among real processes once nothing has gone wrong for a while.
 *
 * @module
 */

import type { Fleet } from "./fleet.ts";
import type { MemberProcess } from "./process.ts";

/** How long it may take until all know all, in ms. */
const CONVERGED_WITHIN = 100_000;

/** How often that is looked at, in ms. */
const LOOK = 1_000;

/** How long all calls have to end, and whoever waits for a caller that is gone to notice, in ms. */
const OVER_WITHIN = 80_000;

/** How long a process may take to say something, in ms. */
const ANSWER = 20_000;

/** Lets all come to rest, and looks at them. Applications must do nothing. Gives heaps, by life. */
export async function rest(fleet: Fleet, signal: AbortSignal): Promise<Map<string, number>> {
  const start = performance.now();
  let faults: string[];
  do {
    await pause(LOOK, signal);
    faults = await inspect(fleet);
  } while (faults.length > 0 && performance.now() - start < CONVERGED_WITHIN);
  fleet.tell(`all know all after ${((performance.now() - start) / 1_000).toFixed(1)} s`);
  for (const fault of faults) fleet.tally.violation(`at rest, ${fault}`);
  if (faults.length === 0) {
    for (const process of fleet.processes) process.tell({ do: "calm" });
    await everybodyAnswers(fleet);
  }
  await pause(Math.max(0, start + OVER_WITHIN - performance.now()), signal);
  for (const fault of await inspect(fleet)) {
    fleet.tally.violation(`after a while at rest, ${fault}`);
  }
  return await nothingLeft(fleet);
}

/** Waits. */
export async function pause(duration: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    }, duration);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

/** Whoever does not know all routers and all services, in words. */
async function inspect(fleet: Fleet): Promise<string[]> {
  const down = fleet.hosts.filter(({ process }) => process === null);
  if (down.length > 0) return down.map(({ address }) => `"${address}" is down`);
  const known = await Promise.all(
    fleet.hosts.map(async ({ address, process }) => ({
      address,
      life: process!.life,
      said: await process!.ask({ do: "look" }, "known", ANSWER),
    })),
  );
  const faults = known.filter(({ said }) => said === null).map(({ life }) =>
    `${life} says nothing`
  );
  const offered = new Set(
    known.flatMap(({ address, said }) =>
      (said?.services ?? []).filter((service) => service.includes(`@${address} `))
    ),
  );
  for (const { address, life, said } of known) {
    if (said === null) continue;
    const others = fleet.hosts.map((host) => host.address).filter((other) => other !== address);
    const services = new Set(said.services);
    const lacking = [
      ...others.filter((other) => !said.routes.includes(other)),
      ...[...offered].filter((service) => !services.has(service)),
    ];
    const ghosts = [
      ...said.routes.filter((other) => !others.includes(other)),
      ...said.services.filter((service) => !offered.has(service)),
    ];
    if (lacking.length > 0) faults.push(`${life} does not know ${lacking.join(", ")}`);
    if (ghosts.length > 0) faults.push(`${life} knows ${ghosts.join(", ")}: not so`);
  }
  return faults;
}

async function everybodyAnswers(fleet: Fleet): Promise<void> {
  const running = new Map(fleet.hosts.map(({ address, process }) => [address, process?.life]));
  await Promise.all(fleet.processes.map(async (process) => {
    const called = await process.ask({ do: "call" }, "called", ANSWER);
    if (called === null) return fleet.tally.violation(`${process.life} does not say who answers`);
    for (const [address, life] of Object.entries(called.lives)) {
      if (running.get(address) === life) continue;
      fleet.tally.violation(`at rest, ${life} answers for ${running.get(address)}`);
    }
  }));
}

async function nothingLeft(fleet: Fleet): Promise<Map<string, number>> {
  const heaps = new Map<string, number>();
  const check = async (process: MemberProcess) => {
    const checked = await process.ask({ do: "check" }, "checked", ANSWER);
    if (checked === null) return fleet.tally.violation(`${process.life} does not say what is left`);
    heaps.set(process.life, checked.heap);
    for (const what of checked.left) {
      fleet.tally.violation(`at rest, ${process.life}: ${what}`);
    }
  };
  for (const process of fleet.processes) await check(process);
  return heaps;
}
