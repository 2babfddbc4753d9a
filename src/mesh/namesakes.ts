/**
 * Which neighbours go by a name: of thousands on a segment, those few are found at once.
 *
 * Pure state.
 *
 * @module
 */

import type { Neighbour, Segment } from "./state.ts";

const NOBODY: readonly Neighbour[] = [];

/** Neighbours by what they call themselves. */
export class Namesakes {
  readonly #first: Map<string, Neighbour> = new Map();
  /** Hardly any name has more than one. */
  readonly #others: Map<string, readonly Neighbour[]> = new Map();

  /** Those that go by a name, in the order in which they took it. */
  of(address: string): readonly Neighbour[] {
    const first = this.#first.get(address);
    return first === undefined ? NOBODY : [first, ...this.#others.get(address) ?? NOBODY];
  }

  /** Whether somebody on a segment goes by a name. */
  isOn(segment: Segment, address: string): boolean {
    const first = this.#first.get(address);
    if (first === undefined || first.segment === segment) return first !== undefined;
    return (this.#others.get(address) ?? NOBODY).some((one) => one.segment === segment);
  }

  /** Notes the name of a neighbour, which has none here. */
  add(neighbour: Neighbour): void {
    this.#set(neighbour.address, [...this.of(neighbour.address), neighbour]);
  }

  /** Forgets the name of a neighbour, before it takes another or because it is gone. */
  delete(neighbour: Neighbour): void {
    const { address } = neighbour;
    this.#set(address, this.of(address).filter((one) => one !== neighbour));
  }

  #set(address: string, [first, ...others]: readonly Neighbour[]): void {
    if (first === undefined) this.#first.delete(address);
    else this.#first.set(address, first);
    if (others.length === 0) this.#others.delete(address);
    else this.#others.set(address, others);
  }
}
