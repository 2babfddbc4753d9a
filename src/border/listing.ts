/**
 * {@linkcode Listing}: what our border offers in one area, for other borders to hear.
 *
 * @module
 */

import { CarriedError, type ServiceHandler } from "../router/incoming_call.ts";
import type { Path } from "./paths.ts";
import { writeStatement } from "./statement.ts";

/** Borders that hear of changes at once. */
const MAX_LISTENERS = 64;

/** Somebody who listens. */
interface Listener {
  /** What it has not been told: a path, or `null` for what is gone. */
  readonly news: Map<string, Path | null>;
  /** Goes on; does nothing while it is being told. */
  wake: () => void;
}

/** What is offered, and who is told. However slow somebody listens, the last word on each is kept. */
export class Listing {
  readonly #area: string;
  readonly #offers: Map<string, Path> = new Map();
  readonly #listeners: Set<Listener> = new Set();
  #closed: boolean = false;

  /** Constructs a new instance. */
  constructor(area: string) {
    this.#area = area;
  }

  /** A service is offered, and its calls are carried through these areas. */
  set(service: string, path: Path): void {
    this.#offers.set(service, path);
    this.#tell(service, path);
  }

  /** A service is offered no more. */
  delete(service: string): void {
    if (this.#offers.delete(service)) this.#tell(service, null);
  }

  /** Tells everybody that there will be no more. */
  close(): void {
    this.#closed = true;
    for (const { wake } of this.#listeners) wake();
  }

  /** Answers who asks: with all there is, then with what changes. */
  readonly handler: ServiceHandler = (_packet, _reply, { signal }) => this.#statements(signal);

  async *#statements(signal: AbortSignal): AsyncGenerator<string, void> {
    if (this.#listeners.size >= MAX_LISTENERS) {
      throw new CarriedError("ERR_CALL_REFUSED", "Cannot tell: too many borders listen already");
    }
    const listener: Listener = { news: new Map(this.#offers), wake: () => {} };
    const wake = () => listener.wake();
    this.#listeners.add(listener);
    signal.addEventListener("abort", wake, { once: true });
    try {
      for (let first = true;; first = false) {
        if (first || listener.news.size > 0) {
          const news = [...listener.news];
          listener.news.clear();
          yield writeStatement({
            area: this.#area,
            set: news.flatMap(([service, path]) => path === null ? [] : [[service, path]]),
            gone: news.flatMap(([service, path]) => path === null ? [service] : []),
          });
        } else if (this.#closed || signal.aborted) {
          return;
        } else {
          await new Promise<void>((resolve) => listener.wake = resolve);
        }
      }
    } finally {
      this.#listeners.delete(listener);
      signal.removeEventListener("abort", wake);
    }
  }

  #tell(service: string, path: Path | null): void {
    for (const { news, wake } of this.#listeners) {
      news.set(service, path);
      wake();
    }
  }
}
