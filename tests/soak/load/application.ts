/**
 * An application: offers what the loads ask for, and runs one or another of them now and then.
 *
 * @module
 */

import type { Load } from "./load.ts";
import { loads } from "./loads.ts";
import type { Site } from "./site.ts";

/** Loads that may run at once in one application. */
const MAX_RUNNING = 64;

/** What runs beside one router. */
export class Application {
  readonly #site: Site;
  readonly #pause: number;
  #cancel: (() => void) | null = null;
  #running: number = 0;

  /**
   * Constructs a new instance, which offers its services but does nothing yet.
   *
   * @param pause How long it rests between two runs, on average, in ms.
   */
  constructor(site: Site, pause: number) {
    this.#site = site;
    this.#pause = pause;
    for (const load of loads) load.serve?.(site);
  }

  /** Begins. */
  start(): void {
    if (this.#cancel === null) this.#next();
  }

  /** Begins nothing more. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #next(): void {
    const { clock, random } = this.#site;
    const pause = -Math.log(1 - random()) * this.#pause;
    this.#cancel = clock.schedule(clock.now() + pause, () => {
      this.#next();
      if (this.#running < MAX_RUNNING) this.#run(choose(random));
    });
  }

  async #run(load: Load): Promise<void> {
    this.#running++;
    await load.run(this.#site);
    this.#running--;
  }
}

function choose(random: () => number): Load {
  const weights = loads.reduce((sum, { weight }) => sum + weight, 0);
  let at = random() * weights;
  return loads.find(({ weight }) => (at -= weight) < 0) ?? loads[0]!;
}
