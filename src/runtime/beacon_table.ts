/**
 * {@linkcode BeaconTable}: which beacons are news.
 *
 * @module
 */

/** URLs that are remembered, and as many that may wait to be taken. */
const MAX_URLS = 1_024;

/** What has been heard, and when. Pure state; time is an argument. */
export class BeaconTable {
  readonly #silence: number;
  readonly #heard: Map<string, number> = new Map(); // When last; in that order.
  readonly #news: Set<string> = new Set();

  /**
   * Constructs a new instance.
   *
   * @param silence After how long without a beacon, in ms, a URL is news again.
   */
  constructor(silence: number) {
    this.#silence = silence;
  }

  /**
   * Hears a beacon. If the table is full of others that go on, a new one is not listened to.
   *
   * @param now In ms; never goes back.
   */
  hear(url: string, now: number): void {
    for (const [old, at] of this.#heard) {
      if (now - at < this.#silence) break;
      this.#heard.delete(old);
    }
    const isNew = !this.#heard.delete(url);
    if (isNew) {
      if (Math.max(this.#heard.size, this.#news.size) >= MAX_URLS) return;
      this.#news.add(url);
    }
    this.#heard.set(url, now);
  }

  /** Takes the next URL that is news; `undefined` if there is none. */
  take(): string | undefined {
    const [url] = this.#news;
    if (url !== undefined) this.#news.delete(url);
    return url;
  }
}
