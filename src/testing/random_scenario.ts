/**
 * Scenarios made up by chance, and cut down to what is needed to see a failure.
 *
 * @module
 */

import {
  runScenario,
  type Scenario,
  type ScenarioEvent,
  type ScenarioReport,
  type Step,
} from "./scenario.ts";
import { below, pick, seededRandom } from "./seeded_random.ts";
import type { Topology } from "./topologies.ts";

/** What can happen. */
export type EventKind = ScenarioEvent["kind"];

/** Options of {@linkcode randomScenario}. */
export interface RandomScenarioOptions {
  /** The links at first, between nodes 0, 1, 2 … */
  topology: Topology;
  /** How many things happen. */
  events: number;
  /**
   * What may happen; what is in it twice happens twice as often.
   *
   * @default {"everything, changes of links and services most often"}
   */
  kinds?: readonly EventKind[];
}

const KINDS: readonly EventKind[] = [
  ...["cut", "cut", "cut", "cut", "mend", "mend", "mend", "mend", "flap", "flap"] as const,
  ...["death", "death", "join", "join", "join", "restart", "restart", "leave"] as const,
  ...["partition", "heal", "heal", "clockBack", "halfOpen", "duplicate"] as const,
  ...["service", "service", "service", "service"] as const,
];

/** How often a failing scenario is run anew, at most, to find what is needed of it. */
const SHRINK_RUNS = 200;

/** Makes a scenario up. */
export function randomScenario(seed: number, options: RandomScenarioOptions): Scenario {
  const { topology, events, kinds = KINDS } = options;
  const random = seededRandom(seed ^ 0x5ce_4a10);
  const nodes = 1 + Math.max(0, ...topology.flat());
  const node = () => below(random, nodes);
  const make = (kind: EventKind): ScenarioEvent => {
    const [a, b] = pick(random, topology)!;
    switch (kind) {
      case "join":
        return { kind, node: node(), to: [node(), node()] };
      case "duplicate":
        return { kind, node: node(), to: node() };
      case "cut":
      case "mend":
        return { kind, a, b };
      case "halfOpen":
        return random() < 0.5 ? { kind, a, b } : { kind, a: b, b: a };
      case "flap":
        return { kind, a, b, times: 1 + below(random, 4) };
      case "heal":
        return { kind };
      case "service":
        return { kind, node: node(), service: `s${below(random, 3)}`, capacity: below(random, 5) };
      default:
        return { kind, node: node() };
    }
  };
  const steps = Array.from({ length: events }, (): Step => {
    const event = make(pick(random, kinds)!);
    // Mostly one thing disturbs the next; now and then there is time to see how it ends.
    const [wait, rest] = [Math.floor(300 * random() ** 2), random() < 0.15];
    return rest ? { ...event, wait, rest } : { ...event, wait };
  });
  return { seed, topology, steps };
}

/**
 * Runs a scenario with all checks; if one fails, finds a short list of steps that still fail.
 *
 * @throws {Error} With the seed and those steps.
 */
export function checkScenario(scenario: Scenario): ScenarioReport {
  try {
    return runScenario(scenario);
  } catch {
    const { scenario: shortest, error } = shrink(scenario);
    const steps = shortest.steps.map((step) => `  ${JSON.stringify(step)},`).join("\n");
    const links = JSON.stringify(shortest.topology);
    throw new Error(
      `${error?.message}\nseed ${scenario.seed}, topology ${links}, steps [\n${steps}\n]`,
      { cause: error },
    );
  }
}

/**
 * Leaves steps out of a scenario that fails, as long as it still fails.
 *
 * @param limit How often it is run, at most.
 */
export function shrink(
  scenario: Scenario,
  limit: number = SHRINK_RUNS,
): { scenario: Scenario; error: Error | null } {
  let runs = 0;
  let shortest = scenario;
  let error = failure(scenario);
  const without = (at: number, count: number): boolean => {
    runs++;
    const steps = shortest.steps.toSpliced(at, count);
    const found = failure({ ...scenario, steps });
    if (found === null) return false;
    shortest = { ...scenario, steps };
    error = found;
    return true;
  };
  // Large pieces first; then one by one, from the end, until none can go.
  for (let size = Math.floor(scenario.steps.length / 2); size > 1; size = Math.floor(size / 2)) {
    for (let at = shortest.steps.length - size; at >= 0 && runs < limit; at -= size) {
      without(at, size);
    }
  }
  for (let gone = true; gone && runs < limit;) {
    gone = false;
    for (let at = shortest.steps.length - 1; at >= 0 && runs < limit; at--) {
      if (without(at, 1)) gone = true;
    }
  }
  return { scenario: shortest, error };
}

/** How a scenario fails; `null` if it does not. */
function failure(scenario: Scenario): Error | null {
  try {
    runScenario(scenario);
    return null;
  } catch (error) {
    return error as Error;
  }
}
