/**
 * What has to be let go of: generators that run, handlers that wait, services that are being drained.
 *
 * @module
 */

/** Counts what is held, by name. */
export class Held {
  readonly #counts: Map<string, number> = new Map();

  /** Something is held, until the returned function is called. */
  hold(what: string): () => void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
    return () => {
      const count = this.#counts.get(what)! - 1;
      if (count === 0) this.#counts.delete(what);
      else this.#counts.set(what, count);
    };
  }

  /** What is held, in words. */
  words(): string[] {
    return [...this.#counts].map(([what, count]) => `${count} ${what}`);
  }
}
