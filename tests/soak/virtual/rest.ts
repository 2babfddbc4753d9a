/**
 * What must hold in a simulated world once nothing has gone wrong for a while: everybody knows what
 * can be reached and what is offered there, everybody who can be reached answers, and nothing is
 * left of what was before.
 *
 * @module
 */

import {
  inspectQuiet,
  Links,
  type RestingNetwork,
  type SimulatedNode,
  type SimulatedRouter,
} from "../../../src/testing/mod.ts";
import { ANSWERED_WITHIN, callEverybody } from "../load/everybody.ts";
import { leftOpen } from "../load/left_open.ts";
import { type Host, type Life, LONGEST } from "./host.ts";
import type { World } from "./world.ts";

/** How long it may take until all know all, in ms: a lost word is missed by the second digest. */
const CONVERGED_WITHIN = 240_000;

/** How often that is looked at, in ms. */
const LOOK = 2_000;

/** How long it may take until a service lets go of a caller that is gone, in ms. */
const LET_GO = 45_000;

/** How long ways may be beside the shortest, on average. */
const STRETCH = 1.05;

/** Lets a world come to rest, and looks at it. Applications must have stopped. */
export async function rest(world: World): Promise<void> {
  const { tally, clock } = world;
  const start = clock.now();
  const faults = await converge(world);
  for (const fault of faults) tally.violation(`at rest, ${fault}`);
  await world.run(Math.max(0, start + LONGEST + LET_GO - clock.now()));
  if (faults.length === 0) {
    for (const fault of inspect(world)) tally.violation(`after a while at rest, ${fault}`);
    await everybodyAnswers(world);
  }
  nothingOpen(world);
}

/** Waits until all know all; what is wrong, in words, if that does not come about. */
async function converge(world: World): Promise<string[]> {
  const { tally, clock } = world;
  const start = clock.now();
  let faults = inspect(world);
  while (faults.length > 0 && clock.now() < start + CONVERGED_WITHIN) {
    await world.run(LOOK);
    faults = inspect(world);
  }
  if (faults.length > 0) return faults;
  world.knownSince = clock.now();
  const took = Math.round((clock.now() - start) / 1_000);
  world.tell(`all know all after ${took} s`);
  const slowest = "slowest convergence, in s";
  tally.counts[slowest] = Math.max(tally.counts[slowest] ?? 0, took);
  return [];
}

/** What is wrong, in words. */
function inspect(world: World): string[] {
  const report = inspectQuiet(view(world));
  const { faults, stretch } = report;
  if (stretch <= STRETCH) return faults;
  return [...faults, `ways are ${stretch.toFixed(4)} times the shortest`];
}

/** A world as the checks of simulated networks see it. */
function view(world: World): RestingNetwork {
  const links = new Links<SimulatedNode>();
  const nodes = new Map<string, SimulatedNode>();
  for (const life of world.lives) nodes.set(life.router.address, node(life, links, nodes));
  for (const { from, to, ends } of connections(world)) {
    if (ends) links.add(nodes.get(from.address)!, nodes.get(to.address)!, {});
  }
  return { now: world.clock.now(), nodes, links };
}

/** Paths, and whether a connection over them works. */
function connections(world: World): { from: Host; to: Host; ends: boolean }[] {
  return [...world.paths].map((path) => ({
    from: path.from,
    to: path.to,
    ends: path.ends().some((end) => end.works && end.isAttached && end.far.isAttached),
  }));
}

function node(
  { router, life }: Life,
  links: Links<SimulatedNode>,
  nodes: Map<string, SimulatedNode>,
): SimulatedNode {
  const { address } = router;
  const services = router.services();
  const offers = services.filter((service) => service.address === address)
    .map(({ service, capacity }) => [service, capacity] as const);
  const vias = new Map(router.routes().map(({ address, via }) => [address, via]));
  const nextHop = (destination: string) => {
    const via = nodes.get(vias.get(destination) ?? "");
    return via ? links.between(nodes.get(address)!, via)[0]?.link ?? null : null;
  };
  const mesh = { address, routes: () => router.routes(), services: () => services, nextHop };
  return {
    id: life,
    index: nodes.size,
    options: {},
    mesh: mesh as unknown as SimulatedRouter,
    offers: new Map(offers),
    ...{ starts: 1, alive: true, effects: [] },
  };
}

/** Everybody calls everybody who can be reached, and hears from who runs there now. */
async function everybodyAnswers(world: World): Promise<void> {
  const { tally, lives } = world;
  const calls = lives.map((site) => callEverybody(site));
  await world.run(ANSWERED_WITHIN + 10);
  const answers = await Promise.race([Promise.all(calls), world.turn()]);
  const running = new Map(lives.map(({ router, life }) => [router.address, life]));
  for (const [address, life] of (answers ?? []).flatMap((of) => [...of])) {
    if (running.get(address) === life) continue;
    tally.violation(`at rest, ${life} answers for ${running.get(address)}`);
  }
}

/** No call is open, none is served, nothing is held, and as many contexts can be opened as there are. */
function nothingOpen({ lives, tally }: World): void {
  for (const site of lives) {
    for (const what of leftOpen(site)) tally.violation(`at rest, ${site.life}: ${what}`);
  }
}
