/**
 * {@linkcode LiveValue}: a value that others watch over the mesh.
 *
 * @module
 */

/** A value, and who watches it. */
export class LiveValue {
  #now: string;
  readonly #watchers: Set<() => void> = new Set();

  /** Constructs a new instance. */
  constructor(now: string) {
    this.#now = now;
  }

  /** What it is now; assigning tells whoever watches. */
  get now(): string {
    return this.#now;
  }

  set now(value: string) {
    this.#now = value;
    for (const wake of this.#watchers) wake();
  }

  /**
   * What it is now, at once, and then whatever it becomes. Who takes long over one is given the
   * newest next, not all that came between.
   *
   * @param signal Ends it when it aborts: `call.signal`.
   */
  async *watch(signal: AbortSignal): AsyncGenerator<string, void> {
    let given: string | null = null;
    while (!signal.aborted) {
      if (this.#now !== given) yield given = this.#now;
      else await this.#change(signal);
    }
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#watchers.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#watchers.add(wake);
      signal.addEventListener("abort", wake);
    });
  }
}
