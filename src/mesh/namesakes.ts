/**
 * Which neighbours go by a name: of thousands on a segment, those few are found at once.
 *
 * Pure state.
 *
 * @module
 */

import type { Neighbour } from "./state.ts";

const NOBODY: readonly Neighbour[] = [];

/** Neighbours by what they call themselves. */
export class Namesakes {
  readonly #byName: Map<string, readonly Neighbour[]> = new Map();

  /** Those that go by a name, in the order in which they took it. */
  of(address: string): readonly Neighbour[] {
    return this.#byName.get(address) ?? NOBODY;
  }

  /** Notes the name of a neighbour, which has none here. */
  add(neighbour: Neighbour): void {
    const { address } = neighbour;
    this.#byName.set(address, [...this.of(address), neighbour]);
  }

  /** Forgets the name of a neighbour, before it takes another or because it is gone. */
  delete(neighbour: Neighbour): void {
    const { address } = neighbour;
    const others = this.of(address).filter((one) => one !== neighbour);
    if (others.length > 0) this.#byName.set(address, others);
    else this.#byName.delete(address);
  }
}
