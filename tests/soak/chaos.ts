/**
 * Chaos: one fault after another, many at once, each set right again in its time.
 *
 * @module
 */

import type { Clock } from "../../src/router/clock.ts";
import type { Tally } from "./load/tally.ts";

/** One thing that can go wrong in a world. */
export interface Fault<World> {
  /** What it is counted as. */
  name: string;
  /** How often it happens beside the others. */
  weight: number;
  /** How long it lasts, in ms; short times are likelier than long ones. */
  lasts: [min: number, max: number];
  /** Whether it may last on while the world is looked at: it leaves nothing uncertain. */
  mayStay?: boolean;
  /**
   * Begins.
   *
   * @returns What ends it; `null` if it makes no sense now.
   */
  begin(world: World): (() => void) | null;
}

/** What chaos needs to know of a world. */
export interface Sufferer {
  /** Its time. */
  readonly clock: Clock;
  /** Uniform over [0, 1). */
  readonly random: () => number;
  /** Where faults are counted. */
  readonly tally: Tally;
  /** Is told what happens, line by line. */
  tell(line: string): void;
}

/** Chance that what may stay wrong while the world is looked at does. */
const STAY = 0.3;

/** Something that is wrong. */
interface Trouble<World> {
  fault: Fault<World>;
  /** Ends it; otherwise that happens in its time. */
  end: () => void;
  /** Lets it stay until it is ended. */
  keep: () => void;
}

/** Lets things go wrong in a world. */
export class Chaos<World extends Sufferer> {
  readonly #world: World;
  readonly #faults: readonly Fault<World>[];
  readonly #pause: number;
  readonly #troubles: Set<Trouble<World>> = new Set();
  #cancel: () => void = () => {};

  /**
   * Constructs a new instance; nothing goes wrong yet.
   *
   * @param pause How long nothing new goes wrong, on average, in ms.
   */
  constructor(world: World, faults: readonly Fault<World>[], pause: number) {
    this.#world = world;
    this.#faults = faults;
    this.#pause = pause;
  }

  /** Begins. */
  start(): void {
    const { clock, random } = this.#world;
    const pause = -Math.log(1 - random()) * this.#pause;
    this.#cancel = clock.schedule(clock.now() + pause, () => {
      this.start();
      this.#begin(this.#choose());
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

  #choose(): Fault<World> {
    const weights = this.#faults.reduce((sum, { weight }) => sum + weight, 0);
    let at = this.#world.random() * weights;
    return this.#faults.find(({ weight }) => (at -= weight) < 0) ?? this.#faults[0]!;
  }

  #begin(fault: Fault<World>): void {
    const { clock, random, tally } = this.#world;
    const undo = fault.begin(this.#world);
    if (undo === null) return;
    tally.count(fault.name);
    const [min, max] = fault.lasts;
    const duration = min * (max / min) ** random() || 0;
    this.#world.tell(`${fault.name}, for ${duration.toFixed(0)} ms`);
    if (duration === 0) return undo();
    const trouble: Trouble<World> = {
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
