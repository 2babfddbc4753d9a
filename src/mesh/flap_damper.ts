/**
 * Remembers whose links come and go too often, so that a bad cable troubles nobody but its ends.
 *
 * Pure state.
 *
 * @module
 */

/** Losses that are forgiven, and within which time, in ms. */
const FORGIVEN = 2;
const WINDOW = 60_000;

/** Longest penalty: 2 to this power, in seconds. */
const MAX_POWER = 6;

/** Calm after which all is forgotten, in ms. */
const CALM = 300_000;

/** Routers that are remembered. */
const MAX_RECORDS = 1_000;

/** Losses of links to one router. */
interface Losses {
  times: number[];
  power: number;
  until: number;
}

/** Losses by router. */
export class FlapDamper {
  readonly #losses: Map<string, Losses> = new Map();

  /** A link to this router was lost. */
  lost(address: string, now: number): void {
    let losses = this.#losses.get(address);
    const last = losses?.times.at(-1) ?? -Infinity;
    if (losses === undefined || now - last > CALM) {
      this.#losses.delete(address);
      if (this.#losses.size >= MAX_RECORDS) this.#losses.delete(this.#losses.keys().next().value!);
      losses = { times: [], power: 0, until: 0 };
      this.#losses.set(address, losses);
    }
    losses.times = losses.times.filter((time) => time > now - WINDOW);
    losses.times.push(now);
    if (losses.times.length <= FORGIVEN) return;
    losses.power = Math.min(MAX_POWER, losses.power + 1);
    losses.until = now + 1_000 * 2 ** losses.power;
  }

  /** Until when its links are damped, in ms. */
  dampedUntil(address: string, now: number): number {
    const losses = this.#losses.get(address);
    if (losses === undefined) return 0;
    if (now - losses.times.at(-1)! > CALM) this.#losses.delete(address);
    return losses.until;
  }
}
