/**
 * Chaos: one fault after another, many at once, each set right again in its time.
 *
 * @module
 */

import { type Fault, faults } from "./faults.ts";
import type { World } from "./world.ts";

/** Chance that what may stay wrong while the world is looked at does. */
const STAY = 0.3;

/** Something that is wrong. */
interface Trouble {
  fault: Fault;
  /** Ends it; otherwise that happens in its time. */
  end: () => void;
  /** Lets it stay until it is ended. */
  keep: () => void;
}

/** Lets things go wrong in a world. */
export class Chaos {
  readonly #world: World;
  readonly #troubles: Set<Trouble> = new Set();
  readonly #pause: number;
  #cancel: () => void = () => {};

  /**
   * Constructs a new instance; nothing goes wrong yet.
   *
   * @param pause How long nothing new goes wrong, on average, in ms.
   */
  constructor(world: World, pause: number) {
    this.#world = world;
    this.#pause = pause;
  }

  /** Begins. */
  start(): void {
    const { clock, random } = this.#world;
    const pause = -Math.log(1 - random()) * this.#pause;
    this.#cancel = clock.schedule(clock.now() + pause, () => {
      this.start();
      this.#begin(choose(random));
    });
  }

  /** Lets nothing more go wrong, and sets right what would make it uncertain how the world is. */
  stop(): void {
    this.#cancel();
    for (const { fault, end, keep } of [...this.#troubles]) {
      if (fault.mayStay && this.#world.random() < STAY) keep();
      else end();
    }
  }

  /** Sets everything right. */
  heal(): void {
    for (const { end } of [...this.#troubles]) end();
  }

  #begin(fault: Fault): void {
    const { clock, random, tally } = this.#world;
    const undo = fault.begin(this.#world);
    if (undo === null) return;
    tally.count(fault.name);
    const [min, max] = fault.lasts;
    const duration = min * (max / min) ** random() || 0;
    this.#world.tell(`${fault.name}, for ${duration.toFixed(0)} ms`);
    if (duration === 0) return undo();
    const trouble: Trouble = {
      fault,
      keep: () => cancel(),
      end: () => {
        if (!this.#troubles.delete(trouble)) return;
        cancel();
        undo();
      },
    };
    const cancel = clock.schedule(clock.now() + duration, trouble.end);
    this.#troubles.add(trouble);
  }
}

function choose(random: () => number): Fault {
  const weights = faults.reduce((sum, { weight }) => sum + weight, 0);
  let at = random() * weights;
  return faults.find(({ weight }) => (at -= weight) < 0) ?? faults[0]!;
}
