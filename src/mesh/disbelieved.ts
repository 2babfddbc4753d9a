/**
 * What a neighbour offers though it may not: never used, and kept only so that its digests can still
 * be compared, and to know what an old peer holds.
 *
 * Pure state.
 *
 * @module
 */

/** Addresses that are kept. */
const LIMIT = 10_000;

/** An offer as it was told. */
export interface DisbelievedOffer {
  /** The destination. */
  readonly address: string;
  /** Cost as told. */
  readonly cost: number;
  /** Sequence number. */
  readonly seq: number;
  /** Whose word it is, signed. */
  readonly origin: number;
}

/** Offers of one neighbour. */
export class Disbelieved {
  /** Whether services were told, too. */
  services: boolean = false;
  /** Whether all that was offered is kept. */
  complete: boolean = true;
  #offers: Map<string, DisbelievedOffer> | null = null;

  /** How many offers there are. */
  get size(): number {
    return this.#offers?.size ?? 0;
  }

  /** Notes an offer; a cost of 0 takes it back. */
  note(address: string, cost: number, seq: number, origin: number): void {
    if (cost === 0) return void this.#offers?.delete(address);
    const offers = this.#offers ??= new Map();
    if (offers.size < LIMIT || offers.has(address)) {
      offers.set(address, { address, cost, seq, origin });
    } else this.complete = false;
  }

  /** The cost at which an address is offered; 0 if it is not. */
  cost(address: string): number {
    return this.#offers?.get(address)?.cost ?? 0;
  }

  /** Every offer that is kept. */
  values(): Iterable<DisbelievedOffer> {
    return this.#offers?.values() ?? [];
  }

  /** Forgets everything. */
  clear(): void {
    this.#offers = null;
    this.services = false;
    this.complete = true;
  }
}
