/**
 * Waiting for something to be so, by looking whenever something is told.
 *
 * @module
 */

/** Those who wait. */
export class Watchers {
  readonly #looks: Set<() => void> = new Set();

  /** Resolves once something is so; it is looked at now, and whenever something is told. */
  until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!isSo()) return;
        this.#looks.delete(look);
        resolve();
      };
      this.#looks.add(look);
      look();
    });
  }

  /** Something was told. */
  look(): void {
    for (const look of [...this.#looks]) look();
  }
}
